-- SPDX-License-Identifier: Apache-2.0
--
-- Writes records of a store that is copied here: as they were there, with their
-- sequences, versions and counts. What is known already stays as it is, so that
-- a repeat changes nothing; values of the state replace.
--
-- ARGV: settings, then for each record: kind, head, body.
-- include common
-- include records
-- include models
-- include announce

local rule, scope_key, samples, models, journal, endings, blobs, profiles,
      scopes = unpack(KEYS)
local FIRST, PARTS = 2, 3

begin_storing(rule)
redis.call('SADD', scopes, ARGV[1])
local scope = open_scope(scope_key)
scope.samples = samples
local write = {}

function write.sample(head, body)
    local record = {identity = string.sub(head, 1, 16), payload = body}
    record.fate, record.label, record.source, record.label_ms, record.time_ms,
    record.version, record.sequence, record.ended_ms, record.families =
        struct.unpack('<BBBi8i8I8I8i8I4', head, 17)
    local known, place = find(scope, record.identity)
    if known ~= nil then
        return
    end
    replace(scope, place, record)
    if record.fate == PRESENT then
        tally_present(scope, record, 1)
        add(scope, 'bytes', #body)
    end
    grow(scope)
end

function write.model(head, body)
    local hex = to_hex(string.sub(body, 1, 32))
    local entry = blob_entry(blobs, hex)
    redis.call('HSETNX', models, head, body)
    entry.published = 1
    write_blob_entry(blobs, hex, entry)
end

function write.profile(head, body)
    if redis.call('HEXISTS', profiles, head) == 1 then
        return
    end
    local order = redis.call('HINCRBY', rule, 'profile_order', 1)
    redis.call('HSET', profiles, head,
               string.sub(body, 1, 8) .. struct.pack('<I8', order) ..
               string.sub(body, 9))
end

function write.entry(head, body)
    local token = struct.unpack('<I8', head)
    if redis.call('HSETNX', endings, token, string.sub(head, 9)) == 1 then
        redis.call('RPUSH', journal, body)
    end
end

function write.value(head, body)
    set(scope, head, body)
end

-- All or none: what cannot be written is looked for first.
for at = FIRST, #ARGV, PARTS do
    if ARGV[at] == 'model' and
       blob_entry(blobs, to_hex(string.sub(ARGV[at + 2], 1, 32))) == nil then
        return {'no blob'}
    end
end
for at = FIRST, #ARGV, PARTS do
    write[ARGV[at]](ARGV[at + 1], ARGV[at + 2])
end
save_scope(scope)
announce(rule)
return {'written'}
