-- SPDX-License-Identifier: Apache-2.0
--
-- Generations and blobs. A blob's key is the index's key, ':' and its digest in
-- hexadecimal; the index has for each the time of its upload, whether it was
-- ever published, and its size.

local ORPHAN_MS = 60 * 60 * 1000 -- longer than any upload is under way
local HOST_RECENT_MS = 60 * 60 * 1000 -- a host that reported since is running

local function to_hex(bytes)
    return (string.gsub(bytes, '.', function(byte)
        return string.format('%02x', string.byte(byte))
    end))
end

local function blob_entry(blobs, hex)
    local entry = redis.call('HGET', blobs, hex)
    if not entry then
        return nil
    end
    local uploaded, published, size = struct.unpack('<I8BI8', entry)
    return {uploaded_ms = uploaded, published = published, size = size}
end

local function write_blob_entry(blobs, hex, entry)
    redis.call('HSET', blobs, hex,
               struct.pack('<I8BI8', entry.uploaded_ms, entry.published,
                           entry.size))
end

-- Digests, in hexadecimal, that a generation has.
local function used_digests(models)
    local used = {}
    for _, value in ipairs(redis.call('HVALS', models)) do
        used[to_hex(string.sub(value, 1, 32))] = true
    end
    return used
end

-- Generations that running hosts reported.
local function reported(hosts, now)
    local running = {}
    for _, value in ipairs(redis.call('HVALS', hosts)) do
        local generation, seen = struct.unpack('<I8I8', value)
        if seen > now - HOST_RECENT_MS then
            running[generation] = true
        end
    end
    return running
end

-- Generations over keep go, but for the live one and those that hosts run.
local function drop_generations(keys, live, keep, now)
    local models, running = keys.models, reported(keys.hosts, now)
    local generations = redis.call('HKEYS', models)
    table.sort(generations, function(one, other)
        return tonumber(one) > tonumber(other)
    end)
    for rank, generation in ipairs(generations) do
        local number = tonumber(generation)
        if rank > math.max(keep, 1) and number ~= live and
           not running[number] then
            redis.call('HDEL', models, generation)
        end
    end
end

-- Drops the blobs that no generation has and that are old; answers how many.
local function drop_blobs(models, blobs, is_old, dry_run)
    local used, dropped = used_digests(models), 0
    for _, hex in ipairs(redis.call('HKEYS', blobs)) do
        if not used[hex] and is_old(blob_entry(blobs, hex)) then
            dropped = dropped + 1
            if not dry_run then
                redis.call('DEL', blobs .. ':' .. hex)
                redis.call('HDEL', blobs, hex)
            end
        end
    end
    return dropped
end

-- Marks the profile that a generation was trained for.
local function mark_profile(profiles, settings, digest, generation)
    local field = settings .. ':' .. digest
    local value = redis.call('HGET', profiles, field)
    if value then
        redis.call('HSET', profiles, field,
                   string.sub(value, 1, 16) ..
                   struct.pack('<I8', generation) .. string.sub(value, 25))
    end
end

-- Makes an uploaded blob the live generation.
local function go_live(scope, keys, model, now)
    local hex = to_hex(model.digest)
    local entry = blob_entry(keys.blobs, hex)
    redis.call('HSET', keys.models, model.generation,
               model.digest .. struct.pack('<I8I8', entry.size, now) ..
               model.profile .. model.origin)
    entry.published = 1
    write_blob_entry(keys.blobs, hex, entry)
    mark_profile(keys.profiles, model.settings, model.profile,
                 model.generation)
    set(scope, 'live', model.generation)
    add(scope, 'revision', 1)
    drop_generations(keys, model.generation, model.keep, now)
    drop_blobs(keys.models, keys.blobs, function(old)
        return old.published == 1 or old.uploaded_ms <= now - ORPHAN_MS
    end)
end
