/* SPDX-License-Identifier: Apache-2.0
 *
 * A model with its scaling of families at hand, ready to score samples. It
 * borrows the model and holds nothing that changes, so threads share it.
 */
#include <stdlib.h>

#include "learn/fit.h"

struct nd_scorer {
    const struct nd_model *model;
    struct nd_scaling scaling;
};

enum nd_status nd_scorer_create(const struct nd_model *model,
                                struct nd_error *error,
                                struct nd_scorer **scorer_r)
{
    struct nd_reader reader;
    struct nd_scaling scaling;
    nd_reader_init(&reader, model->extra.data, model->extra.length);
    enum nd_status status = nd_scaling_read(&reader, error, &scaling);
    if (status != ND_OK)
        return status;
    struct nd_scorer *scorer = nd_calloc(1, sizeof(*scorer));
    scorer->model = model;
    scorer->scaling = scaling;
    *scorer_r = scorer;
    return ND_OK;
}

void nd_scorer_destroy(struct nd_scorer **scorer)
{
    if (scorer == NULL)
        return;
    free(*scorer);
    *scorer = NULL;
}

static bool knows(const void *network, uint32_t column)
{
    return nd_network_knows(network, column);
}

double nd_scorer_log_odds(const struct nd_scorer *scorer,
                          const struct nd_slotted *features,
                          struct nd_arena *arena)
{
    struct nd_input input;
    nd_features_input(features, &scorer->scaling, arena, &input);
    struct nd_sparse vector = {input.count, input.columns, input.values};
    const struct nd_network *network = scorer->model->network;
    double log_odds = (double)nd_network_score(network, &vector);
    if (log_odds > 0 && scorer->scaling.telling != 0) {
        float known = nd_input_known(&input, &scorer->scaling, knows, network);
        log_odds *= (double)nd_familiar(&scorer->scaling, known);
    }
    return log_odds;
}
