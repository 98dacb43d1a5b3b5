-- SPDX-License-Identifier: Apache-2.0
--
-- Forgets, or only counts, the samples of some buckets that match a filter.
-- Answers how many, and the bucket to go on with, or -1 at the end. Buckets
-- that are split meanwhile move samples to later ones, so none is missed. What
-- a forgetting of the same time ended, whose answer was lost, is counted too.
--
-- ARGV: source, label (-1: any), since, until (0: any), first bucket, how many,
-- '1' to only count, as of when (0: now, whatever the label's time).
-- include common
-- include records
-- include claims
-- include forgetting

local rule, scope_key, samples = unpack(KEYS)
local source, label = tonumber(ARGV[1]), tonumber(ARGV[2])
local since, till = tonumber(ARGV[3]), tonumber(ARGV[4])
local bucket, pieces = tonumber(ARGV[5]), tonumber(ARGV[6])
local dry_run, as_of = ARGV[7] == '1', tonumber(ARGV[8])

if dry_run then
    check_version(rule)
else
    begin_freeing(rule)
end
local scope = open_scope(scope_key)
scope.samples = samples

local function matches(record)
    return record.fate == PRESENT and record.label_ms >= since and
           (till == 0 or record.label_ms < till) and
           (as_of == 0 or record.label_ms <= as_of)
end

local function is_done(record)
    return as_of ~= 0 and record.fate == FORGOTTEN and
           record.label_ms == as_of
end

local function is_meant(record)
    return (source < 0 or record.source == source) and
           (label < 0 or record.label == label)
end

local done = 0

local function collect(found)
    local text = read_bucket(scope, bucket)
    each_record(text, function(_, first, after)
        local record = decode(text, first, after)
        if is_meant(record) and matches(record) then
            found[#found + 1] = record.identity
        elseif is_meant(record) and is_done(record) then
            done = done + 1
        end
    end)
end

local found, last = {}, bucket_count(scope)
while pieces > 0 and bucket < last do
    collect(found)
    bucket, pieces = bucket + 1, pieces - 1
end
if not dry_run then
    local now = clock()
    for _, identity in ipairs(found) do
        forget(scope, identity, as_of, now)
    end
    save_scope(scope)
end
return {#found + done, bucket < last and bucket or -1}
