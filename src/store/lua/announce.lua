-- SPDX-License-Identifier: Apache-2.0
--
-- Tells those who wait that a live pointer of the store moved. A hint: where
-- the user may not publish, nothing is lost but time.

-- The channel is the prefix with ":changes"; rule's key is "{PREFIX:RULE}".
local function announce(rule)
    local prefix = string.match(rule, '^{(.+):[^:]+}$')
    redis.pcall('PUBLISH', prefix .. ':changes', rule)
end
