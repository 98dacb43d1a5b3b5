-- SPDX-License-Identifier: Apache-2.0
--
-- Marks a profile as used now; one that is new is stored first where symbols
-- are given. Answers 'known', 'created' or 'absent'.
--
-- ARGV: settings, digest, '1' to create, symbols.
-- include common

local rule, profiles, scopes = unpack(KEYS)
local field = ARGV[1] .. ':' .. ARGV[2]

begin_storing(rule)
local value = redis.call('HGET', profiles, field)
if not value and ARGV[3] ~= '1' then
    return 'absent'
end
redis.call('SADD', scopes, ARGV[1])
local order = redis.call('HINCRBY', rule, 'profile_order', 1)
local generation = value and string.sub(value, 17, 24) or
                   struct.pack('<I8', 0)
local symbols = value and string.sub(value, 25) or ARGV[4]
redis.call('HSET', profiles, field,
           struct.pack('<I8I8', clock(), order) .. generation .. symbols)
return value and 'known' or 'created'
