/* SPDX-License-Identifier: Apache-2.0
 *
 * libneurald: score mail with a trained model, without a store and without
 * the program. A model file comes from `neurald model export --with-key`.
 *
 *     struct neurald *handle;
 *     char why[256];
 *     if (neurald_open("model.nd", "key", &handle, why, sizeof(why)) != 0)
 *         errx(1, "%s", why);
 *     struct neurald_verdict verdict;
 *     neurald_score_message(handle, bytes, length, &verdict);
 *     printf("%.4f\n", verdict.probability);
 *     neurald_close(&handle);
 *
 * Scoring never fails on what a message holds: the worst answer is "unsure".
 * A handle may be shared by any number of threads. The library aborts the
 * process when the machine is out of memory, and only then.
 */
#ifndef NEURALD_NEURALD_H
#define NEURALD_NEURALD_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define NEURALD_API __attribute__((visibility("default")))
#else
#define NEURALD_API
#endif

/* A loaded model. */
struct neurald;

enum neurald_class {
    NEURALD_UNSURE,
    NEURALD_IS_HAM,
    NEURALD_IS_SPAM,
};

struct neurald_verdict {
    double probability;         /* of spam, calibrated, 0 to 1 */
    double log_odds;            /* the network's own output, not calibrated */
    enum neurald_class verdict; /* by the model's own thresholds */
    unsigned long long generation;
};

/* A finding of another filter: its name, and its score if it has one. */
struct neurald_symbol {
    const char *name;
    double score;
    int has_score; /* 0: the filter named it without a score */
};

/* Loads the model file at path. key_path (may be NULL) is the key file that
 * the model's text features were hashed with: 64 hexadecimal digits; a model
 * without text features needs none. Answers 0 and *handle_r, or a status of
 * sysexits.h (65 malformed, 66 not found, 76 a later version, 78 another key)
 * with the reason in why (may be NULL; size bytes). */
NEURALD_API int neurald_open(const char *path, const char *key_path,
                             struct neurald **handle_r, char *why, size_t size);

/* Frees *handle and clears it; NULL is accepted. No other thread may still use
 * it. */
NEURALD_API void neurald_close(struct neurald **handle);

/* Scores one raw message (RFC 5322; an mbox "From " line in front is left
 * out). An empty one is unsure with probability 0.5. Thread-safe. */
NEURALD_API void neurald_score_message(const struct neurald *handle,
                                       const void *data, size_t length,
                                       struct neurald_verdict *verdict_r);

/* The same with another filter's findings beside it; data may be NULL where
 * only findings are known. Malformed symbols are left out. Thread-safe. */
NEURALD_API void neurald_score_symbols(const struct neurald *handle,
                                       const void *data, size_t length,
                                       const struct neurald_symbol *symbols,
                                       size_t count,
                                       struct neurald_verdict *verdict_r);

/* The library's version, "0.1.0". */
NEURALD_API const char *neurald_version(void);

#ifdef __cplusplus
}
#endif

#endif
