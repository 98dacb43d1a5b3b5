/* SPDX-License-Identifier: Apache-2.0
 *
 * One look at rspamd's keys. Vectors are copied first, always, so that nothing
 * that happens to rspamd's sets afterwards can lose them. rspamd stores no
 * vectors while anybody holds its lock, so nobody does here: training works on
 * the copies, and to publish is one step, which looks whether rspamd's own
 * trainer has the lock. Among several neuralds our own lease decides who
 * trains.
 *
 * What a live network has not seen: it was trained on vectors that came before
 * it, so it is marked, at the first look at it, with the highest sequence in
 * our store; vectors beyond that are new to it. A candidate is judged on them
 * by those of its parts that have not seen them.
 */
#include "rspamd/watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "learn/due.h"
#include "rspamd/watch_private.h"

#define TIMEOUT_MS 5000

enum nd_status nd_rspamd_watch_create(struct nd_store *store,
                                      const struct nd_rule *rule,
                                      struct nd_error *error,
                                      struct nd_rspamd_watch **watch_r)
{
    char host[ND_HOLDER_BYTES - 32] = "";
    if (rule->rspamd_redis == NULL)
        return nd_fail(error, ND_CONFIG,
                       "rule %s does not say where rspamd's Redis is: set its "
                       "rspamd_redis",
                       rule->name);
    struct nd_rspamd_place place = {rule->rspamd_redis, TIMEOUT_MS,
                                    rule->rspamd_prefix, rule->rspamd_rule,
                                    rule->rspamd_settings};
    struct nd_rspamd_watch *watch = nd_calloc(1, sizeof(*watch));
    watch->store = store;
    watch->rule = rule;
    watch->scope = (struct nd_scope){rule->name, rule->settings};
    nd_random_system(watch->nonce, sizeof(watch->nonce));
    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    (void)snprintf(watch->holder, sizeof(watch->holder), "neurald@%s:%ld", host,
                   (long)getpid());
    enum nd_status status =
        nd_rspamd_remote_create(&place, error, &watch->remote);
    if (status == ND_OK)
        *watch_r = watch;
    else
        nd_rspamd_watch_destroy(&watch);
    return status;
}

void nd_rspamd_watch_destroy(struct nd_rspamd_watch **watch)
{
    if (watch == NULL || *watch == NULL)
        return;
    nd_rspamd_remote_destroy(&(*watch)->remote);
    free(*watch);
    *watch = NULL;
}

void nd_rspamd_watch_ask(struct nd_rspamd_watch *watch,
                         bool (*goes_on)(void *context), void *context)
{
    watch->goes_on = goes_on;
    watch->context = context;
}

const char *nd_rspamd_outcome_name(enum nd_rspamd_outcome outcome)
{
    static const char *const names[] = {"waiting", "published", "rejected",
                                        "left",    "busy",      "failed"};
    return names[outcome];
}

enum nd_status nd_rspamd_end(struct nd_rspamd_look *look,
                             enum nd_rspamd_outcome outcome, const char *format,
                             ...)
{
    va_list list;
    va_start(list, format);
    look->report->outcome = outcome;
    (void)vsnprintf(look->report->text, sizeof(look->report->text), format,
                    list);
    va_end(list);
    return ND_CANCELLED;
}

/* ---- finding ---- */

/* The group is that of the profile used last: those of its digest. */
static enum nd_status find_group(struct nd_rspamd_look *look,
                                 struct nd_error *error)
{
    for (size_t i = 0; i < look->profile_count; i++) {
        const struct nd_rspamd_profile *profile = &look->profiles[i];
        struct nd_rspamd_network network;
        if (strcmp(profile->digest, look->profiles[0].digest) != 0)
            continue;
        if (look->newest == NULL || profile->version > look->newest->version)
            look->newest = profile;
        if (look->live != NULL && look->live->version > profile->version)
            continue;
        enum nd_status status =
            nd_rspamd_remote_network(look->watch->remote, profile->redis_key,
                                     look->arena, error, &network);
        if (status != ND_OK)
            return status;
        if (network.there) {
            look->live = profile;
            look->network = network;
        }
    }
    look->report->version = look->live != NULL ? look->live->version : 0;
    return ND_OK;
}

