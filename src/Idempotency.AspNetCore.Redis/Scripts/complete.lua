-- Completes a claim its owner still has.
-- KEYS 1 record   ARGV 1 owner  2 retention, ms  3 data
-- The layout is in RedisRecord.cs: 76 bytes are a claim, with its status at 2 and its owner from 29 to 44, as Lua counts.
local record = redis.call('GET', KEYS[1])
if not record or #record ~= 76 or string.sub(record, 1, 2) ~= '1I' or string.sub(record, 29, 44) ~= ARGV[1] then
    -- For a primary to say: a replica, which is asked while the primary is away, may lag. It refuses this write, which changes nothing.
    local written = redis.pcall('SETRANGE', KEYS[1], 0, '')
    return type(written) == 'table' and string.find(written.err, 'READONLY', 1, true) and written or 0
end
record = '1C' .. string.sub(record, 3) .. ARGV[3]
-- When memory is full Redis refuses the first write of a script, and none after one that it allowed, as it does an expiry. What has happened has
-- happened: without its record it would happen again. Should the second SET fail all the same, the claim counts as alive and can be completed: its life
-- may have become longer, never shorter.
if redis.pcall('SET', KEYS[1], record, 'PX', ARGV[2]).err then
    redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), 2 * ARGV[2]))
    redis.call('SET', KEYS[1], record, 'PX', ARGV[2])
end
return 1
