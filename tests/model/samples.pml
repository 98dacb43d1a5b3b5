/* SPDX-License-Identifier: Apache-2.0
 *
 * Samples on one store: what is put, put again, put late or from a spool,
 * relabelled, forgotten, replaced, and consumed by trainings that took their
 * snapshot before. The steps follow put.lua, claims.lua, records.lua,
 * forgetting.lua, and their twins in src/store/sqlite_*.c and rules.c; the
 * collector follows src/learn/lessons.c and src/learn/host_spool.c.
 *
 * A claim says of an identity: this class, by this source, at this time. It
 * acts once, however often it arrives.
 */
#define AT_END(kind) end_training(kind)
#include "store.pml"

#define IDS 2
#define CLAIMS 5
#define HAM 0
#define SPAM 1
#define AUTOLEARN 0
#define USER 1

mtype = { UNKNOWN, PRESENT, CONSUMED, REPLACED, FORGOTTEN, FORGOTTEN_ABSENT };
mtype = { STORE, RELABEL, KEEP, REFUSE };

/* What the store remembers of an identity. */
mtype fate[IDS] = UNKNOWN;
bit label[IDS], source[IDS], family[IDS];
byte time[IDS], version[IDS];
byte sequence, attempted;
byte stored, replaced, consumed, forgotten;

byte losts, crashes, spools, limit, claims, trainings;
bit balanced, relabels, forgets, cleans;
bit row[CLAIMS]; /* waits in the spool */

/* ---- ghosts ---- */
byte content[IDS];             /* another number after each change */
bit acted[CLAIMS], accepted[CLAIMS], cleaned[IDS], forget_acted;
byte open[IDS];                /* claims and forgets that are not concluded */
byte snapshots;                /* trainings that hold one */
hidden mtype action;
hidden byte other, merged;

chan late = [1] of { byte };   /* a put under way on a broken connection */

#define MAY_LOSE(result) \
    if :: losts > 0 -> losts--; result = UNSURE :: true fi

#define IS_PRESENT(id, a_label) (fate[id] == PRESENT && label[id] == a_label)
#define COUNT(a_label) (IS_PRESENT(0, a_label) + IS_PRESENT(1, a_label))
#define ACCOUNTS \
    (stored == COUNT(HAM) + COUNT(SPAM) + replaced + consumed + forgotten)

/* claims.lua believe; rules.c is_believed */
#define BELIEVED(id, a_source, a_time) \
    (BROKEN(NO_RANK) || \
     (a_source != source[id] -> a_source > source[id] : a_time > time[id]))

/* claims.lua decide; nd_rules_claim */
inline decide(id, a_label, a_source, a_time) {
    if
    :: fate[id] == UNKNOWN -> action = STORE
    :: fate[id] == PRESENT && a_label != label[id] ->
        action = (BELIEVED(id, a_source, a_time) -> RELABEL : REFUSE)
    :: fate[id] == PRESENT && a_label == label[id] ->
        action = (a_source > source[id] -> RELABEL : KEEP)
    :: fate[id] == FORGOTTEN || fate[id] == FORGOTTEN_ABSENT ->
        action = (a_time > time[id] || BROKEN(PUT_FORGOTTEN) -> STORE : REFUSE)
    :: fate[id] == CONSUMED || fate[id] == REPLACED ->
        if
        :: a_label == label[id] ->
            action = (BROKEN(PUT_AGAIN) -> STORE : KEEP)
        :: else ->
            action = (BELIEVED(id, a_source, a_time) -> STORE : REFUSE)
        fi
    fi
}

inline change(id) {
    sequence++; content[id]++
}

/* claims.lua change_present; sqlite_put.c change_present */
inline change_present(claim, id, a_label, a_source, a_time, a_family) {
    merged = a_family && !family[id];
    family[id] = family[id] || a_family;
    if
    :: action == RELABEL ->
        assert(!acted[claim]);
        acted[claim] = 1;
        label[id] = a_label; source[id] = a_source; time[id] = a_time
    :: action != RELABEL && a_source == source[id] && a_time > time[id] ->
        time[id] = a_time
    :: else
    fi;
    if
    :: action == RELABEL || merged ->
        if :: BROKEN(RELABEL_QUIET) -> skip :: else -> version[id]++ fi;
        change(id)
    :: else
    fi;
    merged = 0
}

