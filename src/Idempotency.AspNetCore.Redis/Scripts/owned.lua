-- Stands in front of every script of an owner (renew, complete, release): what follows runs only for a claim that is still the owner's.
-- KEYS 1 record   ARGV 1 owner
-- Returns 0 when it is not.
-- The layout is in RedisRecord.cs: 76 bytes are a claim, with its status at 2 and its owner from 29 to 44, as Lua counts.
local record = redis.call('GET', KEYS[1])
if not record or #record ~= 76 or string.sub(record, 1, 2) ~= '1I' or string.sub(record, 29, 44) ~= ARGV[1] then
    -- "Not yours" is for a primary to say that may write. A replica, or a primary that has lost its replicas, may not have the latest record. So a write
    -- is tried that changes nothing: there is no set here to remove from. It needs no memory, and creates no key on any server. WRONGTYPE is the reply of
    -- a server that would have written, had there been a set; every other error (READONLY, NOREPLICAS, MISCONF, NOPERM) is the caller's to see.
    local probe = redis.pcall('SREM', KEYS[1], '')
    return type(probe) == 'table' and not string.find(probe.err, 'WRONGTYPE', 1, true) and probe or 0
end
