/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald serve: the daemon. Here the command line and the configuration become
 * the plan that src/serve runs by, at the start and at each reload.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/command.h"
#include "cli/session.h"
#include "learn/key_file.h"
#include "serve/listen.h"
#include "serve/reference.h"
#include "serve/serve.h"

#define MAX_ADDRESSES 16

static const struct nd_option options[] = {
    {"listen", ND_OPTION_LIST, "ADDRESS",
     "where the HTTP API is: HOST:PORT or unix:PATH, several if need be "
     "(" ND_SERVE_LISTEN ")"},
    {"milter", ND_OPTION_VALUE, "ADDRESS",
     "be a milter for Postfix or Sendmail, too: inet:PORT@HOST or unix:PATH"},
    {"test-config", ND_OPTION_FLAG, NULL,
     "check configuration, addresses and tokens, and exit"},
    {"reference", ND_OPTION_FLAG, NULL,
     "print the tables of routes and metrics (Markdown), and exit"},
    {0},
};

/* A configuration with what hangs on it, for as long as it is in use. */
struct serving {
    struct nd_cli *cli;
    struct nd_config *config; /* NULL: the command line's own */
    char *url;
    struct nd_key key;
    bool has_key;
    char *words; /* of the key listen, cut into addresses */
    const char *addresses[MAX_ADDRESSES];
    size_t address_count;
};

static const struct nd_config *config_of(const struct serving *serving)
{
    return serving->config != NULL ? serving->config : serving->cli->config;
}

static enum nd_status add_address(struct serving *serving, const char *address,
                                  struct nd_error *error)
{
    if (serving->address_count == MAX_ADDRESSES) {
        return nd_fail(error, ND_CONFIG, "more than %d addresses to listen on",
                       MAX_ADDRESSES);
    }
    serving->addresses[serving->address_count++] = address;
    return nd_listener_check(address, error);
}

/* Those of --listen, else those of the configuration. */
static enum nd_status find_addresses(struct serving *serving,
                                     struct nd_error *error)
{
    size_t count;
    const char *const *given =
        nd_arguments_list(serving->cli->arguments, "listen", &count);
    enum nd_status status = ND_OK;
    for (size_t i = 0; i < count && status == ND_OK; i++) {
        status = add_address(serving, given[i], error);
    }
    if (nd_arguments_flag(serving->cli->arguments, "listen")) {
        return count > 0 || status != ND_OK
                   ? status
                   : nd_fail(error, ND_USAGE,
                             "--listen wants an address behind it");
    }
    const char *keyed = config_of(serving)->serve.listen;
    serving->words = nd_strdup(keyed != NULL ? keyed : ND_SERVE_LISTEN);
    char *rest = NULL;
    for (char *word = strtok_r(serving->words, " \t", &rest);
         word != NULL && status == ND_OK; word = strtok_r(NULL, " \t", &rest)) {
        status = add_address(serving, word, error);
    }
    return status;
}

static enum nd_status load_tokens(const struct serving *serving,
                                  struct nd_error *error,
                                  struct nd_tokens **tokens_r)
{
    const char *path =
        nd_arguments_value(serving->cli->arguments, "token-file");
    return nd_tokens_load(path != NULL ? path
                                       : config_of(serving)->serve.token_file,
                          error, tokens_r);
}

static enum nd_status read_key(struct serving *serving, struct nd_error *error)
{
    const char *path = config_of(serving)->global.key_file;
    if (path == NULL) {
        return ND_OK;
    }
    enum nd_status status = nd_key_file_read(path, error, &serving->key);
    serving->has_key = status == ND_OK;
    return status;
}

/* Everything but the tokens, which come last since they change hands. */
static enum nd_status fill_plan(struct serving *serving, struct nd_error *error,
                                struct nd_serve_plan *plan)
{
    const struct nd_config *config = config_of(serving);
    enum nd_status status = find_addresses(serving, error);
    if (status == ND_OK) {
        status = read_key(serving, error);
    }
    *plan = (struct nd_serve_plan){
        .settings = &config->serve,
        .rspamd_rules = config->rules + config->rule_count,
        .rspamd_rule_count = config->rspamd_rule_count,
        .listen = serving->addresses,
        .listen_count = serving->address_count,
        .host = {.rules = config->rules,
                 .rule_count = config->rule_count,
                 .key_file_key = serving->has_key ? &serving->key : NULL,
                 .spool = config->serve.spool,
                 .spool_bytes = (uint64_t)config->serve.spool_size},
        .service = {.rules = config->rules,
                    .rule_count = config->rule_count,
                    .limits = config->limits,
                    .trust = config->global.trust,
                    .rate_limit = config->serve.rate_limit,
                    .max_body = (uint64_t)config->serve.max_body,
                    .log_scores = config->serve.log_scores}};
    plan->host.store_options = (struct nd_store_options){
        .create = true, .timeout_ms = config->global.store_timeout_ms};
    serving->url = nd_session_url(config);
    plan->host.store = serving->url;
    plan->milter = config->milter;
    const char *milter = nd_arguments_value(serving->cli->arguments, "milter");
    if (milter != NULL) {
        plan->milter.address = (char *)(uintptr_t)milter; /* only read */
    }
    if (status == ND_OK) {
        status = nd_milter_settings_check(&plan->milter, error);
    }
    char *shown = nd_session_shown_url(serving->url);
    (void)snprintf(plan->service.store, sizeof(plan->service.store), "%s",
                   shown);
    free(shown);
    if (status == ND_OK) {
        status = nd_serve_roles(config->serve.roles, error, &plan->host.roles);
    }
    return status;
}

