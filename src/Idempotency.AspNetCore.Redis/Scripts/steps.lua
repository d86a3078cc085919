-- Saves the steps of a claim, sets or removes its mark, and renews it. Does nothing if it has these steps or later ones.
-- KEYS 1 record   ARGV 1 owner  2 lifetime, ms  3 retention, 15 digits  4 '!' to mark it, '-' to remove its mark  5 version of the steps, 10 digits  6 their data
if #record > 76 and tonumber(string.sub(record, 77, 86)) >= tonumber(ARGV[5]) then
    return unlessItMayNotWrite(1)
end
record = '1I' .. ARGV[4] .. string.sub(record, 4, 13) .. ARGV[3] .. string.sub(record, 29, 76) .. ARGV[5] .. ARGV[6]
-- As in a completion: completed work is recorded even when memory is full. If the second SET fails anyway, the claim is renewed, and the steps are unchanged.
if redis.pcall('SET', KEYS[1], record, 'PX', ARGV[2]).err then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    redis.call('SET', KEYS[1], record, 'PX', ARGV[2])
end
return 1
