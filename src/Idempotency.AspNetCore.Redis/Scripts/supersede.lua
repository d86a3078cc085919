-- Takes over a claim whose lease has ended and whose effects have not started, for the next attempt of the same request.
-- KEYS 1 record   ARGV 1 what to write  2 lifetime, ms  3 owner to supersede
-- Returns the steps alone, empty if there are none, if the claim was taken over; otherwise the existing record and the rest of its lifetime; nothing for the record if it no longer exists.
local record = redis.call('GET', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
-- A claim lives for its lease and then its retention. If the expiry was removed, the age is unknown, and its owner may be running.
if isClaim(record) and string.sub(record, 3, 3) == '-' and not string.find(string.sub(record, 4, 28), '%D')
    and string.sub(record, 29, 44) == ARGV[3] and string.sub(record, 45, 76) == string.sub(ARGV[1], 45, 76)
    and tonumber(string.sub(record, 4, 13)) + 1 == tonumber(string.sub(ARGV[1], 4, 13))
    and left >= 0 and left <= tonumber(string.sub(record, 14, 28)) then
    redis.call('SET', KEYS[1], ARGV[1] .. string.sub(record, 77), 'PX', ARGV[2])
    return { string.sub(record, 87) }
end
return record and string.sub(record, 2, 2) == 'C' and { record, left } or unlessItMayNotWrite({ record, left })
