-- SPDX-License-Identifier: Apache-2.0
--
-- Stores a blob that nothing points to yet.
--
-- ARGV: settings, digest in hexadecimal, blob.
-- include common
-- include models

local rule, blobs, blob, scopes = unpack(KEYS)
local hex, data = ARGV[2], ARGV[3]

begin_storing(rule)
redis.call('SADD', scopes, ARGV[1])
redis.call('SET', blob, data)
local before = blob_entry(blobs, hex)
write_blob_entry(blobs, hex, {uploaded_ms = clock(), size = #data,
                              published = before and before.published or 0})
return 'done'
