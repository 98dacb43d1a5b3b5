-- SPDX-License-Identifier: Apache-2.0
--
-- Gives the lease back.
--
-- ARGV: token, nonce.
-- include common
-- include leases

local rule, scope_key = unpack(KEYS)

begin_freeing(rule)
local scope = open_scope(scope_key)
if not is_held(scope, tonumber(ARGV[1]), ARGV[2]) then
    return 'lost'
end
free_lease(scope)
save_scope(scope)
return 'done'
