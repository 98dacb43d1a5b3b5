-- SPDX-License-Identifier: Apache-2.0
--
-- The lease in the state of a scope. Token and nonce decide who holds it; the
-- clock only decides whether another may take it over.

-- Whether anyone may take it: it is free, past its deadline, or the deadline is
-- further away than it was granted for (the clock jumped back).
local function is_open(scope, now)
    local left = get(scope, 'lease_until') - now
    return get(scope, 'lease_token') == 0 or left <= 0 or
           left > get(scope, 'lease_length')
end

local function is_held(scope, token, nonce)
    return token ~= 0 and get(scope, 'lease_token') == token and
           get_text(scope, 'lease_nonce') == nonce
end

local function free_lease(scope)
    set(scope, 'lease_token', 0)
    set(scope, 'lease_nonce', '')
    set(scope, 'lease_holder', '')
    set(scope, 'lease_since', 0)
    set(scope, 'lease_until', 0)
    set(scope, 'lease_length', 0)
    set(scope, 'lease_progress', 0)
end

local function show_lease(scope)
    return {get(scope, 'lease_token'), get_text(scope, 'lease_nonce'),
            get_text(scope, 'lease_holder'), get(scope, 'lease_since'),
            get(scope, 'lease_until')}
end
