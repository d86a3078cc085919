-- Included in every script of an owner (renew, steps, complete, release), after the layout and the probe: the rest runs only for a claim that the owner still has.
-- KEYS 1 record   ARGV 1 owner
-- Returns 0 if the owner does not have it. Only a server that can write may say so.
local record = redis.call('GET', KEYS[1])
if not isClaim(record) or string.sub(record, 29, 44) ~= ARGV[1] then
    return unlessItMayNotWrite(0)
end
