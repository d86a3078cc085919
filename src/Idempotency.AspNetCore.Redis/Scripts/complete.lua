-- Completes a claim.
-- KEYS 1 record   ARGV 1 owner  2 retention, ms  3 data
record = '1C' .. string.sub(record, 3, 76) .. ARGV[3]
-- When memory is full, Redis rejects the first write of a script, and none after one that it allowed, such as an expiry. The work is complete
-- and must be recorded; otherwise it would run again. If the second SET fails anyway, the claim counts as alive and can be completed: its lifetime
-- may have become longer, never shorter.
if redis.pcall('SET', KEYS[1], record, 'PX', ARGV[2]).err then
    redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), 2 * ARGV[2]))
    redis.call('SET', KEYS[1], record, 'PX', ARGV[2])
end
return 1
