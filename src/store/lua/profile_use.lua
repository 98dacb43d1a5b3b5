-- SPDX-License-Identifier: Apache-2.0
--
-- Marks a profile as used now; one that is new is stored first where symbols
-- are given, and what it grew from goes, unless a model was or may yet be
-- trained for that. Answers 'known', 'created' or 'absent'.
--
-- ARGV: settings, digest, '1' to create, symbols, the digest of what it grew
-- from or ''.
-- include common
-- include leases

local rule, profiles, scopes, scope_key = unpack(KEYS)
local field = ARGV[1] .. ':' .. ARGV[2]
local NEVER_TRAINED = struct.pack('<I8', 0)

local function drop_outgrown(digest)
    local old = ARGV[1] .. ':' .. digest
    local known = redis.call('HGET', profiles, old)
    if known and string.sub(known, 17, 24) == NEVER_TRAINED and
       is_open(open_scope(scope_key), clock()) then
        redis.call('HDEL', profiles, old)
    end
end

begin_storing(rule)
local value = redis.call('HGET', profiles, field)
if not value and ARGV[3] ~= '1' then
    return 'absent'
end
redis.call('SADD', scopes, ARGV[1])
local order = redis.call('HINCRBY', rule, 'profile_order', 1)
local generation = value and string.sub(value, 17, 24) or
                   NEVER_TRAINED
local symbols = value and string.sub(value, 25) or ARGV[4]
redis.call('HSET', profiles, field,
           struct.pack('<I8I8', clock(), order) .. generation .. symbols)
if ARGV[5] ~= '' then
    drop_outgrown(ARGV[5])
end
return value and 'known' or 'created'
