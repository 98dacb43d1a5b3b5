-- SPDX-License-Identifier: Apache-2.0
--
-- Lists the samples present: the sequence so far, and the beginnings of the
-- records, each after a byte with its length, without their payloads.
-- include common
-- include records

local rule, scope_key, samples = unpack(KEYS)
local HEADER_BYTES = 23 + 3 * 8 -- more than any header has

check_version(rule)
local scope = open_scope(scope_key)
scope.samples = samples
local parts = {}
for bucket = 0, bucket_count(scope) - 1 do
    local text = read_bucket(scope, bucket)
    each_record(text, function(_, first, after)
        if string.byte(text, first) % 8 == PRESENT then
            local last = math.min(after, first + HEADER_BYTES) - 1
            parts[#parts + 1] = string.char(last - first + 1)
            parts[#parts + 1] = string.sub(text, first, last)
        end
    end)
end
return {get(scope, 'sequence'), table.concat(parts)}
