/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens what a command works on. The user's state directory is the only folder
 * that is ever made unasked, and only by commands that store something.
 */
#include "cli/session.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/values.h"
#include "learn/key_file.h"

static char *state_folder(void)
{
    const char *state = getenv("XDG_STATE_HOME");
    if (state != NULL && state[0] == '/') {
        return nd_sprintf("%s/neurald", state);
    }
    const char *home = getenv("HOME");
    if (home == NULL || home[0] == '\0') {
        const struct passwd *user = getpwuid(getuid());
        home = user != NULL ? user->pw_dir : "/";
    }
    return nd_sprintf("%s/.local/state/neurald", home);
}

char *nd_session_url(const struct nd_config *config)
{
    if (config->global.store != NULL) {
        return nd_strdup(config->global.store);
    }
    char *folder = state_folder();
    char *url = nd_sprintf("sqlite:%s/neurald.db", folder);
    free(folder);
    return url;
}

char *nd_session_shown_url(const char *url)
{
    const char *user = strstr(url, "://");
    const char *end = user != NULL ? strchr(user + 3, '@') : NULL;
    const char *colon = user != NULL ? strchr(user + 3, ':') : NULL;
    if (end == NULL || colon == NULL || colon > end ||
        end > user + 3 + strcspn(user + 3, "/?")) {
        return nd_strdup(url);
    }
    return nd_sprintf("%.*s:***%s", (int)(colon - url), url, end);
}

/* mkdir -p with mode 0700: what is in there is nobody else's business. */
static enum nd_status make_state_folder(struct nd_cli *cli)
{
    char *folder = state_folder();
    enum nd_status status = ND_OK;
    for (char *slash = strchr(folder + 1, '/'); status == ND_OK;
         slash = strchr(slash + 1, '/')) {
        if (slash != NULL) {
            *slash = '\0';
        }
        if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
            status =
                nd_fail_errno(&cli->error, "cannot make folder %s", folder);
        }
        if (slash == NULL) {
            break;
        }
        *slash = '/';
    }
    free(folder);
    return status;
}

enum nd_status nd_session_make_folder(struct nd_cli *cli)
{
    return cli->config->global.store == NULL ? make_state_folder(cli) : ND_OK;
}

static enum nd_status open_store(struct nd_cli *cli, enum nd_session_mode mode,
                                 struct nd_session *session)
{
    struct nd_store_options options = {
        .create = mode == ND_SESSION_CREATE,
        .read_only = mode == ND_SESSION_READ,
        .timeout_ms = cli->config->global.store_timeout_ms,
    };
    session->url = nd_session_url(cli->config);
    if (mode == ND_SESSION_CREATE) {
        enum nd_status status = nd_session_make_folder(cli);
        if (status != ND_OK) {
            return status;
        }
    }
    return nd_store_open(session->url, &options, &cli->error, &session->store);
}

static enum nd_status read_key_file(struct nd_cli *cli,
                                    struct nd_session *session)
{
    const char *path = cli->config->global.key_file;
    if (path == NULL) {
        return ND_OK;
    }
    enum nd_status status = nd_key_file_read(path, &cli->error, &session->key);
    session->has_key_file = status == ND_OK;
    return status;
}

/* --families in the place of what the rules have, for commands that know it. */
static enum nd_status choose_families(struct nd_cli *cli,
                                      struct nd_session *session)
{
    enum nd_status status = ND_OK;
    size_t count =
        nd_arguments_know(cli->arguments, "families") ? session->count : 0;
    for (size_t i = 0; i < count && status == ND_OK; i++) {
        status =
            nd_value_families(cli, "families", &session->rules[i].families);
    }
    return status;
}

/* With rules or without any. */
static enum nd_status open_session(struct nd_cli *cli,
                                   enum nd_session_mode mode, bool with_rules,
                                   struct nd_session **session_r)
{
    struct nd_session *session = nd_calloc(1, sizeof(*session));
    enum nd_status status =
        with_rules ? nd_cli_rules(cli, &session->rules, &session->count)
                   : ND_OK;
    if (status == ND_OK) {
        status = choose_families(cli, session);
    }
    if (status == ND_OK) {
        status = read_key_file(cli, session);
    }
    if (status == ND_OK) {
        status = open_store(cli, mode, session);
    }
    session->engines = nd_calloc(session->count, sizeof(*session->engines));
    if (status != ND_OK) {
        nd_session_close(&session);
        return status;
    }
    *session_r = session;
    return ND_OK;
}

enum nd_status nd_session_open_store(struct nd_cli *cli,
                                     enum nd_session_mode mode,
                                     struct nd_session **session_r)
{
    return open_session(cli, mode, true, session_r);
}

enum nd_status nd_session_open_bare(struct nd_cli *cli,
                                    enum nd_session_mode mode,
                                    struct nd_session **session_r)
{
    return open_session(cli, mode, false, session_r);
}

enum nd_status nd_session_open(struct nd_cli *cli, enum nd_session_mode mode,
                               bool first_only, struct nd_session **session_r)
{
    struct nd_session *session = NULL;
    enum nd_status status = nd_session_open_store(cli, mode, &session);
    if (status != ND_OK) {
        return status;
    }
    session->count = first_only ? 1 : session->count;
    for (size_t i = 0; i < session->count && status == ND_OK; i++) {
        status = nd_engine_create(session->store, &session->rules[i],
                                  session->has_key_file ? &session->key : NULL,
                                  &cli->error, &session->engines[i]);
    }
    if (status != ND_OK) {
        nd_session_close(&session);
        return status;
    }
    *session_r = session;
    return ND_OK;
}

void nd_session_close(struct nd_session **session)
{
    if (session == NULL || *session == NULL) {
        return;
    }
    struct nd_session *old = *session;
    for (size_t i = 0; old->engines != NULL && i < old->count; i++) {
        nd_engine_destroy(&old->engines[i]);
    }
    free(old->engines);
    nd_store_close(&old->store);
    nd_wipe(&old->key, sizeof(old->key));
    free(old->url);
    free(old);
    *session = NULL;
}

struct nd_scope nd_session_scope(const struct nd_rule *rule)
{
    return (struct nd_scope){rule->name, rule->settings};
}
