/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration as text: the effective values, the example, and the
 * reference pages, all from the table of keys.
 */
#ifndef ND_CLI_CONFIG_DOCUMENT_H
#define ND_CLI_CONFIG_DOCUMENT_H

#include <stdio.h>

#include "base/status.h"
#include "cli/config.h"

/* A configuration file that sets every key to its default, with its text as
 * comment: neurald.conf.example. */
void nd_config_write_example(FILE *out);
/* docs/configuration.md. */
void nd_config_write_reference(FILE *out);
/* The keys' part of docs/man/neurald.conf.5.scd, in scdoc's language. */
void nd_config_write_manual(FILE *out);

/* The effective values as a configuration file, each with its origin as a
 * comment. */
void nd_config_write_values(const struct nd_config *config, FILE *out);
/* The same as JSON, an object a key: section, rule, key, value, origin. */
enum nd_status nd_config_write_json(const struct nd_config *config, FILE *out,
                                    struct nd_error *error) ND_MUST_CHECK;

#endif
