/* SPDX-License-Identifier: Apache-2.0
 *
 * The pipe for delivery agents. Nothing here may stop or change mail: what can
 * fail (configuration, store, model) is asked first and ends in "no opinion",
 * then the message goes through, as much of it from memory as was needed for
 * the verdict and the rest straight from input to output. Of a message that
 * comes through a pipe and is larger than max_message the true size is not
 * known when the header is written; it then counts as just over the limit.
 */
#include "cli/score_headers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/header_filter.h"
#include "cli/reading.h"
#include "cli/remote.h"
#include "cli/session.h"
#include "cli/verdict.h"
#include "learn/verdict.h"

#define PIECE 65536

struct passage {
    struct nd_cli *cli;
    const char *path;
    int input;
    struct nd_buffer head; /* the message's first max_message bytes */
    uint64_t full_length;
    bool at_end;             /* head is all of it */
    struct nd_buffer header; /* our header's value */
    int exit_status;
    struct nd_header_filter filter;
};

static ssize_t read_piece(int input, void *room, size_t size)
{
    ssize_t got;
    do {
        got = read(input, room, size);
    } while (got < 0 && errno == EINTR);
    return got;
}

static enum nd_status read_head(struct passage *run, size_t limit)
{
    while (run->head.length < limit) {
        size_t want = limit - run->head.length;
        want = want < PIECE ? want : PIECE;
        uint8_t *room = nd_buffer_reserve(&run->head, want);
        ssize_t got = read_piece(run->input, room, want);
        if (got < 0) {
            return nd_fail_errno(&run->cli->error, "cannot read %s", run->path);
        }
        run->head.length += (size_t)got;
        if (got == 0) {
            run->at_end = true;
            break;
        }
    }
    struct stat info;
    run->full_length = run->head.length + (run->at_end ? 0 : 1);
    if (!run->at_end && fstat(run->input, &info) == 0 &&
        S_ISREG(info.st_mode) && info.st_size > (off_t)run->full_length) {
        run->full_length = (uint64_t)info.st_size;
    }
    return ND_OK;
}

/* ---- the verdict ---- */

static void no_opinion(struct passage *run, const char *reason)
{
    struct nd_verdict none = nd_verdict_none();
    nd_verdict_header(&none, reason, &run->header);
    run->exit_status = nd_verdict_exit(none.kind);
}

/* The verdict's symbol is another's, so it is put into words here. */
static void tell(struct passage *run, const char *problem,
                 const struct nd_verdict *verdict)
{
    if (verdict->generation != 0) {
        nd_verdict_header(verdict, NULL, &run->header);
        run->exit_status = nd_verdict_exit(verdict->kind);
    } else if (problem != NULL && problem[0] != '\0') {
        no_opinion(run, problem);
    } else {
        no_opinion(run, "no model yet");
    }
}

static void score_here(struct passage *run, struct nd_session *session,
                       const struct nd_item *item)
{
    struct nd_verdict verdict;
    nd_engine_score(session->engines[0], &item->message, item->scan,
                    item->arena, &verdict);
    tell(run, nd_engine_model_problem(session->engines[0]), &verdict);
}

static void score_there(struct passage *run, struct nd_remote *remote,
                        const struct nd_item *item)
{
    struct nd_verdict verdict;
    json_t *answer = NULL;
    if (nd_remote_score(remote, item, 0, &answer, &verdict) == ND_OK) {
        tell(run, NULL, &verdict);
    } else {
        no_opinion(run, run->cli->error.text);
    }
    json_decref(answer);
}

/* By the session, or where that is NULL by the daemon. */
static void score(struct passage *run, struct nd_session *session,
                  struct nd_remote *remote, const struct nd_scan_file *scans)
{
    struct nd_item item = {.path = run->path,
                           .data = run->head.data,
                           .length = run->head.length,
                           .arena = nd_arena_create(0)};
    if (nd_item_parse(run->cli, run->full_length, scans, &item) == ND_OK) {
        if (session != NULL) {
            score_here(run, session, &item);
        } else {
            score_there(run, remote, &item);
        }
    } else {
        no_opinion(run, run->cli->error.text);
    }
    nd_arena_destroy(&item.arena);
}

