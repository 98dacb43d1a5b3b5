/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker's requests that write: samples (put, forget, relabel), what waits
 * in its spool (deliver), and a whole training (train). Each calls the store
 * once: what comes of a failure is the driver's to decide, except that a
 * sample that the store does not take goes to the spool, as on a host.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "store/sample.h"
#include "worker.h"

/* ---- samples ---- */

void worker_identify(const char *number, uint8_t identity_r[ND_IDENTITY_BYTES])
{
    uint32_t value = (uint32_t)strtoul(number, NULL, 10);
    uint8_t digest[ND_DIGEST_BYTES];
    nd_digest(&value, sizeof(value), NULL, digest);
    memcpy(identity_r, digest, ND_IDENTITY_BYTES);
}

/* Some of count features. Those of spam lie higher, so that there is something
 * to learn. */
static uint32_t draw_features(struct nd_random *random, uint32_t count,
                              const double chances[2],
                              uint32_t chosen_r[WORKER_FEATURES])
{
    uint32_t chosen = 0;
    for (uint32_t i = 0; i < count && chosen < WORKER_FEATURES; i++) {
        if (nd_random_unit(random) < chances[i >= count / 2])
            chosen_r[chosen++] = i;
    }
    return chosen;
}

/* A number's features are always the same. One in 16 could be of either class:
 * those are relabelled, and since that changes nothing of what there is to
 * learn, a new model stays as good as the live one. */
void worker_read_sample(char *word, struct worker_sample *sample_r)
{
    static const double ways[3][2] = {{0.4, 0.03}, {0.03, 0.4}, {0.2, 0.2}};
    const char *digits = strsep(&word, ":");
    uint32_t number = (uint32_t)strtoul(digits, NULL, 10);
    const double *chances = ways[number % 16 == 0 ? 2 : number % 2];
    struct nd_random random;
    nd_random_seed(&random, number);
    worker_identify(digits, sample_r->identity);
    sample_r->label = atoi(strsep(&word, ":")) != 0 ? ND_SPAM : ND_HAM;
    sample_r->label_ms = atoll(strsep(&word, ":"));
    sample_r->families = (uint32_t)atoi(word);
    sample_r->count[0] =
        draw_features(&random, WORKER_SYMBOLS, chances, sample_r->chosen[0]);
    sample_r->count[1] =
        draw_features(&random, WORKER_METATOKENS, chances, sample_r->chosen[1]);
}

static int by_slot(const void *one, const void *other)
{
    const uint32_t *a = one, *b = other;
    return (*a > *b) - (*a < *b);
}

static enum nd_status read_sample(struct worker *worker, char *word,
                                  struct nd_buffer *payload,
                                  struct nd_sample_put *put_r)
{
    struct worker_sample sample;
    uint32_t slots[2][WORKER_FEATURES];
    worker_read_sample(word, &sample);
    for (int family = 0; family < 2; family++) {
        const uint32_t *given =
            worker->slots + (family == 0 ? 0 : WORKER_SYMBOLS);
        for (uint32_t i = 0; i < sample.count[family]; i++)
            slots[family][i] = given[sample.chosen[family][i]];
        qsort(slots[family], sample.count[family], sizeof(uint32_t), by_slot);
    }
    struct nd_section sections[2] = {
        {ND_FAMILY_SYMBOLS, sample.count[0], slots[0], NULL},
        {ND_FAMILY_METATOKENS, sample.count[1], slots[1], NULL},
    };
    _Static_assert(ND_FAMILY_SYMBOLS < ND_FAMILY_METATOKENS, "ascending");
    *put_r = (struct nd_sample_put){.label = sample.label,
                                    .source = ND_SOURCE_USER,
                                    .label_ms = sample.label_ms,
                                    .time_ms = sample.label_ms,
                                    .registry_length = worker->registry_length};
    memcpy(put_r->identity, sample.identity, ND_IDENTITY_BYTES);
    memcpy(put_r->registry_digest, worker->registry_digest, ND_DIGEST_BYTES);
    return nd_sample_encode(sections, sample.families > 1 ? 2 : 1, payload,
                            &worker->error);
}

