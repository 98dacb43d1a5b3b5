/* SPDX-License-Identifier: Apache-2.0
 *
 * The store on a Redis primary (0) with one replica (1) that takes over, and
 * a deposed primary that goes on answering those who have not heard of it. A
 * step is a script on the server that the caller reached. Scripts marked WRITE
 * or WAIT in src/store/redis_script.h have a WAIT behind them: their answer
 * counts once the replica has the step, else the outcome is unknown, and the
 * whole request is sent again (src/store/redis_client.c).
 *
 * Any lease may be past its time here: time decides nothing but take-over, and
 * trainers.pml has the clock. The new primary's own replicas are taken to be
 * in order: a second failover is not looked at.
 */
c_decl {
    \#include <stdlib.h>
    static int broken;
    static int bound(const char *name, int usual)
    {
        const char *text = getenv(name);
        return text != NULL ? atoi(text) : usual;
    }
}
#define BROKEN(rule) c_expr { broken == rule }
#define ACQUIRE_LOCAL 41   /* acquire has no WAIT behind it */
#define PUT_LOCAL 42       /* nor put */
#define FORGET_LOCAL 43    /* nor forget */
#define PUBLISH_LOCAL 44   /* nor publish */
#define PIN_LOCAL 45       /* nor pin */
#define FIND_LOCAL 46      /* names that have a slot are believed at once */
#define KNOWN_LOCAL 47     /* "duplicate" is believed at once */
#define BARE_WAIT 48       /* a WAIT alone, after a reconnect */
#define NO_ENDINGS 49      /* a repeated publish is not recognised */

#define MOST_TOKENS 5
#define NO 0
#define PRESENT 1
#define FORGOTTEN 2

/* Each server's copy of the scope and of the registry. */
typedef Server {
    byte token, lease_token, lease_nonce;
    byte live, digest, revision;
    bit pinned;
    byte ending[MOST_TOKENS + 1]; /* blob that a token published */
    byte sample;                  /* one identity */
    byte slot;                    /* who has the registry's next slot */
}
Server server[2];
bit failed;   /* 1 is the primary, 0 was */
bit demoted;  /* 0 has heard of it */
bit dirty;    /* 0 has what 1 has not */
byte most_tokens, trainers, attempts, blobs, puts, forgets, pins, names;

/* ---- ghosts ---- */
byte holders[MOST_TOKENS + 1];
byte last_acknowledged, acknowledged[MOST_TOKENS + 1];
bit put_acknowledged, forget_acknowledged, pin_acknowledged;
byte owner;

#define IS_UP(s) ((s == 0 && !demoted) || (s == 1 && failed))
#define REACH(s) if :: IS_UP(0) -> s = 0 :: IS_UP(1) -> s = 1 fi
#define WRITES(s) if :: s == 0 -> dirty = 1 :: else fi
/* What WAIT says: the replica has all of it; or it never will. */
#define IS_SAFE(s) (s == 1 || (!failed && !dirty))
#define IS_UNSURE(s) (s == 0 && failed)

/* Replication copies the state as it is at some moment; so the replica has a
 * state that the primary had. */
proctype Replication() {
end:
    do
    :: d_step {
        !failed && dirty ->
        server[1].token = server[0].token;
        server[1].lease_token = server[0].lease_token;
        server[1].lease_nonce = server[0].lease_nonce;
        server[1].live = server[0].live;
        server[1].digest = server[0].digest;
        server[1].revision = server[0].revision;
        server[1].pinned = server[0].pinned;
        server[1].ending[1] = server[0].ending[1];
        server[1].ending[2] = server[0].ending[2];
        server[1].ending[3] = server[0].ending[3];
        server[1].ending[4] = server[0].ending[4];
        server[1].ending[5] = server[0].ending[5];
        server[1].sample = server[0].sample;
        server[1].slot = server[0].slot;
        dirty = 0
       }
    :: d_step { !failed -> failed = 1 }
    :: d_step { failed && !demoted -> demoted = 1 }
    od
}

#define HELD(s) \
    (own != 0 && server[s].lease_token == own && \
     server[s].lease_nonce == me + 1)

