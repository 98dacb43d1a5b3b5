/* SPDX-License-Identifier: Apache-2.0
 *
 * The store's steps on lease and models, one inline for each script of
 * src/store/lua and its twin in SQLite (docs/protocol-model.md has the table).
 * A step is atomic, as a script or a transaction is. Time is what is left of
 * the lease by the store's clock, in ticks. What is a ghost exists for the
 * checks alone and decides nothing.
 *
 * BROKEN(rule) is true where this run leaves that rule out: tests/model/run
 * sets it and expects the search to fail.
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

/* The rules that can be left out. */
#define NO_TOKEN 1            /* publish and finish do not ask for the token */
#define NO_REPEAT 2           /* endings are not looked at */
#define LAST_REPEAT 3         /* only the newest generation's is */
#define NO_CLAMP 4            /* a deadline far away is believed */
#define HOST_CLOCK 5          /* who asks says what time it is */
#define NO_PROGRESS 6         /* a renewal needs none */
#define HOST_NAME 7           /* the nonce is the host's name */
#define TRIM_RESETS 8         /* trim drops the scope's counter too */
#define TRIM_LEASED 9         /* trim does not look at the lease */
#define ANY_REVISION 10       /* publish does not compare the revision */
#define KEEPS_LEASE 11        /* publish does not free the lease */
#define ANY_RELEASE 12        /* release does not ask for the token */
#define NO_BLOB 13            /* publish does not look for the blob */
#define DROPS_LIVE 14         /* the live model is dropped as others are */
#define PROGRESS_RESTARTS 15  /* each training counts from nothing */
#define SUPERSEDED_KEEPS 16   /* a superseded publish does not free the lease */
#define BY_ID 21              /* samples are consumed whatever their version */
#define NO_TOMBSTONE 22       /* forgetting the absent leaves nothing */
#define PUT_AGAIN 23          /* what was used up is stored again */
#define NO_RANK 24            /* the last word wins */
#define VERSION_RESTARTS 25   /* a tombstone's version is not gone on from */
#define WATERMARK_MOVES 26    /* a training has seen what came during it */
#define DELETES_FIRST 27      /* the spool drops a row before the answer */
#define KEPT_SHORT 28         /* tombstones go while the spool still has */
#define FORGETS_NOW 29        /* a forget repeated means the time of that */
#define RELABEL_QUIET 30      /* a relabel does not raise the version */
#define PUT_FORGOTTEN 31      /* a put does not look at when it was forgotten */

/* What a harness adds to the step that ends a training. */
#ifndef AT_END
#define AT_END(kind) skip
#endif

#define MOST_TOKENS 6
#define MOST_BLOBS 6
#define LENGTH 1 /* of a lease */
#define FAR 2    /* a deadline further away than any lease is long */

mtype = { DONE, LOST, BUSY, SUPERSEDED, ABSENT, UNSURE };
mtype = { NONE, FINISHED, PUBLISHED, OVERTAKEN, IMPORTED };

byte token;                   /* the counter */
byte lease_token, lease_nonce, lease_progress, left;
byte live, revision;
bit pinned, profile = 1;
mtype ending[MOST_TOKENS + 1] = NONE;
byte digest_of[MOST_TOKENS + 1];
bit kept[MOST_TOKENS + 1];
bit blob[MOST_BLOBS + 1];

/* ---- ghosts ---- */
byte grants;                  /* so many times the lease was granted */
byte true_left;               /* of the lease, whatever the clock did */
bit jumped;                   /* the clock did, under this lease */
bit ended[MOST_TOKENS + 1];   /* this grant has ended */
byte newest;                  /* grant that published last */
byte most_tokens;             /* in this run */
byte uploads;
hidden byte first, at;        /* of loops within a step */

/* What the store knows when it asks whether anyone may take the lease. */
#define LEASE_OPEN \
    (lease_token == 0 || left == 0 || \
     (left > LENGTH && !BROKEN(NO_CLAMP)))
#define LEASE_HELD(a_token, a_nonce) \
    (a_token != 0 && lease_token == a_token && lease_nonce == a_nonce)