/* What goes into the networks of a profile with providers is not known here,
 * nor what its vectors hold. */
static enum nd_status check_native(struct nd_rspamd_look *look)
{
    return look->newest->is_foreign
               ? nd_rspamd_end(look, ND_RSPAMD_LEFT,
                               "rspamd's profile has the field "
                               "providers_digest: its vectors hold other "
                               "numbers than those of symbols, so they are "
                               "left alone")
               : ND_OK;
}

/* Tells once what it does not know and leaves alone; a network that
 * gets other numbers than the vectors' cannot be judged, so it stays. */
static enum nd_status check_known(struct nd_rspamd_look *look)
{
    const char *rule = look->watch->rule->name;
    struct nd_rspamd_remote *remote = look->watch->remote;
    if (look->newest->unknown != NULL)
        nd_rspamd_remote_warn(
            remote,
            "rule %s: rspamd's profile has the field %s, which is not known "
            "here; it is kept as it is",
            rule, look->newest->unknown);
    if (look->network.unknown != NULL)
        nd_rspamd_remote_warn(
            remote,
            "rule %s: rspamd's network has the field %s, which is not known "
            "here; it is left alone",
            rule, look->network.unknown);
    if (look->network.changes != NULL)
        return nd_rspamd_end(
            look, ND_RSPAMD_LEFT,
            "rspamd's network has the field %s: what goes into "
            "it are not the vectors, so it is left alone",
            look->network.changes);
    return ND_OK;
}

static enum nd_status read_live(struct nd_rspamd_look *look,
                                struct nd_error *error)
{
    struct nd_buffer file = {0};
    struct nd_error why = {{0}};
    enum nd_status status = nd_rspamd_remote_fetch(
        look->watch->remote, look->live->redis_key, error, &file);
    if (status == ND_OK &&
        nd_kann_read(file.data, file.length, &why, &look->live_kann) != ND_OK)
        status =
            nd_rspamd_end(look, ND_RSPAMD_LEFT,
                          "rspamd's network cannot be judged, so it is left "
                          "alone: %s",
                          why.text);
    nd_buffer_free(&file);
    if (status != ND_OK)
        return status;
    if (nd_kann_inputs(look->live_kann) < look->newest->symbol_count)
        return nd_rspamd_end(
            look, ND_RSPAMD_LEFT,
            "rspamd's network takes fewer numbers than there are "
            "symbols, so it is left alone");
    look->metatokens =
        nd_kann_inputs(look->live_kann) - look->newest->symbol_count;
    return ND_OK;
}

/* Marks the live network, unless it is marked, with what our store has now. A
 * mark that is ahead of the store is another store's. */
static enum nd_status mark_live(struct nd_rspamd_look *look,
                                struct nd_error *error)
{
    struct nd_rspamd_watch *watch = look->watch;
    struct nd_snapshot snapshot = {0};
    char mark[32];
    enum nd_status status =
        nd_store_snapshot(watch->store, &watch->scope, error, &snapshot);
    if (status != ND_OK)
        return status;
    free(snapshot.samples);
    (void)snprintf(mark, sizeof(mark), "%llu",
                   (unsigned long long)snapshot.watermark);
    status = nd_rspamd_remote_mark(watch->remote, look->live->redis_key, mark,
                                   watch->rule->ann_expire_ms / 1000, error);
    look->seen = look->network.mark != NULL
                     ? strtoull(look->network.mark, NULL, 10)
                     : snapshot.watermark;
    if (look->seen > snapshot.watermark)
        look->seen = 0;
    return status;
}

/* ---- copying ---- */

