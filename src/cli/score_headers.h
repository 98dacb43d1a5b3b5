/* SPDX-License-Identifier: Apache-2.0
 *
 * score --headers: a message in, the same message with our header out.
 */
#ifndef ND_CLI_SCORE_HEADERS_H
#define ND_CLI_SCORE_HEADERS_H

#include "cli/command.h"

/* Passes the message at path ("-": standard input) to standard output, with
 * the verdict on top, or with why there is none. Fails only where the input
 * cannot be opened or read, or with ND_TEMPORARY where the output cannot be
 * written. Memory stays bounded by max_message. exit_r gets the verdict's exit
 * status. */
enum nd_status nd_score_headers(struct nd_cli *cli, const char *path,
                                int *exit_r) ND_MUST_CHECK;

#endif
