/* SPDX-License-Identifier: Apache-2.0
 *
 * The client of docs/api.md, on libcurl: one connection, kept for as long as
 * the command runs. An answer's problem becomes the status that it came from,
 * so that exit statuses are those of a command that opens the store itself.
 */
#include "cli/remote.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/library.h"
#include "base/memory.h"
#include "base/random.h"
#include "serve/access.h"

#define CONNECT_MS 5000L
#define ANSWER_MS 30000L
#define MOST_ANSWER ((size_t)16 << 20)
#define UNIX_PREFIX "unix:"

#define FUNCTIONS(X) \
    X(easy_cleanup)  \
    X(easy_escape)   \
    X(easy_getinfo)  \
    X(easy_init)     \
    X(easy_perform)  \
    X(easy_setopt)   \
    X(easy_strerror) \
    X(free)          \
    X(slist_append)  \
    X(slist_free_all)
#define MEMBER(name) __typeof__(curl_##name) *(name);
#define NAME(name) "curl_" #name,
static struct {
    FUNCTIONS(MEMBER)
} libcurl;
static const char *const function_names[] = {FUNCTIONS(NAME)};

static enum nd_status load_libcurl(struct nd_error *error)
{
    return nd_library_load("libcurl.so.4", function_names,
                           sizeof(function_names) / sizeof(*function_names),
                           error, &libcurl);
}

struct nd_remote {
    struct nd_cli *cli;
    const char *server;
    char *authorization; /* the whole header; NULL without a token */
    CURL *curl;
    struct nd_buffer answer;
    struct nd_buffer body;
};

bool nd_cli_is_remote(const struct nd_cli *cli)
{
    return nd_arguments_flag(cli->arguments, "server");
}

enum nd_status nd_cli_check_server(struct nd_cli *cli,
                                   const struct nd_command *command)
{
    if (!nd_cli_is_remote(cli) || command->knows_server) {
        return ND_OK;
    }
    return nd_fail(&cli->error, ND_USAGE,
                   "%s opens the store itself: --server is for learn, forget, "
                   "relabel, score, explain, train and status",
                   command->name);
}

/* ---- opening ---- */

static enum nd_status check_url(struct nd_cli *cli, const char *url)
{
    bool path = strncmp(url, UNIX_PREFIX "/", strlen(UNIX_PREFIX) + 1) == 0;
    if (path || (strncmp(url, "http://", 7) == 0 && url[7] != '\0')) {
        return ND_OK;
    }
    return nd_fail(&cli->error, ND_USAGE,
                   "--server %s: unix:/PATH or http://HOST:PORT is wanted",
                   url);
}

static enum nd_status read_token(struct nd_remote *remote)
{
    const char *path = nd_arguments_value(remote->cli->arguments, "token-file");
    char token[ND_TOKEN_BYTES];
    if (path == NULL) {
        return ND_OK;
    }
    enum nd_status status =
        nd_token_read(path, &remote->cli->error, token, sizeof(token));
    if (status == ND_OK) {
        remote->authorization = nd_sprintf("Authorization: Bearer %s", token);
        nd_wipe(token, sizeof(token));
    }
    return status;
}

static size_t take_answer(char *data, size_t size, size_t count, void *context)
{
    struct nd_remote *remote = context;
    size_t length = size * count;
    if (remote->answer.length + length > MOST_ANSWER) {
        return 0;
    }
    nd_buffer_append(&remote->answer, data, length);
    return length;
}

static void set_up_curl(struct nd_remote *remote)
{
    CURL *curl = remote->curl;
    if (strncmp(remote->server, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
        libcurl.easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH,
                            remote->server + strlen(UNIX_PREFIX));
    }
    libcurl.easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    libcurl.easy_setopt(curl, CURLOPT_PROXY, "");
    libcurl.easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    libcurl.easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    libcurl.easy_setopt(curl, CURLOPT_TIMEOUT_MS, ANSWER_MS);
    libcurl.easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    libcurl.easy_setopt(curl, CURLOPT_WRITEDATA, remote);
}

enum nd_status nd_remote_open(struct nd_cli *cli, struct nd_remote **remote_r)
{
    struct nd_remote *remote = nd_calloc(1, sizeof(*remote));
    remote->cli = cli;
    remote->server = nd_arguments_value(cli->arguments, "server");
    enum nd_status status = check_url(cli, remote->server);
    if (status == ND_OK && nd_arguments_know(cli->arguments, "families") &&
        nd_arguments_value(cli->arguments, "families") != NULL) {
        status = nd_fail(&cli->error, ND_USAGE,
                         "--families goes without --server: the daemon's "
                         "rules have their own");
    }
    if (status == ND_OK) {
        status = read_token(remote);
    }
    if (status == ND_OK) {
        status = load_libcurl(&cli->error);
    }
    if (status == ND_OK) {
        remote->curl = libcurl.easy_init();
        if (remote->curl == NULL) {
            status = nd_fail(&cli->error, ND_INTERNAL, "libcurl does not work");
        }
    }
    if (status != ND_OK) {
        nd_remote_close(&remote);
        return status;
    }
    set_up_curl(remote);
    *remote_r = remote;
    return ND_OK;
}

