-- SPDX-License-Identifier: Apache-2.0
--
-- Slots of names (-1 where one has none), after the registry's length and the
-- digest of its end.
--
-- ARGV: names.
-- include common

local rule, slots, names = unpack(KEYS)

check_version(rule)
local length = redis.call('LLEN', names)
local last = length > 0 and redis.call('LINDEX', names, -1)
local answer = {length, last and string.sub(last, 1, 32) or ''}
for _, name in ipairs(ARGV) do
    answer[#answer + 1] = tonumber(redis.call('HGET', slots, name) or -1)
end
return answer
