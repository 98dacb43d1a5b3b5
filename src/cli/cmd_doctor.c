/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald doctor: looks at everything that has to be right and says for each
 * ok, warn or fail, with the remedy. Changes nothing but a counter, by zero, to
 * see whether the store takes writes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/doctor.h"

static const struct nd_option options[] = {
    {"gc", ND_OPTION_FLAG, NULL,
     "only list what nothing in the store reaches any more"},
    {"drop", ND_OPTION_FLAG, NULL, "with --gc: drop it"},
    {0}};

void nd_doctor_tell(struct nd_doctor *doctor, enum nd_health health,
                    const char *check, const char *text, const char *remedy)
{
    static const char *const names[] = {"ok", "warn", "fail"};
    doctor->found[health]++;
    if (!doctor->cli->json) {
        printf("%-4s  %-14s %s\n", names[health], check, text);
        if (remedy != NULL) {
            printf("%21s-> ", "");
            nd_print_wrapped(remedy, 24, 79, stdout);
        }
        return;
    }
    struct nd_json json = {0};
    nd_json_open(&json, NULL, '{');
    nd_json_text(&json, "result", names[health]);
    nd_json_text(&json, "check", check);
    nd_json_text(&json, "text", text);
    nd_json_text(&json, "remedy", remedy != NULL ? remedy : "");
    nd_json_close(&json, '}');
    if (doctor->output == ND_OK) {
        doctor->output = nd_json_line(&json, stdout, &doctor->cli->error);
    }
    nd_json_free(&json);
}

/* "sqlite:PATH" and a bare path to PATH; NULL for other stores. */
static const char *file_of(const char *url)
{
    if (strncmp(url, "sqlite:", 7) == 0) {
        return url + 7;
    }
    return strstr(url, "://") == NULL ? url : NULL;
}

static const char *remedy_of(enum nd_status status)
{
    switch (status) {
    case ND_NO_INPUT:
        return "'neurald learn' makes the store with its first samples; or "
               "give the right one with --store or in the configuration";
    case ND_VERSION:
        return "upgrade neurald on this host: a later version wrote the store";
    case ND_DATA:
        return "put back a copy of the store, or move it away and learn again";
    case ND_PERMISSION:
        return "give the user that neurald runs as the right to read and "
               "write the store and its folder";
    case ND_FULL:
        return "make room on the disk (Redis: raise maxmemory); scoring goes "
               "on, learning waits";
    case ND_UNAVAILABLE:
        return "start the server there, or give the right one with --store or "
               "in the configuration; until then verdicts come from the models "
               "that daemons have loaded";
    case ND_CONFIG:
    case ND_KEY:
        return "correct the configuration: 'neurald config' shows what is in "
               "force and from where";
    default:
        return "the message above says what is wrong";
    }
}

static void tell_failure(struct nd_doctor *doctor, const char *check,
                         enum nd_status status)
{
    nd_doctor_tell(doctor, ND_HEALTH_FAIL, check, doctor->cli->error.text,
                   remedy_of(status));
}

/* Counting is never refused for want of memory, storing is: marking a profile
 * that there is not as used changes nothing but would have to store. Where the
 * rule has no samples yet it would leave a trace, so it is not tried. */
static enum nd_status try_storing(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  struct nd_error *error)
{
    static const uint8_t nobodys[ND_PROFILE_DIGEST_BYTES];
    struct nd_store_stats stats;
    enum nd_status status = nd_store_stats(store, scope, error, &stats);
    if (status == ND_OK && stats.count[0] + stats.count[1] > 0) {
        status = nd_store_profile_touch(store, scope->rule, scope->settings,
                                        nobodys, error);
    }
    return status == ND_NO_INPUT ? ND_OK : status;
}

