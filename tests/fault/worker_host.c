/* SPDX-License-Identifier: Apache-2.0
 *
 * The same requests as worker_write.c, made to a host (learn/host.h) as the
 * daemon makes them: its learner stores and spools, its trainer trains, and
 * it delivers by itself what waits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "worker.h"

#define CALL_MS 10000
#define POLL_MS 20
#define DELIVERY_MS 3000

enum nd_status worker_host_open(struct worker *worker, const char *url,
                                const char *spool, int64_t timeout_ms)
{
    struct nd_host_options options = {
        .store = url,
        .store_options = {.create = true, .timeout_ms = timeout_ms},
        .rules = &worker->rule,
        .rule_count = 1,
        .spool = spool};
    worker->rule.train_interval_ms = INT64_C(3600000); /* only when told */
    worker->rule.train_after = UINT64_MAX;
    worker->rule.watch_interval_ms = 1000;
    return nd_host_create(&options, &worker->error, &worker->host);
}

static void pause_ms(long time_ms)
{
    struct timespec time = {.tv_nsec = time_ms * 1000000};
    (void)nanosleep(&time, NULL);
}

static const struct nd_host_choice any = {0};

/* ---- samples ---- */

/* What a call's only result says, as a word; NULL where it has to be repeated,
 * with the reason in the worker's error. */
static const char *word_of(struct worker *worker,
                           const struct nd_host_results *results,
                           enum nd_status *status)
{
    const struct nd_host_result *result = &results->of[0];
    if (*status != ND_OK)
        return NULL;
    if (result->outcome == ND_HOST_SPOOLED_HERE)
        return "spooled";
    if (result->outcome == ND_HOST_REFUSED && result->status != ND_OK) {
        *status = nd_fail(&worker->error, result->status, "%s", result->text);
        return NULL;
    }
    return worker_outcome(&result->put);
}

static enum nd_status learn_one(struct worker *worker, char *word,
                                struct nd_arena *arena, const char **word_r)
{
    struct worker_sample sample;
    struct nd_scan_symbol symbols[2 * WORKER_FEATURES];
    char names[2 * WORKER_FEATURES][16];
    struct nd_host_results results = {0};
    worker_read_sample(word, &sample);
    for (uint32_t i = 0; i < sample.count[0] + sample.count[1]; i++) {
        bool symbol = i < sample.count[0];
        uint32_t feature =
            symbol ? sample.chosen[0][i]
                   : WORKER_SYMBOLS + sample.chosen[1][i - sample.count[0]];
        (void)snprintf(names[i], sizeof(names[i]), "%s%u",
                       symbol ? "RULE_" : "fact_", (unsigned)feature);
        symbols[i] = (struct nd_scan_symbol){.name = names[i], .score = 1};
    }
    struct nd_scan scan = {.symbols = symbols, .count = sample.count[0]};
    if (sample.families > 1) {
        scan.metatokens = symbols + sample.count[0];
        scan.metatoken_count = sample.count[1];
    }
    struct nd_lesson lesson = {.label = sample.label,
                               .source = ND_SOURCE_USER,
                               .label_ms = sample.label_ms,
                               .identity = sample.identity};
    struct nd_host_mail mail = {.scan = &scan};
    enum nd_status status = nd_host_learn(worker->host, &mail, &lesson, CALL_MS,
                                          arena, &worker->error, &results);
    *word_r = word_of(worker, &results, &status);
    return status;
}

static void put(struct worker *worker, const char *number, char *rest)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_buffer words = {0};
    enum nd_status status = ND_OK;
    while (status == ND_OK && rest != NULL) {
        const char *word;
        status = learn_one(worker, strsep(&rest, " "), arena, &word);
        if (status == ND_OK)
            nd_buffer_printf(&words, " %s", word);
    }
    if (status == ND_OK)
        worker_answer(number, "put%s", (const char *)words.data);
    else
        worker_answer_failure(worker, number, status);
    nd_buffer_free(&words);
    nd_arena_destroy(&arena);
}

/* NUMBER LABEL_MS */
static void forget(struct worker *worker, const char *number, char *rest)
{
    struct nd_host_sample sample = {0};
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_host_results results = {0};
    worker_identify(strsep(&rest, " "), sample.identity);
    enum nd_status status =
        nd_host_forget(worker->host, &sample, atoll(rest), CALL_MS, arena,
                       &worker->error, &results);
    const char *word = word_of(worker, &results, &status);
    if (status != ND_OK)
        worker_answer_failure(worker, number, status);
    else if (strcmp(word, "spooled") == 0)
        worker_answer(number, "forgot spooled");
    else
        worker_answer(number, "forgot %d", results.of[0].existed);
    nd_arena_destroy(&arena);
}

/* NUMBER LABEL LABEL_MS */
static void relabel(struct worker *worker, const char *number, char *rest)
{
    struct nd_host_sample sample = {0};
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_host_results results = {0};
    struct nd_claim claim = {.source = ND_SOURCE_USER};
    worker_identify(strsep(&rest, " "), sample.identity);
    claim.label = atoi(strsep(&rest, " ")) != 0 ? ND_SPAM : ND_HAM;
    claim.label_ms = atoll(rest);
    enum nd_status status =
        nd_host_relabel(worker->host, &sample, &claim, CALL_MS, arena,
                        &worker->error, &results);
    const char *word = word_of(worker, &results, &status);
    if (status == ND_OK)
        worker_answer(number, "relabelled %s", word);
    else
        worker_answer_failure(worker, number, status);
    nd_arena_destroy(&arena);
}

/* Waits until the host has delivered what waits in its spool. */
static void deliver(struct worker *worker, const char *number)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_host_counters counters;
    struct nd_host_status status;
    int left_ms = DELIVERY_MS;
    do {
        nd_arena_reset(arena);
        nd_host_refresh(worker->host);
        pause_ms(POLL_MS);
        nd_host_status(worker->host, arena, &status);
        left_ms -= POLL_MS;
    } while (status.spool.samples > 0 && left_ms > 0);
    nd_host_counters(worker->host, &counters);
    if (status.spool.samples == 0)
        worker_answer(
            number, "delivered %llu",
            (unsigned long long)(counters.delivered - worker->delivered));
    else
        worker_answer(number, "failed UNAVAILABLE %llu still wait",
                      (unsigned long long)status.spool.samples);
    worker->delivered = counters.delivered;
    nd_arena_destroy(&arena);
}

/* ---- training ---- */

static void train(struct worker *worker, const char *number)
{
    struct nd_host_job job = {0};
    uint64_t id;
    enum nd_status status =
        nd_host_train(worker->host, &any, true, &worker->error, &id);
    while (status == ND_OK && job.state != ND_HOST_JOB_ENDED) {
        pause_ms(POLL_MS);
        status = nd_host_job(worker->host, id, &worker->error, &job);
    }
    if (status == ND_OK && job.status != ND_OK)
        status = nd_fail(&worker->error, job.status, "%s", job.text);
    if (status == ND_OK)
        worker_answer(
            number, "trained %s %llu %s", nd_decision_name(job.report.decision),
            (unsigned long long)job.report.generation, job.report.reason);
    else
        worker_answer_failure(worker, number, status);
}

bool worker_host_write(struct worker *worker, const char *number,
                       const char *command, char *rest)
{
    if (strcmp(command, "put") == 0)
        put(worker, number, rest);
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