enum nd_status nd_rspamd_copy(struct nd_rspamd_look *look,
                              const struct nd_rspamd_profile *profile,
                              struct nd_error *error)
{
    struct nd_rspamd_watch *watch = look->watch;
    struct nd_rspamd_collected collected = {0};
    struct nd_rspamd_collector *collector =
        nd_rspamd_collector_create(watch->store, watch->rule, profile);
    enum nd_status status =
        nd_rspamd_remote_vectors(watch->remote, profile->redis_key,
                                 nd_rspamd_collector_take, collector, error);
    if (status == ND_OK)
        status = nd_rspamd_collector_flush(collector, error, &collected);
    if (status == ND_OK) {
        uint32_t metatokens = nd_rspamd_collector_metatokens(collector);
        look->metatokens = metatokens != 0 ? metatokens : look->metatokens;
        nd_rspamd_collected_add(&look->report->collected, &collected);
    }
    nd_rspamd_collector_destroy(&collector);
    return status;
}

/* Tells of vectors that are left out, when there are others than at the last
 * look. */
static void tell_left_out(const struct nd_rspamd_look *look)
{
    struct nd_rspamd_watch *watch = look->watch;
    const struct nd_rspamd_collected *collected = &look->report->collected;
    uint64_t malformed = collected->malformed, odd = collected->other_length;
    uint64_t refused = collected->refused;
    if (malformed + odd + refused != watch->left_out &&
        malformed + odd + refused > 0)
        nd_log(ND_LOG_WARNING,
               "rule %s: of rspamd's vectors %llu cannot be read, %llu are of "
               "another length than most (%u numbers), %llu found no place in "
               "the store; they are left out",
               watch->rule->name, (unsigned long long)malformed,
               (unsigned long long)odd, collected->width,
               (unsigned long long)refused);
    watch->left_out = malformed + odd + refused;
}

/* What lies under other keys than the live network's came before it, and may
 * be what it was trained on: so that is copied first, then the mark is set,
 * then comes what is new to it. */
static enum nd_status copy_all(struct nd_rspamd_look *look,
                               struct nd_error *error)
{
    enum nd_status status = ND_OK;
    for (size_t i = 0; status == ND_OK && i < look->profile_count; i++)
        if (&look->profiles[i] != look->live && !look->profiles[i].is_foreign)
            status = nd_rspamd_copy(look, &look->profiles[i], error);
    if (status == ND_OK && look->live != NULL)
        status = mark_live(look, error);
    if (status == ND_OK && look->live != NULL)
        status = nd_rspamd_copy(look, look->live, error);
    if (status == ND_OK)
        tell_left_out(look);
    return status;
}

/* ---- is it time? ---- */

/* Without a network nothing need have changed: the symbols may have, and the
 * old vectors carry over. */
static enum nd_status check_due(struct nd_rspamd_look *look, bool force,
                                struct nd_error *error)
{
    struct nd_rspamd_watch *watch = look->watch;
    struct nd_training_state state;
    int64_t now_ms;
    char why[128];
    enum nd_status status =
        nd_store_training_state(watch->store, &watch->scope, error, &state);
    if (status == ND_OK)
        status = nd_store_now(watch->store, error, &now_ms);
    if (status != ND_OK)
        return status;
    if (look->live == NULL || force)
        state.changes = UINT64_MAX;
    if (force)
        state.last_ms = 0;
    if (!nd_training_due(watch->rule, &state, now_ms, why, sizeof(why)))
        return nd_rspamd_end(look, ND_RSPAMD_WAITING, "%s", why);
    return ND_OK;
}

/* Vectors of each class that the live network has not seen. */
static void count_unseen(const struct nd_rspamd_look *look, size_t counts_r[2])
{
    counts_r[0] = counts_r[1] = 0;
    for (size_t i = 0; i < look->vectors.count; i++)
        if (look->sequences[i] > look->seen)
            counts_r[look->vectors.labels[i]]++;
}

