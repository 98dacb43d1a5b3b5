/* SPDX-License-Identifier: Apache-2.0
 *
 * Two tables, of counters and of facts about each rule, each row with the
 * function or field that it comes from. Names, types and words stand only
 * here.
 */
#include "serve/metrics_host.h"

#include <stdlib.h>

#include "base/clock.h"
#include "serve/metrics.h"

/* ---- counters of the host ---- */

#define COUNTER_OF(field) offsetof(struct nd_host_counters, field)

static const char *verdict_label(size_t place)
{
    return nd_verdict_name((enum nd_verdict_kind)place);
}

static const char *put_label(size_t place)
{
    static const char *const names[] = {"stored", "replaced",  "relabelled",
                                        "merged", "duplicate", "refused"};
    return names[place];
}

static const char *refusal_label(size_t place)
{
    return nd_refusal_name((enum nd_refusal)place);
}

static const char *decision_label(size_t place)
{
    return nd_decision_name((enum nd_decision)place);
}

/* A field of nd_host_counters: one number, or one for each label. */
static const struct {
    const char *name, *text, *label;
    size_t offset, count;
    const char *(*value)(size_t place); /* NULL: no label */
} counters[] = {
    {"neurald_scored_total", "Verdicts, by verdict.", "verdict",
     COUNTER_OF(scored), 3, verdict_label},
    {"neurald_scored_blind_total",
     "Verdicts of no opinion because there was no model.", NULL,
     COUNTER_OF(scored_blind), 1, NULL},
    {"neurald_settings_unknown_total",
     "Calls with settings that the configuration does not know.", NULL,
     COUNTER_OF(settings_unknown), 1, NULL},
    {"neurald_learned_total", "Samples offered to the store, by outcome.",
     "outcome", COUNTER_OF(learned), ND_PUT_REFUSED + 1, put_label},
    {"neurald_refused_total", "Samples that were not stored, by reason.",
     "reason", COUNTER_OF(refused), ND_REFUSAL_COUNT, refusal_label},
    {"neurald_forgotten_total", "Samples forgotten on request.", NULL,
     COUNTER_OF(forgotten), 1, NULL},
    {"neurald_relabelled_total", "Samples relabelled on request.", NULL,
     COUNTER_OF(relabelled), 1, NULL},
    {"neurald_spooled_total", "Samples kept on this machine meanwhile.", NULL,
     COUNTER_OF(spooled), 1, NULL},
    {"neurald_spool_delivered_total", "Samples handed on from the spool.", NULL,
     COUNTER_OF(delivered), 1, NULL},
    {"neurald_spool_late_total", "Samples too old to be handed on.", NULL,
     COUNTER_OF(late), 1, NULL},
    {"neurald_queue_full_total", "Calls refused because too many waited.", NULL,
     COUNTER_OF(queue_full), 1, NULL},
    {"neurald_timed_out_total", "Calls that waited too long for the store.",
     NULL, COUNTER_OF(timed_out), 1, NULL},
    {"neurald_models_taken_total", "Models taken up.", NULL,
     COUNTER_OF(models_taken), 1, NULL},
    {"neurald_models_refused_total", "Models that could not be used.", NULL,
     COUNTER_OF(models_refused), 1, NULL},
    {"neurald_trainings_total", "Trainings that ended here, by decision.",
     "decision", COUNTER_OF(trainings), ND_DECISION_FAILED + 1, decision_label},
    {"neurald_trainings_busy_total", "Trainings that another host had begun.",
     NULL, COUNTER_OF(trainings_busy), 1, NULL},
    {"neurald_trainings_lost_total", "Trainings that lost their lease.", NULL,
     COUNTER_OF(trainings_lost), 1, NULL},
    {"neurald_store_failures_total", "Operations of the store that failed.",
     NULL, COUNTER_OF(store_failures), 1, NULL},
    {"neurald_store_lost_total", "Times that the store went away.", NULL,
     COUNTER_OF(store_lost), 1, NULL},
};

static void write_counters(struct nd_host *host, struct nd_buffer *text)
{
    struct nd_host_counters values;
    nd_host_counters(host, &values);
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        const uint64_t *value =
            (const void *)((const char *)&values + counters[i].offset);
        nd_metrics_head(text, counters[i].name, ND_METRIC_COUNTER,
                        counters[i].text);
        for (size_t place = 0; place < counters[i].count; place++) {
            nd_buffer_append_text(text, counters[i].name);
            if (counters[i].value != NULL) {
                nd_buffer_printf(text, "{%s=\"%s\"}", counters[i].label,
                                 counters[i].value(place));
            }
            nd_buffer_printf(text, " %llu\n", (unsigned long long)value[place]);
        }
    }
}

/* ---- facts about each rule ---- */

typedef double rule_value(const struct nd_host_scope_status *scope,
                          size_t place);

static double samples_of(const struct nd_host_scope_status *scope, size_t place)
{
    size_t label = place / ND_SOURCE_COUNT;
    return (double)scope->stats.sources[label][place % ND_SOURCE_COUNT];
}

