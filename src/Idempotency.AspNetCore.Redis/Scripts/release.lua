-- Removes a claim. A claim with steps remains with them for the next attempt: not marked, with an ended lease, and 16 zero bytes as its owner.
-- KEYS 1 record   ARGV 1 owner
if #record == 76 then
    return redis.call('DEL', KEYS[1])
end
-- Its lifetime does not change. Its lease has ended because all of the rest is now its retention, unless the rest exceeds the digits, or the expiry
-- was removed. The expiry comes first: Redis sets it even when its memory is full, and rejects no write of a script after its first.
local left = redis.call('PTTL', KEYS[1])
local kept = math.max(1, math.min(left < 0 and tonumber(string.sub(record, 14, 28)) or left, 922337203685477))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', kept))
redis.call('SETRANGE', KEYS[1], 2, '-' .. string.sub(record, 4, 13) .. string.format('%015.0f', kept) .. string.rep('\0', 16))
return 1
