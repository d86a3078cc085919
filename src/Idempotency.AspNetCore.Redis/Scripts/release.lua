-- Removes a claim its owner still has.
-- KEYS 1 record   ARGV 1 owner
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local r = redis.call('HMGET', KEYS[1], 'status', 'owner', 'gone')
local gone = tonumber(r[3])
if r[1] ~= 'INPROGRESS' or r[2] ~= ARGV[1] or not gone or now >= gone then
    return 0
end
return redis.call('DEL', KEYS[1])
