-- Removes a claim its owner still has.
-- KEYS 1 record   ARGV 1 owner
-- The layout is in RedisRecord.cs: 76 bytes are a claim, with its status at 2 and its owner from 29 to 44, as Lua counts.
local record = redis.call('GET', KEYS[1])
if not record or #record ~= 76 or string.sub(record, 1, 2) ~= '1I' or string.sub(record, 29, 44) ~= ARGV[1] then
    -- For a primary to say: a replica, which is asked while the primary is away, may lag. It refuses this write, which changes nothing.
    local written = redis.pcall('SETRANGE', KEYS[1], 0, '')
    return type(written) == 'table' and string.find(written.err, 'READONLY', 1, true) and written or 0
end
return redis.call('DEL', KEYS[1])
