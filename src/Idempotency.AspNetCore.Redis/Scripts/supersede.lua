-- Claims a key in the place of an owner whose lease is over, and whose effects have not begun.
-- KEYS 1 record   ARGV 1 what to write  2 how long it lives, ms  3 owner to supersede
-- Returns 1: acquired; or the record that is in the way, and how long it still lives; nothing in its place when what was to be superseded is gone.
-- The layout is in RedisRecord.cs: 76 bytes are a claim, with its status at 2 and its owner from 29 to 44, as Lua counts.
local record = redis.call('GET', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
-- A claim lives for its lease and then its retention. Without an expiry (somebody took it away) nobody knows: then its owner may be alive.
if record and #record == 76 and string.sub(record, 1, 3) == '1I-' and not string.find(string.sub(record, 4, 28), '%D')
    and string.sub(record, 29, 44) == ARGV[3] and left >= 0 and left <= tonumber(string.sub(record, 14, 28)) then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return 1
end
return { record, left }
