-- SPDX-License-Identifier: Apache-2.0
--
-- Drops generations below the live one whose successor was published long
-- enough ago, and the blobs that they leave behind. Answers how many.
--
-- ARGV: how long a model that is not in use stays.
-- include common
-- include models

local rule, scope_key, models, blobs, hosts = unpack(KEYS)

begin_freeing(rule)
local scope = open_scope(scope_key)
local now, live = clock(), get(scope, 'live')
local before = now - tonumber(ARGV[1])
local generations = redis.call('HKEYS', models)
table.sort(generations, function(one, other)
    return tonumber(one) < tonumber(other)
end)

local function published_ms(generation)
    local value = redis.call('HGET', models, generation)
    return (struct.unpack('<I8', value, 41))
end

local dropped, running = {}, reported(hosts, now)
for rank = 1, #generations - 1 do
    local generation = tonumber(generations[rank])
    if generation < live and not running[generation] and
       published_ms(generations[rank + 1]) <= before then
        dropped[#dropped + 1] = generations[rank]
    end
end
for _, generation in ipairs(dropped) do
    redis.call('HDEL', models, generation)
end
if #dropped > 0 then
    drop_blobs(models, blobs, function(entry)
        return entry.published == 1 or entry.uploaded_ms <= now - ORPHAN_MS
    end)
end
return {'expired', #dropped}
