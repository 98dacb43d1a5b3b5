/* SPDX-License-Identifier: Apache-2.0
 *
 * Verdicts as a line for people, and as an exit status.
 */
#ifndef ND_CLI_VERDICT_H
#define ND_CLI_VERDICT_H

#include <stdio.h>

#include "learn/engine.h"

/* "PATH: spam 0.99871 NEURALD_SPAM +2.95" */
void nd_verdict_print(const char *path, const struct nd_verdict *verdict,
                      FILE *out);

/* 0 spam, 1 ham, 2 unsure. */
int nd_verdict_exit(enum nd_verdict_kind kind);

/* Writes text with control characters, and what is not UTF-8, replaced: a
 * sender's words on somebody's terminal. */
void nd_print_safely(const char *text, FILE *out);

#endif
