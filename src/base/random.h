/* SPDX-License-Identifier: Apache-2.0
 *
 * Random numbers: a reproducible generator for training and tests, and the
 * system's for nonces and keys.
 */
#ifndef ND_BASE_RANDOM_H
#define ND_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* xoshiro256** (Blackman and Vigna, 2018), seeded through splitmix64. One
 * owner at a time. */
struct nd_random {
    uint64_t state[4];
};

/* The same seed gives the same numbers on every machine. */
void nd_random_seed(struct nd_random *random, uint64_t seed);
/* The next 64 bits. */
uint64_t nd_random_u64(struct nd_random *random);
/* Uniform in [0, bound), without bias; bound must not be 0. */
uint64_t nd_random_below(struct nd_random *random, uint64_t bound);
/* Uniform in [0, 1). */
double nd_random_unit(struct nd_random *random);
/* Standard normal (Box and Muller). */
double nd_random_normal(struct nd_random *random);
/* Shuffles count indices in place (Fisher and Yates). */
void nd_random_shuffle(struct nd_random *random, uint32_t *items, size_t count);

/* Unpredictable bytes from the system; thread-safe. */
void nd_random_system(void *data_r, size_t length);

#endif
