-- SPDX-License-Identifier: Apache-2.0
--
-- Forgets, or only counts, the samples of some buckets that match a filter.
-- Answers how many, and the bucket to go on with, or -1 at the end. Buckets
-- that are split meanwhile move samples to later ones, so none is missed.
--
-- ARGV: source, label (-1: any), since, until (0: any), first bucket, how many,
-- '1' to only count.
-- include common
-- include records
-- include claims
-- include forgetting

local rule, scope_key, samples = unpack(KEYS)
local source, label = tonumber(ARGV[1]), tonumber(ARGV[2])
local since, till = tonumber(ARGV[3]), tonumber(ARGV[4])
local bucket, pieces = tonumber(ARGV[5]), tonumber(ARGV[6])
local dry_run = ARGV[7] == '1'

if dry_run then
    check_version(rule)
else
    begin_freeing(rule)
end
local scope = open_scope(scope_key)
scope.samples = samples

local function matches(record)
    return record.fate == PRESENT and
           (source < 0 or record.source == source) and
           (label < 0 or record.label == label) and
           record.label_ms >= since and
           (till == 0 or record.label_ms < till)
end

local function collect(found)
    local text = read_bucket(scope, bucket)
    each_record(text, function(_, first, after)
        local record = decode(text, first, after)
        if matches(record) then
            found[#found + 1] = record.identity
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
        forget(scope, identity, 0, now)
    end
    save_scope(scope)
end
return {#found, bucket < last and bucket or -1}
