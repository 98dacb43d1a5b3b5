/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers of generations skip, so the one before is looked up.
 */
#include "learn/previous.h"

#include <stdlib.h>

enum nd_status nd_model_previous(struct nd_store *store,
                                 const struct nd_scope *scope,
                                 struct nd_error *error, uint64_t *generation_r)
{
    struct nd_model_info *models = NULL;
    size_t count = 0;
    uint64_t live = 0, previous = 0;
    enum nd_status status =
        nd_store_model_list(store, scope, error, &models, &count);
    if (status != ND_OK) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        live = models[i].live ? models[i].generation : live;
    }
    for (size_t i = 0; i < count; i++) {
        if (models[i].generation < live && models[i].generation > previous) {
            previous = models[i].generation;
        }
    }
    free(models);
    if (previous == 0) {
        return nd_fail(error, ND_NOTHING,
                       "rule %s has no older generation to go back to",
                       scope->rule);
    }
    *generation_r = previous;
    return ND_OK;
}
