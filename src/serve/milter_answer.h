/* SPDX-License-Identifier: Apache-2.0
 *
 * The milter of the daemon: what the configuration says about it, and the
 * decision about each message, by the host at work.
 */
#ifndef ND_SERVE_MILTER_ANSWER_H
#define ND_SERVE_MILTER_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "serve/service.h"

/* The keys of the configuration's section milter. Strings are owned by it. */
struct nd_milter_settings {
    char *address; /* inet:PORT@HOST or unix:PATH; NULL: there is no milter */
    char *socket_mode; /* of a socket file, octal */
    char *header;
    int64_t deadline_ms;
    int64_t max_memory;
    bool has_tag, has_quarantine;
    double tag, quarantine; /* probabilities of spam, from which on */
    char *tag_subject;      /* goes in front of the subject; NULL: nothing */
    char *tag_header;       /* "NAME: VALUE"; NULL: none */
};

/* ND_CONFIG names the key whose value will not do; ND_USAGE: the address. */
enum nd_status nd_milter_settings_check(
    const struct nd_milter_settings *settings,
    struct nd_error *error) ND_MUST_CHECK;

struct nd_mail_server;

/* The listening socket, for nd_mail_server_start: opened early, since a daemon
 * may give up the right to. -1 where there is no milter. */
enum nd_status nd_mail_server_listen(const struct nd_milter_settings *settings,
                                     struct nd_error *error,
                                     int *listener_r) ND_MUST_CHECK;

/* Starts the milter on listener, which is taken over, also on failure. service
 * is borrowed, settings are copied. */
enum nd_status nd_mail_server_start(
    const struct nd_milter_settings *settings, struct nd_service *service,
    int listener, struct nd_error *error,
    struct nd_mail_server **server_r) ND_MUST_CHECK;

/* New settings but the address and the socket's mode, and limits of the
 * service, for messages that begin from now on. */
void nd_mail_server_reload(struct nd_mail_server *server,
                           const struct nd_milter_settings *settings);

/* Takes no more mail; open messages and lessons get 2.5 s. What lessons are
 * left are tried until the host is halted. NULL is accepted. */
void nd_mail_server_end(struct nd_mail_server *server);
/* The same, and frees it once all lessons have been tried: halt the host
 * before. NULL and a pointer to NULL are accepted. */
void nd_mail_server_stop(struct nd_mail_server **server);

#endif
