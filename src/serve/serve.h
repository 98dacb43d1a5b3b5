/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's life: from its options to its end.
 */
#ifndef ND_SERVE_SERVE_H
#define ND_SERVE_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "learn/host.h"
#include "serve/milter_answer.h"
#include "serve/rspamd_trainer.h"
#include "serve/service.h"

#define ND_SERVE_LISTEN "127.0.0.1:11380" /* where nothing else is said */

/* The keys of the configuration's section serve. Strings are owned by it. */
struct nd_serve_settings {
    char *listen; /* addresses, separated by blanks; NULL: ND_SERVE_LISTEN */
    char *token_file;
    char *user;
    char *spool;
    int64_t spool_size;
    char *roles;      /* "collect score train", or some of them */
    uint32_t threads; /* 0: as many as there are processors, at least 4 */
    uint32_t connections;
    int64_t max_body;
    int64_t request_time_ms, idle_time_ms;
    double rate_limit;
    int log;       /* enum nd_serve_log */
    int log_level; /* enum nd_log_level */
    bool log_scores;
};

enum nd_serve_log { ND_SERVE_STDERR, ND_SERVE_JOURNAL, ND_SERVE_SYSLOG };

/* What the command line and the configuration come to. Everything is borrowed
 * but the tokens of service, which are taken over. */
struct nd_serve_plan {
    struct nd_host_options host;
    struct nd_service_settings service;
    const struct nd_serve_settings *settings;
    struct nd_milter_settings milter;   /* strings are borrowed */
    const struct nd_rule *rspamd_rules; /* of kind rspamd */
    size_t rspamd_rule_count;
    const char *const *listen; /* addresses */
    size_t listen_count;
};

/* Reads the configuration again, for HUP. The plan is valid until the next call
 * or the end of the daemon. */
typedef enum nd_status nd_serve_reload(void *context, struct nd_error *error,
                                       struct nd_serve_plan *plan_r);

/* Runs until TERM or INT. Answers ND_OK after a stop that was asked for. Blocks
 * HUP, TERM and INT for this process. */
enum nd_status nd_serve(struct nd_serve_plan *plan, nd_serve_reload *again,
                        void *context, struct nd_error *error) ND_MUST_CHECK;

/* The mask of ND_ROLE_* for words (NULL: all). ND_CONFIG names the word that is
 * none. */
enum nd_status nd_serve_roles(const char *words, struct nd_error *error,
                              uint32_t *roles_r) ND_MUST_CHECK;

#endif
