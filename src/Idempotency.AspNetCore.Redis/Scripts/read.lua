-- Reads a record. Writes nothing, so it may run where writing is forbidden.
-- KEYS 1 record
-- Returns the record, and how long it still lives; nothing in its place when there is none.
return { redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]) }
