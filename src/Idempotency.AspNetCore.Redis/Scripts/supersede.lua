-- Claims a key in the place of an owner whose lease is over, and whose effects have not begun.
-- KEYS 1 record   ARGV 1 what to write  2 how long it lives, ms  3 owner to supersede
-- Returns the steps, alone, and empty when there are none: acquired; or the record that is in the way, and how long it still lives; nothing in its place when what was to be superseded is gone.
local record = redis.call('GET', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
-- A claim lives for its lease and then its retention. Without an expiry (somebody took it away) nobody knows: then its owner may be alive.
if isClaim(record) and string.sub(record, 3, 3) == '-' and not string.find(string.sub(record, 4, 28), '%D')
    and string.sub(record, 29, 44) == ARGV[3] and left >= 0 and left <= tonumber(string.sub(record, 14, 28)) then
    redis.call('SET', KEYS[1], ARGV[1] .. string.sub(record, 77), 'PX', ARGV[2])
    return { string.sub(record, 87) }
end
return { record, left }
