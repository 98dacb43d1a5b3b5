-- SPDX-License-Identifier: Apache-2.0
--
-- Notes which generation a host has loaded.
--
-- ARGV: settings, host, generation.
-- include common

local rule, hosts, scopes = unpack(KEYS)

begin_storing(rule)
redis.call('SADD', scopes, ARGV[1])
redis.call('HSET', hosts, ARGV[2],
           struct.pack('<I8I8', tonumber(ARGV[3]), clock()))
return 'done'
