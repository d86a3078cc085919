-- Reads a record. Writes nothing, so it may run where writing is forbidden.
-- KEYS 1 record
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local r = redis.call('HMGET', KEYS[1], 'status', 'owner', 'fingerprint', 'attempt', 'lease', 'gone', 'data')
if redis.call('EXISTS', KEYS[1]) == 0 then
    return { 'gone' }
end
local lease, gone = tonumber(r[5]), tonumber(r[6])
if not (r[1] and r[2] and r[3] and r[4] and lease and gone) then
    return { 'unreadable' }
end
if now >= gone then
    return { 'gone' }
end
return { 'held', r[1], r[2], r[3], r[4], string.format('%.0f', lease - now), string.format('%.0f', gone - now), r[7] or '' }
