-- SPDX-License-Identifier: Apache-2.0
--
-- Profiles of a rule: fields "settings:digest" of one hash, each with its last
-- use, the rank of that use (a counter, not the clock), the generation trained
-- for it, and its symbols. Answers are made here, sorted newest use first.

local function decode_profile(field, value)
    local used, order, generation = struct.unpack('<I8I8I8', value)
    local colon = string.find(field, ':', 1, true)
    return {
        field = field, used_ms = used, order = order,
        generation = generation, settings = string.sub(field, 1, colon - 1),
        digest = string.sub(field, colon + 1), symbols = string.sub(value, 25),
    }
end

local function list_profiles(profiles)
    local flat, list = redis.call('HGETALL', profiles), {}
    for at = 1, #flat, 2 do
        list[#list + 1] = decode_profile(flat[at], flat[at + 1])
    end
    table.sort(list, function(one, other)
        return one.order > other.order
    end)
    return list
end

local function show_profiles(list)
    local answer = {}
    for _, profile in ipairs(list) do
        answer[#answer + 1] = {profile.settings, profile.digest,
                               profile.used_ms, profile.generation,
                               profile.symbols}
    end
    return answer
end
