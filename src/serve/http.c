/* SPDX-License-Identifier: Apache-2.0
 *
 * libmicrohttpd's side. It calls `handle` several times for one request: at its
 * header, for each piece of its body, and at its end. All checks that need the
 * header alone are made at the header, before a byte of the body is kept. Quick
 * routes are answered on the connection's own thread; for slow ones the
 * connection is suspended while a thread of the pool waits for the store.
 */
#include "serve/http.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/library.h"
#include "base/log.h"
#include "base/memory.h"
#include "serve/connections.h"
#include "serve/gate.h"
#include "serve/pool.h"
#include "serve/request.h"

#define HEADER_BYTES                                         \
    ((size_t)32 << 10) /* of a connection: header and answer \
                        */
#define DISCARD_BYTES ((uint64_t)8 << 20)
#define POOL_THREADS 16
#define POOL_ROOM 1024
#define SPARE_EXCHANGES 256

#define FUNCTIONS(X)               \
    X(add_response_header)         \
    X(create_response_from_buffer) \
    X(destroy_response)            \
    X(get_connection_info)         \
    X(get_connection_values)       \
    X(lookup_connection_value)     \
    X(queue_response)              \
    X(quiesce_daemon)              \
    X(resume_connection)           \
    X(start_daemon)                \
    X(stop_daemon)                 \
    X(suspend_connection)
#define MEMBER(name) __typeof__(MHD_##name) *(name);
#define NAME(name) "MHD_" #name,
static struct {
    FUNCTIONS(MEMBER)
} microhttpd;
static const char *const function_names[] = {FUNCTIONS(NAME)};

struct exchange {
    struct nd_http *http;
    struct nd_request *request;
    struct MHD_Connection *connection;
    struct nd_connection *peer;
    uint64_t held;         /* bytes of the body accounted for */
    struct exchange *next; /* while spare */
};

struct nd_http {
    struct nd_http_options options;
    struct nd_metrics *metrics;
    struct MHD_Daemon **daemons;
    int *quiesced; /* sockets that libmicrohttpd gave back */
    struct nd_connections *connections;
    struct nd_pool *pool;
    atomic_uint under_way;
    atomic_bool stopping;
    pthread_mutex_t lock; /* of spare */
    struct exchange *spare;
    size_t spare_count;
};

/* ---- exchanges ---- */

static struct exchange *take_exchange(struct nd_http *http)
{
    (void)pthread_mutex_lock(&http->lock);
    struct exchange *exchange = http->spare;
    if (exchange != NULL) {
        http->spare = exchange->next;
        http->spare_count--;
    }
    (void)pthread_mutex_unlock(&http->lock);
    if (exchange == NULL) {
        exchange = nd_calloc(1, sizeof(*exchange));
        exchange->request = nd_request_create();
    }
    exchange->http = http;
    return exchange;
}

static void free_exchange(struct exchange *exchange)
{
    nd_request_destroy(&exchange->request);
    free(exchange);
}

static void give_back(struct exchange *exchange)
{
    struct nd_http *http = exchange->http;
    nd_request_reset(exchange->request);
    *exchange = (struct exchange){.http = http, .request = exchange->request};
    (void)pthread_mutex_lock(&http->lock);
    bool keep = http->spare_count < SPARE_EXCHANGES;
    if (keep) {
        exchange->next = http->spare;
        http->spare = exchange;
        http->spare_count++;
    }
    (void)pthread_mutex_unlock(&http->lock);
    if (!keep) {
        free_exchange(exchange);
    }
}

static void set_deadline(struct nd_connection *peer, int64_t ms)
{
    int64_t now_us = ms > 0 ? nd_clock_monotonic_us() : 0;
    atomic_store_explicit(&peer->deadline_us, ms > 0 ? now_us + ms * 1000 : 0,
                          memory_order_relaxed);
}

/* ---- the header ---- */

static enum MHD_Result take_parameter(void *context, enum MHD_ValueKind kind,
                                      const char *name, const char *value)
{
    struct nd_request *request = context;
    (void)kind;
    if (request->parameter_count == ND_MAX_PARAMETERS) {
        return MHD_NO;
    }
    request->parameters[request->parameter_count++] =
        (struct nd_parameter){name, value != NULL ? value : ""};
    return MHD_YES;
}

/* One that is there twice leaves open where the next request begins, to a proxy
 * in front otherwise than to us (RFC 9112, 6.3). */
