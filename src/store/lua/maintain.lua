-- SPDX-License-Identifier: Apache-2.0
--
-- Upkeep of some buckets of a scope, and with the first of them of its blobs
-- and host reports. Answers the bucket to go on with (-1 at the end), what was
-- old (tombstones, blobs, hosts), and what was counted in these buckets
-- (samples by class, payload bytes).
--
-- ARGV: how long to keep, '1' to only look, first bucket, how many.
-- include common
-- include records
-- include models

local rule, scope_key, samples, models, blobs, hosts = unpack(KEYS)
local dry_run = ARGV[2] == '1'
local bucket, pieces = tonumber(ARGV[3]), tonumber(ARGV[4])

if dry_run then
    check_version(rule)
else
    begin_freeing(rule)
end
local before = clock() - tonumber(ARGV[1])
local scope = open_scope(scope_key)
scope.samples = samples
local old, counted = {0, 0, 0}, {0, 0, 0}

local function clean_bucket()
    local text = read_bucket(scope, bucket)
    local parts, dropped = {}, 0
    each_record(text, function(start, first, after)
        local record = decode(text, first, after)
        if record.fate ~= PRESENT and record.ended_ms <= before then
            dropped = dropped + 1
            return
        end
        parts[#parts + 1] = string.sub(text, start, after - 1)
        if record.fate == PRESENT then
            counted[record.label + 1] = counted[record.label + 1] + 1
            counted[3] = counted[3] + #record.payload
        end
    end)
    old[1] = old[1] + dropped
    if dropped > 0 and not dry_run then
        write_bucket(scope, bucket, text, table.concat(parts))
    end
end

local function clean_hosts()
    for _, host in ipairs(redis.call('HKEYS', hosts)) do
        local _, seen = struct.unpack('<I8I8', redis.call('HGET', hosts, host))
        if seen <= before then
            old[3] = old[3] + 1
            if not dry_run then
                redis.call('HDEL', hosts, host)
            end
        end
    end
end

if bucket == 0 then
    old[2] = drop_blobs(models, blobs, function(entry)
        return entry.uploaded_ms <= before
    end, dry_run)
    clean_hosts()
end
local last = bucket_count(scope)
while pieces > 0 and bucket < last do
    clean_bucket()
    bucket, pieces = bucket + 1, pieces - 1
end
if not dry_run then
    save_scope(scope)
end
return {bucket < last and bucket or -1, old, counted,
        {count(scope, 0), count(scope, 1), get(scope, 'bytes')}}
