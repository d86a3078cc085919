-- Reads a record. Writes nothing, so it may run where writing is forbidden.
-- KEYS 1 record
-- Returns the record; 0: there is none; or { 'unreadable' }.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('EXISTS', KEYS[1]) == 0 then
    return 0
end
local r = redis.call('HMGET', KEYS[1], 'status', 'owner', 'fingerprint', 'attempt', 'lease', 'gone', 'data')
local lease, gone = tonumber(r[5]), tonumber(r[6])
if not (r[1] and r[2] and r[3] and r[4] and lease and gone) then
    return { 'unreadable' }
end
if now >= gone then
    return 0
end
return { r[1], r[2], r[3], r[4], lease - now, gone - now, r[7] or '' }