void nd_remote_close(struct nd_remote **remote)
{
    if (remote == NULL || *remote == NULL) {
        return;
    }
    if ((*remote)->curl != NULL) {
        libcurl.easy_cleanup((*remote)->curl);
    }
    if ((*remote)->authorization != NULL) {
        nd_wipe((*remote)->authorization, strlen((*remote)->authorization));
    }
    free((*remote)->authorization);
    nd_buffer_free(&(*remote)->answer);
    nd_buffer_free(&(*remote)->body);
    free(*remote);
    *remote = NULL;
}

struct nd_cli *nd_remote_cli(const struct nd_remote *remote)
{
    return remote->cli;
}

/* ---- asking ---- */

void nd_remote_add(struct nd_buffer *query, const char *name, const char *value)
{
    if (value == NULL) {
        return;
    }
    char *encoded = libcurl.easy_escape(NULL, value, (int)strlen(value));
    nd_buffer_printf(query, "%s%s=%s", query->length > 0 ? "&" : "", name,
                     encoded);
    libcurl.free(encoded);
}

void nd_remote_add_rule(struct nd_buffer *query, const struct nd_cli *cli)
{
    nd_remote_add(query, "rule", nd_arguments_value(cli->arguments, "rule"));
}

static void write_symbols(struct nd_json *json, const char *key,
                          const struct nd_scan_symbol *symbols, size_t count)
{
    nd_json_open(json, key, '{');
    for (size_t i = 0; i < count; i++) {
        if (symbols[i].has_score) {
            nd_json_number(json, symbols[i].name, symbols[i].score);
        } else {
            nd_json_switch(json, symbols[i].name, true);
        }
    }
    nd_json_close(json, '}');
}

static void write_scan(struct nd_buffer *text, const struct nd_scan *scan)
{
    struct nd_json json = {.buffer = *text};
    nd_json_open(&json, NULL, '{');
    write_symbols(&json, "symbols", scan->symbols, scan->count);
    write_symbols(&json, "metatokens", scan->metatokens, scan->metatoken_count);
    if (scan->has_score) {
        nd_json_number(&json, "score", scan->score);
        nd_json_number(&json, "required_score", scan->required);
    }
    if (scan->verdict != ND_SCAN_UNKNOWN) {
        nd_json_text(&json, "action",
                     scan->verdict == ND_SCAN_SPAM ? "reject" : "no action");
    }
    nd_json_close(&json, '}');
    *text = json.buffer;
}

/* The message, alone or with the scan result that a scan file has for it. What
 * the message's own headers say is for the daemon to trust or not. */
static const char *write_body(struct nd_remote *remote,
                              const struct nd_item *item)
{
    static char type[64];
    struct nd_buffer *body = &remote->body;
    nd_buffer_clear(body);
    if (item->scan == NULL || item->scan == &item->message.scan) {
        nd_buffer_append(body, item->data, item->length);
        return "Content-Type: message/rfc822";
    }
    uint64_t boundary;
    nd_random_system(&boundary, sizeof(boundary));
    (void)snprintf(type, sizeof(type),
                   "Content-Type: multipart/mixed; boundary=%016llx",
                   (unsigned long long)boundary);
    nd_buffer_printf(body,
                     "--%016llx\r\nContent-Type: application/json\r\n\r\n",
                     (unsigned long long)boundary);
    write_scan(body, item->scan);
    nd_buffer_printf(body,
                     "\r\n--%016llx\r\nContent-Type: message/rfc822\r\n\r\n",
                     (unsigned long long)boundary);
    nd_buffer_append(body, item->data, item->length);
    nd_buffer_printf(body, "\r\n--%016llx--\r\n", (unsigned long long)boundary);
    return type;
}

static char *make_url(const struct nd_remote *remote,
                      const struct nd_remote_request *request)
{
    const char *base = remote->server;
    size_t length = strlen(base);
    if (strncmp(base, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
        base = "http://localhost";
        length = strlen(base);
    }
    while (length > 0 && base[length - 1] == '/') {
        length--;
    }
    bool query = request->query != NULL && request->query->length > 0;
    return nd_sprintf("%.*s%s%s%s", (int)length, base, request->path,
                      query ? "?" : "",
                      query ? (const char *)request->query->data : "");
}

static enum nd_status fail_exchange(struct nd_remote *remote, CURLcode code)
{
    struct nd_error *error = &remote->cli->error;
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return nd_fail(error, ND_TEMPORARY, "the daemon at %s takes too long",
                       remote->server);
    }
    return nd_fail(error, ND_UNAVAILABLE, "cannot ask the daemon at %s: %s",
                   remote->server, libcurl.easy_strerror(code));
}

