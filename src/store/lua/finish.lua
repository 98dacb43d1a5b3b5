-- SPDX-License-Identifier: Apache-2.0
--
-- Ends a rejected or failed training; works at maxmemory.
--
-- ARGV: token, nonce, decision, holder, reason, figures, consumed, watermark.
-- include common
-- include records
-- include leases
-- include endings

local rule, scope_key, samples, journal, endings = unpack(KEYS)
local token, nonce = tonumber(ARGV[1]), ARGV[2]

begin_freeing(rule)
local scope = open_scope(scope_key)
scope.samples = samples
local kind = find_ending(endings, token)
if kind == FINISHED then
    return 'done'
end
if kind ~= 0 or not is_held(scope, token, nonce) then
    return 'lost'
end
local now = clock()
consume(scope, ARGV[7], now)
write_journal(journal, endings, now, token, FINISHED, NO_DIGEST,
              {decision = tonumber(ARGV[3]), holder = ARGV[4],
               reason = ARGV[5], figures = ARGV[6]})
end_attempt(scope, false, tonumber(ARGV[8]), now)
save_scope(scope)
return 'done'
