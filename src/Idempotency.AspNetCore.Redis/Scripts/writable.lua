-- Included in every script that may find a record which is not the latest.
-- A replica, a primary that has lost its replicas, or a former primary that has come back may not have the latest record. So a write
-- is tried that changes nothing: there is no set here to remove from. It needs no memory, and creates no key on any server. WRONGTYPE is the response of
-- a server that would have written if there had been a set; every other error (READONLY, NOREPLICAS, MISCONF, NOPERM) is returned to the caller.
local function unlessItMayNotWrite(reply)
    local probe = redis.pcall('SREM', KEYS[1], '')
    return type(probe) == 'table' and not string.find(probe.err, 'WRONGTYPE', 1, true) and probe or reply
end
