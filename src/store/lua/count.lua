-- SPDX-License-Identifier: Apache-2.0
--
-- Adds to a counter of refused samples; works at maxmemory, where it is needed.
--
-- ARGV: settings, reason, how many.
-- include common

local rule, scope_key, scopes = unpack(KEYS)

begin_freeing(rule)
redis.call('HSET', rule, 'version', STORE_VERSION)
redis.call('SADD', scopes, ARGV[1])
redis.call('HINCRBY', scope_key, 'refused:' .. ARGV[2], ARGV[3])
return 'done'
