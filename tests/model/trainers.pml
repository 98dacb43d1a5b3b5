/* SPDX-License-Identifier: Apache-2.0
 *
 * Trainers on one store: the lease, what is published, and an operator who
 * pins, imports and trims meanwhile. Processes die and hang, answers are lost,
 * requests come late, the clock jumps. The trainer follows src/learn/training.c
 * and training_publish.c.
 *
 * Searched for safety (the assertions of store.pml and those here), and with
 * LIVE for the claim at the end: a holder that is gone is taken over.
 */
#define TRAINERS 3 /* at most */
#define MOST_RENEWALS 3 /* of one process */

#include "store.pml"

byte trainers, crashes, losts, jumps, pins, imports, trims, attempts,
    renewals;

/* ---- ghosts ---- */
byte holders[MOST_TOKENS + 1]; /* live trainers that believe in a token */
bit orphan;                    /* the lease's holder is gone for good */
byte published[MOST_TOKENS + 1]; /* blob that a grant published */

/* A request on a connection that has broken; it may arrive, or never. */
chan late = [1] of { mtype, byte, byte, byte, byte, byte };
mtype = { ACQUIRE, RENEW, RELEASE, FINISH, PUBLISH };

/* A call ends in one of three ways: answered; acted, and the answer is lost;
 * not answered, and it acts later or never. */
#define MAY_LOSE(result) \
    if :: losts > 0 -> losts--; result = UNSURE :: true fi
#ifdef LIVE
#define MAY_BE_LATE false
#define SEND_LATE(kind, one, two, three, four, five) skip
#else
#define MAY_BE_LATE (losts > 0 && empty(late))
#define SEND_LATE(kind, one, two, three, four, five) \
    losts--; late!kind(one, two, three, four, five); answer = UNSURE
#endif

/* The process stops to hold what it held. */
#define GIVES_UP \
    holders[own]--; \
    if :: LEASE_HELD(own, nonce) -> orphan = 1 :: else fi

/* It dies; another comes in its place, with a nonce of its own. */
#define DIES \
    crashes--; counter = 0; incarnation++; \
    if :: BROKEN(HOST_NAME) -> skip \
       :: else -> nonce = 1 + me + TRAINERS * incarnation \
    fi

#define ACQUIRED \
    assert(holders[own] == 0); /* one trainer a token */ \
    holders[own]++; orphan = 0

#define FORGETS \
    own = 0; grant = 0; digest = 0; judged = 0; answer = NONE; renewed = 0

/* Where another took the lease, it is not an orphan's any more. */
#define SETTLE \
    if :: lease_token == 0 || holders[lease_token] > 0 -> orphan = 0 \
       :: else fi

