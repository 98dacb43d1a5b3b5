/* SPDX-License-Identifier: Apache-2.0
 *
 * Binds what is to be listened on. A name that stands for several addresses
 * gives the first that can be bound.
 */
#include "serve/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/memory.h"

#define BACKLOG 1024
#define UNIX_PREFIX "unix:"

static bool is_unix(const char *address)
{
    return strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;
}

/* ---- unix sockets ---- */

static enum nd_status unix_address(const char *address, struct nd_error *error,
                                   struct sockaddr_un *name_r)
{
    const char *path = address + strlen(UNIX_PREFIX);
    *name_r = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (path[0] != '/' || strlen(path) >= sizeof(name_r->sun_path)) {
        return nd_fail(error, ND_CONFIG,
                       "%s: the path of a unix socket begins with / and has "
                       "less than %zu bytes",
                       address, sizeof(name_r->sun_path));
    }
    memcpy(name_r->sun_path, path, strlen(path) + 1);
    return ND_OK;
}

/* A socket that was left behind by a daemon that is gone. */
static bool is_dead(const struct sockaddr_un *name)
{
    struct stat info;
    if (lstat(name->sun_path, &info) != 0 || !S_ISSOCK(info.st_mode)) {
        return false;
    }
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool dead =
        probe >= 0 &&
        connect(probe, (const struct sockaddr *)name, sizeof(*name)) != 0 &&
        errno == ECONNREFUSED;
    if (probe >= 0) {
        close(probe);
    }
    return dead;
}

static enum nd_status fail_bind(const char *address, struct nd_error *error)
{
    if (errno == EADDRINUSE) {
        return nd_fail(error, ND_UNAVAILABLE,
                       "cannot listen on %s: something else does already",
                       address);
    }
    return nd_fail_errno(error, "cannot listen on %s", address);
}

static enum nd_status open_unix(const char *address, struct nd_error *error,
                                struct nd_listener *listener)
{
    struct sockaddr_un name;
    enum nd_status status = unix_address(address, error, &name);
    if (status != ND_OK) {
        return status;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (is_dead(&name)) {
        (void)unlink(name.sun_path);
    }
    if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) != 0 ||
        chmod(name.sun_path, 0666) != 0 || listen(fd, BACKLOG) != 0) {
        status = fail_bind(address, error);
        if (fd >= 0) {
            close(fd);
        }
        return status;
    }
    listener->socket = fd;
    listener->path = nd_strdup(name.sun_path);
    return ND_OK;
}

/* ---- TCP ---- */

/* Splits "HOST:PORT" or "[HOST]:PORT"; both are copies that the caller
 * frees. */
static enum nd_status split(const char *address, struct nd_error *error,
                            char **host_r, char **port_r)
{
    const char *colon = strrchr(address, ':');
    size_t length = colon != NULL ? (size_t)(colon - address) : 0;
    const char *host = address;
    if (length > 2 && address[0] == '[' && address[length - 1] == ']') {
        host++;
        length -= 2;
    }
    if (length == 0 || colon[1] == '\0' ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        strtoul(colon + 1, NULL, 10) > 65535) {
        return nd_fail(error, ND_CONFIG,
                       "%s is no address to listen on: HOST:PORT or unix:PATH "
                       "is wanted",
                       address);
    }
    *host_r = nd_strndup(host, length);
    *port_r = nd_strdup(colon + 1);
    return ND_OK;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        return ntohl(in.sin_addr.s_addr) >> 24 == 127;
    }
    struct sockaddr_in6 in6;
    memcpy(&in6, address, sizeof(in6));
    return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

/* A listening socket, or -1 with errno. */
static int listen_on(const struct addrinfo *where)
{
    static const int on = 1;
    int fd =
        socket(where->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, where->ai_addr, where->ai_addrlen) == 0 &&
        listen(fd, BACKLOG) == 0) {
        return fd;
    }
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static enum nd_status open_tcp(const char *address, struct nd_error *error,
                               struct nd_listener *listener)
{
    static const struct addrinfo wanted = {.ai_flags = AI_PASSIVE,
                                           .ai_socktype = SOCK_STREAM};
    char *host = NULL, *port = NULL;
    struct addrinfo *found = NULL;
    enum nd_status status = split(address, error, &host, &port);
    if (status != ND_OK) {
        return status;
    }
    int defect = getaddrinfo(host, port, &wanted, &found);
    free(host);
    free(port);
    if (defect != 0) {
        return nd_fail(error, ND_CONFIG, "cannot listen on %s: %s", address,
                       gai_strerror(defect));
    }
    int fd = -1;
    for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = listen_on(at);
        listener->is_remote = !is_loopback(at->ai_addr);
    }
    freeaddrinfo(found);
    if (fd < 0) {
        return fail_bind(address, error);
    }
    listener->socket = fd;
    return ND_OK;
}

/* ---- both ---- */

enum nd_status nd_listener_check(const char *address, struct nd_error *error)
{
    struct sockaddr_un name;
    char *host = NULL, *port = NULL;
    if (is_unix(address)) {
        return unix_address(address, error, &name);
    }
    enum nd_status status = split(address, error, &host, &port);
    free(host);
    free(port);
    return status;
}

enum nd_status nd_listener_open(const char *address, struct nd_error *error,
                                struct nd_listener *listener_r)
{
    struct nd_listener listener = {.socket = -1};
    enum nd_status status = is_unix(address)
                                ? open_unix(address, error, &listener)
                                : open_tcp(address, error, &listener);
    if (status == ND_OK) {
        listener.address = nd_strdup(address);
        *listener_r = listener;
    }
    return status;
}

static bool is_remote_socket(int fd)
{
    struct sockaddr_storage name = {0};
    socklen_t length = sizeof(name);
    return getsockname(fd, (struct sockaddr *)&name, &length) == 0 &&
           name.ss_family != AF_UNIX &&
           !is_loopback((const struct sockaddr *)&name);
}

enum nd_status nd_listeners_inherit(struct nd_listener *listeners_r,
                                    size_t room, struct nd_error *error,
                                    size_t *count_r)
{
    int given = sd_listen_fds(1);
    size_t count = 0;
    for (int i = 0; i < given && count < room; i++) {
        int fd = SD_LISTEN_FDS_START + i;
        if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0) {
            return nd_fail(error, ND_CONFIG,
                           "socket %d from systemd does not listen for "
                           "streams; see ListenStream= of the .socket unit",
                           i + 1);
        }
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        listeners_r[count++] =
            (struct nd_listener){.socket = fd,
                                 .address = nd_strdup("systemd"),
                                 .is_remote = is_remote_socket(fd)};
    }
    *count_r = count;
    return ND_OK;
}

void nd_listener_hide(struct nd_listener *listener)
{
    if (listener->path != NULL) {
        (void)unlink(listener->path);
    }
    free(listener->path);
    listener->path = NULL;
}

void nd_listener_close(struct nd_listener *listener)
{
    nd_listener_hide(listener);
    if (listener->socket >= 0) {
        close(listener->socket);
    }
    free(listener->address);
    *listener = (struct nd_listener){.socket = -1};
}