static enum MHD_Result count_length(void *context, enum MHD_ValueKind kind,
                                    const char *name, const char *value)
{
    size_t *count = context;
    (void)kind;
    (void)value;
    *count += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    return MHD_YES;
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return microhttpd.lookup_connection_value(connection, MHD_HEADER_KIND,
                                              name);
}

static void read_head(struct exchange *exchange, const char *method,
                      const char *path)
{
    struct MHD_Connection *connection = exchange->connection;
    struct nd_request *request = exchange->request;
    microhttpd.get_connection_values(connection, MHD_GET_ARGUMENT_KIND,
                                     take_parameter, request);
    struct nd_request_head head = {
        .method = method,
        .path = path,
        .content_type = header(connection, MHD_HTTP_HEADER_CONTENT_TYPE),
        .content_length = header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH),
        .transfer_encoding =
            header(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING),
        .authorization = header(connection, MHD_HTTP_HEADER_AUTHORIZATION),
        .near = exchange->peer->near,
        .client = exchange->peer->client,
    };
    if (head.content_length != NULL) {
        microhttpd.get_connection_values(connection, MHD_HEADER_KIND,
                                         count_length, &head.length_count);
    }
    nd_gate_check(request, &head, &exchange->held);
}

/* ---- the answer ---- */

static void count_answer(struct nd_http *http, int code)
{
    const struct nd_metric_info *info = nd_metric(ND_METRIC_ANSWERS);
    char text[16];
    size_t place = 0;
    (void)snprintf(text, sizeof(text), "%d", code);
    while (place + 1 < info->value_count &&
           strcmp(info->values[place], text) != 0) {
        place++;
    }
    nd_metrics_add(http->metrics, ND_METRIC_ANSWERS, place, 1);
}

static void add_headers(struct MHD_Response *response,
                        const struct nd_request *request)
{
    microhttpd.add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                   request->type);
    if (request->allow != NULL) {
        microhttpd.add_response_header(response, MHD_HTTP_HEADER_ALLOW,
                                       request->allow);
    }
    if (request->code == 401) {
        microhttpd.add_response_header(response,
                                       MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                       "Bearer realm=\"neurald\"");
    }
    if (request->code == 429 || request->code == 503) {
        microhttpd.add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER,
                                       "1");
    }
}

/* The answer's bytes stay the request's: it is kept until all were sent. */
static enum MHD_Result send_answer(struct exchange *exchange)
{
    struct nd_request *request = exchange->request;
    struct nd_http *http = exchange->http;
    struct nd_buffer *body = &request->json.buffer;
    if (request->code == 0) {
        nd_answer_problem(request, 500, "the request was not answered");
    }
    struct MHD_Response *response = microhttpd.create_response_from_buffer(
        body->length, body->data, MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        return MHD_NO;
    }
    add_headers(response, request);
    if (atomic_load_explicit(&http->stopping, memory_order_relaxed)) {
        microhttpd.add_response_header(response, MHD_HTTP_HEADER_CONNECTION,
                                       "close");
    }
    count_answer(http, request->code);
    set_deadline(exchange->peer, http->options.request_ms);
    enum MHD_Result result = microhttpd.queue_response(
        exchange->connection, (unsigned)request->code, response);
    microhttpd.destroy_response(response);
    return result;
}

static void run_slow(void *item, void *context)
{
    struct exchange *exchange = item;
    (void)context;
    exchange->request->route->handler(exchange->request);
    microhttpd.resume_connection(exchange->connection);
}

/* Autolearn makes of a score a call that may wait. */
static bool is_slow(const struct nd_request *request)
{
    return request->route->slow || (request->route->id == ND_ROUTE_SCORE &&
                                    request->parameter_count > 0 &&
                                    nd_request_switch(request, "autolearn"));
}

/* The request is there in full, or comes back from the pool with its answer. */
static enum MHD_Result answer(struct exchange *exchange)
{
    struct nd_request *request = exchange->request;
    struct nd_http *http = exchange->http;
    if (request->read_us == 0 && request->body_bytes > 0) {
        nd_metrics_add(http->metrics, ND_METRIC_BODY_BYTES, 0,
                       request->body_bytes);
    }
    if (request->code != 0) {
        return send_answer(exchange);
    }
    request->read_us = nd_clock_monotonic_us();
    set_deadline(exchange->peer, 0);
    if (atomic_load(&http->stopping)) {
        nd_answer_problem(request, 503, "neurald is stopping");
        return send_answer(exchange);
    }
    if (!is_slow(request)) {
        request->route->handler(request);
        return send_answer(exchange);
    }
    microhttpd.suspend_connection(exchange->connection);
    if (!nd_pool_submit(http->pool, exchange)) {
        nd_answer_problem(request, 503, "too many requests wait for the store");
        microhttpd.resume_connection(exchange->connection);
    }
    return MHD_YES;
}

