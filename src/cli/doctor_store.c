/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor's checks of an open store and of the rules in it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/doctor.h"

#define SKEW_MS 5000.0
#define TOMBSTONES_MS (30LL * 86400000)
#define OLD_MODEL_DAYS 60.0
#define LOPSIDED 10.0   /* times more of one class */
#define MOSTLY_AUTO 0.9 /* share of a class */

static void check_clock(struct nd_doctor *doctor, struct nd_store *store)
{
    int64_t now_ms;
    struct nd_error error = {0};
    if (nd_store_now(store, &error, &now_ms) != ND_OK) {
        nd_doctor_tell(doctor, ND_HEALTH_FAIL, "clock", error.text,
                       "the message above says what is wrong");
        return;
    }
    double skew = (double)(now_ms - nd_clock_wall_ms());
    char *text = nd_sprintf("the store's clock and ours differ by %.1f s",
                            fabs(skew) / 1000);
    bool fine = fabs(skew) < SKEW_MS;
    nd_doctor_tell(doctor, fine ? ND_HEALTH_OK : ND_HEALTH_WARN, "clock", text,
                   fine ? NULL : "run an NTP client on both machines");
    free(text);
}

struct integrity {
    struct nd_doctor *doctor;
    uint64_t lines;
};

static void tell_integrity(const char *line, void *context)
{
    struct integrity *integrity = context;
    integrity->lines++;
    if (strstr(line, "maxmemory-policy") != NULL ||
        strstr(line, "stores nothing more") != NULL) {
        return; /* said below, and worse than a warning */
    }
    if (strstr(line, "of its maxmemory") != NULL) {
        nd_doctor_tell(integrity->doctor, ND_HEALTH_WARN, "free space", line,
                       "raise maxmemory, or lower the reservoir: a full Redis "
                       "stops learning, not scoring");
        return;
    }
    nd_doctor_tell(integrity->doctor, ND_HEALTH_WARN, "integrity", line,
                   "the daemon's clean-up takes care of what can be dropped, "
                   "or 'neurald doctor --gc --drop'; for damage put back a "
                   "copy of the store");
}

static void check_integrity(struct nd_doctor *doctor, struct nd_store *store)
{
    struct integrity integrity = {doctor, 0};
    struct nd_error error = {0};
    enum nd_status status = nd_store_maintain(
        store, TOMBSTONES_MS, true, tell_integrity, &integrity, &error);
    if (status == ND_CONFIG) {
        nd_doctor_tell(doctor, ND_HEALTH_FAIL, "eviction", error.text,
                       "CONFIG SET maxmemory-policy noeviction, and the same "
                       "in redis.conf: a key that is evicted breaks leases "
                       "and models");
    } else if (status == ND_FULL) {
        nd_doctor_tell(doctor, ND_HEALTH_FAIL, "free space", error.text,
                       "raise maxmemory, or lower the reservoir; scoring goes "
                       "on, learning waits");
    } else if (status != ND_OK) {
        nd_doctor_tell(doctor, ND_HEALTH_FAIL, "integrity", error.text,
                       "put back a copy of the store, or move it away and "
                       "learn again");
    } else if (integrity.lines == 0) {
        nd_doctor_tell(doctor, ND_HEALTH_OK, "integrity",
                       "the store is whole and nothing in it is unreachable",
                       NULL);
    }
}

void nd_doctor_check_store(struct nd_doctor *doctor, struct nd_store *store)
{
    check_clock(doctor, store);
    check_integrity(doctor, store);
}

/* ---- a rule ---- */

static void check_lease(struct nd_doctor *doctor,
                        const struct nd_status_facts *facts)
{
    if (!facts->leased) {
        nd_doctor_tell(doctor, ND_HEALTH_OK, "lease", "free", NULL);
        return;
    }
    bool stale = facts->lease.until_ms < facts->now_ms;
    char *text = nd_sprintf("%s by %s", stale ? "left behind" : "held",
                            facts->lease.holder);
    nd_doctor_tell(doctor, stale ? ND_HEALTH_WARN : ND_HEALTH_OK, "lease", text,
                   stale ? "its trainer died; the next training takes it over"
                         : NULL);
    free(text);
}

