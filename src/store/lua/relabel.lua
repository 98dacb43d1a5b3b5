-- SPDX-License-Identifier: Apache-2.0
--
-- Changes the label of one sample that is present.
--
-- ARGV: identity, label, source, label time.
-- include common
-- include records
-- include claims

local rule, scope_key, samples = unpack(KEYS)

begin_storing(rule)
local scope = open_scope(scope_key)
scope.samples = samples
local known, place = find(scope, ARGV[1])
if known == nil or known.fate ~= PRESENT then
    return {'absent'}
end
local claim = {
    label = tonumber(ARGV[2]), source = tonumber(ARGV[3]),
    label_ms = label_time(tonumber(ARGV[4]), clock()),
}
local action, reason = decide(known, claim)
local result
if action == 'refuse' then
    result = refuse(scope, reason)
else
    local outcome, old_label =
        change_present(scope, known, place, claim, action == 'relabel')
    result = {outcome, 'none', old_label, ''}
end
with_counts(scope, result)
grow(scope)
save_scope(scope)
return result