/* ---- libmicrohttpd's calls ---- */

static struct nd_connection *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = microhttpd.get_connection_info(
        connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info->socket_context;
}

static enum MHD_Result begin(struct nd_http *http,
                             struct MHD_Connection *connection,
                             const char *path, const char *method,
                             void **exchange_r)
{
    struct exchange *exchange = take_exchange(http);
    struct nd_request *request = exchange->request;
    *exchange_r = exchange;
    exchange->connection = connection;
    exchange->peer = peer_of(connection);
    atomic_fetch_add(&http->under_way, 1);
    request->service = http->options.service;
    request->held = nd_service_hold(request->service);
    set_deadline(exchange->peer, http->options.request_ms);
    read_head(exchange, method, path);
    nd_metrics_add(http->metrics, ND_METRIC_REQUESTS,
                   request->route != NULL ? request->route->id : ND_ROUTE_COUNT,
                   1);
    /* A body that is refused is read all the same where it is small: a client
     * that still sends would miss the answer. */
    if (request->code != 0 && request->body_bytes > DISCARD_BYTES) {
        return send_answer(exchange);
    }
    request->body_bytes = 0;
    return MHD_YES;
}

static void take_body(struct exchange *exchange, const char *data,
                      size_t length)
{
    struct nd_request *request = exchange->request;
    request->body_bytes += length;
    if (request->code != 0) {
        return; /* refused: passed over */
    }
    size_t room = exchange->held > request->body.length
                      ? (size_t)exchange->held - request->body.length
                      : 0;
    nd_buffer_append(&request->body, data, length < room ? length : room);
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection,
                              const char *path, const char *method,
                              const char *version, const char *data,
                              size_t *length_r, void **exchange_r)
{
    struct exchange *exchange = *exchange_r;
    (void)version;
    if (exchange == NULL) {
        return begin(context, connection, path, method, exchange_r);
    }
    if (*length_r > 0) {
        take_body(exchange, data, *length_r);
        *length_r = 0;
        return MHD_YES;
    }
    return answer(exchange);
}

static void completed(void *context, struct MHD_Connection *connection,
                      void **request_context,
                      enum MHD_RequestTerminationCode reason)
{
    struct nd_http *http = context;
    struct exchange *exchange = *request_context;
    (void)connection;
    (void)reason;
    if (exchange == NULL) {
        return;
    }
    *request_context = NULL;
    if (exchange->held > 0) {
        nd_metrics_subtract(http->metrics, ND_METRIC_BODIES_HELD, 0,
                            exchange->held);
    }
    set_deadline(exchange->peer, http->options.idle_ms);
    give_back(exchange);
    atomic_fetch_sub(&http->under_way, 1);
}

