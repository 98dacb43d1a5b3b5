-- SPDX-License-Identifier: Apache-2.0
--
-- Grants the lease, or answers who holds it. The same nonce asking again gets
-- its own grant.
--
-- ARGV: settings, nonce, holder, length.
-- include common
-- include leases

local rule, scope_key, scopes = unpack(KEYS)
local nonce, holder, length = ARGV[2], ARGV[3], tonumber(ARGV[4])

begin_storing(rule)
redis.call('SADD', scopes, ARGV[1])
local now = clock()
local scope = open_scope(scope_key)
local own = get(scope, 'lease_token') ~= 0 and
            get_text(scope, 'lease_nonce') == nonce
if not own and not is_open(scope, now) then
    return {'held', show_lease(scope)}
end
if not own then
    add(scope, 'token', 1)
    set(scope, 'lease_token', get(scope, 'token'))
    set(scope, 'lease_nonce', nonce)
    set(scope, 'lease_holder', holder)
    set(scope, 'lease_since', now)
    set(scope, 'lease_progress', 0)
end
set(scope, 'lease_until', now + length)
set(scope, 'lease_length', length)
save_scope(scope)
return {'granted', show_lease(scope)}