static void check_writing(struct nd_doctor *doctor)
{
    struct nd_session *session = NULL;
    enum nd_status status =
        nd_session_open_store(doctor->cli, ND_SESSION_WRITE, &session);
    if (status == ND_OK) {
        struct nd_scope scope = nd_session_scope(&session->rules[0]);
        status = nd_store_count(session->store, &scope, ND_REFUSED_STORE, 0,
                                &doctor->cli->error);
        if (status == ND_OK) {
            status = try_storing(session->store, &scope, &doctor->cli->error);
        }
    }
    if (status == ND_OK) {
        nd_doctor_tell(doctor, ND_HEALTH_OK, "writing",
                       "the store takes writes", NULL);
    } else {
        tell_failure(doctor, "writing", status);
    }
    nd_session_close(&session);
}

static void check_rules(struct nd_doctor *doctor, struct nd_session *session)
{
    for (size_t i = 0; i < session->count; i++) {
        struct nd_status_facts facts = {
            .scope = nd_session_scope(&session->rules[i]),
            .rule = &session->rules[i],
            .engine = session->engines[i]};
        enum nd_status status =
            nd_status_facts_read(session->store, &facts, &doctor->cli->error);
        if (status == ND_OK) {
            nd_doctor_check_rule(doctor, &facts);
        } else {
            tell_failure(doctor, facts.scope.rule, status);
        }
        nd_status_facts_free(&facts);
    }
}

static void check_everything(struct nd_doctor *doctor)
{
    struct nd_session *session = NULL;
    char *url = nd_session_url(doctor->cli->config);
    const char *path = file_of(url);

    nd_doctor_check_kernel(doctor);
    nd_doctor_check_key_file(doctor);
    nd_doctor_check_postfix(doctor, "/usr/sbin/postconf");
    enum nd_status status =
        nd_session_open(doctor->cli, ND_SESSION_READ, false, &session);
    if (status == ND_OK) {
        char *shown = nd_session_shown_url(url);
        char *text =
            nd_sprintf("%s can be read, version %d", shown, ND_STORE_VERSION);
        free(shown);
        nd_doctor_tell(doctor, ND_HEALTH_OK, "store", text, NULL);
        free(text);
        check_writing(doctor);
        if (path != NULL) {
            nd_doctor_check_file(doctor, path);
        }
        nd_doctor_check_store(doctor, session->store);
        check_rules(doctor, session);
    } else {
        tell_failure(doctor, "store", status);
    }
    nd_session_close(&session);
    free(url);
}

static enum nd_status run(struct nd_cli *cli)
{
    struct nd_doctor doctor = {.cli = cli};
    bool drop = nd_arguments_flag(cli->arguments, "drop");
    enum nd_status status = nd_cli_no_words(cli);
    if (status != ND_OK) {
        return status;
    }
    if (nd_arguments_flag(cli->arguments, "gc")) {
        return nd_doctor_collect(cli, drop);
    }
    if (drop) {
        return nd_fail(&cli->error, ND_USAGE, "--drop goes with --gc");
    }
    check_everything(&doctor);
    if (doctor.output != ND_OK) {
        return doctor.output;
    }
    if (doctor.found[ND_HEALTH_FAIL] > 0) {
        return nd_fail(&cli->error, ND_UNAVAILABLE, "%llu check%s failed",
                       (unsigned long long)doctor.found[ND_HEALTH_FAIL],
                       doctor.found[ND_HEALTH_FAIL] == 1 ? "" : "s");
    }
    return ND_OK;
}

const struct nd_command nd_command_doctor = {
    .name = "doctor",
    .usage = "[--gc [--drop]]",
    .summary = "check that everything is as it has to be",
    .about =
        "Checks the processor's kernel, the key file, Postfix's milter "
        "defaults, the store (readable, writable, whole, private, with room, "
        "its clock), and for each rule its lease, classes, share of autolearn, "
        "model and hosts. Each finding is ok, warn or fail, with a remedy. The "
        "exit status is 0 unless a check failed.\n"
        "With --gc it lists what nothing reaches any more: keys without an "
        "index entry (Redis), and, older than 30 days, models that nothing "
        "points to, tombstones, and reports of hosts. With --drop too it "
        "goes.\n"
        "JSON, an object a finding: result, check, text, remedy; with --gc: "
        "found, dropped.\n",
    .options = options,
    .run = run,
};