static void find_verdict(struct passage *run)
{
    struct nd_cli *cli = run->cli;
    struct nd_session *session = NULL;
    struct nd_remote *remote = NULL;
    struct nd_scan_file *scans = NULL;
    if (cli->config == NULL) {
        no_opinion(run, cli->config_problem.text);
        return;
    }
    enum nd_status status = nd_reading_scans(cli, &scans);
    if (status == ND_OK) {
        status = nd_cli_is_remote(cli)
                     ? nd_remote_open(cli, &remote)
                     : nd_session_open(cli, ND_SESSION_READ, true, &session);
    }
    if (status == ND_OK) {
        score(run, session, remote, scans);
    } else {
        no_opinion(run, cli->error.text[0] != '\0' ? cli->error.text
                                                   : nd_status_text(status));
    }
    nd_remote_close(&remote);
    nd_session_close(&session);
    nd_scan_file_close(&scans);
    cli->error.text[0] = '\0';
}

/* ---- passing the message on ---- */

static enum nd_status write_out(struct passage *run, struct nd_buffer *out)
{
    if (out->length > 0 &&
        fwrite(out->data, 1, out->length, stdout) != out->length) {
        return nd_fail(&run->cli->error, ND_TEMPORARY,
                       "cannot write the message to standard output: %s",
                       strerror(errno));
    }
    nd_buffer_clear(out);
    return ND_OK;
}

static enum nd_status write_head(struct passage *run, struct nd_buffer *out)
{
    size_t place = nd_header_place(run->head.data, run->head.length);
    const uint8_t *data =
        run->head.data != NULL ? run->head.data : (const uint8_t *)"";
    nd_buffer_append(out, data, place);
    nd_buffer_append_text(out, ND_OUR_HEADER ": ");
    nd_buffer_append(out, run->header.data, run->header.length);
    nd_buffer_append_text(out, nd_header_line_end(data, run->head.length));
    nd_header_filter_feed(&run->filter, data + place, run->head.length - place,
                          out);
    return write_out(run, out);
}

static enum nd_status write_rest(struct passage *run, struct nd_buffer *out)
{
    uint8_t piece[PIECE];
    enum nd_status status = ND_OK;
    while (status == ND_OK && !run->at_end) {
        ssize_t got = read_piece(run->input, piece, sizeof(piece));
        if (got < 0) {
            return nd_fail_errno(&run->cli->error, "cannot read %s", run->path);
        }
        run->at_end = got == 0;
        nd_header_filter_feed(&run->filter, piece, (size_t)got, out);
        status = write_out(run, out);
    }
    if (status == ND_OK) {
        nd_header_filter_end(&run->filter, out);
        status = write_out(run, out);
    }
    return status;
}

static enum nd_status pass_on(struct passage *run)
{
    struct nd_buffer out = {0};
    enum nd_status status = write_head(run, &out);
    if (status == ND_OK) {
        status = write_rest(run, &out);
    }
    nd_buffer_free(&out);
    if (status == ND_OK && fflush(stdout) != 0) {
        status = nd_fail(&run->cli->error, ND_TEMPORARY,
                         "cannot write the message to standard output: %s",
                         strerror(errno));
    }
    return status;
}

static enum nd_status open_input(struct passage *run)
{
    if (strcmp(run->path, "-") == 0) {
        run->input = STDIN_FILENO;
        return ND_OK;
    }
    run->input = open(run->path, O_RDONLY | O_CLOEXEC);
    return run->input >= 0
               ? ND_OK
               : nd_fail_errno(&run->cli->error, "cannot open %s", run->path);
}

enum nd_status nd_score_headers(struct nd_cli *cli, const char *path,
                                int *exit_r)
{
    struct passage run = {.cli = cli, .path = path, .input = -1};
    struct nd_mail_limits standard;
    nd_mail_limits_default(&standard);
    size_t limit = cli->config != NULL ? cli->config->limits.max_message
                                       : standard.max_message;
    enum nd_status status = open_input(&run);
    if (status == ND_OK) {
        status = read_head(&run, limit);
    }
    if (status == ND_OK) {
        find_verdict(&run);
        *exit_r = run.exit_status;
        status = pass_on(&run);
    }
    if (run.input > STDIN_FILENO) {
        close(run.input);
    }
    nd_buffer_free(&run.head);
    nd_buffer_free(&run.header);
    return status;
}
