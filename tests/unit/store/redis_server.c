/* SPDX-License-Identifier: Apache-2.0
 *
 * Starts redis-server (or redis-sentinel) as a child that dies with the test.
 * It needs no configuration of the system's and leaves nothing behind. Failures
 * abort the test: without a server there is nothing to show.
 */
#include "redis_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_ARGUMENTS 48
#define READY_TRIES 500 /* of 10 ms */

static void must(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "redis_server: %s: %s\n", what, strerror(errno));
    abort();
}

bool redis_server_available(void)
{
    return system("command -v redis-server >/dev/null 2>&1") == 0;
}

uint16_t redis_server_free_port(void)
{
    int handle = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(bind(handle, (struct sockaddr *)&address, length) == 0, "bind");
    must(getsockname(handle, (struct sockaddr *)&address, &length) == 0,
         "getsockname");
    (void)close(handle);
    return ntohs(address.sin_port);
}

void redis_server_prepare(struct redis_server *server)
{
    *server = (struct redis_server){.folder = "/tmp/neurald-redis-XXXXXX"};
    must(mkdtemp(server->folder) != NULL, "mkdtemp");
    (void)snprintf(server->socket, sizeof(server->socket), "%s/redis.sock",
                   server->folder);
    server->port = redis_server_free_port();
}

static void run_server(const struct redis_server *server,
                       const char *const *more)
{
    char port[8], folder[80];
    (void)snprintf(port, sizeof(port), "%u", server->port);
    (void)snprintf(folder, sizeof(folder), "%s", server->folder);
    const char *arguments[MAX_ARGUMENTS] = {"redis-server"};
    size_t count = 1;
    if (server->sentinel)
        arguments[count++] = *more++; /* its configuration file comes first */
    const char *const common[] = {server->tls ? "--tls-port" : "--port",
                                  port,
                                  "--bind",
                                  "127.0.0.1",
                                  "--dir",
                                  folder,
                                  "--logfile",
                                  "log",
                                  NULL};
    for (size_t i = 0; common[i] != NULL; i++)
        arguments[count++] = common[i];
    const char *const data_server[] = {
        "--unixsocket", server->socket, "--save", "",  "--appendonly",
        "no",           "--databases",  "4",      NULL};
    for (size_t i = 0; !server->sentinel && data_server[i] != NULL; i++)
        arguments[count++] = data_server[i];
    if (server->tls) {
        arguments[count++] = "--port";
        arguments[count++] = "0";
    }
    for (size_t i = 0; more != NULL && more[i] != NULL; i++) {
        must(count < MAX_ARGUMENTS - 2, "too many arguments");
        arguments[count++] = more[i];
    }
    if (server->sentinel)
        arguments[count++] = "--sentinel";
    int log = open("/dev/null", O_WRONLY);
    (void)dup2(log, STDOUT_FILENO);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)execvp("redis-server", (char *const *)(uintptr_t)arguments);
    _exit(127);
}

static bool answers(const struct redis_server *server)
{
    struct sockaddr_in tcp = {.sin_family = AF_INET,
                              .sin_port = htons(server->port)};
    tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int handle = socket(AF_INET, SOCK_STREAM, 0);
    bool ready = connect(handle, (struct sockaddr *)&tcp, sizeof(tcp)) == 0;
    (void)close(handle);
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    memcpy(local.sun_path, server->socket, sizeof(server->socket));
    handle = socket(AF_UNIX, SOCK_STREAM, 0);
    ready = ready &&
            (server->sentinel ||
             connect(handle, (struct sockaddr *)&local, sizeof(local)) == 0);
    (void)close(handle);
    return ready;
}

static void pause_ms(long time_ms)
{
    struct timespec time = {.tv_sec = time_ms / 1000,
                            .tv_nsec = time_ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

void redis_server_start(struct redis_server *server,
                        const char *const *arguments)
{
    (void)unlink(server->socket);
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0)
        run_server(server, arguments);
    server->pid = pid;
    for (int i = 0; i < READY_TRIES; i++) {
        if (answers(server))
            return;
        must(waitpid(pid, NULL, WNOHANG) == 0, "redis-server ended at once");
        pause_ms(10);
    }
    must(false, "redis-server does not answer");
}

void redis_server_stop(struct redis_server *server)
{
    if (server->pid <= 0)
        return;
    (void)kill(server->pid, SIGKILL);
    (void)waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static int remove_entry(const char *path, const struct stat *info, int type,
                        struct FTW *walk)
{
    return remove(path);
}

void redis_server_remove(struct redis_server *server)
{
    redis_server_stop(server);
    (void)nftw(server->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

void redis_server_make_certificates(const struct redis_server *server)
{
    static const char script[] =
        "cd \"$0\" && exec >/dev/null 2>&1 && "
        "new() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
        "-nodes -subj \"/CN=$1\" -keyout $1.key -out $1.csr; } && "
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
        "-days 2 -subj /CN=test-authority -keyout ca.key -out ca.crt && "
        "printf 'subjectAltName=DNS:redis.test,IP:127.0.0.1\\n' >names && "
        "new server && openssl x509 -req -days 2 -in server.csr -CA ca.crt "
        "-CAkey ca.key -CAcreateserial -extfile names -out server.crt && "
        "new client && openssl x509 -req -days 2 -in client.csr -CA ca.crt "
        "-CAkey ca.key -CAcreateserial -out client.crt";
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        (void)execl("/bin/sh", "sh", "-c", script, server->folder, NULL);
        _exit(127);
    }
    int result = 0;
    must(waitpid(pid, &result, 0) == pid && result == 0,
         "openssl made no certificates");
}
