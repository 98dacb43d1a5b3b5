/* SPDX-License-Identifier: Apache-2.0
 *
 * One request and its answer, as the handlers see it: nothing in here is
 * libmicrohttpd's.
 */
#ifndef ND_SERVE_REQUEST_H
#define ND_SERVE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "serve/input.h"
#include "serve/route.h"
#include "serve/service.h"

#define ND_MAX_PARAMETERS 16

struct nd_parameter {
    const char *name, *value; /* valid as long as the request */
};

struct nd_request {
    struct nd_service *service;
    struct nd_held_settings *held;
    const struct nd_route *route;
    enum nd_access access; /* what the caller may do */
    const char *word;      /* in place of "{x}" in the path; "" */
    struct nd_parameter parameters[ND_MAX_PARAMETERS];
    size_t parameter_count;
    uint32_t body_kind;       /* one of ND_TAKES_... */
    const char *content_type; /* NULL without a body */
    struct nd_buffer body;    /* as far as it is kept */
    uint64_t body_bytes;      /* all that came */
    int64_t read_us;          /* monotonic: when its last byte was there */
    struct nd_arena *arena;   /* for what lives as long as the request */

    /* the answer */
    int code;         /* 0: none yet */
    const char *type; /* of the answer's body */
    struct nd_json json;
    const char *allow; /* header Allow, NULL without; the arena's */
};

/* A request without anything; its memory is kept over nd_request_reset. */
struct nd_request *nd_request_create(void) ND_MUST_CHECK;
/* Empties it for the next; gives back what was unusually large. */
void nd_request_reset(struct nd_request *request);
/* Accepts NULL and clears *request. */
void nd_request_destroy(struct nd_request **request);

/* The settings that the request began with. */
const struct nd_service_settings *nd_request_settings(
    const struct nd_request *request);

/* The value of a parameter of the query, NULL without it. */
const char *nd_request_parameter(const struct nd_request *request,
                                 const char *name);
/* What a switch's value says: on for "1", "true", "yes" and "", off for "0",
 * "false" and "no", in any case; false, and on_r untouched, for all else. */
bool nd_switch_read(const char *value, bool *on_r);
/* Whether a switch is on. The gate has seen to it that its value says so. */
bool nd_request_switch(const struct nd_request *request, const char *name);
/* A whole number from low to high; *value_r untouched without the parameter.
 * False where it is something else: the answer is then a problem. */
bool nd_request_count(struct nd_request *request, const char *name,
                      uint64_t low, uint64_t high, uint64_t *value_r);

/* Reads the body. False where it cannot be read: the answer is then a
 * problem. */
bool nd_request_input(struct nd_request *request,
                      struct nd_scored_input *input_r);

/* The rules that the parameters rule and settings choose, or the input's
 * settings (input may be NULL). */
struct nd_host_choice nd_request_choice(const struct nd_request *request,
                                        const struct nd_scored_input *input);

/* The same with what is to be scored or learned. */
struct nd_host_mail nd_request_mail(const struct nd_request *request,
                                    const struct nd_scored_input *input);

/* What is shown of a rule; NULL where the configuration lacks it. */
const struct nd_service_rule *nd_request_rule(const struct nd_request *request,
                                              const char *rule,
                                              const char *settings);

/* The first rule of the host's status that choice means; NULL without one. */
const struct nd_host_scope_status *nd_request_scope(
    const struct nd_host_choice *choice, const struct nd_host_status *status);

/* Makes the answer a problem (RFC 9457): code of HTTP and a sentence. What was
 * written to the answer before is dropped. */
void nd_answer_problem(struct nd_request *request, int code, const char *format,
                       ...) ND_PRINTF(3, 4);
/* The same for a status of ours, with its code and its name as "reason". */
void nd_answer_failure(struct nd_request *request, enum nd_status status,
                       const struct nd_error *error);
/* The code of HTTP for a status of ours. */
int nd_answer_code(enum nd_status status);
/* HTTP's words for a code: "Not Found"; static. */
const char *nd_answer_title(int code);

#endif
