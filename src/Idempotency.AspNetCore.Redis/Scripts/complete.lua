-- Completes a claim.
-- KEYS 1 record   ARGV 1 owner  2 retention, ms  3 data
record = '1C' .. string.sub(record, 3, 76) .. ARGV[3]
-- When memory is full Redis refuses the first write of a script, and none after one that it allowed, as it does an expiry. What has happened has
-- happened: without its record it would happen again. Should the second SET fail all the same, the claim counts as alive and can be completed: its life
-- may have become longer, never shorter.
if redis.pcall('SET', KEYS[1], record, 'PX', ARGV[2]).err then
    redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), 2 * ARGV[2]))
    redis.call('SET', KEYS[1], record, 'PX', ARGV[2])
end
return 1
