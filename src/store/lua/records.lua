-- SPDX-License-Identifier: Apache-2.0
--
-- Samples and tombstones as records in buckets (docs/formats/redis.md). A
-- bucket is a field of a hash, found from an identity by linear hashing (W.
-- Litwin, "Linear Hashing", VLDB 1980): one bucket is split at a time, so that
-- buckets keep their size however many samples come. Packing some records into
-- one field is what makes a sample small.

local PRESENT, CONSUMED, REPLACED = 1, 2, 3
local FORGOTTEN, FORGOTTEN_ABSENT = 4, 5
local BUCKET_BYTES = 1400 -- on the average, before one is split
local SPLITS_A_STEP = 2

-- ---- numbers ----

local function read_varint(text, at)
    local value, scale = 0, 1
    while true do
        local byte = string.byte(text, at)
        at = at + 1
        if byte < 128 then
            return value + byte * scale, at
        end
        value = value + (byte - 128) * scale
        scale = scale * 128
    end
end

local function varint(value)
    local bytes = ''
    while value >= 128 do
        bytes = bytes .. string.char(value % 128 + 128)
        value = math.floor(value / 128)
    end
    return bytes .. string.char(value)
end

local function zigzag(value)
    if value < 0 then
        return -2 * value - 1
    end
    return 2 * value
end

local function unzigzag(value)
    if value % 2 == 1 then
        return -(value + 1) / 2
    end
    return value / 2
end

-- ---- records ----