proctype Trainer(byte me) {
    byte own, grant, nonce, digest, judged, incarnation, counter, renewed;
    mtype answer;

    nonce = 1 + me;
    if :: BROKEN(HOST_NAME) -> nonce = 1 :: else fi;

end_idle: /* check_ready; the watch loop asks again and again */
    atomic {
        attempts > 0 && !pinned && token < most_tokens;
        FORGETS;
        if :: BROKEN(PROGRESS_RESTARTS) -> counter = 0 :: else fi
    }
acquire:
    atomic {
        if
        :: MAY_BE_LATE -> SEND_LATE(ACQUIRE, nonce, 0, 0, 0, 0)
        :: attempts > 0 -> lease_acquire(nonce, answer, own, grant);
           if :: answer == DONE -> attempts--; MAY_LOSE(answer) :: else fi
        :: attempts == 0 -> answer = BUSY
        fi;
        if
        :: answer == DONE -> ACQUIRED
        :: answer == UNSURE ->
            own = 0; grant = 0;
            if :: lease_token != 0 && lease_nonce == nonce -> orphan = 1
               :: else fi
        :: else
        fi;
        SETTLE
    }
    if
    :: answer == DONE
    :: answer == BUSY -> goto end_idle
    :: answer == UNSURE ->
        if :: goto acquire :: goto end_idle
        :: atomic { crashes > 0 -> DIES; goto end_idle }
        fi
    fi;

    judged = revision; /* nd_training_prepare: model_current */

training: /* nd_training_advance; nd_child_receive */
    if
    :: atomic {
        counter < MOST_RENEWALS && renewed < renewals;
        counter++; renewed++;
        if
        :: MAY_BE_LATE -> SEND_LATE(RENEW, own, nonce, grant, counter, 0)
        :: true -> lease_renew(own, nonce, counter, answer); MAY_LOSE(answer)
        fi;
        /* who is told that it is lost does not hold it */
        assert(answer != LOST || !LEASE_HELD(own, nonce))
       };
       if
       :: answer == LOST -> goto lost
       :: else -> goto training /* unsure: the token decides, not the time */
       fi
    :: goto upload              /* the judge promotes */
    :: goto finish              /* it rejects, or the child fails or hangs */
    :: goto release             /* cancelled */
    :: atomic { crashes > 0 -> GIVES_UP; DIES; goto end_idle }
#ifdef LIVE
    :: atomic {                 /* the whole process hangs */
        crashes > 0;
        crashes--; GIVES_UP
       };
       goto hung
#endif
    fi;

upload: /* repeating it is harmless: one step */
    atomic { model_upload(digest) }

publish: /* point_to */
    atomic {
        if
        :: MAY_BE_LATE -> SEND_LATE(PUBLISH, own, nonce, grant, digest, judged)
        :: true -> model_publish(own, nonce, grant, digest, judged, answer);
           if :: answer == DONE -> published[grant] = digest :: else fi;
           MAY_LOSE(answer)
        fi;
        assert(answer != LOST || !LEASE_HELD(own, nonce));
        assert(answer != LOST || published[grant] != digest);
        assert(answer != DONE || published[grant] == digest);
        SETTLE
    }
    if
    :: answer == DONE || answer == SUPERSEDED -> goto done
    :: answer == LOST -> goto lost
    :: answer == ABSENT -> goto finish
    :: answer == UNSURE ->
        if :: goto publish :: goto finish
        :: atomic { crashes > 0 -> GIVES_UP; DIES; goto end_idle }
        fi
    fi;

finish: /* nd_training_finish, conclude_failure */
    atomic {
        if
        :: MAY_BE_LATE -> SEND_LATE(FINISH, own, nonce, grant, 0, 0)
        :: true -> training_finish(own, nonce, grant, answer); MAY_LOSE(answer)
        fi;
        assert(answer != LOST || !LEASE_HELD(own, nonce));
        SETTLE
    }
    if
    :: answer == UNSURE ->
        if :: goto finish :: goto done
        :: atomic { crashes > 0 -> GIVES_UP; DIES; goto end_idle }
        fi
    :: else -> goto done
    fi;

release:
    atomic {
        if
        :: MAY_BE_LATE -> SEND_LATE(RELEASE, own, nonce, grant, 0, 0)
        :: true -> lease_release(own, nonce, grant, answer); MAY_LOSE(answer)
        fi;
        SETTLE
    }
    if
    :: answer == UNSURE ->
        if :: goto release :: goto done
        :: atomic { crashes > 0 -> GIVES_UP; DIES; goto end_idle }
        fi
    :: else -> goto done
    fi;

lost: /* the child is stopped, nothing is published, nothing given back */
done:
    atomic { GIVES_UP; SETTLE };
    goto end_idle;

#ifdef LIVE
hung:
    do
    :: BROKEN(NO_PROGRESS) ->
        atomic { lease_renew(own, nonce, counter, answer); SETTLE }
    :: else -> false
    od
#endif
}

