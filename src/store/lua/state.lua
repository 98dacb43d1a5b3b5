-- SPDX-License-Identifier: Apache-2.0
--
-- The state of a scope as pairs of name and value, and the registry's length.
-- include common

local rule, scope_key, names = unpack(KEYS)

check_version(rule)
return {redis.call('HGETALL', scope_key), redis.call('LLEN', names)}
