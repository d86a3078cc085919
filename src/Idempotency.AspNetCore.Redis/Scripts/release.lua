-- Removes a claim. One that has steps stays, with them, for the next attempt: not marked, its lease over, and its owner 16 zero bytes.
-- KEYS 1 record   ARGV 1 owner
if #record == 76 then
    return redis.call('DEL', KEYS[1])
end
-- It lives as long as it would have. Its lease is over because all of that is its retention now: unless it was longer than the digits can say, or somebody
-- took the expiry away. The expiry first: Redis sets it also when its memory is full, and refuses no write of a script after its first.
local left = redis.call('PTTL', KEYS[1])
local kept = math.max(1, math.min(left < 0 and tonumber(string.sub(record, 14, 28)) or left, 922337203685477))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', kept))
redis.call('SETRANGE', KEYS[1], 2, '-' .. string.sub(record, 4, 13) .. string.format('%015.0f', kept) .. string.rep('\0', 16))
return 1
