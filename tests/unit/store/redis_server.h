/* SPDX-License-Identifier: Apache-2.0
 *
 * A real redis-server for tests: in a temporary folder, on a unix socket and a
 * free port, gone when the test is.
 */
#ifndef ND_TESTS_REDIS_SERVER_H
#define ND_TESTS_REDIS_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct redis_server {
    char folder[64];
    char socket[96];
    uint16_t port;
    bool tls;
    bool sentinel;
    pid_t pid;
};

/* Whether there is a redis-server to run; else tests skip. */
bool redis_server_available(void);

/* Makes the folder and picks the port; starts nothing. */
void redis_server_prepare(struct redis_server *server);

/* Starts it with more arguments (NULL at the end; may be NULL) and waits until
 * it answers. Starting again after a stop keeps folder, socket and port. */
void redis_server_start(struct redis_server *server,
                        const char *const *arguments);

/* Ends the process (SIGKILL) and waits for it. */
void redis_server_stop(struct redis_server *server);

/* Stops it and removes the folder. */
void redis_server_remove(struct redis_server *server);

/* Makes a CA, a server's certificate for the name "redis.test" and 127.0.0.1,
 * and a client's, in the server's folder: ca.crt, server.crt, server.key,
 * client.crt, client.key. */
void redis_server_make_certificates(const struct redis_server *server);

/* A TCP port that nobody listens on. */
uint16_t redis_server_free_port(void);

#endif
