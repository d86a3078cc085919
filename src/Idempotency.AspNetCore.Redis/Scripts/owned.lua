-- Included in every script of an owner (renew, steps, complete, release), after the layout: the rest runs only for a claim that the owner still has.
-- KEYS 1 record   ARGV 1 owner
-- Returns 0 if the owner does not have it.
-- Only a primary that can write may return that. A replica, or a primary that has lost its replicas, may not have the latest record. So a write
-- is tried that changes nothing: there is no set here to remove from. It needs no memory, and creates no key on any server. WRONGTYPE is the response of
-- a server that would have written if there had been a set; every other error (READONLY, NOREPLICAS, MISCONF, NOPERM) is returned to the caller.
local function unlessItMayNotWrite(reply)
    local probe = redis.pcall('SREM', KEYS[1], '')
    return type(probe) == 'table' and not string.find(probe.err, 'WRONGTYPE', 1, true) and probe or reply
end
local record = redis.call('GET', KEYS[1])
if not isClaim(record) or string.sub(record, 29, 44) ~= ARGV[1] then
    return unlessItMayNotWrite(0)
end
