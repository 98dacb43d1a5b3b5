/* SPDX-License-Identifier: Apache-2.0
 *
 * Starts the parts in the order in which they need each other, waits for
 * signals, and stops the parts the other way round. What happens between
 * belongs to the parts' own threads: this one only sweeps connections and tells
 * systemd that it lives.
 */
#include "serve/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "learn/spare.h"
#include "serve/http.h"
#include "serve/listen.h"
#include "serve/milter.h"
#include "serve/privileges.h"
#include "serve/serve_log.h"

#define MAX_LISTENERS 16
#define QUIESCE_MS 1000
#define FIRST_LOOK_MS 2000
#define LOOK_STEP_MS 100
#define SPARE_FILES 256 /* beside connections */

struct daemon {
    struct nd_serve_plan *plan;
    nd_serve_reload *reload;
    void *context;
    struct nd_listener listeners[MAX_LISTENERS];
    size_t listener_count;
    struct nd_metrics *metrics;
    struct nd_host *host;
    struct nd_service *service;
    struct nd_http *http;
    int milter_listener;                /* -1: none, or given away */
    char *milter_address;               /* that was listened on, or NULL */
    struct nd_mail_server *mail_server; /* NULL: there is no milter */
    struct nd_rspamd_trainer *rspamd;   /* NULL: no rule of that kind */
    int64_t watchdog_us;                /* 0: systemd wants no sign of life */
    sigset_t signals;
};

/* ---- sockets ---- */

static void warn_of_remote(const struct nd_listener *listener,
                           const struct nd_tokens *tokens)
{
    if (!listener->is_remote) {
        return;
    }
    nd_log(ND_LOG_WARNING, "listening on %s, which other machines can reach%s",
           listener->address,
           nd_tokens_count(tokens) == 0
               ? "; without a token file they are all refused"
               : ", without encryption: put TLS in front");
}

static enum nd_status open_listeners(struct daemon *daemon,
                                     struct nd_error *error)
{
    const struct nd_serve_plan *plan = daemon->plan;
    enum nd_status status = nd_listeners_inherit(
        daemon->listeners, MAX_LISTENERS, error, &daemon->listener_count);
    bool inherited = daemon->listener_count > 0;
    for (size_t i = 0; status == ND_OK && i < plan->listen_count; i++) {
        if (inherited && plan->listen_count == 1 &&
            strcmp(plan->listen[i], ND_SERVE_LISTEN) == 0) {
            break; /* systemd's socket stands in for the default */
        }
        if (daemon->listener_count == MAX_LISTENERS) {
            return nd_fail(error, ND_CONFIG, "more than %d addresses to listen",
                           MAX_LISTENERS);
        }
        status = nd_listener_open(plan->listen[i], error,
                                  &daemon->listeners[daemon->listener_count]);
        daemon->listener_count += status == ND_OK;
    }
    for (size_t i = 0; status == ND_OK && i < daemon->listener_count; i++) {
        warn_of_remote(&daemon->listeners[i], plan->service.tokens);
    }
    return status;
}

/* ---- start ---- */

static unsigned thread_count(const struct nd_serve_settings *settings)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (settings->threads > 0) {
        return settings->threads;
    }
    return processors > 4 ? (unsigned)processors : 4;
}

/* Raises the limit of open files to what the connections of all addresses need,
 * if the system lets us. Answers how many connections an address may have: all
 * that are configured, or so many that store, trainer and log find files left,
 * since without any the server would ask for one again and again. */
static uint32_t fit_connections(uint32_t connections, size_t addresses)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)connections * addresses + SPARE_FILES;
    if (addresses == 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
        limit.rlim_cur >= wanted) {
        return connections;
    }
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted) {
        return connections;
    }
    rlim_t spare =
        limit.rlim_cur / 2 < SPARE_FILES ? limit.rlim_cur / 2 : SPARE_FILES;
    uint32_t fitting = (uint32_t)((limit.rlim_cur - spare) / addresses);
    fitting = fitting > 0 ? fitting : 1;
    nd_log(ND_LOG_WARNING,
           "only %llu open files are allowed, %llu are wanted for %u "
           "connections: %u at once for each address",
           (unsigned long long)limit.rlim_cur, (unsigned long long)wanted,
           connections, fitting);
    return fitting;
}

static enum nd_status start_http(struct daemon *daemon, struct nd_error *error)
{
    const struct nd_serve_settings *settings = daemon->plan->settings;
    int sockets[MAX_LISTENERS];
    struct nd_http_options options = {
        .service = daemon->service,
        .sockets = sockets,
        .socket_count = daemon->listener_count,
        .threads = thread_count(settings),
        .connections =
            fit_connections(settings->connections, daemon->listener_count),
        .request_ms = settings->request_time_ms,
        .idle_ms = settings->idle_time_ms,
    };
    for (size_t i = 0; i < daemon->listener_count; i++) {
        sockets[i] = daemon->listeners[i].socket;
        daemon->listeners[i].socket = -1;
    }
    return nd_http_start(&options, error, &daemon->http);
}

