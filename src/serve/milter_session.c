/* SPDX-License-Identifier: Apache-2.0
 *
 * A mail server's connection: libmilter's callbacks become events of the
 * gatherer, and the daemon's answer becomes changes to the message. No callback
 * ever answers anything that stops mail: until the end of the message nothing
 * is answered at all where the server agrees to that, and then it is "accept".
 */
#include "serve/milter_session.h"

#include <arpa/inet.h>
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "learn/verdict.h"
#include "serve/link_socket.h"
#include "serve/milter_gather.h"
#include "serve/milter_worker.h"

struct session {
    struct nd_gather *gather;
    unsigned long steps; /* SMFIP_..., as agreed with the server */
};

/* libmilter takes char * for what it only reads. */
static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

static struct session *session_of(SMFICTX *context)
{
    struct session *session = smfi_getpriv(context);
    if (session == NULL) {
        session = nd_calloc(1, sizeof(*session));
        session->gather = nd_gather_create(nd_worker_room());
        (void)smfi_setpriv(context, session);
    }
    return session;
}

/* Goes on, without a word where that was agreed. */
static sfsistat go_on(const struct session *session, unsigned long step)
{
    return (session->steps & step) != 0 ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

/* ---- up to the end of the message ---- */

static sfsistat on_negotiate(SMFICTX *context, unsigned long actions,
                             unsigned long steps, unsigned long unused_2,
                             unsigned long unused_3, unsigned long *actions_r,
                             unsigned long *steps_r, unsigned long *unused_2_r,
                             unsigned long *unused_3_r)
{
    struct session *session = session_of(context);
    session->steps =
        steps & (SMFIP_NORCPT | SMFIP_NODATA | SMFIP_NOUNKNOWN | SMFIP_NR_CONN |
                 SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_HDR | SMFIP_NR_EOH |
                 SMFIP_NR_BODY | SMFIP_HDR_LEADSPC);
    *actions_r = actions & (SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE);
    *steps_r = session->steps;
    *unused_2_r = 0;
    *unused_3_r = 0;
    return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *context, char *host, _SOCK_ADDR *address)
{
    struct session *session = session_of(context);
    char text[INET6_ADDRSTRLEN] = "";
    if (address != NULL && address->sa_family == AF_INET) {
        struct sockaddr_in plain;
        memcpy(&plain, address, sizeof(plain));
        (void)inet_ntop(AF_INET, &plain.sin_addr, text, sizeof(text));
    } else if (address != NULL && address->sa_family == AF_INET6) {
        struct sockaddr_in6 wide;
        memcpy(&wide, address, sizeof(wide));
        (void)inet_ntop(AF_INET6, &wide.sin6_addr, text, sizeof(text));
    }
    nd_gather_client(session->gather, host, text);
    return go_on(session, SMFIP_NR_CONN);
}

static sfsistat on_helo(SMFICTX *context, char *name)
{
    struct session *session = session_of(context);
    nd_gather_helo(session->gather, name);
    return go_on(session, SMFIP_NR_HELO);
}

static sfsistat on_sender(SMFICTX *context, char **words)
{
    struct session *session = session_of(context);
    struct nd_link_settings settings;
    nd_worker_settings(&settings);
    const char *sender = words != NULL && words[0] != NULL ? words[0] : "";
    const char *user = smfi_getsymval(context, text_of("{auth_authen}"));
    if (!nd_gather_begin(session->gather, &settings, sender, user,
                         nd_clock_wall_ms())) {
        nd_worker_count(ND_LINK_ABORTED, 1);
    }
    return go_on(session, SMFIP_NR_MAIL);
}

static sfsistat on_header(SMFICTX *context, char *name, char *value)
{
    struct session *session = session_of(context);
    nd_gather_header(session->gather, name, value,
                     (session->steps & SMFIP_HDR_LEADSPC) != 0);
    return go_on(session, SMFIP_NR_HDR);
}

static sfsistat on_end_of_headers(SMFICTX *context)
{
    struct session *session = session_of(context);
    nd_gather_end_of_headers(session->gather);
    return go_on(session, SMFIP_NR_EOH);
}

static sfsistat on_body(SMFICTX *context, unsigned char *data, size_t length)
{
    struct session *session = session_of(context);
    nd_gather_body(session->gather, data, length);
    return go_on(session, SMFIP_NR_BODY);
}

static sfsistat on_abort(SMFICTX *context)
{
    if (nd_gather_end(session_of(context)->gather)) {
        nd_worker_count(ND_LINK_ABORTED, 1);
    }
    return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *context)
{
    struct session *session = smfi_getpriv(context);
    if (session != NULL) {
        nd_gather_destroy(&session->gather);
        free(session);
        (void)smfi_setpriv(context, NULL);
    }
    return SMFIS_CONTINUE;
}

/* ---- the end of the message ---- */

/* One message at its end. */
struct ending {
    SMFICTX *context;
    const struct session *session;
    const struct nd_link_settings *settings;
    int refused; /* changes that the server did not take */
};

static void note(struct ending *ending, int result)
{
    ending->refused += result == MI_SUCCESS ? 0 : 1;
}

/* A value with the blank behind the colon, where that is ours to write. */
static char *spaced_value(const struct ending *ending, const char *before,
                          const char *value)
{
    bool ours = (ending->session->steps & SMFIP_HDR_LEADSPC) != 0;
    return nd_sprintf("%s%s%s", ours ? " " : "", before, value);
}

static void insert(struct ending *ending, const char *name, const char *value)
{
    char *spaced = spaced_value(ending, "", value);
    note(ending, smfi_insheader(ending->context, 0, text_of(name), spaced));
    free(spaced);
}

/* From the last to the first, since each one's number counts those before. */
static void remove_all(struct ending *ending, const char *name, uint32_t count)
{
    for (uint32_t i = count; i > 0; i--) {
        note(ending,
             smfi_chgheader(ending->context, text_of(name), (int)i, NULL));
    }
    nd_worker_count(ND_LINK_FORGED, count);
}

static void tag_subject(struct ending *ending, const char *tag)
{
    const char *subject = nd_gather_subject(ending->session->gather);
    if (subject == NULL) {
        return;
    }
    subject += strspn(subject, " \t");
    if (strncmp(subject, tag, strlen(tag)) == 0) {
        return;
    }
    char *value = spaced_value(ending, tag, subject);
    note(ending, smfi_chgheader(ending->context, text_of("Subject"), 1, value));
    free(value);
}

static void carry_out(struct ending *ending,
                      const struct nd_link_answer *answer)
{
    const struct nd_link_settings *settings = ending->settings;
    struct nd_gather *gather = ending->session->gather;
    remove_all(ending, settings->header, nd_gather_forged(gather));
    remove_all(ending, settings->tag_header, nd_gather_forged_tags(gather));
    insert(ending, settings->header, answer->header);
    if (answer->tag_value[0] != '\0' && settings->tag_header[0] != '\0') {
        insert(ending, settings->tag_header, answer->tag_value);
    }
    if (answer->subject_tag[0] != '\0') {
        tag_subject(ending, answer->subject_tag);
    }
    if (answer->quarantine[0] != '\0') {
        note(ending,
             smfi_quarantine(ending->context, text_of(answer->quarantine)));
    }
    nd_worker_count(ND_LINK_REFUSED, (uint64_t)ending->refused);
}

/* Why there is no answer. */
static enum nd_link_event ask(struct session *session, const char *queue_id,
                              struct nd_buffer *frame,
                              struct nd_link_answer *answer_r)
{
    struct nd_link_question question;
    struct nd_error error = {{0}};
    const struct nd_link_settings *settings =
        nd_gather_settings(session->gather);
    int64_t until_us =
        nd_clock_monotonic_us() + (int64_t)settings->deadline_ms * 1000;
    if (!nd_gather_question(session->gather, queue_id, &question)) {
        return ND_LINK_CROWDED;
    }
    enum nd_status status = nd_link_ask(ND_MILTER_LINK, &question, until_us,
                                        &error, frame, answer_r);
    return status == ND_OK          ? ND_LINK_EVENT_COUNT
           : status == ND_TEMPORARY ? ND_LINK_LATE
                                    : ND_LINK_GONE;
}

/* "No opinion", and a line that says why. */
static void carry_on_without(struct ending *ending, const char *queue_id,
                             enum nd_link_event why)
{
    static const char *const reasons[] = {
        [ND_LINK_LATE] = "late: no verdict within the deadline",
        [ND_LINK_GONE] = "gone: the daemon does not answer",
        [ND_LINK_CROWDED] = "crowded: too many messages at once"};
    struct nd_buffer value = {0};
    struct nd_verdict none = nd_verdict_none();
    nd_verdict_header(&none, reasons[why], &value);
    struct nd_link_answer answer = {(const char *)value.data, "", "", ""};
    carry_out(ending, &answer);
    nd_buffer_free(&value);
    nd_worker_count(why, 1);
    nd_log(ND_LOG_WARNING, "milter: %s: unsure reason=%s", queue_id,
           nd_link_event_name(why));
}

static sfsistat on_end(SMFICTX *context)
{
    struct session *session = session_of(context);
    struct ending ending = {.context = context,
                            .session = session,
                            .settings = nd_gather_settings(session->gather)};
    struct nd_buffer frame = {0};
    struct nd_link_answer answer;
    const char *queue_id = smfi_getsymval(context, text_of("i"));
    queue_id = queue_id != NULL ? queue_id : "-";
    enum nd_link_event why = ask(session, queue_id, &frame, &answer);
    if (why == ND_LINK_EVENT_COUNT) {
        carry_out(&ending, &answer);
    } else {
        carry_on_without(&ending, queue_id, why);
    }
    nd_buffer_free(&frame);
    (void)nd_gather_end(session->gather);
    return SMFIS_ACCEPT;
}

enum nd_status nd_milter_session_register(struct nd_error *error)
{
    struct smfiDesc description = {
        .xxfi_name = text_of("neurald"),
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE,
        .xxfi_connect = on_connect,
        .xxfi_helo = on_helo,
        .xxfi_envfrom = on_sender,
        .xxfi_header = on_header,
        .xxfi_eoh = on_end_of_headers,
        .xxfi_body = on_body,
        .xxfi_eom = on_end,
        .xxfi_abort = on_abort,
        .xxfi_close = on_close,
        .xxfi_negotiate = on_negotiate,
    };
    if (smfi_register(description) != MI_SUCCESS) {
        return nd_fail(error, ND_INTERNAL, "libmilter refuses the callbacks");
    }
    return ND_OK;
}
