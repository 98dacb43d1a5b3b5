/* SPDX-License-Identifier: Apache-2.0
 *
 * A configuration file: whatever it holds, it is taken or refused with words;
 * and what was taken, written out by `neurald config`, is taken again.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/config.h"
#include "cli/config_document.h"

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static enum nd_status load(const void *data, size_t size,
                           struct nd_error *error, struct nd_config **config_r)
{
    int file = memfd_create("configuration", MFD_CLOEXEC);
    require(file >= 0 && write(file, data, size) == (ssize_t)size);
    char *path = nd_sprintf("/proc/self/fd/%d", file);
    enum nd_status status = nd_config_load(path, error, config_r);
    free(path);
    (void)close(file);
    return status;
}

static void check_written(const struct nd_config *config)
{
    char *text = NULL;
    size_t length = 0;
    struct nd_error error = {""};
    struct nd_config *again = NULL;
    FILE *out = open_memstream(&text, &length);
    require(out != NULL);
    nd_config_write_values(config, out);
    require(fclose(out) == 0);
    if (load(text, length, &error, &again) != ND_OK) {
        (void)fprintf(stderr, "%s\n%s\n", error.text, text);
        abort();
    }
    nd_config_destroy(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nd_error error = {""};
    struct nd_config *config = NULL;
    if (load(data, size, &error, &config) != ND_OK) {
        require(error.text[0] != '\0');
        return 0;
    }
    require(config->rule_count >= 1);
    check_written(config);
    nd_config_destroy(&config);
    return 0;
}
