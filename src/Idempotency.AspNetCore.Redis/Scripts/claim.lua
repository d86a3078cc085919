-- Claims a key, unless a record is in the way.
-- KEYS 1 record   ARGV 1 owner  2 fingerprint  3 attempt  4 lease, ms  5 retention, ms  6 owner to supersede, or ''
-- Returns 1: acquired; 0: what was to be superseded is gone; the record that is in the way; or { 'unreadable' }.
-- A redis.call costs nearly as much as a whole GET, and all of Redis waits for it: a fresh claim makes four.
local call, key = redis.call, KEYS[1]
local exists = call('EXISTS', key) == 1
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if exists then
    local r = call('HMGET', key, 'status', 'owner', 'fingerprint', 'attempt', 'lease', 'gone', 'data')
    local lease, gone = tonumber(r[5]), tonumber(r[6])
    if not (r[1] and r[2] and r[3] and r[4] and lease and gone) then
        return { 'unreadable' }
    end
    if now < gone then
        local superseded = r[1] == 'INPROGRESS' and r[2] == ARGV[6] and now >= lease
        if not superseded then
            return { r[1], r[2], r[3], r[4], lease - now, gone - now, r[7] or '' }
        end
    elseif ARGV[6] ~= '' then
        return 0
    end
elseif ARGV[6] ~= '' then
    return 0
end
local lease = now + ARGV[4]
local gone = string.format('%.0f', lease + ARGV[5])
-- The first write must be one that Redis refuses when its memory is full: after any other it refuses none, the claim would be taken, and
-- the completion of its answer refused. So HSET comes first, and what is left of an earlier record goes after it.
call('HSET', key, 'status', 'INPROGRESS', 'owner', ARGV[1], 'fingerprint', ARGV[2], 'attempt', ARGV[3],
    'lease', string.format('%.0f', lease), 'gone', gone)
if exists then
    call('HDEL', key, 'data')
end
call('PEXPIREAT', key, gone)
return 1
