/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenSSL behind five functions. A context lives as long as one connection, so
 * that renewed certificates are taken up at the next one. The socket is
 * written through a BIO of our own, since OpenSSL's raises SIGPIPE when the
 * other side has gone. There is no way to switch verification off.
 */
#include "store/redis_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/memory.h"

struct nd_redis_tls {
    SSL_CTX *context;
    SSL *session;
    BIO_METHOD *method;
    int socket;
};

static struct nd_redis_tls *tls_of(BIO *bio)
{
    return BIO_get_data(bio);
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static int socket_write(BIO *bio, const char *data, int length)
{
    BIO_clear_retry_flags(bio);
    ssize_t sent =
        send(tls_of(bio)->socket, data, (size_t)length, MSG_NOSIGNAL);
    if (sent < 0 && would_block())
        BIO_set_retry_write(bio);
    return (int)sent;
}

static int socket_read(BIO *bio, char *data, int size)
{
    BIO_clear_retry_flags(bio);
    ssize_t got = recv(tls_of(bio)->socket, data, (size_t)size, 0);
    if (got < 0 && would_block())
        BIO_set_retry_read(bio);
    return (int)got;
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/* OpenSSL's own words for what went wrong last. */
static const char *openssl_reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
    return reason != NULL ? reason : "unknown reason";
}

static enum nd_status load_authority(SSL_CTX *context, const char *path,
                                     struct nd_error *error)
{
    int loaded = path != NULL
                     ? SSL_CTX_load_verify_locations(context, path, NULL)
                     : SSL_CTX_set_default_verify_paths(context);
    if (loaded == 1)
        return ND_OK;
    return nd_fail(error, ND_CONFIG, "certificate authority %s: %s",
                   path != NULL ? path : "of the system", openssl_reason());
}

static enum nd_status load_certificate(SSL_CTX *context,
                                       const struct nd_redis_options *options,
                                       struct nd_error *error)
{
    if (options->certificate_file == NULL)
        return ND_OK;
    if (SSL_CTX_use_certificate_chain_file(context,
                                           options->certificate_file) != 1)
        return nd_fail(error, ND_CONFIG, "client certificate %s: %s",
                       options->certificate_file, openssl_reason());
    if (SSL_CTX_use_PrivateKey_file(context, options->key_file,
                                    SSL_FILETYPE_PEM) != 1)
        return nd_fail(error, ND_CONFIG, "client key %s: %s", options->key_file,
                       openssl_reason());
    return ND_OK;
}

static enum nd_status make_context(struct nd_redis_tls *tls,
                                   const struct nd_redis_options *options,
                                   struct nd_error *error)
{
    tls->context = SSL_CTX_new(TLS_client_method());
    if (tls->context == NULL ||
        SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1)
        return nd_fail(error, ND_INTERNAL, "TLS: %s", openssl_reason());
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_mode(tls->context,
                           SSL_MODE_ENABLE_PARTIAL_WRITE |
                               SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    enum nd_status status =
        load_authority(tls->context, options->ca_file, error);
    if (status == ND_OK)
        status = load_certificate(tls->context, options, error);
    return status;
}

static bool is_address(const char *host)
{
    unsigned char address[16];
    return inet_pton(AF_INET, host, address) == 1 ||
           inet_pton(AF_INET6, host, address) == 1;
}

/* An address is compared with the certificate's addresses, a name with its
 * names and also sent along (SNI). */
static bool expect_name(SSL *session, const char *name)
{
    if (is_address(name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), name) ==
               1;
    SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(session, name) == 1 &&
           SSL_set_tlsext_host_name(session, name) == 1;
}

static BIO *make_bio(struct nd_redis_tls *tls)
{
    tls->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(),
                               "neurald socket");
    if (tls->method == NULL)
        return NULL;
    (void)BIO_meth_set_write(tls->method, socket_write);
    (void)BIO_meth_set_read(tls->method, socket_read);
    (void)BIO_meth_set_ctrl(tls->method, socket_control);
    BIO *bio = BIO_new(tls->method);
    if (bio != NULL) {
        BIO_set_data(bio, tls);
        BIO_set_init(bio, 1);
    }
    return bio;
}

static enum nd_status make_session(struct nd_redis_tls *tls, const char *name,
                                   struct nd_error *error)
{
    tls->session = SSL_new(tls->context);
    if (tls->session == NULL || !expect_name(tls->session, name))
        return nd_fail(error, ND_INTERNAL, "TLS: %s", openssl_reason());
    BIO *bio = make_bio(tls);
    if (bio == NULL)
        return nd_fail(error, ND_INTERNAL, "TLS: %s", openssl_reason());
    SSL_set_bio(tls->session, bio, bio); /* the session owns it now */
    SSL_set_connect_state(tls->session);
    return ND_OK;
}

enum nd_status nd_redis_tls_create(int socket,
                                   const struct nd_redis_options *options,
                                   const char *host, struct nd_error *error,
                                   struct nd_redis_tls **tls_r)
{
    const char *name =
        options->server_name != NULL ? options->server_name : host;
    if (name == NULL)
        return nd_fail(error, ND_CONFIG,
                       "TLS: no name to expect; set server_name");
    struct nd_redis_tls *tls = nd_calloc(1, sizeof(*tls));
    tls->socket = socket;
    ERR_clear_error();
    enum nd_status status = make_context(tls, options, error);
    if (status == ND_OK)
        status = make_session(tls, name, error);
    if (status == ND_OK)
        *tls_r = tls;
    else
        nd_redis_tls_destroy(&tls);
    return status;
}

void nd_redis_tls_destroy(struct nd_redis_tls **tls)
{
    if (tls == NULL || *tls == NULL)
        return;
    SSL_free((*tls)->session);
    SSL_CTX_free((*tls)->context);
    BIO_meth_free((*tls)->method);
    free(*tls);
    *tls = NULL;
}

/* What a call that did not succeed is waiting for, or how it failed. */
static enum nd_redis_tls_want want_of(struct nd_redis_tls *tls, int result,
                                      struct nd_error *error)
{
    long verified;
    switch (SSL_get_error(tls->session, result)) {
    case SSL_ERROR_WANT_READ:
        return ND_REDIS_TLS_WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return ND_REDIS_TLS_WANTS_WRITE;
    case SSL_ERROR_ZERO_RETURN:
    case SSL_ERROR_SYSCALL:
        return ND_REDIS_TLS_CLOSED;
    default:
        verified = SSL_get_verify_result(tls->session);
        (void)nd_fail(error, ND_UNAVAILABLE, "TLS: %s%s%s", openssl_reason(),
                      verified != X509_V_OK ? ": " : "",
                      verified != X509_V_OK
                          ? X509_verify_cert_error_string(verified)
                          : "");
        return ND_REDIS_TLS_FAILED;
    }
}

enum nd_redis_tls_want nd_redis_tls_handshake(struct nd_redis_tls *tls,
                                              struct nd_error *error)
{
    ERR_clear_error();
    int result = SSL_do_handshake(tls->session);
    return result == 1 ? ND_REDIS_TLS_DONE : want_of(tls, result, error);
}

enum nd_redis_tls_want nd_redis_tls_read(struct nd_redis_tls *tls, void *data,
                                         size_t size, struct nd_error *error,
                                         size_t *used_r)
{
    ERR_clear_error();
    int result = SSL_read_ex(tls->session, data, size, used_r);
    return result == 1 ? ND_REDIS_TLS_DONE : want_of(tls, result, error);
}

enum nd_redis_tls_want nd_redis_tls_write(struct nd_redis_tls *tls,
                                          const void *data, size_t length,
                                          struct nd_error *error,
                                          size_t *used_r)
{
    ERR_clear_error();
    int result = SSL_write_ex(tls->session, data, length, used_r);
    return result == 1 ? ND_REDIS_TLS_DONE : want_of(tls, result, error);
}
