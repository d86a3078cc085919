-- Included in every script that changes a claim: the layout of a claim. RedisRecord.cs describes it; Lua counts from 1.
-- Whether a string is a claim: a head of 76 bytes, followed by nothing or by steps: their version in 10 digits, and their data.
local function isClaim(record)
    return record and string.sub(record, 1, 2) == '1I'
        and (#record == 76 or (#record > 86 and not string.find(string.sub(record, 77, 86), '%D')))
end
