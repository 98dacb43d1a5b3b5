-- SPDX-License-Identifier: Apache-2.0
--
-- Forgets one identity; works at maxmemory.
--
-- ARGV: settings, identity, label time.
-- include common
-- include records
-- include claims
-- include forgetting

local rule, scope_key, samples, scopes = unpack(KEYS)

begin_freeing(rule)
redis.call('HSET', rule, 'version', STORE_VERSION)
redis.call('SADD', scopes, ARGV[1])
local scope = open_scope(scope_key)
scope.samples = samples
local existed = forget(scope, ARGV[2], tonumber(ARGV[3]), clock())
grow(scope)
save_scope(scope)
return existed and 1 or 0
