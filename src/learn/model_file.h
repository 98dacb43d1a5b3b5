/* SPDX-License-Identifier: Apache-2.0
 *
 * A model in a file of its own: what `model export` writes, `model import`
 * and the library read.
 */
#ifndef ND_LEARN_MODEL_FILE_H
#define ND_LEARN_MODEL_FILE_H

#include "base/buffer.h"
#include "base/hash.h"
#include "base/status.h"
#include "nn/model.h"

#define ND_MODEL_FILE_MAX_BYTES (64U << 20)

/* Appends the file's bytes to blob. Its size is checked before memory is
 * taken: ND_LIMIT over ND_MODEL_FILE_MAX_BYTES; ND_DATA for anything that is
 * not a regular file. Thread-safe. */
enum nd_status nd_model_file_load(const char *path, struct nd_error *error,
                                  struct nd_buffer *blob) ND_MUST_CHECK;

/* Reads a whole model; status and key as of nd_model_read, with the path in
 * the error. */
enum nd_status nd_model_file_read(const char *path, const struct nd_key *key,
                                  struct nd_error *error,
                                  struct nd_model **model_r) ND_MUST_CHECK;

#endif
