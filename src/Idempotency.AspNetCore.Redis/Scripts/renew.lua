-- Extends the lease of a claim, and marks it if requested: its effects may have started.
-- KEYS 1 record   ARGV 1 owner  2 lifetime, ms  3 retention, 15 digits  4 '!' to mark it
-- The expiry comes first: Redis sets it even when its memory is full, and rejects no write of a script after its first. A live handler renews its claim.
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if string.sub(record, 14, 28) ~= ARGV[3] then
    redis.call('SETRANGE', KEYS[1], 13, ARGV[3])
end
if ARGV[4] == '!' then
    redis.call('SETRANGE', KEYS[1], 2, ARGV[4])
end
return 1
