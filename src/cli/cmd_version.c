/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald version: what runs here, for bug reports.
 */
#include <confuse.h>
#include <gmime/gmime.h>
#include <jansson.h>
#include <sodium.h>
#include <sqlite3.h>
#include <zstd.h>

#include "base/json.h"
#include "cli/command.h"
#include "nn/model.h"
#include "nn/network.h"
#include "store/store.h"

static const struct nd_option options[] = {{0}};

struct fact {
    const char *name, *value;
};

static size_t gather(struct fact *facts, char gmime[32])
{
    size_t count = 0;
    snprintf(gmime, 32, "%u.%u.%u", gmime_major_version, gmime_minor_version,
             gmime_micro_version);
    facts[count++] = (struct fact){"neurald", NEURALD_VERSION};
    facts[count++] = (struct fact){"kernel", nd_kernel_name()};
    facts[count++] = (struct fact){"compiler", __VERSION__};
    facts[count++] = (struct fact){"gmime", gmime};
    facts[count++] = (struct fact){"jansson", JANSSON_VERSION};
    facts[count++] = (struct fact){"libconfuse", confuse_version};
    facts[count++] = (struct fact){"libsodium", sodium_version_string()};
    facts[count++] = (struct fact){"sqlite", sqlite3_libversion()};
    facts[count++] = (struct fact){"zstd", ZSTD_versionString()};
    return count;
}

static enum nd_status run(struct nd_cli *cli)
{
    struct fact facts[16];
    char gmime[32];
    size_t count = gather(facts, gmime);

    if (!cli->json) {
        printf("neurald %s\n", NEURALD_VERSION);
        for (size_t i = 1; i < count; i++) {
            printf("%-10s %s\n", facts[i].name, facts[i].value);
        }
        printf("%-10s store %d, model %d\n", "formats", ND_STORE_VERSION,
               ND_MODEL_VERSION);
        return ND_OK;
    }
    struct nd_json json = {0};
    nd_json_open(&json, NULL, '{');
    for (size_t i = 0; i < count; i++) {
        nd_json_text(&json, facts[i].name, facts[i].value);
    }
    nd_json_integer(&json, "store_format", ND_STORE_VERSION);
    nd_json_integer(&json, "model_format", ND_MODEL_VERSION);
    nd_json_close(&json, '}');
    enum nd_status status = nd_json_line(&json, stdout, &cli->error);
    nd_json_free(&json);
    return status;
}

const struct nd_command nd_command_version = {
    .name = "version",
    .usage = "",
    .summary = "print versions and the kernel in use",
    .about = "Prints the versions of neurald, of its formats and of the "
             "libraries behind it, and which set of kernels the processor "
             "got.\n"
             "JSON: neurald, store_format, model_format, kernel, compiler, "
             "gmime, jansson, libconfuse, libsodium, sqlite, zstd.\n",
    .options = options,
    .run = run,
};
