-- Stands in front of every script that changes a claim: what of a claim is where. RedisRecord.cs has the layout; Lua counts from 1.
-- Whether a string is a claim: a head of 76 bytes, and after it nothing, or the steps: 10 digits, their version, and then their data.
local function isClaim(record)
    return record and string.sub(record, 1, 2) == '1I'
        and (#record == 76 or (#record > 86 and not string.find(string.sub(record, 77, 86), '%D')))
end
