-- SPDX-License-Identifier: Apache-2.0
--
-- What every script begins with: the clock, the version, the state of a scope.
-- Every script runs as one atomic step of the server. Values of a scope are
-- read at once and those that changed are written at the end.

local STORE_VERSION = 1

-- The server's clock, Unix milliseconds.
local function clock()
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Stops the script where a later neurald wrote this rule.
local function check_version(rule)
    local version = tonumber(redis.call('HGET', rule, 'version') or '0')
    if version > STORE_VERSION then
        error('NDVERSION this store has version ' .. version ..
              ', this neurald knows ' .. STORE_VERSION)
    end
end

-- Begins a script that stores: its first write is one that Redis refuses at
-- maxmemory, which then refuses the whole script.
local function begin_storing(rule)
    check_version(rule)
    redis.call('HSET', rule, 'version', STORE_VERSION)
end

-- Begins a script that must work at maxmemory too: its first write is one that
-- Redis never refuses, and the first write decides for the whole script.
local function begin_freeing(rule)
    check_version(rule)
    redis.call('HDEL', rule, '-')
end

local function open_scope(key)
    local flat = redis.call('HGETALL', key)
    local scope = {key = key, values = {}, changed = {}}
    for i = 1, #flat, 2 do
        scope.values[flat[i]] = flat[i + 1]
    end
    return scope
end

local function get(scope, name)
    return tonumber(scope.values[name]) or 0
end

local function get_text(scope, name)
    return scope.values[name] or ''
end

local function set(scope, name, value)
    scope.values[name] = value
    scope.changed[name] = true
end

local function add(scope, name, change)
    set(scope, name, get(scope, name) + change)
end

local function save_scope(scope)
    local fields = {}
    for name in pairs(scope.changed) do
        fields[#fields + 1] = name
        fields[#fields + 1] = scope.values[name]
    end
    if #fields > 0 then
        redis.call('HSET', scope.key, unpack(fields))
    end
end

-- The counters of samples present, by class and source: their names are made
-- once, since every sample needs some.
local PRESENT_NAMES = {[0] = {}, [1] = {}}
for label = 0, 1 do
    for source = 0, 3 do
        PRESENT_NAMES[label][source] = 'present:' .. label .. ':' .. source
    end
end

-- Samples of a class now.
local function count(scope, label)
    local total = 0
    for source = 0, 3 do
        total = total + get(scope, PRESENT_NAMES[label][source])
    end
    return total
end