local function encode(record)
    local head = record.fate + 8 * record.label + 16 * record.source
    local body = string.char(head) .. record.identity ..
                 struct.pack('<I6', record.label_ms) .. varint(record.version)
    if record.fate == PRESENT then
        body = body .. varint(record.sequence) ..
               varint(zigzag(record.time_ms - record.label_ms)) ..
               varint(record.families) .. record.payload
    else
        body = body .. varint(math.floor(record.ended_ms / 1000))
    end
    return varint(#body) .. body
end

-- The record whose body begins at first and ends before after.
local function decode(text, first, after)
    local head = string.byte(text, first)
    local record = {
        fate = head % 8,
        label = math.floor(head / 8) % 2,
        source = math.floor(head / 16) % 4,
        identity = string.sub(text, first + 1, first + 16),
        label_ms = struct.unpack('<I6', text, first + 17),
    }
    local at = first + 23
    record.version, at = read_varint(text, at)
    if record.fate == PRESENT then
        record.sequence, at = read_varint(text, at)
        local difference
        difference, at = read_varint(text, at)
        record.time_ms = record.label_ms + unzigzag(difference)
        record.families, at = read_varint(text, at)
        record.payload = string.sub(text, at, after - 1)
    else
        local seconds = read_varint(text, at)
        record.ended_ms = seconds * 1000
    end
    return record
end

-- Calls visit(start, first, after) for each record of a bucket until it
-- answers something, and answers that.
local function each_record(text, visit)
    local at = 1
    while at <= #text do
        local length, first = read_varint(text, at)
        local answer = visit(at, first, first + length)
        if answer ~= nil then
            return answer
        end
        at = first + length
    end
end

-- Where the record of identity is: its start, its body, and what follows. Most
-- are not there, which one search tells; what it finds may lie in a payload.
local function locate(text, identity)
    if not string.find(text, identity, 1, true) then
        return nil
    end
    local at, last = 1, #text
    while at <= last do
        local length, first = read_varint(text, at)
        if string.sub(text, first + 1, first + 16) == identity then
            return at, first, first + length
        end
        at = first + length
    end
end

-- ---- buckets ----

local function hash_identity(identity)
    local a, b, c, d = struct.unpack('<I4I4I4I4', identity)
    return (a + 3 * b + 5 * c + 8 * d) % 10000019
end

local function bucket_count(scope)
    return 2 ^ get(scope, 'level') + get(scope, 'split')
end

local function bucket_of(scope, identity)
    local hash = hash_identity(identity)
    local width = 2 ^ get(scope, 'level')
    local bucket = hash % width
    if bucket < get(scope, 'split') then
        bucket = hash % (2 * width)
    end
    return bucket
end

local function read_bucket(scope, bucket)
    return redis.call('HGET', scope.samples, bucket) or ''
end

local function write_bucket(scope, bucket, before, text)
    if text == '' then
        redis.call('HDEL', scope.samples, bucket)
    else
        redis.call('HSET', scope.samples, bucket, text)
    end
    add(scope, 'size', #text - #before)
end

-- The record of identity, or nil; and where it is, for replace.
local function find(scope, identity)
    local place = {bucket = bucket_of(scope, identity)}
    place.text = read_bucket(scope, place.bucket)
    local start, first, after = locate(place.text, identity)
    if start == nil then
        place.start, place.after = #place.text + 1, #place.text + 1
        return nil, place
    end
    place.start, place.after = start, after
    return decode(place.text, first, after), place
end

-- Puts record, or nothing, where find found one or found none.
local function replace(scope, place, record)
    local middle = record and encode(record) or ''
    local text = place.text
    if place.start > #text then -- a new one: nothing is copied but once
        text = text .. middle
    else
        text = string.sub(text, 1, place.start - 1) .. middle ..
               string.sub(text, place.after)
    end
    write_bucket(scope, place.bucket, place.text, text)
end

local function split_bucket(scope)
    local width = 2 ^ get(scope, 'level')
    local low = get(scope, 'split')
    local text = read_bucket(scope, low)
    local stay, go = {}, {}
    each_record(text, function(start, first, after)
        local identity = string.sub(text, first + 1, first + 16)
        local goes = hash_identity(identity) % (2 * width) ~= low
        local side = goes and go or stay
        side[#side + 1] = string.sub(text, start, after - 1)
    end)
    if #go > 0 then
        write_bucket(scope, low, text, table.concat(stay))
        write_bucket(scope, low + width, '', table.concat(go))
    end
    if low + 1 == width then
        set(scope, 'level', get(scope, 'level') + 1)
        set(scope, 'split', 0)
    else
        set(scope, 'split', low + 1)
    end
end

-- Keeps buckets small; to be called after records were added.
local function grow(scope)
    for _ = 1, SPLITS_A_STEP do
        if get(scope, 'size') > BUCKET_BYTES * bucket_count(scope) then
            split_bucket(scope)
        end
    end
end

-- ---- ends ----

local function tally_present(scope, record, change)
    add(scope, PRESENT_NAMES[record.label][record.source], change)
end

-- The tombstone of a record that ends now.
local function tombstone(record, fate, now)
    return {
        fate = fate, identity = record.identity, label = record.label,
        source = record.source, label_ms = record.label_ms,
        version = record.version, ended_ms = now,
    }
end

local FATE_TALLY = {
    [CONSUMED] = 'consumed', [REPLACED] = 'replaced',
    [FORGOTTEN] = 'forgotten',
}

-- Counts a present record out.
local function tally_end(scope, record, fate)
    tally_present(scope, record, -1)
    add(scope, 'bytes', -#record.payload)
    add(scope, FATE_TALLY[fate], 1)
end

-- Ends the samples in a packed list (identity, version as five bytes) whose
-- version is unchanged, bucket by bucket.
local function consume(scope, list, now)
    local buckets = {}
    for at = 1, #list, 21 do
        local identity = string.sub(list, at, at + 15)
        local bucket = bucket_of(scope, identity)
        buckets[bucket] = buckets[bucket] or {}
        buckets[bucket][identity] = struct.unpack('<I5', list, at + 16)
    end
    for bucket, wanted in pairs(buckets) do
        local text = read_bucket(scope, bucket)
        local parts, ended = {}, 0
        each_record(text, function(start, first, after)
            local part = string.sub(text, start, after - 1)
            local version = wanted[string.sub(text, first + 1, first + 16)]
            local record = version and decode(text, first, after)
            if record and record.fate == PRESENT and
               record.version == version then
                tally_end(scope, record, CONSUMED)
                part = encode(tombstone(record, CONSUMED, now))
                ended = ended + 1
            end
            parts[#parts + 1] = part
        end)
        if ended > 0 then
            write_bucket(scope, bucket, text, table.concat(parts))
        end
    end
end