static double generation_of(const struct nd_host_scope_status *scope,
                            size_t place)
{
    return (double)scope->loaded_generation;
}

static double live_of(const struct nd_host_scope_status *scope, size_t place)
{
    return (double)scope->pointer.generation;
}

static double pinned_of(const struct nd_host_scope_status *scope, size_t place)
{
    return scope->pointer.pinned;
}

static double changes_of(const struct nd_host_scope_status *scope, size_t place)
{
    return (double)scope->training.changes;
}

static double failures_of(const struct nd_host_scope_status *scope,
                          size_t place)
{
    return scope->training.failures;
}

static double leased_of(const struct nd_host_scope_status *scope, size_t place)
{
    return scope->leased;
}

static double age_of(const struct nd_host_scope_status *scope, size_t place)
{
    return scope->seen_ms == 0
               ? 0
               : (double)(nd_clock_wall_ms() - scope->seen_ms) / 1000;
}

static const struct {
    const char *name, *text;
    rule_value *value;
    size_t places; /* 1, or as many as there are classes and sources */
} facts[] = {
    {"neurald_samples", "Samples in the store, by class and source.",
     samples_of, (size_t)2 * ND_SOURCE_COUNT},
    {"neurald_generation", "Generation that scores here; 0: no model.",
     generation_of, 1},
    {"neurald_generation_live", "Generation that the store calls live.",
     live_of, 1},
    {"neurald_model_pinned", "1 where the live model is pinned.", pinned_of, 1},
    {"neurald_changes", "Samples new or changed since the last training.",
     changes_of, 1},
    {"neurald_training_failures", "Trainings in a row that promoted nothing.",
     failures_of, 1},
    {"neurald_leased", "1 while a host trains.", leased_of, 1},
    {"neurald_status_age_seconds", "Since the store was last asked.", age_of,
     1},
};

static void write_fact(struct nd_buffer *text, size_t fact,
                       const struct nd_host_scope_status *scope)
{
    for (size_t place = 0; place < facts[fact].places; place++) {
        nd_buffer_printf(text, "%s{rule=\"%s\",settings=\"%s\"",
                         facts[fact].name, scope->rule, scope->settings);
        if (facts[fact].places > 1) {
            nd_buffer_printf(
                text, ",class=\"%s\",source=\"%s\"",
                nd_class_name((enum nd_class)(place / ND_SOURCE_COUNT)),
                nd_source_name((enum nd_source)(place % ND_SOURCE_COUNT)));
        }
        nd_buffer_printf(text, "} %.15g\n", facts[fact].value(scope, place));
    }
}

/* ---- facts about the host ---- */

typedef double host_value(const struct nd_host_status *status);

static double store_up(const struct nd_host_status *status)
{
    return status->store == ND_HOST_STORE_UP;
}

static double queued(const struct nd_host_status *status)
{
    return (double)status->queued;
}

static double spooled(const struct nd_host_status *status)
{
    return (double)status->spool.samples;
}

static double trains(const struct nd_host_status *status)
{
    return status->running_job != 0;
}

static const struct {
    const char *name, *text;
    host_value *value;
} gauges[] = {
    {"neurald_store_up", "1 while the store answers.", store_up},
    {"neurald_queue_length", "Calls that wait for the store now.", queued},
    {"neurald_spool_samples", "Samples that wait here.", spooled},
    {"neurald_training", "1 while this host trains a network.", trains},
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

void nd_metrics_write_host(struct nd_host *host, struct nd_arena *arena,
                           struct nd_buffer *text)
{
    struct nd_host_status status;
    nd_host_status(host, arena, &status);
    write_counters(host, text);
    for (size_t i = 0; i < LENGTH(facts); i++) {
        nd_metrics_head(text, facts[i].name, ND_METRIC_GAUGE, facts[i].text);
        for (size_t scope = 0; scope < status.scope_count; scope++) {
            write_fact(text, i, &status.scopes[scope]);
        }
    }
    for (size_t i = 0; i < LENGTH(gauges); i++) {
        nd_metrics_head(text, gauges[i].name, ND_METRIC_GAUGE, gauges[i].text);
        nd_buffer_printf(text, "%s %.15g\n", gauges[i].name,
                         gauges[i].value(&status));
    }
}

void nd_metrics_host_each(void (*each)(const char *name,
                                       enum nd_metric_type type,
                                       const char *labels, const char *text,
                                       void *context),
                          void *context)
{
    for (size_t i = 0; i < LENGTH(counters); i++) {
        const char *label = counters[i].label;
        each(counters[i].name, ND_METRIC_COUNTER, label != NULL ? label : "",
             counters[i].text, context);
    }
    for (size_t i = 0; i < LENGTH(facts); i++) {
        each(facts[i].name, ND_METRIC_GAUGE,
             facts[i].places > 1 ? "rule settings class source"
                                 : "rule settings",
             facts[i].text, context);
    }
    for (size_t i = 0; i < LENGTH(gauges); i++) {
        each(gauges[i].name, ND_METRIC_GAUGE, "", gauges[i].text, context);
    }
}
