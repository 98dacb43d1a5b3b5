-- SPDX-License-Identifier: Apache-2.0
--
-- Payloads of samples by identity and version; false where it has gone or
-- changed. The answer ends early where it grows large.
--
-- ARGV: a list of identity and version (five bytes) each.
-- include common
-- include records

local rule, scope_key, samples = unpack(KEYS)
local LARGE_BYTES = 8 * 1024 * 1024

check_version(rule)
local scope = open_scope(scope_key)
scope.samples = samples
local list, answer, size = ARGV[1], {}, 0
for at = 1, #list, 21 do
    local record = find(scope, string.sub(list, at, at + 15))
    local version = struct.unpack('<I5', list, at + 16)
    if record and record.fate == PRESENT and record.version == version then
        answer[#answer + 1] = record.payload
        size = size + #record.payload
    else
        answer[#answer + 1] = false
    end
    if size > LARGE_BYTES then
        break
    end
end
return answer
