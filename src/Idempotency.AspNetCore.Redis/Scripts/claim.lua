-- Claims a key, unless a record is in the way; then returns that.
-- KEYS 1 record   ARGV 1 owner  2 fingerprint  3 attempt  4 lease, ms  5 retention, ms  6 owner to supersede, or ''
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local r = redis.call('HMGET', KEYS[1], 'status', 'owner', 'fingerprint', 'attempt', 'lease', 'gone', 'data')
if redis.call('EXISTS', KEYS[1]) == 1 then
    local lease, gone = tonumber(r[5]), tonumber(r[6])
    if not (r[1] and r[2] and r[3] and r[4] and lease and gone) then
        return { 'unreadable' }
    end
    if now < gone then
        local superseded = r[1] == 'INPROGRESS' and r[2] == ARGV[6] and now >= lease
        if not superseded then
            return { 'held', r[1], r[2], r[3], r[4], string.format('%.0f', lease - now), string.format('%.0f', gone - now), r[7] or '' }
        end
    elseif ARGV[6] ~= '' then
        return { 'gone' }
    end
elseif ARGV[6] ~= '' then
    return { 'gone' }
end
local lease = now + tonumber(ARGV[4])
local gone = lease + tonumber(ARGV[5])
-- The first write must be one that Redis refuses when its memory is full: after any other it refuses none, the claim would be taken, and
-- the completion of its answer refused. So HSET comes first, and what is left of an earlier record goes after it.
redis.call('HSET', KEYS[1], 'status', 'INPROGRESS', 'owner', ARGV[1], 'fingerprint', ARGV[2], 'attempt', ARGV[3],
    'lease', string.format('%.0f', lease), 'gone', string.format('%.0f', gone))
redis.call('HDEL', KEYS[1], 'data')
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', gone))
return { 'acquired' }