/* put.lua make_room; nd_sqlite_make_room: any other one of the class */
inline make_room(id, a_label) {
    other = 1 - id;
    if
    :: COUNT(a_label) >= limit && IS_PRESENT(other, a_label) ->
        fate[other] = REPLACED; replaced++
    :: else
    fi;
    other = 0
}

/* put.lua store_new, is_balanced; sqlite_put.c store_new, nd_rules_balanced.
 * A limit of 2 is more than there are samples. */
inline store_new(claim, id, a_label, a_source, a_time, a_family, result) {
    if
    :: balanced && COUNT(1 - a_label) + 1 < COUNT(a_label) -> result = LOST
    :: else ->
        /* what was forgotten later stays out */
        assert((fate[id] != FORGOTTEN && fate[id] != FORGOTTEN_ABSENT) ||
               a_time > time[id]);
        assert(!acted[claim]);
        acted[claim] = 1;
        if :: !balanced -> make_room(id, a_label) :: else fi;
        fate[id] = PRESENT; label[id] = a_label; source[id] = a_source;
        time[id] = a_time; family[id] = a_family;
        if
        :: BROKEN(VERSION_RESTARTS) -> version[id] = 1
        :: else -> version[id]++
        fi;
        stored++; change(id);
        result = DONE
    fi
}

/* put.lua keep_tombstone; sqlite_put.c keep_fate */
inline keep_tombstone(id, a_source, a_time) {
    if
    :: a_source > source[id] || (a_source == source[id] && a_time > time[id]) ->
        source[id] = a_source; time[id] = a_time
    :: else
    fi
}

/* put.lua; nd_sqlite_put_many. LOST stands for refused. */
inline put(claim, id, a_label, a_source, a_time, a_family, result) {
    decide(id, a_label, a_source, a_time);
    if
    :: action == REFUSE -> result = LOST
    :: action == STORE ->
        store_new(claim, id, a_label, a_source, a_time, a_family, result)
    :: action == KEEP && fate[id] != PRESENT ->
        keep_tombstone(id, a_source, a_time); result = DONE
    :: else ->
        change_present(claim, id, a_label, a_source, a_time, a_family);
        result = DONE
    fi;
    action = NONE;
    assert(ACCOUNTS)
}

/* relabel.lua; nd_sqlite_relabel */
inline relabel(claim, id, a_label, a_source, a_time, result) {
    if
    :: fate[id] != PRESENT -> result = ABSENT
    :: else ->
        decide(id, a_label, a_source, a_time);
        if
        :: action == REFUSE -> result = LOST
        :: else ->
            change_present(claim, id, a_label, a_source, a_time, 0);
            result = DONE
        fi;
        action = NONE
    fi
}

/* forget.lua, forgetting.lua; nd_sqlite_forget. a_time 9 is as of now. */
inline forget(id, a_time) {
    if
    :: fate[id] == PRESENT && time[id] <= a_time ->
        assert(!forget_acted);
        forget_acted = 1;
        fate[id] = FORGOTTEN; time[id] = a_time; forgotten++; change(id)
    :: fate[id] == UNKNOWN && !BROKEN(NO_TOMBSTONE) ->
        fate[id] = FORGOTTEN_ABSENT; time[id] = a_time
    :: (fate[id] == CONSUMED || fate[id] == REPLACED) && time[id] <= a_time ->
        fate[id] = FORGOTTEN_ABSENT; time[id] = a_time; sequence++
    :: (fate[id] == FORGOTTEN || fate[id] == FORGOTTEN_ABSENT) &&
       time[id] < a_time ->
        time[id] = a_time
    :: else
    fi;
    forgot[id] = (a_time > forgot[id] -> a_time : forgot[id]);
    assert(ACCOUNTS)
}

/* records.lua consume; nd_sqlite_consume */
inline consume(id) {
    if
    :: fate[id] == PRESENT && seen[id] != 0 &&
       (version[id] == seen[id] || BROKEN(BY_ID)) ->
        assert(content[id] == seen_content[id]); /* what it was trained on */
        fate[id] = CONSUMED; consumed++
    :: else
    fi
}

/* Within publish and finish: what was used up, and the watermark. Under
 * balanced a promoted or rejected training consumes, a failed one does not. */
