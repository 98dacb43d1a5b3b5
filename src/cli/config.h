/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration: what the keys of config_keys.h say, read with libconfuse.
 * An unknown key, a repeated one, and a value out of its range are errors with
 * file and line.
 */
#ifndef ND_CLI_CONFIG_H
#define ND_CLI_CONFIG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "cli/config_keys.h"
#include "learn/rule.h"
#include "mail/message.h"
#include "serve/serve.h"

/* Keys that belong to no section. Strings are owned; NULL where not set. */
struct nd_global {
    char *store; /* URL; NULL: the user's own SQLite file */
    char *key_file;
    int64_t store_timeout_ms;
    struct nd_mail_trust trust;
};

/* Where each value of one section came from: an entry a key of the section's
 * table, NULL for its default, else "FILE:LINE" or an option. */
struct nd_origins {
    char **of;
};

struct nd_config {
    char *path; /* of the file; NULL without one */
    struct nd_global global;
    struct nd_mail_limits limits;
    struct nd_serve_settings serve;
    struct nd_milter_settings milter;
    struct nd_rule *rules;    /* of kind mail; at least one: without a section,
                                 "default". Behind them those of kind rspamd */
    size_t rule_count;        /* of kind mail */
    size_t rspamd_rule_count; /* behind those */
    struct nd_origins origins[ND_SECTION_RULE]; /* of single sections */
    struct nd_origins *rule_origins; /* as many as rules of both kinds */
};

/* The struct of a section that there is one of, inside config. */
void *nd_config_base(const struct nd_config *config, enum nd_section_id id);

/* The defaults, and over them the file at path (NULL: no file). ND_CONFIG
 * names file and line; ND_NO_INPUT, ND_PERMISSION for the file itself. Not
 * thread-safe: libconfuse's callbacks carry no context. */
enum nd_status nd_config_load(const char *path, struct nd_error *error,
                              struct nd_config **config_r) ND_MUST_CHECK;
void nd_config_destroy(struct nd_config **config);

/* Replaces the store by what an option says. */
void nd_config_set_store(struct nd_config *config, const char *url,
                         const char *origin);

/* The rule of that name and kind mail; NULL where there is none. */
struct nd_rule *nd_config_rule(const struct nd_config *config,
                               const char *name);

#endif