const char *worker_outcome(const struct nd_put_result *result)
{
    static const char *const words[] = {"stored", "replaced", "relabelled",
                                        "merged", "duplicate"};
    return result->outcome == ND_PUT_REFUSED ? nd_refusal_name(result->reason)
                                             : words[result->outcome];
}

static bool is_away(enum nd_status status)
{
    return status == ND_UNAVAILABLE || status == ND_UNCERTAIN ||
           status == ND_FULL;
}

/* The payload waits as it is: a host would keep the features' names. */
static enum nd_status spool_samples(struct worker *worker,
                                    const struct nd_sample_put *samples,
                                    size_t count)
{
    struct nd_spool_record records[WORKER_BATCH] = {0};
    for (size_t i = 0; i < count; i++) {
        records[i] = (struct nd_spool_record){.kind = ND_SPOOL_LEARN,
                                              .scope = worker->scope,
                                              .label = samples[i].label,
                                              .source = samples[i].source,
                                              .label_ms = samples[i].label_ms,
                                              .time_ms = samples[i].time_ms,
                                              .payload = samples[i].payload,
                                              .payload_length =
                                                  samples[i].payload_length};
        memcpy(records[i].identity, samples[i].identity, ND_IDENTITY_BYTES);
    }
    return nd_spool_add(worker->spool, records, count, &worker->error);
}

static void answer_put(struct worker *worker, const char *number,
                       const struct nd_sample_put *samples, size_t count,
                       bool spools)
{
    struct nd_put_result results[WORKER_BATCH];
    enum nd_status status =
        nd_store_put_many(worker->store, &worker->scope, samples, count,
                          &worker->quota, &worker->error, results);
    if (spools && is_away(status)) {
        status = spool_samples(worker, samples, count);
        if (status == ND_OK) {
            worker_answer(number, "spooled");
            return;
        }
    }
    if (status != ND_OK) {
        worker_answer_failure(worker, number, status);
        return;
    }
    char words[WORKER_BATCH * 16] = "";
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(words + length, sizeof(words) - length,
                                   " %s", worker_outcome(&results[i]));
    worker_answer(number, "put%s", words);
}

static void put(struct worker *worker, const char *number, char *rest,
                bool spools)
{
    struct nd_sample_put samples[WORKER_BATCH] = {0};
    struct nd_buffer payloads[WORKER_BATCH] = {0};
    size_t count = 0;
    enum nd_status status = ND_OK;
    while (status == ND_OK && rest != NULL && count < WORKER_BATCH) {
        status = read_sample(worker, strsep(&rest, " "), &payloads[count],
                             &samples[count]);
        samples[count].payload = payloads[count].data;
        samples[count].payload_length = payloads[count].length;
        count++;
    }
    if (status == ND_OK)
        answer_put(worker, number, samples, count, spools);
    else
        worker_answer_failure(worker, number, status);
    for (size_t i = 0; i < count; i++)
        nd_buffer_free(&payloads[i]);
}

/* NUMBER LABEL_MS */
static void forget(struct worker *worker, const char *number, char *rest)
{
    uint8_t identity[ND_IDENTITY_BYTES];
    bool existed = false;
    worker_identify(strsep(&rest, " "), identity);
    enum nd_status status =
        nd_store_forget(worker->store, &worker->scope, identity, atoll(rest),
                        &worker->error, &existed);
    if (status == ND_OK)
        worker_answer(number, "forgot %d", existed);
    else
        worker_answer_failure(worker, number, status);
}

