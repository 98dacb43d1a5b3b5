/* SPDX-License-Identifier: Apache-2.0
 *
 * Several networks of src/nn as one KANN network over rspamd's own numbers.
 */
#ifndef ND_RSPAMD_COMPOSE_H
#define ND_RSPAMD_COMPOSE_H

#include "base/status.h"
#include "nn/network.h"
#include "rspamd/encoding.h"
#include "rspamd/kann.h"

/* What a network's log-odds are multiplied by, and what is added then. */
struct nd_line {
    double slope, offset;
};

/* What to compose: count networks of the same shape, one hidden layer and no
 * linear path, over the columns of encoding. */
struct nd_composition {
    const struct nd_encoding *encoding;
    struct nd_network *const *networks;
    const struct nd_line *lines; /* one a network */
    uint32_t count;
};

/* Makes the KANN network whose output is the tanh of the mean of all
 * slope * log-odds + offset; the caller owns it. ND_LIMIT where it is beyond
 * KANN's limits. */
enum nd_status nd_compose(const struct nd_composition *composition,
                          struct nd_error *error,
                          struct nd_kann **kann_r) ND_MUST_CHECK;

#endif
