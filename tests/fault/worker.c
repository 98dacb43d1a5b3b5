/* SPDX-License-Identifier: Apache-2.0
 *
 * A process of the fleet under test. It opens what a host opens (store, spool,
 * engine) over a real connection, reads a request a line from its driver, and
 * answers each with a line that begins with the request's number. It keeps no
 * ledger and judges nothing: the driver does, outside of neurald.
 *
 *     fault_worker URL SPOOL RULE LEASE_MS MODE LIMIT PACE_MS TIMEOUT_MS KIND
 *
 * KIND is "host" for one that works through a host (learn/host.h), as the
 * daemon does, and "parts" for one that calls store, spool and engine itself.
 */
#include "worker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "learn/trainer.h"

#define LINE_BYTES 65536
#define ARGUMENTS 10

void worker_answer(const char *number, const char *format, ...)
{
    va_list arguments;
    printf("%s ", number);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    (void)fflush(stdout);
}

void worker_answer_failure(struct worker *worker, const char *number,
                           enum nd_status status)
{
    static const char *const words[] = {
#define WORD(name, exit_status, text) [ND_##name] = #name,
        ND_STATUS_MAP(WORD)
#undef WORD
    };
    worker_answer(number, "failed %s %s", words[status], worker->error.text);
}

static void pause_ms(long time_ms)
{
    struct timespec time = {.tv_sec = time_ms / 1000,
                            .tv_nsec = time_ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

/* ---- opening ---- */

static enum nd_status find_slots(struct worker *worker)
{
    char texts[WORKER_NAMES][24];
    const char *names[WORKER_NAMES];
    for (int i = 0; i < WORKER_NAMES; i++) {
        bool symbol = i < WORKER_SYMBOLS;
        (void)snprintf(texts[i], sizeof(texts[i]), "%s%d",
                       symbol ? "symbol:RULE_" : "meta:fact_", i);
        names[i] = texts[i];
    }
    return nd_store_registry_slots(
        worker->store, worker->rule.name, names, WORKER_NAMES,
        worker->rule.max_symbols, &worker->error, worker->slots,
        &worker->registry_length, worker->registry_digest);
}

/* Each step is repeated until the store is there: a host that starts while it
 * is away goes on once it is back. */
static enum nd_status open_all(struct worker *worker, const char *url,
                               const char *spool, int64_t timeout_ms)
{
    struct nd_store_options options = {.create = true,
                                       .timeout_ms = timeout_ms};
    enum nd_status status =
        nd_spool_open(spool, NULL, &worker->error, &worker->spool);
    if (status != ND_OK)
        return status;
    do {
        if (worker->store == NULL)
            status =
                nd_store_open(url, &options, &worker->error, &worker->store);
        else if (worker->registry_length == 0)
            status = find_slots(worker);
        else
            status = nd_engine_create(worker->store, &worker->rule, NULL,
                                      &worker->error, &worker->engine);
        if (status != ND_OK)
            pause_ms(50);
    } while (worker->engine == NULL &&
             (status == ND_OK || status == ND_UNAVAILABLE ||
              status == ND_UNCERTAIN || status == ND_FULL));
    return status;
}

/* Small networks over what the samples have, and no wait between trainings. */
static void set_rule(struct worker *worker, char **arguments)
{
    struct nd_rule *rule = &worker->rule;
    nd_rule_init(rule);
    (void)snprintf(rule->name, sizeof(rule->name), "%s", arguments[3]);
    rule->lease_ms = atoll(arguments[4]);
    rule->learn_mode = strcmp(arguments[5], "balanced") == 0
                           ? ND_QUOTA_BALANCED
                           : ND_QUOTA_RESERVOIR;
    rule->max_trains = rule->reservoir = strtoull(arguments[6], NULL, 10);
    rule->families = ND_GROUP_SYMBOLS | ND_GROUP_METATOKENS;
    rule->seeds = 1;
    rule->hidden_units = 4;
    rule->target_fpr = 0.2; /* relabelled at random: a lower one is chance */
    worker->pace_ms = atoll(arguments[7]);
    worker->scope = (struct nd_scope){rule->name, rule->settings};
    worker->quota = (struct nd_quota){rule->learn_mode, rule->reservoir};
}

/* ---- requests ---- */

static void serve(struct worker *worker)
{
    static char line[LINE_BYTES];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        char *rest = line;
        line[strcspn(line, "\n")] = '\0';
        const char *number = strsep(&rest, " ");
        const char *command = strsep(&rest, " ");
        bool done = command == NULL ||
                    (worker->host != NULL
                         ? worker_host_write(worker, number, command, rest)
                         : worker_write(worker, number, command, rest) ||
                               worker_look(worker, number, command));
        if (!done)
            worker_answer(number, "failed USAGE no such request");
    }
}

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], ND_TRAINER_ARGUMENT) == 0)
        return nd_trainer_child_main();
    if (count != ARGUMENTS) {
        fprintf(stderr, "usage: see tests/fault/worker.c\n");
        return 64;
    }
    struct worker worker = {0};
    nd_log_set_level(ND_LOG_ERROR);
    set_rule(&worker, arguments);
    enum nd_status status = nd_hash_init(&worker.error);
    if (status == ND_OK)
        status =
            (strcmp(arguments[9], "host") == 0 ? worker_host_open : open_all)(
                &worker, arguments[1], arguments[2], atoll(arguments[8]));
    if (status == ND_OK) {
        worker_answer("0", "ready");
        serve(&worker);
    } else {
        worker_answer_failure(&worker, "0", status);
    }
    nd_host_stop(&worker.host);
    nd_engine_destroy(&worker.engine);
    nd_store_close(&worker.store);
    nd_spool_close(&worker.spool);
    nd_rule_free(&worker.rule);
    return status == ND_OK ? 0 : 1;
}
