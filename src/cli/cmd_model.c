/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald model: the kept generations of one rule. This file reads the words
 * and lists, shows, points and pins; files come and go in model_transfer.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/model_transfer.h"
#include "cli/session.h"
#include "cli/values.h"
#include "features/features.h"
#include "learn/previous.h"
#include "nn/model.h"

static const struct nd_option options[] = {
    {"generation", ND_OPTION_VALUE, "N", "which generation (the live one)"},
    {"with-key", ND_OPTION_FLAG, NULL,
     "export: write the installation's key beside the model, as FILE.key, so "
     "that text features can be used elsewhere; import: take it from there"},
    {0},
};

/* ---- list and show ---- */

static enum nd_status list_json(struct nd_cli *cli,
                                const struct nd_model_info *model)
{
    struct nd_json json = {0};
    char digest[2 * ND_DIGEST_BYTES + 1];
    nd_hex(model->digest, ND_DIGEST_BYTES, digest);
    nd_json_open(&json, NULL, '{');
    nd_json_unsigned(&json, "generation", model->generation);
    nd_json_switch(&json, "live", model->live);
    nd_json_switch(&json, "pinned", model->pinned);
    nd_json_integer(&json, "published_ms", model->published_ms);
    nd_json_unsigned(&json, "bytes", model->size_bytes);
    nd_json_text(&json, "origin", model->origin);
    nd_json_text(&json, "digest", digest);
    nd_json_close(&json, '}');
    enum nd_status status = nd_json_line(&json, stdout, &cli->error);
    nd_json_free(&json);
    return status;
}

static void list_text(const struct nd_model_info *model)
{
    char date[32];
    nd_clock_format(model->published_ms, date, sizeof(date));
    printf("%12llu  %s  %9llu bytes  %s%s%s\n",
           (unsigned long long)model->generation, date,
           (unsigned long long)model->size_bytes, model->origin,
           model->live ? "  live" : "", model->pinned ? "  pinned" : "");
}

static enum nd_status run_list(struct nd_model_work *work)
{
    struct nd_model_info *models = NULL;
    size_t count = 0;
    enum nd_status status = nd_store_model_list(
        work->session->store, &work->scope, &work->cli->error, &models, &count);
    for (size_t i = 0; i < count && status == ND_OK; i++) {
        if (work->cli->json) {
            status = list_json(work->cli, &models[i]);
        } else {
            list_text(&models[i]);
        }
    }
    if (status == ND_OK && count == 0) {
        nd_cli_remark(work->cli, "rule %s has no model yet", work->scope.rule);
    }
    free(models);
    return status;
}

/* Of these families, those that no message gives here. */
static uint32_t not_read(uint32_t families)
{
    uint32_t lost = families & ~ND_GROUP_KNOWN;
    for (uint32_t family = 0; family < ND_FAMILY_COUNT; family++) {
        uint32_t bit = 1U << family;
        lost |= nd_families_sources(bit) == 0 ? families & bit : 0U;
    }
    return lost;
}

static const char *reading_of(uint32_t family)
{
    uint32_t bit = 1U << family;
    if (not_read(bit) != 0) {
        return "no";
    }
    return (bit & ND_GROUP_RETIRED) != 0 ? "narrowed" : "yes";
}

static void show_families(uint32_t families, struct nd_json *json)
{
    nd_json_open(json, "families", '[');
    for (uint32_t family = 0; family < 32; family++) {
        if ((families >> family & 1U) == 0) {
            continue;
        }
        bool known = family < ND_FAMILY_COUNT;
        const struct nd_family_info *info =
            known ? nd_family((enum nd_family)family) : NULL;
        nd_json_open(json, NULL, '{');
        nd_json_unsigned(json, "number", family);
        nd_json_text(json, "name", known ? info->name : "");
        nd_json_unsigned(json, "layout", known ? info->layout : 0);
        nd_json_text(json, "read", reading_of(family));
        nd_json_close(json, '}');
    }
    nd_json_close(json, ']');
}

static void print_families(const char *words, uint32_t families)
{
    struct nd_buffer text = {0};
    nd_families_describe(families, &text);
    if (families != 0) {
        printf("%-14s%s\n", words, (const char *)text.data);
    }
    nd_buffer_free(&text);
}