static void notified(void *context, struct MHD_Connection *connection,
                     void **socket_context,
                     enum MHD_ConnectionNotificationCode event)
{
    struct nd_http *http = context;
    if (event == MHD_CONNECTION_NOTIFY_CLOSED) {
        nd_connections_remove(http->connections, *socket_context);
        nd_metrics_subtract(http->metrics, ND_METRIC_CONNECTIONS_OPEN, 0, 1);
        return;
    }
    const union MHD_ConnectionInfo *address = microhttpd.get_connection_info(
        connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *client =
        address != NULL ? address->client_addr : NULL;
    const union MHD_ConnectionInfo *socket = microhttpd.get_connection_info(
        connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct nd_connection *peer =
        nd_connections_add(http->connections, socket->connect_fd, client);
    set_deadline(peer, http->options.idle_ms);
    *socket_context = peer;
    nd_metrics_add(http->metrics, ND_METRIC_CONNECTIONS, 0, 1);
    nd_metrics_add(http->metrics, ND_METRIC_CONNECTIONS_OPEN, 0, 1);
}

static void log_message(void *context, const char *format, va_list list)
    __attribute__((format(printf, 2, 0)));
static void log_message(void *context, const char *format, va_list list)
{
    char line[512];
    (void)context;
    (void)vsnprintf(line, sizeof(line), format, list);
    line[strcspn(line, "\n")] = '\0';
    nd_log(ND_LOG_DEBUG, "http: %s", line);
}

/* ---- start and stop ---- */

static struct MHD_Daemon *start_daemon(struct nd_http *http, int socket)
{
    const struct nd_http_options *options = &http->options;
    return microhttpd.start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_TURBO | MHD_USE_ERROR_LOG,
        0, NULL, NULL, handle, http, MHD_OPTION_EXTERNAL_LOGGER, log_message,
        NULL, MHD_OPTION_LISTEN_SOCKET, socket, MHD_OPTION_THREAD_POOL_SIZE,
        options->threads, MHD_OPTION_CONNECTION_LIMIT, options->connections,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEADER_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, completed,
        http, MHD_OPTION_NOTIFY_CONNECTION, notified, http, MHD_OPTION_END);
}

static enum nd_status load_microhttpd(struct nd_error *error)
{
    return nd_library_load("libmicrohttpd.so.12", function_names,
                           sizeof(function_names) / sizeof(*function_names),
                           error, &microhttpd);
}

enum nd_status nd_http_start(const struct nd_http_options *options,
                             struct nd_error *error, struct nd_http **http_r)
{
    enum nd_status status = load_microhttpd(error);
    if (status != ND_OK) {
        return status;
    }
    struct nd_http *http = nd_calloc(1, sizeof(*http));
    http->options = *options;
    http->metrics = nd_service_metrics(options->service);
    http->connections = nd_connections_create();
    http->daemons = nd_calloc(options->socket_count, sizeof(*http->daemons));
    http->quiesced = nd_calloc(options->socket_count, sizeof(int));
    (void)pthread_mutex_init(&http->lock, NULL);
    for (size_t i = 0; i < options->socket_count; i++) {
        http->quiesced[i] = options->sockets[i];
    }
    status = nd_pool_create(POOL_THREADS, POOL_ROOM, run_slow, NULL, error,
                            &http->pool);
    for (size_t i = 0; status == ND_OK && i < options->socket_count; i++) {
        http->daemons[i] = start_daemon(http, options->sockets[i]);
        if (http->daemons[i] == NULL) {
            status = nd_fail(error, ND_OS, "cannot start the HTTP server");
        } else {
            http->quiesced[i] = -1;
        }
    }
    if (status != ND_OK) {
        nd_http_stop(&http);
        return status;
    }
    *http_r = http;
    return ND_OK;
}

void nd_http_sweep(struct nd_http *http)
{
    size_t cut =
        nd_connections_sweep(http->connections, nd_clock_monotonic_us());
    nd_metrics_add(http->metrics, ND_METRIC_CONNECTIONS_CUT, 0, cut);
}

void nd_http_quiesce(struct nd_http *http, int64_t wait_ms)
{
    int64_t end_us = nd_clock_monotonic_us() + wait_ms * 1000;
    atomic_store(&http->stopping, true);
    for (size_t i = 0; i < http->options.socket_count; i++) {
        if (http->daemons[i] != NULL && http->quiesced[i] < 0) {
            http->quiesced[i] = microhttpd.quiesce_daemon(http->daemons[i]);
        }
    }
    while (atomic_load(&http->under_way) > 0 &&
           nd_clock_monotonic_us() < end_us) {
        (void)usleep(2000);
    }
}

void nd_http_stop(struct nd_http **http)
{
    if (http == NULL || *http == NULL) {
        return;
    }
    struct nd_http *old = *http;
    atomic_store(&old->stopping, true);
    nd_pool_destroy(&old->pool);
    for (size_t i = 0; i < old->options.socket_count; i++) {
        if (old->daemons[i] != NULL) {
            microhttpd.stop_daemon(old->daemons[i]);
        }
        if (old->quiesced[i] >= 0) {
            close(old->quiesced[i]);
        }
    }
    while (old->spare != NULL) {
        struct exchange *exchange = old->spare;
        old->spare = exchange->next;
        free_exchange(exchange);
    }
    nd_connections_destroy(&old->connections);
    (void)pthread_mutex_destroy(&old->lock);
    free(old->daemons);
    free(old->quiesced);
    free(old);
    *http = NULL;
}
