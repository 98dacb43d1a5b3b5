/* SPDX-License-Identifier: Apache-2.0
 *
 * What an evaluation reads: paths with labels and parts, from options or from
 * an index file.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/units.h"
#include "cli/eval.h"

void nd_eval_plan_add(struct nd_eval_plan *plan, const char *path,
                      uint8_t label, enum nd_eval_part part)
{
    if ((plan->count & (plan->count - 1)) == 0) {
        size_t room = plan->count == 0 ? 1 : 2 * plan->count;
        plan->entries = nd_realloc(plan->entries, room, sizeof(*plan->entries));
    }
    plan->entries[plan->count++] =
        (struct nd_eval_entry){nd_strdup(path), label, part};
}

void nd_eval_plan_free(struct nd_eval_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->entries[i].path);
    }
    free(plan->entries);
    *plan = (struct nd_eval_plan){0};
}

enum nd_status nd_eval_parse_split(const char *text, struct nd_error *error,
                                   uint32_t *divisor_r)
{
    double share = 0;
    int64_t parts = 0;
    if (strncmp(text, "1/", 2) == 0) {
        if (nd_parse_integer(text + 2, NULL, &parts) != ND_OK) {
            parts = 0;
        }
    } else if (nd_parse_number(text, NULL, &share) == ND_OK && share > 0) {
        double exact = 1.0 / share;
        bool whole = fabs(exact - round(exact)) < 0.01 && exact < 1e6;
        parts = whole ? (int64_t)round(exact) : 0;
    }
    if (parts < 2 || parts > 1000000) {
        return nd_fail(error, ND_USAGE,
                       "--split %s is no share of a whole number of parts: "
                       "write 1/K with K from 2, or 0.5, 0.25, 0.2, 0.1",
                       text);
    }
    *divisor_r = (uint32_t)parts;
    return ND_OK;
}

/* ---- index files ---- */

struct index {
    struct nd_cli *cli;
    const char *path;
    size_t folder; /* length of the folder's part of path */
    uint64_t train_first;
    struct nd_eval_plan *plan;
    uint64_t line, messages;
};

/* The path to open for one that an index names; NULL where there is none. */
static char *resolve(const struct index *index, const char *name)
{
    if (name[0] != '/') {
        char *beside =
            nd_sprintf("%.*s%s", (int)index->folder, index->path, name);
        if (access(beside, F_OK) == 0) {
            return beside;
        }
        free(beside);
    }
    return access(name, F_OK) == 0 ? nd_strdup(name) : NULL;
}

static enum nd_status add_line(struct index *index, char *line)
{
    struct nd_error *error = &index->cli->error;
    char *name = line + strcspn(line, " \t");
    size_t word = (size_t)(name - line);
    bool spam = word == 4 && memcmp(line, "spam", 4) == 0;
    bool ham = word == 3 && memcmp(line, "ham", 3) == 0;
    name += strspn(name, " \t");
    if ((!spam && !ham) || *name == '\0') {
        return nd_fail(error, ND_DATA,
                       "%s:%llu: a line is 'spam PATH' or 'ham PATH'",
                       index->path, (unsigned long long)index->line);
    }
    char *path = resolve(index, name);
    if (path == NULL) {
        return nd_fail(error, ND_NO_INPUT,
                       "%s:%llu: %s is neither beside the index nor in the "
                       "current folder",
                       index->path, (unsigned long long)index->line, name);
    }
    enum nd_eval_part part = index->train_first == 0 ? ND_EVAL_BY_NAME
                             : index->messages < index->train_first
                                 ? ND_EVAL_TRAIN
                                 : ND_EVAL_TEST;
    nd_eval_plan_add(index->plan, path, spam ? ND_SPAM : ND_HAM, part);
    index->messages++;
    free(path);
    return ND_OK;
}

static enum nd_status read_lines(struct index *index, FILE *file)
{
    char *line = NULL;
    size_t room = 0;
    enum nd_status status = ND_OK;
    ssize_t length;
    while (status == ND_OK && (length = getline(&line, &room, file)) >= 0) {
        index->line++;
        while (length > 0 && strchr("\r\n \t", line[length - 1]) != NULL) {
            line[--length] = '\0';
        }
        if (length > 0) {
            status = add_line(index, line);
        }
    }
    if (status == ND_OK && ferror(file)) {
        status = nd_fail_errno(&index->cli->error, "cannot read index %s",
                               index->path);
    }
    free(line);
    return status;
}

enum nd_status nd_eval_read_index(struct nd_cli *cli, const char *path,
                                  uint64_t train_first,
                                  struct nd_eval_plan *plan)
{
    const char *slash = strrchr(path, '/');
    struct index index = {.cli = cli,
                          .path = path,
                          .folder =
                              slash != NULL ? (size_t)(slash - path) + 1 : 0,
                          .train_first = train_first,
                          .plan = plan};
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return nd_fail_errno(&cli->error, "cannot open index %s", path);
    }
    enum nd_status status = read_lines(&index, file);
    fclose(file);
    if (status == ND_OK && index.messages == 0) {
        status =
            nd_fail(&cli->error, ND_NOTHING, "index %s names no message", path);
    }
    return status;
}
