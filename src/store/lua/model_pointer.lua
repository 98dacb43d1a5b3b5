-- SPDX-License-Identifier: Apache-2.0
--
-- The live pointer as it is read: generation, revision, pinned, digest.

local function show_pointer(scope, models)
    local live = get(scope, 'live')
    local model = live ~= 0 and redis.call('HGET', models, live) or ''
    return {'pointer', live, get(scope, 'revision'), get(scope, 'pinned'),
            string.sub(model, 1, 32)}
end