static void check_classes(struct nd_doctor *doctor,
                          const struct nd_status_facts *facts)
{
    uint64_t spam = facts->stats.count[ND_SPAM];
    uint64_t ham = facts->stats.count[ND_HAM];
    uint64_t least = facts->rule->min_train;
    const char *remedy = NULL;
    if (spam < least || ham < least) {
        remedy = "'neurald learn' more of the class that lacks: at least "
                 "min_train of each are needed to train";
    } else if ((double)spam > LOPSIDED * (double)ham ||
               (double)ham > LOPSIDED * (double)spam) {
        remedy = "learn more of the smaller class; classes are weighted, but "
                 "few samples say little";
    }
    char *text = nd_sprintf("rule %s: %llu spam, %llu ham", facts->scope.rule,
                            (unsigned long long)spam, (unsigned long long)ham);
    nd_doctor_tell(doctor, remedy ? ND_HEALTH_WARN : ND_HEALTH_OK, "classes",
                   text, remedy);
    free(text);
}

static void check_autolearn(struct nd_doctor *doctor,
                            const struct nd_status_facts *facts)
{
    for (int label = 0; label < 2; label++) {
        uint64_t all = facts->stats.count[label];
        uint64_t automatic = facts->stats.sources[label][ND_SOURCE_AUTOLEARN];
        if (all == 0 || (double)automatic < MOSTLY_AUTO * (double)all) {
            continue;
        }
        char *text = nd_sprintf("%.0f %% of the %s is autolearned",
                                100 * (double)automatic / (double)all,
                                nd_class_name((enum nd_class)label));
        nd_doctor_tell(doctor, ND_HEALTH_WARN, "autolearn", text,
                       "the network then learns to repeat the filter in "
                       "front: learn from what users say, too");
        free(text);
    }
}

static void check_model(struct nd_doctor *doctor,
                        const struct nd_status_facts *facts)
{
    const char *problem = nd_engine_model_problem(facts->engine);
    if (problem != NULL && problem[0] != '\0') {
        nd_doctor_tell(doctor, ND_HEALTH_FAIL, "model", problem,
                       "'neurald model rollback' to a generation that can be "
                       "read, or 'neurald train'");
        return;
    }
    if (!facts->has_model) {
        nd_doctor_tell(doctor, ND_HEALTH_WARN, "model",
                       "there is none yet: every verdict is unsure",
                       "'neurald learn', then 'neurald train'");
        return;
    }
    double days =
        (double)(facts->now_ms - facts->live.published_ms) / 86400000.0;
    bool old = days > OLD_MODEL_DAYS;
    char *text = nd_sprintf("generation %llu is %.1f days old%s",
                            (unsigned long long)facts->pointer.generation, days,
                            facts->pointer.pinned ? ", pinned" : "");
    nd_doctor_tell(doctor, old ? ND_HEALTH_WARN : ND_HEALTH_OK, "model", text,
                   old ? "mail changes: learn and train, or unpin" : NULL);
    free(text);
}

static void check_layout(struct nd_doctor *doctor,
                         const struct nd_status_facts *facts)
{
    const char *note = nd_engine_model_note(facts->engine);
    if (note != NULL) {
        nd_doctor_tell(doctor, ND_HEALTH_WARN, "layout", note,
                       "learn new mail, then 'neurald train'; "
                       "'neurald model show' lists what the model reads");
    }
}

static void check_hosts(struct nd_doctor *doctor,
                        const struct nd_status_facts *facts)
{
    for (size_t i = 0; i < facts->host_count; i++) {
        const struct nd_host_report *host = &facts->hosts[i];
        bool recent = facts->now_ms - host->seen_ms < ND_HOST_RECENT_MS;
        if (!recent || host->generation == facts->pointer.generation) {
            continue;
        }
        char *text =
            nd_sprintf("host %s runs generation %llu, live is %llu", host->host,
                       (unsigned long long)host->generation,
                       (unsigned long long)facts->pointer.generation);
        nd_doctor_tell(doctor, ND_HEALTH_WARN, "hosts", text,
                       "it takes up the live one within watch_interval; if "
                       "not, its log says why");
        free(text);
    }
}

void nd_doctor_check_rule(struct nd_doctor *doctor,
                          const struct nd_status_facts *facts)
{
    check_lease(doctor, facts);
    check_classes(doctor, facts);
    check_autolearn(doctor, facts);
    check_model(doctor, facts);
    check_layout(doctor, facts);
    check_hosts(doctor, facts);
}