static enum nd_status exchange(struct nd_remote *remote,
                               const struct nd_remote_request *request,
                               long *code_r)
{
    CURL *curl = remote->curl;
    char *url = make_url(remote, request);
    struct curl_slist *headers = libcurl.slist_append(NULL, "Expect:");
    if (remote->authorization != NULL) {
        headers = libcurl.slist_append(headers, remote->authorization);
    }
    nd_buffer_clear(&remote->body);
    headers = libcurl.slist_append(
        headers, request->item != NULL ? write_body(remote, request->item)
                                       : "Content-Type:");
    nd_buffer_clear(&remote->answer);
    libcurl.easy_setopt(curl, CURLOPT_URL, url);
    libcurl.easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (request->post) {
        libcurl.easy_setopt(curl, CURLOPT_POST, 1L);
        libcurl.easy_setopt(curl, CURLOPT_POSTFIELDS,
                            remote->body.length > 0 ? (char *)remote->body.data
                                                    : "");
        libcurl.easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                            (curl_off_t)remote->body.length);
    } else {
        libcurl.easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    CURLcode code = libcurl.easy_perform(curl);
    libcurl.easy_getinfo(curl, CURLINFO_RESPONSE_CODE, code_r);
    libcurl.slist_free_all(headers);
    free(url);
    return code == CURLE_OK ? ND_OK : fail_exchange(remote, code);
}

/* The status behind a problem: by its reason, else by HTTP's code. */
static enum nd_status status_of(long code, const char *reason)
{
    for (int i = ND_OK + 1; i <= ND_KEY; i++) {
        if (strcmp(reason, nd_status_name((enum nd_status)i)) == 0) {
            return (enum nd_status)i;
        }
    }
    switch (code) {
    case 400:
    case 415:
    case 422:
        return ND_DATA;
    case 401:
    case 403:
        return ND_PERMISSION;
    case 404:
        return ND_NO_INPUT;
    case 413:
        return ND_LIMIT;
    case 429:
    case 503:
        return ND_UNAVAILABLE;
    default:
        return ND_INTERNAL;
    }
}

enum nd_status nd_remote_ask(struct nd_remote *remote,
                             const struct nd_remote_request *request,
                             json_t **answer_r)
{
    struct nd_error *error = &remote->cli->error;
    long code = 0;
    enum nd_status status = exchange(remote, request, &code);
    if (status != ND_OK) {
        return status;
    }
    json_t *answer = json_loadb((const char *)remote->answer.data,
                                remote->answer.length, JSON_ALLOW_NUL, NULL);
    if (!json_is_object(answer)) {
        json_decref(answer);
        return nd_fail(error, ND_DATA,
                       "%s answered with code %ld and something else than a "
                       "JSON object: is it a neurald?",
                       remote->server, code);
    }
    if (code >= 400) {
        const char *detail = nd_remote_text(answer, "detail");
        status =
            nd_fail(error, status_of(code, nd_remote_text(answer, "reason")),
                    "%s", detail[0] != '\0' ? detail : "no detail");
        json_decref(answer);
        return status;
    }
    *answer_r = answer;
    return ND_OK;
}

/* ---- answers ---- */

const char *nd_remote_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

int64_t nd_remote_integer(const json_t *object, const char *name)
{
    return (int64_t)json_integer_value(json_object_get(object, name));
}

double nd_remote_number(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

struct nd_verdict nd_remote_verdict(const json_t *object)
{
    const char *name = nd_remote_text(object, "verdict");
    struct nd_verdict verdict = {
        .probability = nd_remote_number(object, "probability"),
        .kind = ND_UNSURE,
        .symbol = nd_remote_text(object, "symbol"),
        .weight = nd_remote_number(object, "weight"),
        .generation = (uint64_t)nd_remote_integer(object, "generation"),
        .log_odds = nd_remote_number(object, "log_odds"),
    };
    if (strcmp(name, "spam") == 0) {
        verdict.kind = ND_VERDICT_SPAM;
    } else if (strcmp(name, "ham") == 0) {
        verdict.kind = ND_VERDICT_HAM;
    }
    return verdict;
}

enum nd_status nd_remote_score(struct nd_remote *remote,
                               const struct nd_item *item, uint64_t explain,
                               json_t **answer_r, struct nd_verdict *verdict_r)
{
    struct nd_buffer query = {0};
    struct nd_remote_request request = {
        .post = true, .path = "/v1/score", .query = &query, .item = item};
    nd_remote_add_rule(&query, remote->cli);
    if (explain > 0) {
        char number[32];
        (void)snprintf(number, sizeof(number), "%llu",
                       (unsigned long long)explain);
        nd_remote_add(&query, "explain", number);
    }
    enum nd_status status = nd_remote_ask(remote, &request, answer_r);
    if (status == ND_OK) {
        *verdict_r = nd_remote_verdict(*answer_r);
    }
    nd_buffer_free(&query);
    return status;
}