inline end_training(kind) {
    if
    :: balanced && (kind == PUBLISHED || rejected) -> consume(0); consume(1)
    :: else
    fi;
    if
    :: BROKEN(WATERMARK_MOVES) -> attempted = sequence
    :: else -> attempted = (watermark > attempted -> watermark : attempted)
    fi;
    /* nothing counts as seen that came after the snapshot */
    assert(attempted <= watermark || attempted <= ended_at);
    ended_at = (watermark > ended_at -> watermark : ended_at);
    assert(ACCOUNTS)
}

byte forgot[IDS];  /* ghost: the newest forgetting that was told */
byte ended_at;     /* ghost: the newest snapshot of a training that ended */

/* ---- who calls ---- */

/* lessons.c put_with_repeats, host_spool.c */
proctype Collector(byte me; byte id; bit a_label; bit a_source; byte a_time;
                   bit a_family) {
    mtype answer;
again:
    atomic {
        if
        :: losts > 0 && empty(late) -> losts--; late!me; answer = UNSURE
        :: true ->
            put(me, id, a_label, a_source, a_time, a_family, answer);
            MAY_LOSE(answer)
        fi;
        if :: answer == DONE -> accepted[me] = 1 :: else fi
    }
    if
    :: answer != UNSURE -> goto concluded
    :: answer == UNSURE ->
        if
        :: goto again
        :: goto concluded /* told as refused: nobody counts on it */
        :: atomic {       /* nd_host_spool_add */
            spools > 0 -> spools--; row[me] = 1; accepted[me] = 1
           }
        fi
    fi;
deliver: /* nd_host_spool_deliver: the row goes after the answer */
    if
    :: BROKEN(DELETES_FIRST) -> row[me] = 0
    :: else
    fi;
    if
    :: atomic {
        put(me, id, a_label, a_source, a_time, a_family, answer);
        MAY_LOSE(answer)
       }
    :: atomic { crashes > 0 -> crashes--; answer = UNSURE }
    fi;
    if
    :: answer == UNSURE && (row[me] || !BROKEN(DELETES_FIRST)) -> goto deliver
    :: answer == UNSURE && !row[me] && BROKEN(DELETES_FIRST)
    :: else ->
        if
        :: atomic { crashes > 0 -> crashes--; answer = UNSURE }; goto deliver
        :: row[me] = 0 /* remove_records */
        fi
    fi;
concluded:
    atomic { open[id]--; answer = NONE }
}

/* A put that was under way when its connection broke. */
proctype Late() {
    byte which;
    mtype answer;
end:
    do
    :: atomic {
        late?which ->
        if
        :: which == 0 -> put(0, 0, SPAM, AUTOLEARN, 1, 0, answer)
        :: which == 1 -> put(1, 0, HAM, USER, 3, 1, answer)
        :: which == 2 -> put(2, 1, SPAM, AUTOLEARN, 2, 0, answer)
        :: which == 3 -> put(3, 1, SPAM, USER, 4, 1, answer)
        fi;
        which = 0; answer = NONE
       }
    od
}

/* neurald relabel: the second identity, by a user */
proctype Relabeller() {
    mtype answer;
again:
    atomic {
        relabel(4, 1, HAM, USER, 3, answer); MAY_LOSE(answer)
    }
    if
    :: answer == UNSURE -> if :: goto again :: true fi
    :: else
    fi;
    atomic { open[1]--; answer = NONE }
}

/* neurald forget: the first identity, as of time 2 or 4 */
proctype Forgetter() {
    byte when = 2;
    mtype answer;
    if :: when = 2 :: when = 4 fi;
again:
    atomic {
        answer = DONE;
        if
        :: losts > 0 -> losts--; answer = UNSURE /* it did not come */
        :: true -> forget(0, when); MAY_LOSE(answer)
        fi
    }
    if
    :: answer == UNSURE ->
        if :: BROKEN(FORGETS_NOW) -> when = 9 :: else fi;
        if :: goto again :: true fi
    :: else
    fi;
    atomic { open[0]--; answer = NONE; when = 2 }
}

/* A training, as far as samples are concerned; it may be overtaken at any
 * time, and may never end. */
