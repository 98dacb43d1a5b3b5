-- SPDX-License-Identifier: Apache-2.0
--
-- Gives the next slots to new names, if the registry still has the length that
-- their digests were worked out from. It only grows, so nothing else can
-- change; the digests are the caller's, since scripts have no BLAKE2b.
--
-- ARGV: expected length, expected digest, then name and digest of each.
-- include common

local rule, slots, names = unpack(KEYS)

begin_storing(rule)
local length = redis.call('LLEN', names)
local last = length > 0 and redis.call('LINDEX', names, -1)
local digest = last and string.sub(last, 1, 32) or ''
if length ~= tonumber(ARGV[1]) or (length > 0 and digest ~= ARGV[2]) then
    return 'moved'
end
for at = 3, #ARGV, 2 do
    redis.call('HSET', slots, ARGV[at], length)
    redis.call('RPUSH', names, ARGV[at + 1] .. ARGV[at])
    length = length + 1
end
return 'done'
