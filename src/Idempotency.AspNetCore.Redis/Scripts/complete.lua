-- Completes a claim its owner still has.
-- KEYS 1 record   ARGV 1 owner  2 retention, ms  3 data
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local r = redis.call('HMGET', KEYS[1], 'status', 'owner', 'gone', 'effects')
local gone = tonumber(r[3])
if r[1] ~= 'INPROGRESS' or r[2] ~= ARGV[1] or not gone or now >= gone then
    return 0
end
local last = string.format('%.0f', now + tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 'status', 'COMPLETED', 'lease', '0', 'gone', last, 'data', ARGV[3])
if r[4] then
    redis.call('HDEL', KEYS[1], 'effects')
end
redis.call('PEXPIREAT', KEYS[1], last)
return 1