static void clear(struct serving *serving)
{
    nd_config_destroy(&serving->config);
    nd_wipe(&serving->key, sizeof(serving->key));
    free(serving->url);
    free(serving->words);
    *serving = (struct serving){.cli = serving->cli};
}

static enum nd_status load_again(struct serving *serving,
                                 struct nd_error *error,
                                 struct nd_serve_plan *plan_r)
{
    const struct nd_arguments *arguments = serving->cli->arguments;
    const char *store = nd_arguments_value(arguments, "store");
    enum nd_status status = nd_config_load(
        nd_arguments_value(arguments, "config"), error, &serving->config);
    if (status == ND_OK && store != NULL) {
        nd_config_set_store(serving->config, store, "--store");
    }
    if (status == ND_OK) {
        status = fill_plan(serving, error, plan_r);
    }
    return status == ND_OK
               ? load_tokens(serving, error, &plan_r->service.tokens)
               : status;
}

/* The plan of before is no longer looked at once this one was taken; until then
 * both are kept. */
struct reloading {
    struct serving now, before;
};

static enum nd_status reload(void *context, struct nd_error *error,
                             struct nd_serve_plan *plan_r)
{
    struct reloading *reloading = context;
    struct serving next = {.cli = reloading->now.cli};
    struct nd_serve_plan plan;
    enum nd_status status = load_again(&next, error, &plan);
    if (status != ND_OK) {
        clear(&next);
        return status;
    }
    clear(&reloading->before);
    reloading->before = reloading->now;
    reloading->now = next;
    plan.listen = reloading->now.addresses;
    plan.host.key_file_key = next.has_key ? &reloading->now.key : NULL;
    *plan_r = plan;
    return ND_OK;
}

static enum nd_status test_config(struct serving *serving,
                                  struct nd_serve_plan *plan)
{
    struct nd_cli *cli = serving->cli;
    enum nd_status status =
        load_tokens(serving, &cli->error, &plan->service.tokens);
    if (status == ND_OK && !cli->json) {
        printf("configuration is fine: %zu address%s, %zu token%s, %zu "
               "rule%s\n",
               plan->listen_count, plan->listen_count == 1 ? "" : "es",
               nd_tokens_count(plan->service.tokens),
               nd_tokens_count(plan->service.tokens) == 1 ? "" : "s",
               plan->host.rule_count, plan->host.rule_count == 1 ? "" : "s");
    }
    nd_tokens_destroy(&plan->service.tokens);
    return status;
}

static enum nd_status serve(struct reloading *reloading,
                            struct nd_serve_plan *plan)
{
    struct nd_cli *cli = reloading->now.cli;
    enum nd_status status = nd_session_make_folder(cli);
    if (status == ND_OK) {
        status =
            load_tokens(&reloading->now, &cli->error, &plan->service.tokens);
    }
    return status == ND_OK ? nd_serve(plan, reload, reloading, &cli->error)
                           : status;
}

static enum nd_status run(struct nd_cli *cli)
{
    struct reloading reloading = {.now = {.cli = cli}, .before = {.cli = cli}};
    struct nd_serve_plan plan;
    enum nd_status status = nd_cli_no_words(cli);
    if (status == ND_OK && nd_arguments_flag(cli->arguments, "reference")) {
        nd_serve_write_reference(stdout);
        return ND_OK;
    }
    if (status == ND_OK) {
        status = fill_plan(&reloading.now, &cli->error, &plan);
    }
    if (status == ND_OK) {
        status = nd_arguments_flag(cli->arguments, "test-config")
                     ? test_config(&reloading.now, &plan)
                     : serve(&reloading, &plan);
    }
    clear(&reloading.before);
    clear(&reloading.now);
    return status;
}

const struct nd_command nd_command_serve = {
    .name = "serve",
    .usage = "[--listen ADDRESS...] [--token-file FILE]",
    .summary = "run the daemon: verdicts and learning over HTTP",
    .about =
        "Serves the HTTP API (docs/api.md) until it is told to stop: verdicts "
        "at once and without asking the store, learning through a queue, "
        "trainings when they are due, newer models as they appear. Without a "
        "configuration it listens on " ND_SERVE_LISTEN ".\n"
        "Whoever can reach it from this machine may ask for verdicts and "
        "figures; what changes something needs a token. SIGHUP reads the "
        "configuration and the tokens again, and a mistake in them leaves the "
        "old ones in force; addresses, store, user and threads stay as they "
        "were. SIGTERM stops it in less than 5 s.\n",
    .options = options,
    .run = run,
};