static enum nd_status start_milter(struct daemon *daemon,
                                   struct nd_error *error)
{
    int listener = daemon->milter_listener;
    daemon->milter_listener = -1;
    if (listener < 0) {
        return ND_OK;
    }
    nd_log(ND_LOG_INFO, "milter: listening on %s",
           daemon->plan->milter.address);
    return nd_mail_server_start(&daemon->plan->milter, daemon->service,
                                listener, error, &daemon->mail_server);
}

static void block_signals(struct daemon *daemon)
{
    (void)sigemptyset(&daemon->signals);
    (void)sigaddset(&daemon->signals, SIGHUP);
    (void)sigaddset(&daemon->signals, SIGTERM);
    (void)sigaddset(&daemon->signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &daemon->signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* With the rules of plan, in place of what watches now. */
static enum nd_status start_rspamd(struct daemon *daemon,
                                   const struct nd_serve_plan *plan,
                                   struct nd_error *error)
{
    bool trains =
        plan->host.roles == 0 || (plan->host.roles & ND_ROLE_TRAIN) != 0;
    struct nd_rspamd_trainer_options options = {
        plan->host.store, plan->host.store_options, plan->rspamd_rules,
        trains ? plan->rspamd_rule_count : 0};
    nd_rspamd_trainer_stop(&daemon->rspamd);
    return nd_rspamd_trainer_start(&options, error, &daemon->rspamd);
}

/* Signals are blocked, and are answered in live(). */
static bool is_to_end(void)
{
    sigset_t waiting;
    (void)sigpending(&waiting);
    return sigismember(&waiting, SIGTERM) == 1 ||
           sigismember(&waiting, SIGINT) == 1;
}

static void await_look(struct nd_host *host)
{
    for (int waited_ms = 0; waited_ms < FIRST_LOOK_MS && !is_to_end();
         waited_ms += LOOK_STEP_MS) {
        if (nd_host_await_look(host, LOOK_STEP_MS)) {
            return;
        }
    }
}

static enum nd_status start(struct daemon *daemon, struct nd_error *error)
{
    struct nd_serve_plan *plan = daemon->plan;
    enum nd_status status = open_listeners(daemon, error);
    if (status == ND_OK) {
        status = nd_mail_server_listen(&plan->milter, error,
                                       &daemon->milter_listener);
        daemon->milter_address = daemon->milter_listener >= 0
                                     ? nd_strdup(plan->milter.address)
                                     : NULL;
    }
    if (status == ND_OK) {
        status = nd_privileges_drop(plan->settings->user, error);
    }
    if (status == ND_OK) {
        status = nd_metrics_create(error, &daemon->metrics);
    }
    if (status == ND_OK) {
        status = nd_host_create(&plan->host, error, &daemon->host);
    }
    if (status != ND_OK) {
        nd_tokens_destroy(&plan->service.tokens);
        return status;
    }
    /* Clients wait in the sockets' queues, so that the first ones too find the
     * model and the key that are there; but not for a store that is away. */
    await_look(daemon->host);
    daemon->service =
        nd_service_create(daemon->host, daemon->metrics, &plan->service);
    status = start_http(daemon, error);
    if (status == ND_OK) {
        status = start_milter(daemon, error);
    }
    return status == ND_OK && !is_to_end() ? start_rspamd(daemon, plan, error)
                                           : status;
}

/* Names first: a daemon that starts meanwhile makes them anew. */
static void hide_sockets(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->listener_count; i++) {
        nd_listener_hide(&daemon->listeners[i]);
    }
    if (daemon->milter_address != NULL) {
        nd_milter_hide(daemon->milter_address);
    }
    free(daemon->milter_address);
    daemon->milter_address = NULL;
}

static void stop(struct daemon *daemon)
{
    hide_sockets(daemon);
    if (daemon->milter_listener >= 0) {
        (void)close(daemon->milter_listener);
    }
    nd_mail_server_end(daemon->mail_server);
    if (daemon->http != NULL) {
        nd_http_quiesce(daemon->http, QUIESCE_MS);
    }
    nd_rspamd_trainer_stop(&daemon->rspamd);
    /* Halted, the host lets go of requests and lessons that wait for it; it is
     * freed only when no thread can be in the middle of one. */
    if (daemon->host != NULL) {
        nd_host_halt(daemon->host);
    }
    nd_mail_server_stop(&daemon->mail_server);
    nd_http_stop(&daemon->http);
    nd_service_destroy(&daemon->service);
    nd_host_stop(&daemon->host);
    nd_metrics_destroy(&daemon->metrics);
    for (size_t i = 0; i < daemon->listener_count; i++) {
        nd_listener_close(&daemon->listeners[i]);
    }
}

/* ---- reload ---- */

static enum nd_status take_plan(struct daemon *daemon,
                                struct nd_serve_plan *plan,
                                struct nd_error *error)
{
    enum nd_status status = nd_host_reload(daemon->host, plan->host.rules,
                                           plan->host.rule_count, error);
    if (status != ND_OK) {
        nd_tokens_destroy(&plan->service.tokens);
        return status;
    }
    nd_service_reload(daemon->service, &plan->service);
    if (daemon->mail_server != NULL) {
        nd_mail_server_reload(daemon->mail_server, &plan->milter);
    }
    nd_log_set_level((enum nd_log_level)plan->settings->log_level);
    struct nd_error why = {""};
    if (start_rspamd(daemon, plan, &why) != ND_OK) {
        nd_log(ND_LOG_ERROR, "rspamd's networks are not watched: %s", why.text);
    }
    return ND_OK;
}

static void reload(struct daemon *daemon)
{
    struct nd_serve_plan plan = {0};
    struct nd_error error = {""};
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
                     (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    enum nd_status status = daemon->reload(daemon->context, &error, &plan);
    if (status == ND_OK) {
        status = take_plan(daemon, &plan, &error);
    }
    nd_metrics_add(daemon->metrics, ND_METRIC_RELOADS, status != ND_OK, 1);
    if (status == ND_OK) {
        nd_log(ND_LOG_INFO, "configuration reloaded");
    } else {
        nd_log(ND_LOG_ERROR, "the old configuration stays: %s", error.text);
    }
    (void)sd_notifyf(0, "READY=1\nSTATUS=%s",
                     status == ND_OK ? "serving"
                                     : "serving by an older configuration");
}

/* ---- life ---- */

static void tell_listeners(const struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->listener_count; i++) {
        nd_log(ND_LOG_INFO, "listening on %s", daemon->listeners[i].address);
    }
}

/* Until a signal asks for the end. */
static void live(struct daemon *daemon)
{
    static const struct timespec tick = {1, 0};
    int64_t told_us = 0;
    for (;;) {
        int number = sigtimedwait(&daemon->signals, NULL, &tick);
        int64_t now_us = nd_clock_monotonic_us();
        if (number == SIGTERM || number == SIGINT) {
            return;
        }
        if (number == SIGHUP) {
            reload(daemon);
        }
        nd_http_sweep(daemon->http);
        if (daemon->watchdog_us > 0 &&
            now_us - told_us >= daemon->watchdog_us / 3) {
            (void)sd_notify(0, "WATCHDOG=1");
            told_us = now_us;
        }
    }
}

enum nd_status nd_serve(struct nd_serve_plan *plan, nd_serve_reload *again,
                        void *context, struct nd_error *error)
{
    struct daemon daemon = {.plan = plan,
                            .reload = again,
                            .context = context,
                            .milter_listener = -1};
    uint64_t watchdog_us = 0;
    block_signals(&daemon);
    nd_serve_log_open(plan->settings);
    nd_spare_allow();
    enum nd_status status = start(&daemon, error);
    if (status == ND_OK) {
        tell_listeners(&daemon);
        if (sd_watchdog_enabled(0, &watchdog_us) > 0) {
            daemon.watchdog_us = (int64_t)watchdog_us;
        }
        (void)sd_notify(0, "READY=1\nSTATUS=serving");
        live(&daemon);
        (void)sd_notify(0, "STOPPING=1\nSTATUS=stopping");
        nd_log(ND_LOG_INFO, "stopping");
    }
    stop(&daemon);
    nd_serve_log_close();
    return status;
}

enum nd_status nd_serve_roles(const char *words, struct nd_error *error,
                              uint32_t *roles_r)
{
    static const struct {
        const char *name;
        uint32_t role;
    } known[] = {{"collect", ND_ROLE_COLLECT},
                 {"score", ND_ROLE_SCORE},
                 {"train", ND_ROLE_TRAIN}};
    uint32_t roles = 0;
    while (words != NULL && *words != '\0') {
        size_t length = strcspn(words, " ,"), i = 0;
        while (i < 3 && (strlen(known[i].name) != length ||
                         strncmp(known[i].name, words, length) != 0)) {
            i++;
        }
        if (i == 3 && length > 0) {
            return nd_fail(error, ND_CONFIG,
                           "%.*s is no role; there are collect, score, train",
                           (int)length, words);
        }
        roles |= length > 0 ? known[i].role : 0;
        words += length + (words[length] != '\0');
    }
    *roles_r = roles;
    return ND_OK;
}
