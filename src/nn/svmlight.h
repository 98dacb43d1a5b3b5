/* SPDX-License-Identifier: Apache-2.0
 *
 * The parser behind nd_dataset_read_svmlight, for text in memory.
 */
#ifndef ND_NN_SVMLIGHT_H
#define ND_NN_SVMLIGHT_H

#include <stddef.h>

#include "base/status.h"
#include "nn/dataset.h"

/* Parses length bytes of svmlight text; text[length] must be NUL. name stands
 * in messages where the file's name would. The caller owns *dataset_r. ND_DATA
 * for malformed text, ND_LIMIT for too many entries. Thread-safe; expects
 * numbers with a decimal point (the "C" locale for LC_NUMERIC). */
enum nd_status nd_svmlight_parse(const char *name, const char *text,
                                 size_t length, struct nd_error *error,
                                 struct nd_dataset **dataset_r) ND_MUST_CHECK;

#endif
