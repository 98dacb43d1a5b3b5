-- SPDX-License-Identifier: Apache-2.0
--
-- Makes an uploaded blob live without a training. It takes a token as its
-- generation; a pin holds against it too. A repeat changes nothing.
--
-- ARGV: settings, digest, profile, decision, holder, reason, figures, keep.
-- include common
-- include leases
-- include endings
-- include models
-- include announce

local rule, scope_key, journal, endings, models, blobs, profiles, hosts =
    unpack(KEYS)
local digest = ARGV[2]

begin_storing(rule)
local scope = open_scope(scope_key)
if blob_entry(blobs, to_hex(digest)) == nil then
    return {'no blob'}
end
local kind, live_digest = find_ending(endings, get(scope, 'live'))
if kind == IMPORTED and live_digest == digest then
    return {'published', get(scope, 'live')}
end
if get(scope, 'pinned') == 1 then
    return {'superseded'}
end
local now = clock()
add(scope, 'token', 1)
local token = get(scope, 'token')
go_live(scope, {models = models, blobs = blobs, profiles = profiles,
                hosts = hosts},
        {generation = token, digest = digest, profile = ARGV[3],
         origin = 'import', settings = ARGV[1], keep = tonumber(ARGV[8])},
        now)
write_journal(journal, endings, now, token, IMPORTED, digest,
              {decision = tonumber(ARGV[4]), holder = ARGV[5],
               reason = ARGV[6], figures = ARGV[7]})
save_scope(scope)
announce(rule)
return {'published', token}
