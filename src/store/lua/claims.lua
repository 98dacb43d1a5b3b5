-- SPDX-License-Identifier: Apache-2.0
--
-- Who is believed: the mirror of src/store/rules.c (nd_rules_claim and its
-- kin). The suite of the store holds both to the same answers.

local DAY_MS = 24 * 60 * 60 * 1000

-- A label's time: now where none was given, at most a day ahead.
local function label_time(label_ms, now)
    if label_ms <= 0 then
        return now
    end
    return math.min(label_ms, now + DAY_MS)
end

-- Another label than the one known: believed by rank, then by time.
local function believe(known, claim, action)
    if claim.source ~= known.source then
        if claim.source > known.source then
            return action
        end
        return 'refuse', 'lower_rank'
    end
    if claim.label_ms > known.label_ms then
        return action
    end
    return 'refuse', 'older_label'
end

-- What to do with claim: 'store', 'relabel', 'keep', or 'refuse' and why.
local function decide(known, claim)
    if known == nil then
        return 'store'
    end
    if known.fate == PRESENT then
        if claim.label ~= known.label then
            return believe(known, claim, 'relabel')
        end
        return claim.source > known.source and 'relabel' or 'keep'
    end
    if known.fate == FORGOTTEN or known.fate == FORGOTTEN_ABSENT then
        if claim.label_ms > known.label_ms then
            return 'store'
        end
        return 'refuse', 'forgotten'
    end
    if claim.label == known.label then
        return 'keep'
    end
    return believe(known, claim, 'store')
end

-- Gives a present record the claim's label, or its newer time, and the merged
-- payload where there is one. Answers the outcome.
local function change_present(scope, record, place, claim, relabel, merged)
    local old_label, label_ms = record.label, record.label_ms
    if merged then
        add(scope, 'bytes', #merged.payload - #record.payload)
        record.payload, record.families = merged.payload, merged.families
    end
    local newer = claim.source == record.source and claim.label_ms > label_ms
    -- the message's time is kept whatever becomes of the label's
    local time_ms = record.time_ms
    if relabel then
        tally_present(scope, record, -1)
        record.label, record.source = claim.label, claim.source
        tally_present(scope, record, 1)
    end
    if relabel or newer then
        record.label_ms = claim.label_ms
    end
    record.time_ms = time_ms
    if relabel or merged then
        record.version = record.version + 1
        add(scope, 'sequence', 1)
    end
    if relabel or merged or record.label_ms ~= label_ms then
        replace(scope, place, record)
    end
    local outcome = relabel and 'relabelled' or merged and 'merged' or
                    'duplicate'
    add(scope, outcome, 1)
    return outcome, old_label
end

local function refuse(scope, reason)
    add(scope, 'refused:' .. reason, 1)
    return {'refused', reason, 0, ''}
end

-- A result's last part: the counts after it.
local function with_counts(scope, result)
    result[5], result[6] = count(scope, 0), count(scope, 1)
    return result
end
