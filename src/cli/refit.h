/* SPDX-License-Identifier: Apache-2.0
 *
 * A model fitted here and now from a store's samples, on some families of
 * features alone.
 */
#ifndef ND_CLI_REFIT_H
#define ND_CLI_REFIT_H

#include "cli/command.h"
#include "nn/model.h"
#include "store/store.h"

/* Fits on all samples of the rule, families of mask only. The model is
 * complete but for a key: has_key is false. ND_NOTHING where there are too few
 * samples. Errors in cli->error. */
enum nd_status nd_refit(struct nd_cli *cli, struct nd_store *store,
                        const struct nd_rule *rule, uint32_t families,
                        struct nd_model **model_r) ND_MUST_CHECK;

#endif
