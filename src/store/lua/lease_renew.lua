-- SPDX-License-Identifier: Apache-2.0
--
-- Extends the lease on progress. The progress that was told last repeats that
-- renewal: it holds, but extends nothing.
--
-- ARGV: token, nonce, progress, length.
-- include common
-- include leases

local rule, scope_key = unpack(KEYS)
local token, nonce = tonumber(ARGV[1]), ARGV[2]
local progress, length = tonumber(ARGV[3]), tonumber(ARGV[4])

begin_freeing(rule)
local scope = open_scope(scope_key)
if not is_held(scope, token, nonce) then
    return 'lost'
end
if progress == 0 or progress < get(scope, 'lease_progress') then
    return 'idle'
end
if progress > get(scope, 'lease_progress') then
    set(scope, 'lease_progress', progress)
    set(scope, 'lease_until', clock() + length)
    set(scope, 'lease_length', length)
    save_scope(scope)
end
return 'done'