proctype Training(byte me) {
    byte own, grant, digest, watermark, judged;
    byte seen[IDS], seen_content[IDS];
    bit rejected;
    mtype answer;
end_ask:
    atomic { /* while another has it this asks again */
        LEASE_OPEN && token < most_tokens;
        lease_acquire(me + 1, answer, own, grant);
        judged = revision; snapshots++
    }
    atomic { /* snapshot.lua, nd_sqlite_snapshot */
        watermark = sequence;
        if :: fate[0] == PRESENT -> seen[0] = version[0];
              seen_content[0] = content[0] :: else fi;
        if :: fate[1] == PRESENT -> seen[1] = version[1];
              seen_content[1] = content[1] :: else fi
    }
    atomic { model_upload(digest) }
    if
    :: goto publish
    :: rejected = 1; goto finish
    :: goto finish
    :: goto concluded /* it dies */
    fi;
publish:
    atomic {
        model_publish(own, me + 1, grant, digest, judged, answer);
        MAY_LOSE(answer)
    }
    if
    :: answer == UNSURE -> if :: goto publish :: goto finish fi
    :: else -> goto concluded
    fi;
finish:
    atomic { training_finish(own, me + 1, grant, answer); MAY_LOSE(answer) }
    if
    :: answer == UNSURE -> if :: goto finish :: goto concluded fi
    :: else
    fi;
concluded:
    atomic {
        snapshots--;
        seen[0] = 0; seen[1] = 0; seen_content[0] = 0; seen_content[1] = 0;
        watermark = 0; rejected = 0; answer = NONE
    }
}

proctype Clock() {
end:
    do
    :: atomic { lease_token != 0 && left > 0 -> left = 0; true_left = 0 }
    od
}

/* maintain.lua, nd_sqlite_maintain: tombstones older than the spool's rows and
 * than any training go. */
#define MAY_CLEAN(id) \
    (cleans && fate[id] != UNKNOWN && fate[id] != PRESENT && \
     (BROKEN(KEPT_SHORT) || (open[id] == 0 && snapshots == 0 && empty(late))))
inline clean(id) {
    cleans = 0; cleaned[id] = 1;
    fate[id] = UNKNOWN; version[id] = 0; label[id] = 0; source[id] = 0;
    time[id] = 0; family[id] = 0
}
proctype Upkeep() {
end:
    do
    :: atomic { MAY_CLEAN(0) -> clean(0) }
    :: atomic { MAY_CLEAN(1) -> clean(1) }
    od
}

/* What was accepted is remembered, or waits in the spool. And what was
 * forgotten last is not there by an older word. */
#define ID(claim) (claim / 2)
#define KNOWN(claim) \
    (!accepted[claim] || row[claim] || fate[ID(claim)] != UNKNOWN || \
     cleaned[ID(claim)])
#define STAYS_OUT(id) \
    (fate[id] != PRESENT || time[id] > forgot[id])
proctype Monitor() {
end:
    atomic {
        !(KNOWN(0) && KNOWN(1) && KNOWN(2) && KNOWN(3) && STAYS_OUT(0));
        assert(false)
    }
}

init {
    atomic {
        c_code {
            broken = bound("BROKEN", 0);
            now.most_tokens = MOST_TOKENS - 1;
            now.losts = bound("LOSTS", 1);
            now.crashes = bound("CRASHES", 0);
            now.spools = bound("SPOOLS", 0);
            now.limit = bound("LIMIT", 2);
            now.balanced = bound("BALANCED", 1);
            now.relabels = bound("RELABELS", 1);
            now.forgets = bound("FORGETS", 1);
            now.cleans = bound("CLEANS", 0);
            now.claims = bound("CLAIMS", 4);
            now.trainings = bound("TRAININGS", 1);
        };
        open[0] = 2 + forgets; open[1] = 2 + relabels;
        run Collector(0, 0, SPAM, AUTOLEARN, 1, 0);
        if :: claims > 1 -> run Collector(1, 0, HAM, USER, 3, 1)
           :: else -> open[0]-- fi;
        if :: claims > 2 -> run Collector(2, 1, SPAM, AUTOLEARN, 2, 0)
           :: else -> open[1]-- fi;
        if :: claims > 3 -> run Collector(3, 1, SPAM, USER, 4, 1)
           :: else -> open[1]-- fi;
        if :: relabels -> run Relabeller() :: else fi;
        if :: forgets -> run Forgetter() :: else fi;
        if :: trainings > 0 -> run Training(0) :: else fi;
        if :: trainings > 1 -> run Training(1) :: else fi;
        claims = 0; trainings = 0;
        run Late(); run Clock(); run Upkeep(); run Monitor()
    }
}