inline free_lease() {
    lease_token = 0; lease_nonce = 0; lease_progress = 0; left = 0;
    true_left = 0; jumped = 0
}

inline set_deadline() {
    left = LENGTH; true_left = LENGTH; jumped = 0
}

/* lease_acquire.lua, nd_sqlite_lease_acquire */
inline lease_acquire(a_nonce, result, token_r, grant_r) {
    if
    :: lease_token != 0 && lease_nonce == a_nonce ->
        set_deadline();
        token_r = lease_token; grant_r = grants; result = DONE
    :: else ->
        if
        :: (LEASE_OPEN || BROKEN(HOST_CLOCK)) && token < most_tokens ->
            /* nobody is robbed before the time */
            assert(lease_token == 0 || true_left == 0 || jumped);
            token++; grants++;
            lease_token = token; lease_nonce = a_nonce; lease_progress = 0;
            set_deadline();
            token_r = token; grant_r = grants; result = DONE
        :: else -> result = BUSY
        fi
    fi
}

/* lease_renew.lua, nd_sqlite_lease_renew */
inline lease_renew(a_token, a_nonce, a_progress, result) {
    if
    :: !LEASE_HELD(a_token, a_nonce) -> result = LOST
    :: else ->
        if
        :: BROKEN(NO_PROGRESS) -> set_deadline(); result = DONE
        :: else ->
            if
            :: a_progress == 0 || a_progress < lease_progress -> result = LOST
            :: a_progress == lease_progress && a_progress > 0 -> result = DONE
            :: a_progress > lease_progress ->
                lease_progress = a_progress; set_deadline(); result = DONE
            fi
        fi
    fi
}

/* lease_release.lua, nd_sqlite_lease_release */
inline lease_release(a_token, a_nonce, a_grant, result) {
    if
    :: LEASE_HELD(a_token, a_nonce) || BROKEN(ANY_RELEASE) ->
        assert(lease_token == 0 || a_grant == grants);
        free_lease(); result = DONE
    :: else -> result = LOST
    fi
}

/* endings.lua, nd_sqlite_attempt_end: the line in the journal, which answers
 * repeats, and the lease is free */
inline end_attempt(a_token, a_grant, kind, a_digest) {
    assert(a_grant == grants);     /* none but the newest grant ends */
    assert(!ended[a_grant]);       /* and that once */
    ended[a_grant] = 1;
    ending[a_token] = kind; digest_of[a_token] = a_digest;
    AT_END(kind);
    if
    :: BROKEN(KEEPS_LEASE) && kind == PUBLISHED -> skip
    :: BROKEN(SUPERSEDED_KEEPS) && kind == OVERTAKEN -> skip
    :: else -> free_lease()
    fi
}

/* Whether this token's grant has ended: then repeats are answered. */
#define ENDED(a_token) \
    (ending[a_token] != NONE && !BROKEN(NO_REPEAT) && \
     (!BROKEN(LAST_REPEAT) || a_token == live))

/* training_finish: finish.lua, nd_sqlite_training_finish */
inline training_finish(a_token, a_nonce, a_grant, result) {
    if
    :: ENDED(a_token) ->
        if
        :: ending[a_token] == FINISHED -> result = DONE
        :: else -> result = LOST
        fi
    :: !ENDED(a_token) &&
       (LEASE_HELD(a_token, a_nonce) || BROKEN(NO_TOKEN)) ->
        end_attempt(a_token, a_grant, FINISHED, 0);
        result = DONE
    :: else -> result = LOST
    fi
}

/* models.lua drop_generations and drop_blobs; MODEL_DROP and BLOB_DROP: but
 * for the newest generation and the live one, and the blobs that they have. */
inline drop_old(first, at) {
    first = MOST_TOKENS;
    do
    :: first > 1 && !kept[first] -> first--
    :: else -> break
    od;
    at = 1;
    do
    :: at < first ->
        if
        :: kept[at] && (at != live || BROKEN(DROPS_LIVE)) ->
            kept[at] = 0;
            if
            :: digest_of[at] != digest_of[first] &&
               (digest_of[at] != digest_of[live] || at == live) ->
                blob[digest_of[at]] = 0
            :: else
            fi
        :: else
        fi;
        at++
    :: else -> break
    od;
    first = 0; at = 0
}

