-- Removes a claim.
-- KEYS 1 record   ARGV 1 owner
return redis.call('DEL', KEYS[1])