#ifndef LIVE
proctype Late() {
    byte one, two, three, four, five, ignored, ignored_grant;
    mtype answer;
end:
    do
    :: atomic {
        late?ACQUIRE(one, two, three, four, five) ->
        lease_acquire(one, answer, ignored, ignored_grant);
        if :: answer == DONE && holders[lease_token] == 0 -> orphan = 1
           :: else fi;
        SETTLE;
        one = 0; ignored = 0; ignored_grant = 0; answer = NONE
       }
    :: atomic {
        late?RENEW(one, two, three, four, five) ->
        lease_renew(one, two, four, answer);
        one = 0; two = 0; three = 0; four = 0; answer = NONE
       }
    :: atomic {
        late?RELEASE(one, two, three, four, five) ->
        lease_release(one, two, three, answer); SETTLE;
        one = 0; two = 0; three = 0; answer = NONE
       }
    :: atomic {
        late?FINISH(one, two, three, four, five) ->
        training_finish(one, two, three, answer); SETTLE;
        one = 0; two = 0; three = 0; answer = NONE
       }
    :: atomic {
        late?PUBLISH(one, two, three, four, five) ->
        model_publish(one, two, three, four, five, answer);
        if :: answer == DONE -> published[three] = four :: else fi;
        SETTLE;
        one = 0; two = 0; three = 0; four = 0; five = 0; answer = NONE
       }
    od
}
#endif

/* The store's clock: it runs, and may jump back. (Forward is as if it ran.) */
proctype Clock() {
end:
    do
    :: atomic {
        lease_token != 0 && true_left > 0 ->
        true_left--;
        if :: left > 0 && left <= LENGTH -> left-- :: else fi
       }
    :: atomic {
        jumps > 0 && lease_token != 0 ->
        jumps--; left = FAR; jumped = 1
       }
    od
}

/* neurald model pin, rollback, import; trim and upkeep by any host. */
proctype Operator() {
    byte generation, digest;
    mtype answer;
end:
    do
    :: atomic {
        pins > 0 ->
        pins--;
        select(generation : 1 .. MOST_TOKENS);
        if
        :: true -> model_pin(generation, 0, answer)
        :: true -> model_pin(generation, 1, answer)
        :: pinned -> model_pin(live, 0, answer)
        fi;
        generation = 0; answer = NONE
       }
    :: atomic {
        imports > 0 && token < most_tokens && uploads < MOST_BLOBS ->
        imports--;
        model_upload(digest);
        model_import(digest, answer)
       };
       atomic {
        /* its answer was lost: repeated while it is live, or it is not */
        if
        :: losts > 0 && answer == DONE && live != 0 &&
           digest_of[live] == digest ->
            losts--; generation = token; model_import(digest, answer);
            assert(answer != DONE || token == generation)
        :: true
        fi;
        generation = 0; digest = 0; answer = NONE
       }
    :: atomic { trims > 0 -> trims--; profile_trim(); SETTLE }
    :: atomic {
        trims > 0 && uploads > 0 ->
        trims--;
        select(digest : 1 .. MOST_BLOBS);
        maintain(digest); check_live();
        digest = 0
       }
    :: atomic { trims > 0 && live > 1 -> trims--; model_expire() }
    od
}

init {
    atomic {
        c_code {
            broken = bound("BROKEN", 0);
            now.trainers = bound("TRAINERS", 2);
            now.most_tokens = bound("TOKENS", 3);
            now.attempts = bound("ATTEMPTS", 3);
            now.crashes = bound("CRASHES", 1);
            now.renewals = bound("RENEWALS", 1);
            now.losts = bound("LOSTS", 1);
            now.jumps = bound("JUMPS", 1);
            now.pins = bound("PINS", 0);
            now.imports = bound("IMPORTS", 0);
            now.trims = bound("TRIMS", 0);
        };
        run Trainer(0);
        if :: trainers > 1 -> run Trainer(1) :: else fi;
        if :: trainers > 2 -> run Trainer(2) :: else fi;
#ifndef LIVE
        run Late();
#endif
        run Clock(); run Operator()
    }
}

#ifdef LIVE
ltl taken_over {
    [] ((orphan && lease_token != 0) ->
        <> (!orphan || token == most_tokens || attempts == 0))
}
#endif
