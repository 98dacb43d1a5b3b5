/* SPDX-License-Identifier: Apache-2.0
 *
 * Models out of the store into files, and back. A model's text features are
 * worth something only under the key that hashed them, so a file either comes
 * with the key beside it or has no text features: those of a network cannot be
 * cut out afterwards without making its calibration worthless, so one without
 * them is fitted from the stored samples.
 */
#include "cli/model_transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/memory.h"
#include "cli/refit.h"
#include "features/features.h"
#include "learn/key_file.h"
#include "learn/live.h"
#include "learn/model_file.h"

enum nd_status nd_model_live(struct nd_model_work *work, uint64_t *generation_r)
{
    struct nd_model_pointer pointer;
    enum nd_status status = nd_store_model_current(
        work->session->store, &work->scope, &work->cli->error, &pointer);
    if (status != ND_OK && status != ND_NOTHING) {
        return status;
    }
    if (status == ND_NOTHING || pointer.generation == 0) {
        return nd_fail(&work->cli->error, ND_NOTHING,
                       "rule %s has no model yet; 'neurald train' makes one",
                       work->scope.rule);
    }
    *generation_r = pointer.generation;
    return ND_OK;
}

enum nd_status nd_model_key(struct nd_model_work *work, struct nd_key *key_r)
{
    if (work->session->has_key_file) {
        *key_r = work->session->key;
        return ND_OK;
    }
    return nd_store_key(work->session->store, NULL, &work->cli->error, key_r);
}

enum nd_status nd_model_load(struct nd_model_work *work, struct nd_buffer *blob,
                             struct nd_model **model_r)
{
    struct nd_key key;
    enum nd_status status =
        work->generation == 0 ? nd_model_live(work, &work->generation) : ND_OK;
    if (status == ND_OK) {
        status = nd_store_model_get(work->session->store, &work->scope,
                                    work->generation, &work->cli->error, blob);
    }
    if (status == ND_OK) {
        status = nd_model_key(work, &key);
    }
    if (status == ND_OK) {
        status = nd_model_read(blob->data, blob->length, &key,
                               &work->cli->error, model_r);
        nd_wipe(&key, sizeof(key));
    }
    return status;
}

/* ---- export ---- */

static enum nd_status check_free(struct nd_model_work *work, const char *path)
{
    return access(path, F_OK) == 0
               ? nd_fail(&work->cli->error, ND_OUTPUT,
                         "%s is there already: an export replaces no file",
                         path)
               : ND_OK;
}

enum nd_status nd_model_look_at_export(struct nd_model_work *work)
{
    enum nd_status status = check_free(work, work->path);
    if (status == ND_OK &&
        nd_arguments_flag(work->cli->arguments, "with-key")) {
        char *path = nd_sprintf("%s.key", work->path);
        status = check_free(work, path);
        free(path);
    }
    return status;
}

