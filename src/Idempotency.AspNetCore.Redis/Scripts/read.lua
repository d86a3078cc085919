-- Reads a record. Writes nothing, so it can run where writing is not allowed.
-- KEYS 1 record
-- Returns the record and the rest of its lifetime; nothing for the record if there is none.
return { redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]) }
