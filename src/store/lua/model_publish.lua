-- SPDX-License-Identifier: Apache-2.0
--
-- Checks the token, moves the pointer, ends the samples that were used up,
-- writes the journal, frees the lease and drops old generations. A repeat
-- answers the first result.
--
-- ARGV: settings, token, nonce, digest, judged revision, profile, decision,
-- holder, reason, figures, consumed, watermark, keep.
-- include common
-- include records
-- include leases
-- include endings
-- include models
-- include announce

local rule, scope_key, samples, journal, endings, models, blobs, profiles,
      hosts = unpack(KEYS)
local settings, token, nonce = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local digest, judged, profile = ARGV[4], tonumber(ARGV[5]), ARGV[6]
local entry = {decision = tonumber(ARGV[7]), holder = ARGV[8],
               reason = ARGV[9], figures = ARGV[10]}
local consumed, watermark = ARGV[11], tonumber(ARGV[12])
local REJECTED = 1

begin_storing(rule)
local scope = open_scope(scope_key)
scope.samples = samples
local kind, ended_digest = find_ending(endings, token)
if kind == PUBLISHED and ended_digest == digest then
    return {'published', token}
end
if kind == SUPERSEDED then
    return {'superseded'}
end
if kind ~= 0 or not is_held(scope, token, nonce) then
    return {'lost'}
end
if blob_entry(blobs, to_hex(digest)) == nil then
    return {'no blob'}
end
local now = clock()
if get(scope, 'pinned') == 1 or get(scope, 'revision') ~= judged then
    entry.decision = REJECTED
    entry.reason = 'the live model was changed or pinned meanwhile'
    write_journal(journal, endings, now, token, SUPERSEDED, NO_DIGEST, entry)
    end_attempt(scope, false, watermark, now)
    save_scope(scope)
    return {'superseded'}
end
go_live(scope, {models = models, blobs = blobs, profiles = profiles,
                hosts = hosts},
        {generation = token, digest = digest, profile = profile,
         origin = get_text(scope, 'lease_holder'), settings = settings,
         keep = tonumber(ARGV[13])}, now)
consume(scope, consumed, now)
write_journal(journal, endings, now, token, PUBLISHED, digest, entry)
end_attempt(scope, true, watermark, now)
save_scope(scope)
announce(rule)
return {'published', token}