static enum nd_status show_json(struct nd_cli *cli,
                                const struct nd_model *model, size_t bytes)
{
    const struct nd_model_figures *figures = &model->figures;
    const struct nd_calibration *calibration = &model->calibration;
    struct nd_shape shape = nd_network_shape(model->network);
    struct nd_json json = {0};
    nd_json_open(&json, NULL, '{');
    nd_json_unsigned(&json, "generation", figures->generation);
    nd_json_text(&json, "rule", model->rule);
    nd_json_text(&json, "settings", model->settings);
    nd_json_integer(&json, "trained_ms", figures->trained_ms);
    nd_json_unsigned(&json, "seed", figures->seed);
    nd_json_unsigned(&json, "spam", figures->spam);
    nd_json_unsigned(&json, "ham", figures->ham);
    nd_json_unsigned(&json, "held_spam", figures->held_spam);
    nd_json_unsigned(&json, "held_ham", figures->held_ham);
    nd_json_number(&json, "auc", figures->held_auc);
    nd_json_number(&json, "log_loss", figures->held_log_loss);
    nd_json_number(&json, "recall", figures->held_recall);
    nd_json_number(&json, "target_fpr", figures->target_fpr);
    nd_json_number(&json, "spam_threshold", calibration->spam_threshold);
    nd_json_number(&json, "ham_threshold", calibration->ham_threshold);
    nd_json_unsigned(&json, "epochs", figures->epochs);
    nd_json_unsigned(&json, "inputs", shape.inputs);
    nd_json_unsigned(&json, "hidden_units", shape.units[0]);
    nd_json_unsigned(&json, "names", model->registry_length);
    nd_json_switch(&json, "has_key", model->has_key);
    nd_json_unsigned(&json, "bytes", bytes);
    show_families(model->figures.families, &json);
    nd_json_close(&json, '}');
    enum nd_status status = nd_json_line(&json, stdout, &cli->error);
    nd_json_free(&json);
    return status;
}

static void show_text(const struct nd_model *model, size_t bytes)
{
    const struct nd_model_figures *figures = &model->figures;
    struct nd_shape shape = nd_network_shape(model->network);
    char date[32];
    nd_clock_format(figures->trained_ms, date, sizeof(date));
    printf("generation    %llu of rule %s, settings %s, %zu bytes\n",
           (unsigned long long)figures->generation, model->rule,
           model->settings, bytes);
    printf("trained       %s, seed %llu, %u epochs, on %llu spam and %llu "
           "ham\n",
           date, (unsigned long long)figures->seed, figures->epochs,
           (unsigned long long)figures->spam, (unsigned long long)figures->ham);
    printf("judged        on %llu spam and %llu ham: AUC %.5f, log-loss %.5f, "
           "recall %.4f at %g of the ham lost\n",
           (unsigned long long)figures->held_spam,
           (unsigned long long)figures->held_ham, figures->held_auc,
           figures->held_log_loss, figures->held_recall, figures->target_fpr);
    printf("verdicts      spam from probability %.5f, ham up to %.5f\n",
           model->calibration.spam_threshold, model->calibration.ham_threshold);
    printf("network       %u inputs, %u hidden units%s; %u names\n",
           shape.inputs, shape.units[0], shape.wide ? ", linear path" : "",
           model->registry_length);
    print_families("families", figures->families);
    print_families("not read here", not_read(figures->families));
}

static enum nd_status run_show(struct nd_model_work *work)
{
    struct nd_model *model = NULL;
    struct nd_buffer blob = {0};
    enum nd_status status = nd_model_load(work, &blob, &model);
    if (status == ND_OK && work->cli->json) {
        status = show_json(work->cli, model, blob.length);
    } else if (status == ND_OK) {
        show_text(model, blob.length);
    }
    nd_model_destroy(&model);
    nd_buffer_free(&blob);
    return status;
}

/* ---- pointing ---- */

static enum nd_status point(struct nd_model_work *work, uint64_t generation,
                            bool pin, const char *words)
{
    struct nd_model_pointer pointer;
    enum nd_status status =
        nd_store_model_pin(work->session->store, &work->scope, generation, pin,
                           &work->cli->error, &pointer);
    if (status != ND_OK) {
        return status;
    }
    if (work->cli->json) {
        struct nd_json json = {0};
        nd_json_open(&json, NULL, '{');
        nd_json_unsigned(&json, "generation", pointer.generation);
        nd_json_switch(&json, "pinned", pointer.pinned);
        nd_json_unsigned(&json, "revision", pointer.revision);
        nd_json_close(&json, '}');
        status = nd_json_line(&json, stdout, &work->cli->error);
        nd_json_free(&json);
    } else {
        printf("%s: generation %llu is live%s%s\n", work->scope.rule,
               (unsigned long long)pointer.generation, words,
               pointer.pinned ? ", pinned" : "");
    }
    return status;
}

static enum nd_status run_rollback(struct nd_model_work *work)
{
    uint64_t generation = work->generation;
    enum nd_status status =
        generation == 0 ? nd_model_previous(work->session->store, &work->scope,
                                            &work->cli->error, &generation)
                        : ND_OK;
    return status == ND_OK ? point(work, generation, false, " again") : status;
}

static enum nd_status run_pin(struct nd_model_work *work)
{
    uint64_t generation = work->generation;
    enum nd_status status =
        generation == 0 ? nd_model_live(work, &generation) : ND_OK;
    return status == ND_OK ? point(work, generation, true, "") : status;
}

