-- Extends the lease of a claim its owner still has.
-- KEYS 1 record   ARGV 1 owner  2 lease, ms
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local r = redis.call('HMGET', KEYS[1], 'status', 'owner', 'gone', 'retention')
local gone, retention = tonumber(r[3]), tonumber(r[4])
if r[1] ~= 'INPROGRESS' or r[2] ~= ARGV[1] or not gone or not retention or now >= gone then
    return 0
end
local lease = now + tonumber(ARGV[2])
redis.call('HSET', KEYS[1], 'lease', string.format('%.0f', lease), 'gone', string.format('%.0f', lease + retention))
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', lease + retention))
return 1
