-- SPDX-License-Identifier: Apache-2.0
--
-- How a grant ends: its line in the journal, its lasting answer under its
-- token (so that a repeat after a lost answer is recognised), and what the next
-- training starts from.

local FINISHED, PUBLISHED, SUPERSEDED, IMPORTED = 1, 2, 3, 4
local JOURNAL_KEPT = 1000
local NO_DIGEST = string.rep('\0', 32)

local function pack_text(text)
    return struct.pack('<I4', #text) .. text
end

-- Appends a line and forgets what is over the limit, endings included.
local function write_journal(journal, endings, now, token, kind, digest, entry)
    redis.call('RPUSH', journal,
               struct.pack('<I8I8B', now, token, entry.decision) ..
               pack_text(entry.holder) .. pack_text(entry.reason) ..
               pack_text(entry.figures))
    redis.call('HSET', endings, token, string.char(kind) .. digest)
    while redis.call('LLEN', journal) > JOURNAL_KEPT do
        local old = redis.call('LPOP', journal)
        local _, old_token = struct.unpack('<I8I8', old)
        redis.call('HDEL', endings, old_token)
    end
end

-- The kind of ending that a token had, and the digest; 0 where it has none.
local function find_ending(endings, token)
    local text = redis.call('HGET', endings, token)
    if not text then
        return 0, NO_DIGEST
    end
    return string.byte(text), string.sub(text, 2)
end

-- Notes the attempt and frees the lease.
local function end_attempt(scope, promoted, watermark, now)
    set(scope, 'failures', promoted and 0 or get(scope, 'failures') + 1)
    set(scope, 'attempt_ms', now)
    watermark = math.min(watermark, get(scope, 'sequence'))
    set(scope, 'attempted', math.max(watermark, get(scope, 'attempted')))
    free_lease(scope)
end