/* A model file appears whole or not at all, and replaces none. */
static enum nd_status write_new_file(struct nd_model_work *work,
                                     const struct nd_buffer *blob)
{
    char *temporary = nd_sprintf("%s.%ld.part", work->path, (long)getpid());
    int file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    enum nd_status status = ND_OK;
    if (file < 0) {
        status =
            nd_fail_errno(&work->cli->error, "cannot create %s", temporary);
        free(temporary);
        return status;
    }
    size_t done = 0;
    while (done < blob->length) {
        ssize_t wrote = write(file, blob->data + done, blob->length - done);
        if (wrote < 0 && errno != EINTR) {
            break;
        }
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    bool written = done == blob->length && fsync(file) == 0;
    written = close(file) == 0 && written;
    if (!written || link(temporary, work->path) != 0) {
        status =
            nd_fail_errno(&work->cli->error, "cannot write %s", work->path);
    }
    unlink(temporary);
    free(temporary);
    return status;
}

static enum nd_status export_with_key(struct nd_model_work *work,
                                      const struct nd_buffer *blob)
{
    struct nd_key key;
    char *key_path = nd_sprintf("%s.key", work->path);
    enum nd_status status = nd_model_key(work, &key);
    if (status == ND_OK) {
        status = nd_key_file_write(key_path, &key, &work->cli->error);
        nd_wipe(&key, sizeof(key));
    }
    if (status == ND_OK) {
        status = write_new_file(work, blob);
        if (status != ND_OK) {
            unlink(key_path);
        }
    }
    if (status == ND_OK) {
        nd_cli_remark(work->cli,
                      "the installation's key is in %s: whoever has it can "
                      "try which words a model or a sample holds",
                      key_path);
    }
    free(key_path);
    return status;
}

static bool reads_text(const struct nd_model *model)
{
    return (model->figures.families & ND_GROUP_HASHED) != 0;
}

/* The model as a file without a key, fitted anew where it reads text. */
static enum nd_status export_without_key(struct nd_model_work *work,
                                         const struct nd_model *model)
{
    struct nd_buffer blob = {0};
    struct nd_model *refitted = NULL;
    enum nd_status status = ND_OK;
    if (reads_text(model)) {
        nd_cli_remark(work->cli,
                      "without --with-key the exported model has no text "
                      "features: it is trained now, from the samples");
        status = nd_refit(work->cli, work->session->store, work->rule,
                          ND_GROUP_SYMBOLS | ND_GROUP_METATOKENS, &refitted);
    }
    if (status == ND_OK) {
        struct nd_model plain = refitted != NULL ? *refitted : *model;
        plain.has_key = false;
        nd_model_write(&plain, NULL, &blob);
        status = write_new_file(work, &blob);
    }
    nd_model_destroy(&refitted);
    nd_buffer_free(&blob);
    return status;
}

enum nd_status nd_model_run_export(struct nd_model_work *work)
{
    struct nd_buffer blob = {0};
    struct nd_model *model = NULL;
    bool with_key = nd_arguments_flag(work->cli->arguments, "with-key");
    enum nd_status status = nd_model_load(work, &blob, &model);
    if (status == ND_OK) {
        status = with_key ? export_with_key(work, &blob)
                          : export_without_key(work, model);
    }
    if (status == ND_OK) {
        nd_cli_remark(work->cli, "wrote generation %llu of rule %s to %s",
                      (unsigned long long)work->generation, work->scope.rule,
                      work->path);
    }
    nd_model_destroy(&model);
    nd_buffer_free(&blob);
    return status;
}

/* ---- import ---- */

/* The key beside the file. */
static enum nd_status read_given_key(struct nd_model_work *work,
                                     struct nd_key *key_r)
{
    char *path = nd_sprintf("%s.key", work->path);
    enum nd_status status = nd_key_file_read(path, &work->cli->error, key_r);
    free(path);
    return status;
}

enum nd_status nd_model_look_at_import(struct nd_model_work *work)
{
    struct nd_model *model = NULL;
    struct nd_key key;
    enum nd_status status = ND_OK;
    if (nd_arguments_flag(work->cli->arguments, "with-key")) {
        status = read_given_key(work, &key);
        nd_wipe(&key, sizeof(key));
    }
    if (status == ND_OK) {
        status =
            nd_model_file_read(work->path, NULL, &work->cli->error, &model);
    }
    nd_model_destroy(&model);
    return status == ND_KEY ? ND_OK : status;
}

/* The key that the store is to have: with --with-key that of FILE.key, which a
 * store without a key takes over and any other refuses. */
static enum nd_status settle_key(struct nd_model_work *work,
                                 struct nd_key *key_r)
{
    struct nd_error *error = &work->cli->error;
    struct nd_key candidate;
    if (work->session->has_key_file) {
        return nd_model_key(work, key_r);
    }
    if (nd_arguments_flag(work->cli->arguments, "with-key")) {
        enum nd_status status = read_given_key(work, &candidate);
        if (status != ND_OK) {
            return status;
        }
    } else {
        nd_key_generate(&candidate);
    }
    enum nd_status status =
        nd_store_key(work->session->store, &candidate, error, key_r);
    nd_wipe(&candidate, sizeof(candidate));
    return status;
}

/* Reads the file under key, or as one without. */
static enum nd_status read_import(struct nd_model_work *work,
                                  const struct nd_key *key,
                                  struct nd_model **model_r)
{
    struct nd_error *error = &work->cli->error;
    struct nd_error keyless = {0};
    enum nd_status status =
        nd_model_file_read(work->path, NULL, &keyless, model_r);
    if (status == ND_KEY) {
        status = nd_model_file_read(work->path, key, error, model_r);
    } else if (status != ND_OK) {
        *error = keyless;
    }
    if (status == ND_KEY && key != NULL) {
        return nd_fail(error, ND_KEY,
                       "%s was made with another key than this installation's; "
                       "a store without samples can take over its key: "
                       "'neurald model import %s --with-key'",
                       work->path, work->path);
    }
    return status;
}

/* A model file that says of itself what is not true must not become live. */
static enum nd_status check_import(struct nd_model_work *work,
                                   const struct nd_buffer *blob,
                                   const struct nd_key *key)
{
    struct nd_model *model = NULL;
    struct nd_live *live = NULL;
    struct nd_error inner = {""};
    enum nd_status status =
        nd_model_read(blob->data, blob->length, key, &inner, &model);
    if (status == ND_OK) {
        status = nd_live_create(model, 0, &inner, &live);
    }
    nd_live_release(&live);
    return status == ND_OK ? ND_OK
                           : nd_fail(&work->cli->error, status, "%s: %s",
                                     work->path, inner.text);
}

static enum nd_status publish_import(struct nd_model_work *work,
                                     const struct nd_buffer *blob,
                                     uint64_t *generation_r)
{
    struct nd_store *store = work->session->store;
    struct nd_error *error = &work->cli->error;
    struct nd_model_pointer pointer = {0};
    char *reason = nd_sprintf("imported from %s", work->path);
    struct nd_journal_entry entry = {.decision = ND_DECISION_PROMOTED,
                                     .holder = "import",
                                     .reason = reason,
                                     .figures = "{}"};
    struct nd_publish publish = {.entry = &entry,
                                 .keep = work->rule->keep_models};
    enum nd_status status =
        nd_store_model_current(store, &work->scope, error, &pointer);
    status = status == ND_NOTHING ? ND_OK : status;
    publish.judged_revision = pointer.revision;
    if (status == ND_OK) {
        status = nd_store_model_upload(store, &work->scope, blob->data,
                                       blob->length, error, publish.digest);
    }
    if (status == ND_OK) {
        status = nd_store_model_import(store, &work->scope, &publish, error,
                                       generation_r);
    }
    free(reason);
    return status;
}

static enum nd_status print_import(struct nd_model_work *work,
                                   uint64_t generation)
{
    if (!work->cli->json) {
        printf("%s: %s is live as generation %llu\n", work->scope.rule,
               work->path, (unsigned long long)generation);
        return ND_OK;
    }
    struct nd_json json = {0};
    nd_json_open(&json, NULL, '{');
    nd_json_unsigned(&json, "generation", generation);
    nd_json_close(&json, '}');
    enum nd_status status = nd_json_line(&json, stdout, &work->cli->error);
    nd_json_free(&json);
    return status;
}

enum nd_status nd_model_run_import(struct nd_model_work *work)
{
    struct nd_key key = {0};
    struct nd_model *model = NULL;
    struct nd_buffer blob = {0};
    uint64_t generation = 0;
    enum nd_status status = settle_key(work, &key);
    if (status == ND_OK) {
        status = read_import(work, &key, &model);
    }
    if (status == ND_OK) {
        nd_model_write(model, &key, &blob);
        status = check_import(work, &blob, &key);
    }
    if (status == ND_OK) {
        status = publish_import(work, &blob, &generation);
    }
    if (status == ND_OK) {
        status = print_import(work, generation);
    }
    nd_wipe(&key, sizeof(key));
    nd_model_destroy(&model);
    nd_buffer_free(&blob);
    return status;
}
