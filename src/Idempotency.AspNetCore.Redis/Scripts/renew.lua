-- Extends the lease of a claim its owner still has, and marks it if that is asked for: its effects may have begun.
-- KEYS 1 record   ARGV 1 owner  2 how long it lives, ms  3 retention, 15 digits  4 '!' to mark it
-- The layout is in RedisRecord.cs: 76 bytes are a claim, with its status at 2 and its owner from 29 to 44, as Lua counts.
local record = redis.call('GET', KEYS[1])
if not record or #record ~= 76 or string.sub(record, 1, 2) ~= '1I' or string.sub(record, 29, 44) ~= ARGV[1] then
    -- For a primary to say: a replica, which is asked while the primary is away, may lag. It refuses this write, which changes nothing.
    local written = redis.pcall('SETRANGE', KEYS[1], 0, '')
    return type(written) == 'table' and string.find(written.err, 'READONLY', 1, true) and written or 0
end
-- The expiry first: Redis sets it also when its memory is full, and refuses no write of a script after its first. A handler that is alive keeps its claim.
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if string.sub(record, 14, 28) ~= ARGV[3] then
    redis.call('SETRANGE', KEYS[1], 13, ARGV[3])
end
if ARGV[4] == '!' then
    redis.call('SETRANGE', KEYS[1], 2, ARGV[4])
end
return 1
