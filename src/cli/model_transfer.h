/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald model: what its actions share, and models as files.
 */
#ifndef ND_CLI_MODEL_TRANSFER_H
#define ND_CLI_MODEL_TRANSFER_H

#include <stdint.h>

#include "base/buffer.h"
#include "cli/command.h"
#include "cli/session.h"
#include "nn/model.h"

struct nd_model_work {
    struct nd_cli *cli;
    struct nd_session *session; /* the store alone */
    const struct nd_rule *rule;
    struct nd_scope scope;
    uint64_t generation; /* 0: not given */
    const char *path;    /* NULL: not given */
};

/* The live generation; ND_NOTHING where there is none. */
enum nd_status nd_model_live(struct nd_model_work *work,
                             uint64_t *generation_r) ND_MUST_CHECK;

/* The installation's key: of the key file, else of the store. ND_NO_INPUT
 * where there is none. */
enum nd_status nd_model_key(struct nd_model_work *work,
                            struct nd_key *key_r) ND_MUST_CHECK;

/* Reads work->generation, or the live one. blob gets its bytes. */
enum nd_status nd_model_load(struct nd_model_work *work, struct nd_buffer *blob,
                             struct nd_model **model_r) ND_MUST_CHECK;

/* Whether work->path is free for an export, before time is spent on it. */
enum nd_status nd_model_look_at_export(struct nd_model_work *work)
    ND_MUST_CHECK;

/* Whether work->path can be imported as far as can be told without the store,
 * which is then not made for nothing. A model under a key that is not known
 * here may be right. */
enum nd_status nd_model_look_at_import(struct nd_model_work *work)
    ND_MUST_CHECK;

/* One function an action of `neurald model`; errors in cli->error. Export
 * writes work->path, import reads it and makes it live. */
enum nd_status nd_model_run_export(struct nd_model_work *work) ND_MUST_CHECK;
enum nd_status nd_model_run_import(struct nd_model_work *work) ND_MUST_CHECK;

#endif
