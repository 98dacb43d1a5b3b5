/* SPDX-License-Identifier: Apache-2.0
 *
 * xoshiro256** 1.0 and splitmix64, after the description in Blackman and
 * Vigna, "Scrambled Linear Pseudorandom Number Generators" (2018): the same
 * seed gives the same numbers on every machine. Not for secrets.
 */
#include "base/random.h"

#include <math.h>
#include <sodium.h>

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static uint64_t splitmix64(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15U;
    uint64_t mixed = *state;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebU;
    return mixed ^ mixed >> 31;
}

void nd_random_seed(struct nd_random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        random->state[i] = splitmix64(&seed);
}

uint64_t nd_random_u64(struct nd_random *random)
{
    uint64_t *state = random->state;
    uint64_t result = rotate_left(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate_left(state[3], 45);
    return result;
}

/* Numbers above the largest multiple of bound are drawn again. */
uint64_t nd_random_below(struct nd_random *random, uint64_t bound)
{
    uint64_t excess = -bound % bound; /* 2^64 mod bound */
    uint64_t number;
    do {
        number = nd_random_u64(random);
    } while (number < excess);
    return number % bound;
}

double nd_random_unit(struct nd_random *random)
{
    return (double)(nd_random_u64(random) >> 11) * 0x1p-53;
}

double nd_random_normal(struct nd_random *random)
{
    double radius = sqrt(-2.0 * log(1.0 - nd_random_unit(random)));
    return radius * cos(2.0 * 3.14159265358979323846 * nd_random_unit(random));
}

void nd_random_shuffle(struct nd_random *random, uint32_t *items, size_t count)
{
    for (size_t left = count; left > 1; left--) {
        size_t chosen = (size_t)nd_random_below(random, left);
        uint32_t item = items[left - 1];
        items[left - 1] = items[chosen];
        items[chosen] = item;
    }
}

void nd_random_system(void *data_r, size_t length)
{
    randombytes_buf(data_r, length);
}
