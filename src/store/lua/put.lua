-- SPDX-License-Identifier: Apache-2.0
--
-- Stores samples. A sample that is known and lacks families of the new one
-- answers 'merge' with what is stored; it comes again with the merged payload
-- and the version that this was made from.
--
-- ARGV: settings, mode, limit, random seed, the store's key id or '', then for
-- each sample: fixed part, payload, merged payload or ''.
-- include common
-- include records
-- include claims

local rule, scope_key, samples, names, scopes = unpack(KEYS)
local settings, mode, seed = ARGV[1], ARGV[2], tonumber(ARGV[4])
local limit, store_key = tonumber(ARGV[3]), ARGV[5]
local FIRST, PARTS = 6, 3
local NO_KEY = string.rep('\0', 8)
local VICTIMS_A_PUT, DRAWS = 2, 64

begin_storing(rule)
redis.call('SADD', scopes, settings)
math.randomseed(seed)
local now = clock()
local scope = open_scope(scope_key)
scope.samples = samples

-- The store's key, once anyone told this rule of it.
if store_key ~= '' then
    redis.call('HSETNX', rule, 'key_id', store_key)
else
    store_key = redis.call('HGET', rule, 'key_id') or ''
end

local function has_right_key(sample)
    if sample.key_id == NO_KEY then
        return true
    end
    if store_key ~= '' then
        return sample.key_id == store_key
    end
    local own = get_text(scope, 'key_id')
    return own == '' or own == sample.key_id or
           count(scope, 0) + count(scope, 1) == 0
end

local function note_key(sample)
    if sample.key_id ~= NO_KEY then
        set(scope, 'key_id', sample.key_id)
    end
end

local checked = {}

-- Whether the sample was encoded with a prefix of this registry.
local function is_prefix(sample)
    local pair = sample.registry_digest .. sample.registry_length
    if checked[pair] == nil then
        local digest = string.rep('\0', 32)
        if sample.registry_length > 0 then
            local entry =
                redis.call('LINDEX', names, sample.registry_length - 1)
            digest = entry and string.sub(entry, 1, 32) or ''
        end
        checked[pair] = digest == sample.registry_digest
    end
    return checked[pair]
end

-- Draws a present record of a class, uniformly: a bucket, accepted in
-- proportion to what it holds of the class, and one of those.
local function draw(label)
    local buckets = bucket_count(scope)
    local most = math.ceil(4 * count(scope, label) / buckets) + 4
    for attempt = 1, DRAWS + buckets do
        local patient = attempt <= DRAWS
        local bucket = patient and math.random(0, buckets - 1) or
                       attempt - DRAWS - 1
        local text, found = read_bucket(scope, bucket), {}
        each_record(text, function(start, first, after)
            local head = string.byte(text, first)
            if head % 8 == PRESENT and math.floor(head / 8) % 2 == label then
                found[#found + 1] = {bucket = bucket, text = text,
                                     start = start, first = first,
                                     after = after}
            end
        end)
        if #found > 0 and (not patient or math.random(most) <= #found) then
            return found[math.random(#found)]
        end
    end
end

-- Drops samples of a class until one more fits; answers the first's identity.
local function make_room(label)
    local dropped
    for _ = 1, VICTIMS_A_PUT do
        if count(scope, label) < limit then
            break
        end
        local place = draw(label)
        if place == nil then
            break
        end
        local record = decode(place.text, place.first, place.after)
        tally_end(scope, record, REPLACED)
        replace(scope, place, tombstone(record, REPLACED, now))
        dropped = dropped or record.identity
    end
    return dropped
end

-- The seed's rule S1.
local function is_balanced(label)
    local own, other = count(scope, label), count(scope, 1 - label)
    return other <= 1.1 * limit and other + 1 >= own
end

local function store_new(sample, known, place)
    local dropped, _
    if mode == 'balanced' then
        if not is_balanced(sample.label) then
            return refuse(scope, 'quota')
        end
    else
        dropped = make_room(sample.label)
    end
    add(scope, 'sequence', 1)
    -- the version goes on where a tombstone left it, so that (identity,
    -- version) never means two samples
    local record = {
        fate = PRESENT, identity = sample.identity, label = sample.label,
        source = sample.source, label_ms = sample.label_ms,
        version = (known and known.version or 0) + 1,
        sequence = get(scope, 'sequence'), families = sample.families,
        time_ms = sample.time_ms ~= 0 and sample.time_ms or now,
        payload = sample.payload,
    }
    if dropped then -- and its place may have moved with that
        _, place = find(scope, sample.identity)
    end
    replace(scope, place, record)
    tally_present(scope, record, 1)
    add(scope, 'bytes', #record.payload)
    add(scope, 'stored', 1)
    note_key(sample)
    grow(scope)
    return {dropped and 'replaced' or 'stored', 'none', 0, dropped or ''}
end

-- A tombstone that says the same keeps the better source and the newer time.
local function keep_tombstone(sample, known, place)
    if sample.source > known.source or (sample.source == known.source and
                                        sample.label_ms > known.label_ms) then
        known.source, known.label_ms = sample.source, sample.label_ms
        replace(scope, place, known)
    end
    add(scope, 'duplicate', 1)
    return {'duplicate', 'none', 0, ''}
end

local function lacks_families(record, sample)
    return sample.payload ~= '' and
           bit.band(sample.families, bit.bnot(record.families)) ~= 0
end

local function put(sample)
    if not has_right_key(sample) then
        return refuse(scope, 'other_key')
    end
    if not is_prefix(sample) then
        return refuse(scope, 'registry')
    end
    local known, place = find(scope, sample.identity)
    local action, reason = decide(known, sample)
    if action == 'refuse' then
        return refuse(scope, reason)
    end
    if action == 'store' then
        return store_new(sample, known, place)
    end
    if known.fate ~= PRESENT then
        return keep_tombstone(sample, known, place)
    end
    local merged
    if lacks_families(known, sample) and sample.merged_version ~= 0xFFFFFFFF
    then
        if sample.merged_version ~= known.version then
            return {'merge', 'none', known.version, known.payload}
        end
        merged = {payload = sample.merged,
                  families = bit.bor(sample.families, known.families) %
                             2 ^ 32}
        note_key(sample)
    end
    local outcome, old_label = change_present(scope, known, place, sample,
                                              action == 'relabel', merged)
    return {outcome, 'none', old_label, ''}
end

local function read_sample(at)
    local fixed = ARGV[at]
    local sample = {
        identity = string.sub(fixed, 1, 16),
        key_id = string.sub(fixed, 17, 24),
        registry_digest = string.sub(fixed, 25, 56),
        payload = ARGV[at + 1],
        merged = ARGV[at + 2],
    }
    sample.label, sample.source, sample.label_ms, sample.time_ms,
    sample.registry_length, sample.families, sample.merged_version =
        struct.unpack('<BBi8i8I4I4I4', fixed, 57)
    sample.label_ms = label_time(sample.label_ms, now)
    return sample
end

local results = {}
for at = FIRST, #ARGV, PARTS do
    results[#results + 1] = with_counts(scope, put(read_sample(at)))
end
save_scope(scope)
return results