proctype Trainer(byte me) {
    byte s, own, digest, judged, generation;
    bit known;
end_idle:
    atomic {
        attempts > 0;
        s = 0; own = 0; digest = 0; judged = 0; generation = 0; known = 0
    }
acquire: /* lease_acquire.lua: WRITE */
    atomic {
        REACH(s);
        if
        :: attempts > 0 && server[s].lease_nonce == me + 1 ->
            own = server[s].lease_token; attempts--
        :: attempts > 0 && server[s].lease_nonce != me + 1 &&
           server[s].token < most_tokens ->
            attempts--;
            server[s].token++;
            server[s].lease_token = server[s].token;
            server[s].lease_nonce = me + 1;
            own = server[s].token;
            WRITES(s)
        :: else -> own = 0
        fi
    }
    if
    :: own == 0 -> goto end_idle
    :: atomic {
        own != 0 && (IS_SAFE(s) || BROKEN(ACQUIRE_LOCAL)) ->
        assert(holders[own] == 0); /* one live trainer a token */
        holders[own]++;
        blobs++; digest = blobs
       }
    :: atomic { own != 0 && IS_UNSURE(s) -> own = 0 };
       if :: goto acquire :: goto end_idle fi
    fi;
    atomic { /* model_current.lua: READ */
        REACH(s); judged = server[s].revision
    }
publish: /* model_publish.lua: WRITE */
    atomic {
        REACH(s);
        known = 0;
        if
        :: server[s].ending[own] != 0 && !BROKEN(NO_ENDINGS) ->
            generation = (server[s].ending[own] == digest -> own : 0);
            known = 1
        :: !(server[s].ending[own] != 0 && !BROKEN(NO_ENDINGS)) && HELD(s) ->
            server[s].lease_token = 0; server[s].lease_nonce = 0;
            WRITES(s);
            if
            :: server[s].pinned || server[s].revision != judged ->
                generation = 0
            :: else ->
                /* a pin that counts is on the new primary */
                assert(!pin_acknowledged || s == 0);
                generation = own;
                /* and so is what counts already */
                assert(generation > last_acknowledged || IS_UNSURE(s));
                server[s].ending[own] = digest;
                server[s].live = generation; server[s].digest = digest;
                server[s].revision++
            fi
        :: else -> generation = 0
        fi;
        /* who is told that it is lost has not published */
        assert(generation != 0 || server[s].ending[own] != digest)
    }
    if
    :: generation == 0 -> goto gone /* lost, or superseded */
    :: atomic {
        generation != 0 && (IS_SAFE(s) || BROKEN(PUBLISH_LOCAL)) ->
        /* one model a generation */
        assert(acknowledged[generation] == 0 ||
               acknowledged[generation] == digest);
        acknowledged[generation] = digest;
        last_acknowledged =
            (generation > last_acknowledged -> generation : last_acknowledged)
       };
       goto gone
    :: generation != 0 && IS_UNSURE(s) ->
       if :: goto publish :: goto gone fi
    fi;
gone:
    atomic { holders[own]--; own = 0; generation = 0; digest = 0 };
    goto end_idle
}

/* put.lua: WRITE; the label is older than the forgetting */
proctype Collector() {
    byte s;
    bit known;
again:
    atomic {
        REACH(s);
        known = server[s].sample != NO;
        if
        :: server[s].sample == NO -> server[s].sample = PRESENT; WRITES(s)
        :: else
        fi
    }
    if
    :: atomic {
        IS_SAFE(s) || BROKEN(PUT_LOCAL) || (known && BROKEN(KNOWN_LOCAL)) ->
        put_acknowledged = 1
       }
    :: IS_UNSURE(s) ->
        if
        :: goto again
        :: atomic { BROKEN(BARE_WAIT) -> put_acknowledged = 1 }
        fi
    fi
}

/* forget.lua: WRITE */
proctype Forgetter() {
    byte s;
again:
    atomic { REACH(s); server[s].sample = FORGOTTEN; WRITES(s) }
    if
    :: atomic {
        IS_SAFE(s) || BROKEN(FORGET_LOCAL) -> forget_acknowledged = 1
       }
    :: IS_UNSURE(s) -> goto again
    fi
}

/* model_pin.lua: WRITE */
proctype Operator() {
    byte s;
again:
    atomic {
        REACH(s);
        if
        :: !server[s].pinned ->
            server[s].pinned = 1; server[s].revision++; WRITES(s)
        :: else
        fi
    }
    if
    :: atomic { IS_SAFE(s) || BROKEN(PIN_LOCAL) -> pin_acknowledged = 1 }
    :: IS_UNSURE(s) -> goto again
    fi
}

/* registry_find.lua: WAIT, then registry_add.lua: WRITE, for one name; a slot
 * that is taken goes to the other, and the caller to the next one */
proctype Namer(byte name) {
    byte s;
    bit known;
again:
    atomic {
        REACH(s);
        known = server[s].slot != NO;
        if
        :: server[s].slot == NO -> server[s].slot = name; WRITES(s)
        :: else
        fi
    }
    if
    :: atomic {
        IS_SAFE(s) || (known && BROKEN(FIND_LOCAL)) ->
        if
        :: server[s].slot == name ->
            assert(owner == 0 || owner == name);
            owner = name
        :: else
        fi
       }
    :: IS_UNSURE(s) -> goto again
    fi
}

/* Once the old primary is gone, what was acknowledged is there. */
proctype Monitor() {
end:
    atomic {
        demoted &&
        ((put_acknowledged && server[1].sample == NO) ||
         (forget_acknowledged && server[1].sample != FORGOTTEN) ||
         (pin_acknowledged && !server[1].pinned) ||
         server[1].live < last_acknowledged);
        assert(false)
    }
}

init {
    atomic {
        c_code {
            broken = bound("BROKEN", 0);
            now.most_tokens = bound("TOKENS", 3);
            now.trainers = bound("TRAINERS", 2);
            now.attempts = bound("ATTEMPTS", 3);
            now.puts = bound("PUTS", 1);
            now.forgets = bound("FORGETS", 0);
            now.pins = bound("PINS", 0);
            now.names = bound("NAMES", 0);
        };
        if :: trainers > 0 -> run Trainer(0) :: else fi;
        if :: trainers > 1 -> run Trainer(1) :: else fi;
        if :: trainers > 2 -> run Trainer(2) :: else fi;
        if :: puts > 0 -> run Collector() :: else fi;
        if :: puts > 1 -> run Collector() :: else fi;
        if :: forgets > 0 -> run Forgetter() :: else fi;
        if :: pins > 0 -> run Operator() :: else fi;
        if :: names > 0 -> run Namer(1); run Namer(2) :: else fi;
        run Replication(); run Monitor()
    }
}
