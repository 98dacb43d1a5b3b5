-- SPDX-License-Identifier: Apache-2.0
--
-- How an identity is forgotten: what was there leaves a tombstone, and so does
-- what was not, so that a put that was given before stays out.

-- A sample that was used up counts as a change, since the live model knows it;
-- forgetting one that never came, or once more, changes nothing. Answers
-- whether this repeats the forget that ended it.
local function forget_absent(scope, known, place, identity, label_ms, now)
    local repeated = false
    if known == nil then
        known = {fate = FORGOTTEN_ABSENT, identity = identity, label = 0,
                 source = 0, label_ms = label_ms, version = 0}
    elseif known.fate == CONSUMED or known.fate == REPLACED then
        if known.label_ms > label_ms then
            return false
        end
        known.fate, known.label_ms = FORGOTTEN_ABSENT, label_ms
        add(scope, 'sequence', 1)
    else
        repeated = known.fate == FORGOTTEN and known.label_ms == label_ms
        known.label_ms = math.max(known.label_ms, label_ms)
    end
    known.ended_ms = now
    replace(scope, place, known)
    return repeated
end

-- Without a time of its own a forget means now, and whatever is there. Answers
-- whether a sample was there.
local function forget(scope, identity, given_ms, now)
    local label_ms = label_time(given_ms, now)
    local known, place = find(scope, identity)
    if known == nil or known.fate ~= PRESENT then
        return forget_absent(scope, known, place, identity, label_ms, now)
    end
    if given_ms > 0 and known.label_ms > label_ms then
        return false
    end
    local ended = tombstone(known, FORGOTTEN, now)
    ended.label_ms = math.max(label_ms, known.label_ms)
    tally_end(scope, known, FORGOTTEN)
    replace(scope, place, ended)
    add(scope, 'sequence', 1)
    return true
end