static enum nd_status run_unpin(struct nd_model_work *work)
{
    return point(work, 0, false, "");
}

/* ---- the words ---- */

struct action {
    const char *name;
    enum nd_session_mode mode;
    char word; /* what comes behind: 'f' a file, 'g' perhaps a generation */
    enum nd_status (*look)(struct nd_model_work *work); /* before the store is
                                                           opened; or NULL */
    enum nd_status (*run)(struct nd_model_work *work);
};

static const struct action actions[] = {
    {"list", ND_SESSION_READ, 0, NULL, run_list},
    {"show", ND_SESSION_READ, 'g', NULL, run_show},
    {"export", ND_SESSION_READ, 'f', nd_model_look_at_export,
     nd_model_run_export},
    {"import", ND_SESSION_CREATE, 'f', nd_model_look_at_import,
     nd_model_run_import},
    {"rollback", ND_SESSION_WRITE, 'g', NULL, run_rollback},
    {"pin", ND_SESSION_WRITE, 'g', NULL, run_pin},
    {"unpin", ND_SESSION_WRITE, 0, NULL, run_unpin},
};

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(actions[i].name, name) == 0) {
            return &actions[i];
        }
    }
    return NULL;
}

static enum nd_status read_generation(struct nd_model_work *work,
                                      const char *word)
{
    int64_t generation;
    if (nd_parse_integer(word, NULL, &generation) != ND_OK || generation < 1) {
        return nd_fail(&work->cli->error, ND_USAGE,
                       "%s is no generation; 'neurald model list' lists them",
                       word);
    }
    work->generation = (uint64_t)generation;
    return ND_OK;
}

static enum nd_status read_words(struct nd_model_work *work,
                                 const struct action **action_r)
{
    struct nd_cli *cli = work->cli;
    size_t count;
    const char *const *words = nd_arguments_words(cli->arguments, &count);
    const struct action *action = count > 0 ? find_action(words[0]) : NULL;
    if (action == NULL) {
        return nd_fail(&cli->error, ND_USAGE,
                       "say what to do with models: list, show, export FILE, "
                       "import FILE, rollback, pin or unpin");
    }
    size_t most = action->word == 0 ? 1 : 2;
    if (count > most || (action->word == 'f' && count < 2)) {
        return nd_fail(&cli->error, ND_USAGE, "'neurald model %s' takes %s",
                       action->name,
                       action->word == 'f'   ? "one FILE"
                       : action->word == 'g' ? "at most one generation"
                                             : "nothing behind it");
    }
    *action_r = action;
    enum nd_status status =
        nd_value_count(cli, "generation", 1, INT64_MAX, &work->generation);
    if (status == ND_OK && count == 2 && action->word == 'g') {
        return read_generation(work, words[1]);
    }
    work->path = count == 2 ? words[1] : NULL;
    return status;
}

static enum nd_status run(struct nd_cli *cli)
{
    struct nd_model_work work = {.cli = cli};
    const struct action *action = NULL;
    enum nd_status status = read_words(&work, &action);
    if (status == ND_OK && action->look != NULL) {
        status = action->look(&work);
    }
    if (status == ND_OK) {
        status = nd_session_open_store(cli, action->mode, &work.session);
    }
    if (status == ND_OK) {
        work.rule = &work.session->rules[0];
        work.scope = nd_session_scope(work.rule);
        status = action->run(&work);
    }
    nd_session_close(&work.session);
    return status;
}

const struct nd_command nd_command_model = {
    .name = "model",
    .usage = "list | show [N] | export FILE | import FILE | rollback [N] | "
             "pin [N] | unpin",
    .summary = "list, show, export, import, roll back and pin models",
    .about =
        "Works on the models of the first rule (or the one of --rule).\n"
        "list: all generations that are kept, newest first. show: one "
        "generation's figures.\n"
        "export: writes a generation to FILE. Its text features are hashed "
        "with the installation's secret key; with --with-key the key goes to "
        "FILE.key (mode 0600), without it a model without text features is "
        "trained from the samples and written.\n"
        "import: makes the model in FILE live; with --with-key a store that "
        "has no key yet takes that of FILE.key.\n"
        "rollback: the generation before the live one (or N) is live again. "
        "pin: it (or N) stays live, and no training replaces it until unpin.\n"
        "JSON: list gives an object a generation: generation, live, pinned, "
        "published_ms, bytes, origin, digest. show gives one: generation, "
        "rule, "
        "settings, trained_ms, seed, spam, ham, held_spam, held_ham, auc, "
        "log_loss, recall, target_fpr, spam_threshold, ham_threshold, epochs, "
        "inputs, hidden_units, names, has_key, bytes, families (each with "
        "number, name, layout and read: yes, narrowed to an earlier layout's "
        "slots, or no). rollback, pin and unpin give generation, pinned, "
        "revision; import gives generation.\n",
    .options = options,
    .run = run,
};
