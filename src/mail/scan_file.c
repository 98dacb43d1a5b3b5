/* SPDX-License-Identifier: Apache-2.0
 *
 * A file of scan results, one JSON object a line, kept in memory and found by
 * id. Lines are read one at a time, so memory is that of the findings alone.
 */
#include "mail/scan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "mail/fnv.h"
#include "mail/lines.h"

struct entry {
    const char *id;
    struct nd_scan scan;
};

struct nd_scan_file {
    struct nd_arena *arena;
    struct entry *entries;
    size_t count;
    size_t capacity;
    uint32_t *slots; /* open addressing: index + 1 into entries */
    size_t slot_count;
};

static uint32_t *find_slot(const struct nd_scan_file *file, const char *id)
{
    size_t mask = file->slot_count - 1;
    size_t at = nd_fnv(id, strlen(id)) & mask;
    while (file->slots[at] != 0 &&
           strcmp(file->entries[file->slots[at] - 1].id, id) != 0)
        at = (at + 1) & mask;
    return &file->slots[at];
}

static void grow(struct nd_scan_file *file)
{
    file->capacity = file->capacity == 0 ? 1024 : file->capacity * 2;
    file->entries =
        nd_realloc(file->entries, file->capacity, sizeof *file->entries);
    free(file->slots);
    file->slot_count = file->capacity * 2;
    file->slots = nd_calloc(file->slot_count, sizeof *file->slots);
    for (size_t i = 0; i < file->count; i++)
        *find_slot(file, file->entries[i].id) = (uint32_t)(i + 1);
}

/* Of two results for one id, the later one counts. */
static void add(struct nd_scan_file *file, const char *id,
                const struct nd_scan *scan)
{
    if (file->count == file->capacity)
        grow(file);
    uint32_t *slot = find_slot(file, id);
    if (*slot != 0) {
        file->entries[*slot - 1].scan = *scan;
        return;
    }
    file->entries[file->count++] = (struct entry){.id = id, .scan = *scan};
    *slot = (uint32_t)file->count;
}

/* Reads one line; an empty one is passed over. */
static enum nd_status add_line(struct nd_scan_file *file, const char *text,
                               size_t length, struct nd_error *error)
{
    struct nd_scan scan;
    const char *id;
    if (length == 0)
        return ND_OK;
    enum nd_status status =
        nd_scan_read_json(text, length, file->arena, error, &scan, &id);
    if (status != ND_OK)
        return status;
    if (id == NULL)
        return nd_fail(error, ND_DATA, "the scan result has no \"id\"");
    add(file, id, &scan);
    return ND_OK;
}

static enum nd_status read_lines(struct nd_scan_file *file, const char *path,
                                 struct nd_lines *lines, struct nd_error *error)
{
    for (;;) {
        const char *text;
        size_t length;
        struct nd_error detail;
        enum nd_status status = nd_lines_next(lines, error, &text, &length);
        if (status == ND_NOTHING)
            return ND_OK;
        if (status != ND_OK)
            return status;
        status = add_line(file, text, length, &detail);
        if (status != ND_OK)
            return nd_fail(error, status, "%s, line %zu: %s", path,
                           nd_lines_number(lines), detail.text);
    }
}

enum nd_status nd_scan_file_open(const char *path, struct nd_error *error,
                                 struct nd_scan_file **file_r)
{
    struct nd_lines *lines;
    enum nd_status status = nd_lines_open(path, error, &lines);
    if (status != ND_OK)
        return status;
    struct nd_scan_file *file = nd_calloc(1, sizeof *file);
    file->arena = nd_arena_create(1U << 20);
    status = read_lines(file, path, lines, error);
    nd_lines_close(&lines);
    if (status != ND_OK)
        nd_scan_file_close(&file);
    else
        *file_r = file;
    return status;
}

void nd_scan_file_close(struct nd_scan_file **file)
{
    if (file == NULL || *file == NULL)
        return;
    nd_arena_destroy(&(*file)->arena);
    free((*file)->entries);
    free((*file)->slots);
    free(*file);
    *file = NULL;
}

size_t nd_scan_file_count(const struct nd_scan_file *file)
{
    return file->count;
}

static const struct nd_scan *find(const struct nd_scan_file *file,
                                  const char *id)
{
    if (file->count == 0)
        return NULL;
    uint32_t slot = *find_slot(file, id);
    return slot == 0 ? NULL : &file->entries[slot - 1].scan;
}

/* Length of name without .eml or .txt. */
static size_t stem_length(const char *name)
{
    size_t length = strlen(name);
    if (length > 4 && (strcasecmp(name + length - 4, ".eml") == 0 ||
                       strcasecmp(name + length - 4, ".txt") == 0))
        return length - 4;
    return length;
}

/* "FOLDER/NAME.eml" as "FOLDER-NAME"; the caller frees it. */
static char *joined_id(const char *path, const char *name)
{
    const char *end = name - 1; /* the slash */
    const char *folder = memrchr(path, '/', (size_t)(end - path));
    folder = folder == NULL ? path : folder + 1;
    return nd_sprintf("%.*s-%.*s", (int)(end - folder), folder,
                      (int)stem_length(name), name);
}

const struct nd_scan *nd_scan_file_find(const struct nd_scan_file *file,
                                        const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    char *id = nd_strndup(name, stem_length(name));
    const struct nd_scan *scan = find(file, id);
    free(id);
    if (scan != NULL || slash == NULL)
        return scan;
    id = joined_id(path, name);
    scan = find(file, id);
    free(id);
    return scan;
}