/* NUMBER LABEL LABEL_MS */
static void relabel(struct worker *worker, const char *number, char *rest)
{
    uint8_t identity[ND_IDENTITY_BYTES];
    struct nd_put_result result;
    worker_identify(strsep(&rest, " "), identity);
    struct nd_claim claim = {.source = ND_SOURCE_USER};
    claim.label = atoi(strsep(&rest, " ")) != 0 ? ND_SPAM : ND_HAM;
    claim.label_ms = atoll(rest);
    enum nd_status status =
        nd_store_relabel(worker->store, &worker->scope, identity, &claim,
                         &worker->error, &result);
    if (status == ND_OK)
        worker_answer(number, "relabelled %s", worker_outcome(&result));
    else
        worker_answer_failure(worker, number, status);
}

/* Puts the oldest that wait, and takes them off once they are acknowledged. */
static enum nd_status deliver_piece(struct worker *worker,
                                    struct nd_arena *arena, size_t *count_r)
{
    struct nd_sample_put samples[WORKER_BATCH] = {0};
    struct nd_put_result results[WORKER_BATCH];
    const struct nd_spool_record *records;
    size_t count = 0;
    enum nd_status status =
        nd_spool_peek(worker->spool, &worker->scope, WORKER_BATCH, arena,
                      &worker->error, &records, &count);
    for (size_t i = 0; status == ND_OK && i < count; i++) {
        samples[i] =
            (struct nd_sample_put){.label = records[i].label,
                                   .source = records[i].source,
                                   .label_ms = records[i].label_ms,
                                   .time_ms = records[i].time_ms,
                                   .registry_length = worker->registry_length,
                                   .payload = records[i].payload,
                                   .payload_length = records[i].payload_length};
        memcpy(samples[i].identity, records[i].identity, ND_IDENTITY_BYTES);
        memcpy(samples[i].registry_digest, worker->registry_digest,
               ND_DIGEST_BYTES);
    }
    if (status == ND_OK && count > 0)
        status =
            nd_store_put_many(worker->store, &worker->scope, samples, count,
                              &worker->quota, &worker->error, results);
    if (status == ND_OK && count > 0)
        status = nd_spool_remove(worker->spool, records, count, &worker->error);
    if (status == ND_OK)
        *count_r = count;
    return status;
}

static void deliver(struct worker *worker, const char *number)
{
    struct nd_arena *arena = nd_arena_create(0);
    unsigned long long delivered = 0;
    size_t count = 0;
    enum nd_status status = ND_OK;
    do {
        nd_arena_reset(arena);
        status = deliver_piece(worker, arena, &count);
        delivered += status == ND_OK ? count : 0;
    } while (status == ND_OK && count > 0);
    nd_arena_destroy(&arena);
    if (status == ND_OK)
        worker_answer(number, "delivered %llu", delivered);
    else
        worker_answer_failure(worker, number, status);
}

/* ---- training ---- */

/* A parent that reads its child slowly makes the training last, at no cost. */
static bool keep_pace(double done, double loss, const char *stage,
                      void *context)
{
    struct worker *worker = context;
    struct timespec pause = {.tv_nsec = worker->pace_ms * 1000000};
    (void)nanosleep(&pause, NULL);
    return true;
}

static void train(struct worker *worker, const char *number)
{
    struct nd_training_report report;
    enum nd_status status = nd_engine_train(worker->engine, true, keep_pace,
                                            worker, &worker->error, &report);
    if (status == ND_OK)
        worker_answer(number, "trained %s %llu %s",
                      nd_decision_name(report.decision),
                      (unsigned long long)report.generation, report.reason);
    else
        worker_answer_failure(worker, number, status);
}

bool worker_write(struct worker *worker, const char *number,
                  const char *command, char *rest)
{
    if (strcmp(command, "put") == 0)
        put(worker, number, rest, true);
    else if (strcmp(command, "again") == 0)
        put(worker, number, rest, false);
    else if (strcmp(command, "forget") == 0)
        forget(worker, number, rest);
    else if (strcmp(command, "relabel") == 0)
        relabel(worker, number, rest);
    else if (strcmp(command, "deliver") == 0)
        deliver(worker, number);
    else if (strcmp(command, "train") == 0)
        train(worker, number);
    else
        return false;
    return true;
}
