/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald doctor --gc: names what nothing in the store reaches any more, and
 * with --drop drops it. What that is the store knows; hosts that train do the
 * same once an hour.
 */
#include "base/json.h"
#include "cli/doctor.h"

/* Tombstones must outlive what may still lie in a host's spool. */
#define KEEP_MS (30LL * 86400000)

struct collection {
    struct nd_cli *cli;
    bool drop;
    uint64_t lines;
    enum nd_status output;
};

static void tell_line(const char *line, void *context)
{
    struct collection *collection = context;
    collection->lines++;
    if (!collection->cli->json) {
        printf("%s\n", line);
        return;
    }
    struct nd_json json = {0};
    nd_json_open(&json, NULL, '{');
    nd_json_text(&json, "found", line);
    nd_json_switch(&json, "dropped", collection->drop);
    nd_json_close(&json, '}');
    if (collection->output == ND_OK) {
        collection->output =
            nd_json_line(&json, stdout, &collection->cli->error);
    }
    nd_json_free(&json);
}

enum nd_status nd_doctor_collect(struct nd_cli *cli, bool drop)
{
    struct nd_session *session = NULL;
    struct collection collection = {.cli = cli, .drop = drop};
    enum nd_status status = nd_session_open_store(
        cli, drop ? ND_SESSION_WRITE : ND_SESSION_READ, &session);
    if (status == ND_OK) {
        status = nd_store_maintain(session->store, KEEP_MS, !drop, tell_line,
                                   &collection, &cli->error);
    }
    nd_session_close(&session);
    if (status == ND_OK && collection.lines == 0) {
        nd_cli_remark(cli, "nothing lies about that could be dropped");
    } else if (status == ND_OK && !drop) {
        nd_cli_remark(cli, "--drop drops it; nothing has been dropped");
    }
    return status == ND_OK ? collection.output : status;
}
