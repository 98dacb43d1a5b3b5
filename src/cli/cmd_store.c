/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald store copy: carries a whole store into another, of the same kind or
 * not, and compares both afterwards.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/session.h"
#include "store/copy.h"

static const struct nd_option options[] = {
    {"resume", ND_OPTION_FLAG, NULL,
     "finish a copy that broke off: the target may hold part of it"},
    {0}};

struct copying {
    struct nd_cli *cli;
    enum nd_status output;
};

static void print_text(const struct nd_scope *scope,
                       const struct nd_copy_sum *to, bool same,
                       const char *digest)
{
    printf("%s/%s: %llu samples, %llu tombstones, %llu models, %llu profiles, "
           "%llu journal entries, digest %.16s: %s\n",
           scope->rule, scope->settings,
           (unsigned long long)to->count[ND_IMAGE_SAMPLE],
           (unsigned long long)to->tombstones,
           (unsigned long long)to->count[ND_IMAGE_MODEL],
           (unsigned long long)to->count[ND_IMAGE_PROFILE],
           (unsigned long long)to->count[ND_IMAGE_JOURNAL], digest,
           same ? "the same on both sides" : "DIFFERENT from the source");
}

static enum nd_status print_json(const struct nd_scope *scope,
                                 const struct nd_copy_sum *to, bool same,
                                 const char *digest, struct nd_error *error)
{
    struct nd_json json = {0};
    nd_json_open(&json, NULL, '{');
    nd_json_text(&json, "rule", scope->rule);
    nd_json_text(&json, "settings", scope->settings);
    nd_json_unsigned(&json, "samples", to->count[ND_IMAGE_SAMPLE]);
    nd_json_unsigned(&json, "tombstones", to->tombstones);
    nd_json_unsigned(&json, "models", to->count[ND_IMAGE_MODEL]);
    nd_json_unsigned(&json, "profiles", to->count[ND_IMAGE_PROFILE]);
    nd_json_unsigned(&json, "journal", to->count[ND_IMAGE_JOURNAL]);
    nd_json_text(&json, "digest", digest);
    nd_json_switch(&json, "same", same);
    nd_json_close(&json, '}');
    enum nd_status status = nd_json_line(&json, stdout, error);
    nd_json_free(&json);
    return status;
}

static bool tell_scope(const struct nd_scope *scope,
                       const struct nd_copy_sum *from,
                       const struct nd_copy_sum *to, void *context)
{
    struct copying *work = context;
    char digest[2 * ND_DIGEST_BYTES + 1];
    nd_hex(to->digest, ND_DIGEST_BYTES, digest);
    bool same = nd_copy_sums_agree(from, to);
    if (work->cli->json) {
        work->output = print_json(scope, to, same, digest, &work->cli->error);
    } else {
        print_text(scope, to, same, digest);
    }
    return work->output == ND_OK;
}

static enum nd_status open_store(struct nd_cli *cli, const char *url,
                                 bool target, struct nd_store **store_r)
{
    struct nd_store_options store_options = {
        .create = target,
        .read_only = !target,
        .timeout_ms = cli->config->global.store_timeout_ms};
    return nd_store_open(url, &store_options, &cli->error, store_r);
}

static enum nd_status copy(struct nd_cli *cli, const char *from_url,
                           const char *to_url)
{
    struct copying work = {.cli = cli};
    struct nd_store *from = NULL, *to = NULL;
    enum nd_status status = open_store(cli, from_url, false, &from);
    if (status == ND_OK) {
        status = open_store(cli, to_url, true, &to);
    }
    if (status == ND_OK) {
        status =
            nd_store_copy(from, to, nd_arguments_flag(cli->arguments, "resume"),
                          tell_scope, &work, &cli->error);
    }
    nd_store_close(&from);
    nd_store_close(&to);
    return work.output != ND_OK ? work.output : status;
}

static enum nd_status run(struct nd_cli *cli)
{
    size_t count;
    const char *const *words = nd_arguments_words(cli->arguments, &count);
    if (count != 3 || strcmp(words[0], "copy") != 0) {
        return nd_fail(&cli->error, ND_USAGE,
                       "say 'neurald store copy FROM TO', two stores such as "
                       "sqlite:PATH and redis://HOST");
    }
    if (strcmp(words[1], words[2]) == 0) {
        return nd_fail(&cli->error, ND_USAGE,
                       "a store is not copied into itself");
    }
    return copy(cli, words[1], words[2]);
}

const struct nd_command nd_command_store = {
    .name = "store",
    .usage = "copy FROM TO",
    .summary = "copy a whole store into another",
    .about =
        "copy: everything that the store FROM holds (samples with their "
        "labels, versions and tombstones, feature names, profiles, models with "
        "their generations and pins, journals, counters, the key) goes into "
        "the store TO, which must be empty. Both are then read again and "
        "compared by counts and digests; the exit status is 65 where they "
        "differ. Stop all hosts of both before. Leases and reports of hosts "
        "stay behind.\n"
        "JSON, an object a rule and settings: rule, settings, samples, "
        "tombstones, models, profiles, journal, digest, same.\n",
    .options = options,
    .run = run,
};
