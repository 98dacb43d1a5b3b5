/* SPDX-License-Identifier: Apache-2.0
 *
 * The milter's listening socket. The daemon opens it and keeps it, and every
 * worker inherits it, so that a mail server which connects while a worker is
 * started again waits a moment instead of being refused.
 */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/units.h"
#include "serve/milter.h"

#define BACKLOG 256
#define MOST_PATH sizeof(((struct sockaddr_un *)NULL)->sun_path)

/* ---- unix ---- */

static bool somebody_listens(const struct sockaddr_un *place)
{
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answered = probe >= 0 && connect(probe, (const struct sockaddr *)place,
                                          sizeof(*place)) == 0;
    if (probe >= 0) {
        (void)close(probe);
    }
    return answered;
}

/* A socket file that a daemon before us left behind goes; no other file. */
static void remove_old(const struct sockaddr_un *place)
{
    struct stat info;
    if (lstat(place->sun_path, &info) == 0 && S_ISSOCK(info.st_mode)) {
        (void)unlink(place->sun_path);
    }
}

static enum nd_status bind_unix(int socket, const struct sockaddr_un *place,
                                mode_t mode, struct nd_error *error)
{
    mode_t before = umask(0777 & ~mode);
    int result = bind(socket, (const struct sockaddr *)place, sizeof(*place));
    int problem = errno;
    (void)umask(before);
    errno = problem;
    if (result != 0) {
        return nd_fail_errno(error, "cannot listen on %s", place->sun_path);
    }
    return ND_OK;
}

static enum nd_status listen_unix(const char *path, mode_t mode,
                                  struct nd_error *error, int *listener_r)
{
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    memcpy(place.sun_path, path, strlen(path) + 1);
    if (somebody_listens(&place)) {
        return nd_fail(error, ND_BUSY, "another process listens on %s already",
                       path);
    }
    remove_old(&place);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0) {
        return nd_fail_errno(error, "no socket for the milter");
    }
    enum nd_status status = bind_unix(listener, &place, mode, error);
    if (status == ND_OK && listen(listener, BACKLOG) != 0) {
        status = nd_fail_errno(error, "cannot listen on %s", path);
    }
    if (status != ND_OK) {
        (void)close(listener);
        return status;
    }
    *listener_r = listener;
    return ND_OK;
}

/* ---- TCP ---- */

static int open_tcp(const struct addrinfo *place)
{
    int one = 1;
    int listener = socket(place->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0) {
        return -1;
    }
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, place->ai_addr, place->ai_addrlen) != 0 ||
        listen(listener, BACKLOG) != 0) {
        int problem = errno;
        (void)close(listener);
        errno = problem;
        return -1;
    }
    return listener;
}

static enum nd_status listen_tcp(const char *host, const char *port, int family,
                                 struct nd_error *error, int *listener_r)
{
    struct addrinfo wanted = {.ai_family = family,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *places = NULL;
    int problem = getaddrinfo(host, port, &wanted, &places);
    if (problem != 0) {
        return nd_fail(error, ND_NO_INPUT, "host %s is not found: %s", host,
                       gai_strerror(problem));
    }
    int listener = open_tcp(places);
    enum nd_status status = ND_OK;
    if (listener >= 0) {
        *listener_r = listener;
    } else if (errno == EADDRINUSE) {
        status = nd_fail(error, ND_BUSY,
                         "another process listens on port %s of %s already",
                         port, host);
    } else {
        status =
            nd_fail_errno(error, "cannot listen on port %s of %s", port, host);
    }
    freeaddrinfo(places);
    return status;
}

/* ---- addresses ---- */

/* "PORT@HOST", or "PORT" of the loopback interface, cut apart in text. */
static bool cut_port(char *text, int family, const char **host_r)
{
    char *at = strchr(text, '@');
    int64_t number = -1;
    *host_r = family == AF_INET6 ? "::1" : "127.0.0.1";
    if (at != NULL) {
        *at = '\0';
        *host_r = at + 1;
    }
    return nd_parse_integer(text, NULL, &number) == ND_OK && number >= 0 &&
           number <= 65535 && (*host_r)[0] != '\0';
}

/* The family of an address, and what is behind its prefix; AF_UNSPEC where it
 * has none. */
static int family_of(const char *address, const char **rest_r)
{
    static const struct {
        const char *prefix;
        int family;
    } kinds[] = {{"inet:", AF_INET},
                 {"inet6:", AF_INET6},
                 {"unix:", AF_UNIX},
                 {"local:", AF_UNIX}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t length = strlen(kinds[i].prefix);
        if (strncmp(address, kinds[i].prefix, length) == 0) {
            *rest_r = address + length;
            return kinds[i].family;
        }
    }
    return AF_UNSPEC;
}

enum nd_status nd_milter_address_check(const char *address,
                                       struct nd_error *error)
{
    const char *rest = NULL, *host;
    int family = family_of(address, &rest);
    char *text = nd_strdup(rest != NULL ? rest : "");
    bool is_right = family == AF_UNIX
                        ? text[0] == '/' && strlen(text) < MOST_PATH
                        : family != AF_UNSPEC && cut_port(text, family, &host);
    free(text);
    return is_right ? ND_OK
                    : nd_fail(error, ND_USAGE,
                              "%s is no milter address; inet:PORT@HOST or "
                              "unix:/PATH would be",
                              address);
}

enum nd_status nd_milter_listen(const char *address, mode_t mode,
                                struct nd_error *error, int *listener_r)
{
    const char *rest = NULL, *host = NULL;
    enum nd_status status = nd_milter_address_check(address, error);
    if (status != ND_OK) {
        return status;
    }
    int family = family_of(address, &rest);
    if (family == AF_UNIX) {
        return listen_unix(rest, mode, error, listener_r);
    }
    char *port = nd_strdup(rest);
    (void)cut_port(port, family, &host);
    status = listen_tcp(host, port, family, error, listener_r);
    free(port);
    return status;
}

void nd_milter_hide(const char *address)
{
    const char *path = NULL;
    if (family_of(address, &path) == AF_UNIX) {
        (void)unlink(path);
    }
}
