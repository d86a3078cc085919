-- Extends the lease of a claim its owner still has, and marks it if that is asked for: its effects may have begun.
-- KEYS 1 record   ARGV 1 owner  2 lease, ms  3 retention, ms  4 '1' to mark it
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local r = redis.call('HMGET', KEYS[1], 'status', 'owner', 'gone')
local gone = tonumber(r[3])
if r[1] ~= 'INPROGRESS' or r[2] ~= ARGV[1] or not gone or now >= gone then
    return 0
end
local lease = now + tonumber(ARGV[2])
local last = string.format('%.0f', lease + tonumber(ARGV[3]))
if ARGV[4] == '1' then
    redis.call('HSET', KEYS[1], 'lease', string.format('%.0f', lease), 'gone', last, 'effects', '1')
else
    redis.call('HSET', KEYS[1], 'lease', string.format('%.0f', lease), 'gone', last)
end
redis.call('PEXPIREAT', KEYS[1], last)
return 1
