/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of symbols, their digest, and which of several profiles is nearest. A
 * profile decides nothing about samples or about the form of a model, both of
 * which go by name; it tells for which findings a model was trained, so that
 * settings without a model of their own can be served by a near one.
 */
#include "learn/profile.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define NEAR_PCT 30U

/* Where name is, or would have to be. */
static uint32_t place_of(const struct nd_symbols *symbols, const char *name,
                         bool *found_r)
{
    uint32_t low = 0, high = symbols->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(symbols->names[middle], name);
        if (order == 0) {
            *found_r = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *found_r = false;
    return low;
}

bool nd_symbols_add(struct nd_symbols *symbols, const char *name)
{
    bool found;
    uint32_t place = place_of(symbols, name, &found);
    if (found) {
        return false;
    }
    if (symbols->count == symbols->room) {
        symbols->room = symbols->room == 0 ? 64 : symbols->room * 2;
        symbols->names =
            nd_realloc(symbols->names, symbols->room, sizeof *symbols->names);
    }
    memmove(symbols->names + place + 1, symbols->names + place,
            (symbols->count - place) * sizeof *symbols->names);
    symbols->names[place] = nd_strdup(name);
    symbols->count++;
    return true;
}

void nd_symbols_free(struct nd_symbols *symbols)
{
    for (uint32_t i = 0; i < symbols->count; i++) {
        free(symbols->names[i]);
    }
    free(symbols->names);
    *symbols = (struct nd_symbols){0};
}

void nd_symbols_digest(const struct nd_symbols *symbols,
                       uint8_t digest_r[ND_PROFILE_DIGEST_BYTES])
{
    struct nd_digest_state state;
    nd_digest_begin(&state, NULL, ND_PROFILE_DIGEST_BYTES);
    for (uint32_t i = 0; i < symbols->count; i++) {
        nd_digest_add(&state, symbols->names[i], strlen(symbols->names[i]) + 1);
    }
    nd_digest_end(&state, digest_r, ND_PROFILE_DIGEST_BYTES);
}

uint32_t nd_profile_distance(const struct nd_symbols *symbols,
                             const struct nd_profile *profile)
{
    uint32_t i = 0, j = 0, distance = 0;
    while (i < symbols->count && j < profile->symbol_count) {
        int order = strcmp(symbols->names[i], profile->symbols[j]);
        distance += order != 0;
        i += order <= 0;
        j += order >= 0;
    }
    return distance + (symbols->count - i) + (profile->symbol_count - j);
}

/* Whether first is to be preferred at these distances. */
static bool is_better(const struct nd_profile *first, uint32_t first_distance,
                      const struct nd_profile *second, uint32_t second_distance)
{
    if (first_distance != second_distance) {
        return first_distance < second_distance;
    }
    if (first->generation != second->generation) {
        return first->generation > second->generation;
    }
    return first->used_ms > second->used_ms;
}

const struct nd_profile *nd_profile_nearest(const struct nd_symbols *own,
                                            const struct nd_profile *profiles,
                                            size_t count, const char *settings)
{
    const struct nd_profile *best = NULL;
    uint32_t best_distance = 0;
    for (size_t i = 0; i < count; i++) {
        const struct nd_profile *profile = &profiles[i];
        if (profile->generation == 0 ||
            (settings != NULL && strcmp(profile->settings, settings) == 0)) {
            continue;
        }
        uint32_t distance = nd_profile_distance(own, profile);
        bool is_near = distance == 0 || (uint64_t)distance * 100 <
                                            (uint64_t)own->count * NEAR_PCT;
        if (is_near && (best == NULL ||
                        is_better(profile, distance, best, best_distance))) {
            best = profile;
            best_distance = distance;
        }
    }
    return best;
}
