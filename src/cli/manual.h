/* SPDX-License-Identifier: Apache-2.0
 *
 * The manual pages in scdoc's language, made from the tables of commands,
 * options and keys.
 */
#ifndef ND_CLI_MANUAL_H
#define ND_CLI_MANUAL_H

#include <stdio.h>

#include "cli/options.h"

/* docs/man/neurald.1.scd. global are the options of all commands. */
void nd_manual_program(const struct nd_option *global, FILE *out);
/* docs/man/neurald.conf.5.scd. */
void nd_manual_config(FILE *out);

/* Text with what scdoc would take for markup escaped. */
void nd_manual_text(const char *text, FILE *out);

#endif
