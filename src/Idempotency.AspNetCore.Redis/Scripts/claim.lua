-- Claims a key, unless a record is in the way.
-- KEYS 1 record   ARGV 1 what to write  2 how long it lives, ms
-- Returns 1: acquired; or the record that is in the way, and how long it still lives.
-- A redis.call costs nearly as much as a whole GET, and all of Redis waits for it: a fresh claim makes one, which writes everything or nothing.
local written = redis.pcall('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
if written and written.ok then
    return 1
end
-- Redis reports an error before it looks whether there is a record. A completed record never changes, so it counts whatever the error is. A claim counts only if memory is full: on a server
-- that may not write for another reason (READONLY, NOREPLICAS: a former primary that has come back), it may have been completed elsewhere.
local record = redis.call('GET', KEYS[1])
if written and not (record and (string.sub(record, 2, 2) == 'C' or string.find(written.err, 'OOM', 1, true))) then
    return written
end
return { record, redis.call('PTTL', KEYS[1]) }
