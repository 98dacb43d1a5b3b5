/* SPDX-License-Identifier: Apache-2.0
 *
 * The key file: the installation's secret key for those who keep it out of the
 * store, as 64 hexadecimal digits and a line end.
 */
#ifndef ND_LEARN_KEY_FILE_H
#define ND_LEARN_KEY_FILE_H

#include "base/hash.h"
#include "base/status.h"

/* Reads a key. ND_NO_INPUT or ND_PERMISSION where the file cannot be read,
 * ND_KEY where it holds anything else than a key, or where others than its
 * owner and group may read it. Thread-safe. */
enum nd_status nd_key_file_read(const char *path, struct nd_error *error,
                                struct nd_key *key_r) ND_MUST_CHECK;

/* Writes key to a new file of mode 0600. ND_OUTPUT where the file exists
 * already: a key is never overwritten. */
enum nd_status nd_key_file_write(const char *path, const struct nd_key *key,
                                 struct nd_error *error) ND_MUST_CHECK;

#endif