inline check_live() {
    assert(live == 0 || (kept[live] && blob[digest_of[live]]))
}

/* models.lua go_live; sqlite_publish.c go_live */
inline go_live(a_token, a_digest) {
    digest_of[a_token] = a_digest; kept[a_token] = 1;
    live = a_token; revision++;
    drop_old(first, at);
    check_live()
}

/* model_publish.lua, nd_sqlite_model_publish */
inline model_publish(a_token, a_nonce, a_grant, a_digest, judged, result) {
    if
    :: ENDED(a_token) ->
        if
        :: ending[a_token] == PUBLISHED && digest_of[a_token] == a_digest ->
            result = DONE
        :: ending[a_token] == OVERTAKEN -> result = SUPERSEDED
        :: else -> result = LOST
        fi
    :: !ENDED(a_token) && !LEASE_HELD(a_token, a_nonce) &&
       !BROKEN(NO_TOKEN) ->
        result = LOST
    :: else ->
        if
        :: !blob[a_digest] && !BROKEN(NO_BLOB) -> result = ABSENT
        :: (blob[a_digest] || BROKEN(NO_BLOB)) &&
           (pinned || revision != judged) && !BROKEN(ANY_REVISION) ->
            end_attempt(a_token, a_grant, OVERTAKEN, 0);
            result = SUPERSEDED
        :: else ->
            assert(!pinned && revision == judged);
            assert(a_grant > newest); /* published in order */
            newest = a_grant;
            end_attempt(a_token, a_grant, PUBLISHED, a_digest);
            go_live(a_token, a_digest);
            result = DONE
        fi
    fi
}

/* model_upload.lua, nd_sqlite_model_upload; every upload is another blob */
inline model_upload(digest_r) {
    uploads++;
    digest_r = uploads;
    blob[uploads] = 1
}

/* model_import.lua, nd_sqlite_model_import */
inline model_import(a_digest, result) {
    if
    :: !blob[a_digest] -> result = ABSENT
    :: else ->
        if
        :: live != 0 && ending[live] == IMPORTED &&
           digest_of[live] == a_digest && !BROKEN(NO_REPEAT) ->
            result = DONE
        :: else ->
            if
            :: pinned -> result = SUPERSEDED
            :: else ->
                token++; ending[token] = IMPORTED;
                go_live(token, a_digest);
                result = DONE
            fi
        fi
    fi
}

/* model_pin.lua, nd_sqlite_model_pin */
inline model_pin(generation, pin, result) {
    if
    :: generation == 0 || !kept[generation] -> result = ABSENT
    :: else ->
        if
        :: generation != live || pin != pinned ->
            live = generation; pinned = pin; revision++
        :: else
        fi;
        check_live();
        result = DONE
    fi
}

/* profile_trim.lua, nd_sqlite_profile_trim. The counter is not the
 * profile's. */
inline profile_trim() {
    if
    :: LEASE_OPEN || BROKEN(TRIM_LEASED) ->
        assert(lease_token == 0 || true_left == 0 || jumped);
        profile = 0
    :: else
    fi;
    if
    :: BROKEN(TRIM_RESETS) -> token = 0; free_lease()
    :: else
    fi
}

/* maintain.lua, nd_sqlite_maintain: a blob that nothing points to and that is
 * old goes */
inline maintain(a_digest) {
    if
    :: live != 0 && digest_of[live] == a_digest -> skip
    :: else -> blob[a_digest] = 0
    fi
}

/* model_expire.lua, nd_sqlite_model_expire: generations below the live one,
 * and their blobs */
inline model_expire() {
    at = 1;
    do
    :: at < live ->
        if
        :: kept[at] -> kept[at] = 0; blob[digest_of[at]] = 0
        :: else
        fi;
        at++
    :: else -> break
    od;
    at = 0;
    check_live()
}
