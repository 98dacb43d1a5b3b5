/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of options, read and checked. Each function leaves *value_r alone
 * where the option was not given, and answers ND_USAGE, with the option's
 * name, where its value is no good.
 */
#ifndef ND_CLI_VALUES_H
#define ND_CLI_VALUES_H

#include <stdint.h>

#include "cli/command.h"
#include "store/store.h"

/* A whole number from minimum to maximum. */
enum nd_status nd_value_count(struct nd_cli *cli, const char *option,
                              uint64_t minimum, uint64_t maximum,
                              uint64_t *value_r) ND_MUST_CHECK;
/* A decimal number from minimum to maximum. */
enum nd_status nd_value_number(struct nd_cli *cli, const char *option,
                               double minimum, double maximum,
                               double *value_r) ND_MUST_CHECK;
/* "2d": milliseconds of the wall clock, so long ago; or an ISO date
 * ("2026-11-01" or "2026-11-01T12:00:00Z"). */
enum nd_status nd_value_past(struct nd_cli *cli, const char *option,
                             int64_t *wall_ms_r) ND_MUST_CHECK;
/* user, trap, api or autolearn: enum nd_source. */
enum nd_status nd_value_source(struct nd_cli *cli, const char *option,
                               int *source_r) ND_MUST_CHECK;
/* spam or ham: enum nd_class. */
enum nd_status nd_value_class(struct nd_cli *cli, const char *option,
                              int *class_r) ND_MUST_CHECK;
/* Names of families or groups of them: a mask. */
enum nd_status nd_value_families(struct nd_cli *cli, const char *option,
                                 uint32_t *mask_r) ND_MUST_CHECK;

#endif
