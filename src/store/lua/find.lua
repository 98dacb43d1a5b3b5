-- SPDX-License-Identifier: Apache-2.0
--
-- The record of one sample that is present, without its length; else false.
--
-- ARGV: identity.
-- include common
-- include records

local rule, scope_key, samples = unpack(KEYS)

check_version(rule)
local scope = open_scope(scope_key)
scope.samples = samples
local text = read_bucket(scope, bucket_of(scope, ARGV[1]))
local start, first, after = locate(text, ARGV[1])
if start == nil or string.byte(text, first) % 8 ~= PRESENT then
    return false
end
return string.sub(text, first, after - 1)
