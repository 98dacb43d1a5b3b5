-- SPDX-License-Identifier: Apache-2.0
--
-- Drops the profiles over the newest of each settings name, but for those in
-- use: under a lease, used lately, or with the live model. The states of the
-- scopes lie in the same slot as the rule.
--
-- ARGV: how many to keep, how lately, the beginning of a scope's key.
-- include common
-- include leases
-- include profiles

local rule, profiles = unpack(KEYS)
local keep, recent = tonumber(ARGV[1]), tonumber(ARGV[2])

begin_freeing(rule)
local now, scopes, newer, dropped = clock(), {}, {}, {}

local function in_use(profile)
    local age = now - profile.used_ms
    if age < recent and age > -recent then
        return true
    end
    local settings = profile.settings
    scopes[settings] = scopes[settings] or open_scope(ARGV[3] .. settings)
    local scope = scopes[settings]
    return not is_open(scope, now) or
           profile.generation ~= 0 and
           profile.generation == get(scope, 'live')
end

for _, profile in ipairs(list_profiles(profiles)) do
    local rank = newer[profile.settings] or 0
    newer[profile.settings] = rank + 1
    if rank >= keep and not in_use(profile) then
        redis.call('HDEL', profiles, profile.field)
        dropped[#dropped + 1] = profile
    end
end
return show_profiles(dropped)