static enum nd_status check_unseen(struct nd_rspamd_look *look)
{
    size_t counts[2];
    count_unseen(look, counts);
    if (look->live == NULL || (counts[0] >= ND_RSPAMD_LEAST_JUDGED &&
                               counts[1] >= ND_RSPAMD_LEAST_JUDGED))
        return ND_OK;
    return nd_rspamd_end(look, ND_RSPAMD_WAITING,
                         "%zu spam and %zu ham are new to rspamd's network; %d "
                         "of each are needed to judge another beside it",
                         counts[1], counts[0], ND_RSPAMD_LEAST_JUDGED);
}

static enum nd_status take_lease(struct nd_rspamd_look *look,
                                 struct nd_error *error)
{
    struct nd_rspamd_watch *watch = look->watch;
    struct nd_error why = {{0}};
    enum nd_status status = nd_store_lease_acquire(
        watch->store, &watch->scope, watch->nonce, watch->holder,
        watch->rule->lease_ms, &why, &look->lease);
    if (status == ND_BUSY)
        return nd_rspamd_end(look, ND_RSPAMD_BUSY, "%s", why.text);
    look->leased = status == ND_OK;
    look->renewed_us = nd_clock_monotonic_us();
    return status == ND_OK ? ND_OK : nd_fail(error, status, "%s", why.text);
}

/* ---- the look ---- */

static enum nd_status prepare(struct nd_rspamd_look *look, bool force,
                              struct nd_error *error)
{
    enum nd_status status =
        nd_rspamd_remote_profiles(look->watch->remote, look->arena, error,
                                  &look->profiles, &look->profile_count);
    if (status == ND_OK)
        status = find_group(look, error);
    if (status == ND_OK)
        status = check_native(look);
    if (status == ND_OK)
        status = copy_all(look, error);
    if (status == ND_OK)
        status = check_known(look);
    if (status == ND_OK)
        status = check_due(look, force, error);
    return status;
}

static enum nd_status work(struct nd_rspamd_look *look, struct nd_error *error)
{
    struct nd_rspamd_watch *watch = look->watch;
    enum nd_status status = ND_OK;
    if (look->live != NULL)
        status = read_live(look, error);
    if (status == ND_OK)
        status = take_lease(look, error);
    if (status == ND_OK)
        status = nd_rspamd_collected_read(
            watch->store, watch->rule, look->newest, look->metatokens, error,
            &look->vectors, &look->sequences, &look->watermark);
    if (status == ND_OK)
        status = check_unseen(look);
    if (status == ND_OK)
        status = nd_rspamd_train_and_decide(look, error);
    return status;
}

static void look_end(struct nd_rspamd_look *look)
{
    struct nd_error ignored;
    struct nd_rspamd_watch *watch = look->watch;
    if (look->leased && nd_store_lease_release(watch->store, &watch->scope,
                                               &look->lease, &ignored) != ND_OK)
        nd_log(ND_LOG_WARNING, "rule %s: cannot give back the lease: %s",
               watch->rule->name, ignored.text);
    nd_rspamd_training_free(&look->training);
    nd_vectors_free(&look->vectors);
    free(look->sequences);
    nd_kann_destroy(&look->live_kann);
    nd_arena_destroy(&look->arena);
}

enum nd_status nd_rspamd_watch_look(struct nd_rspamd_watch *watch, bool force,
                                    struct nd_error *error,
                                    struct nd_rspamd_report *report_r)
{
    struct nd_rspamd_report report = {0};
    struct nd_rspamd_look look = {
        .watch = watch, .arena = nd_arena_create(1 << 16), .report = &report};
    enum nd_status status = prepare(&look, force, error);
    if (status == ND_OK)
        status = work(&look, error);
    look_end(&look);
    if (status != ND_OK && status != ND_CANCELLED)
        return status;
    *report_r = report;
    return ND_OK;
}
