/* SPDX-License-Identifier: Apache-2.0
 *
 * A lesson made ready to be stored: checked at the door, its features taken.
 * That needs a rule and a key, but no store, so any thread may do it; storing
 * it is the business of the thread that owns the store's handle.
 */
#ifndef ND_LEARN_LESSON_H
#define ND_LEARN_LESSON_H

#include <stdint.h>

#include "features/features.h"
#include "learn/engine.h"

#define ND_LESSON_BATCH 256 /* that an engine stores at once */

struct nd_prepared_lesson {
    uint8_t identity[ND_IDENTITY_BYTES];
    enum nd_class label;
    enum nd_source source;
    int64_t label_ms;        /* not 0: a repeat must be the same lesson */
    int64_t time_ms;         /* 0: the store's clock */
    enum nd_refusal refusal; /* at the door; else ND_REFUSED_NONE */
    struct nd_features features;
};

/* Whose lesson it is: the identity that the lesson names, else the message's;
 * NULL where findings alone have none. */
const uint8_t *nd_lesson_identity(const struct nd_message *message,
                                  const struct nd_lesson *lesson);

/* What a lesson is made of. */
struct nd_lesson_matter {
    const struct nd_rule *rule;
    const struct nd_key *key;
    const struct nd_message *message; /* may be NULL: then with an identity */
    const struct nd_scan *scan;       /* may be NULL */
    const struct nd_lesson *lesson;
};

/* Checks a message at the door and takes its features; arrays are arena's,
 * scratch may be reset afterwards. Times are the lesson's, and may be 0.
 * Thread-safe with arenas of its own. */
void nd_lesson_prepare(const struct nd_lesson_matter *matter,
                       struct nd_arena *scratch, struct nd_arena *arena,
                       struct nd_prepared_lesson *prepared_r);

/* When an imported message came, by its topmost Received, never after now_ms;
 * 0 where that is not known or not asked for. */
int64_t nd_lesson_message_time(const struct nd_message *message,
                               const struct nd_lesson *lesson, int64_t now_ms);

/* As nd_engine_learn, for a lesson that is ready; prepared stays valid until
 * its result has been told. path is "". */
enum nd_status nd_engine_learn_prepared(
    struct nd_engine *engine, const struct nd_prepared_lesson *prepared,
    nd_learned_callback *callback, void *context,
    struct nd_error *error) ND_MUST_CHECK;

#endif
