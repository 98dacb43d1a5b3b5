-- SPDX-License-Identifier: Apache-2.0
--
-- Points to a generation that is kept (0: the live one), and pins or unpins.
--
-- ARGV: generation, '1' to pin.
-- include common
-- include model_pointer
-- include announce

local rule, scope_key, models = unpack(KEYS)
local generation, pin = tonumber(ARGV[1]), tonumber(ARGV[2])

begin_storing(rule)
local scope = open_scope(scope_key)
local live = get(scope, 'live')
local wanted = generation ~= 0 and generation or live
local exists = wanted ~= 0 and redis.call('HEXISTS', models, wanted) == 1
if not exists and (generation ~= 0 or pin == 1) then
    return {'absent'}
end
if wanted ~= live or pin ~= get(scope, 'pinned') then
    set(scope, 'live', wanted)
    set(scope, 'pinned', pin)
    add(scope, 'revision', 1)
    save_scope(scope)
    announce(rule)
end
return show_pointer(scope, models)
