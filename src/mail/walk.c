/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks folders. Files are only listed here and never opened, so that a fifo
 * cannot block and the number of files is known before the first is read. A
 * Maildir is an ordinary folder to it, but for what is no mail in it.
 */
#include "mail/walk.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

#define MAX_DEPTH 64 /* folders in folders */

struct walk {
    const struct nd_source_options *options;
    struct nd_file_list *list;
};

void nd_file_list_free(struct nd_file_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->paths[i]);
    free(list->paths);
    *list = (struct nd_file_list){0};
}

/* Takes path over. */
static void append(struct nd_file_list *list, char *path)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        list->paths =
            nd_realloc(list->paths, list->capacity, sizeof *list->paths);
    }
    list->paths[list->count++] = path;
}

static void skip(const struct walk *walk, const char *path, const char *reason)
{
    if (walk->options != NULL && walk->options->skipped != NULL)
        walk->options->skipped(path, reason, walk->options->context);
}

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name);
    return length >= strlen(end) &&
           strcmp(name + length - strlen(end), end) == 0;
}

/* Files that mail programs keep beside their messages. */
static bool is_bookkeeping(const char *name)
{
    static const char *const starts[] = {"dovecot", "courierimap",
                                         "maildirfolder", "maildirsize"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncmp(name, starts[i], strlen(starts[i])) == 0)
            return true;
    return ends_with(name, ".msf");
}

/* The kind of an entry, as S_IFMT has it; 0 where there is none. */
static mode_t kind_of(const char *folder, const char *name)
{
    struct stat facts;
    char *path = nd_sprintf("%s/%s", folder, name);
    bool there = lstat(path, &facts) == 0;
    free(path);
    return there ? facts.st_mode & S_IFMT : 0;
}

static bool is_maildir(const char *folder)
{
    return kind_of(folder, "cur") == S_IFDIR &&
           kind_of(folder, "new") == S_IFDIR;
}

/* What a Maildir has beside cur and new is no mail: messages on their way in
 * tmp, and the files of mail programs. */
static bool is_beside_mail(const char *maildir, const char *name)
{
    return strcmp(name, "tmp") == 0 || kind_of(maildir, name) == S_IFREG;
}

static int keep_entry(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && !is_bookkeeping(entry->d_name);
}

static int by_bytes(const struct dirent **one, const struct dirent **other)
{
    return strcmp((*one)->d_name, (*other)->d_name);
}

static void walk_folder(const struct walk *walk, const char *folder,
                        unsigned depth);

/* NOLINTNEXTLINE(misc-no-recursion): MAX_DEPTH ends it */
static void walk_entry(const struct walk *walk, char *path, unsigned depth)
{
    struct stat facts;
    struct stat link;
    if (stat(path, &facts) != 0 || lstat(path, &link) != 0)
        skip(walk, path, strerror(errno));
    else if (S_ISREG(facts.st_mode)) {
        append(walk->list, path);
        return;
    } else if (!S_ISDIR(facts.st_mode))
        skip(walk, path, "not a regular file");
    else if (S_ISLNK(link.st_mode))
        skip(walk, path, "a link to a folder is not followed");
    else if (depth == MAX_DEPTH)
        skip(walk, path, "too many folders in folders");
    else
        walk_folder(walk, path, depth + 1);
    free(path);
}

/* NOLINTNEXTLINE(misc-no-recursion): MAX_DEPTH ends it */
static void walk_folder(const struct walk *walk, const char *folder,
                        unsigned depth)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, keep_entry, by_bytes);
    if (count < 0) {
        skip(walk, folder, strerror(errno));
        return;
    }
    bool maildir = is_maildir(folder);
    const char *slash = ends_with(folder, "/") ? "" : "/";
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (!maildir || !is_beside_mail(folder, name))
            walk_entry(walk, nd_sprintf("%s%s%s", folder, slash, name), depth);
        free(entries[i]);
    }
    free(entries);
}

static enum nd_status check_folder(const char *path, struct nd_error *error)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return nd_fail_errno(error, "cannot look into %s", path);
    closedir(folder);
    return ND_OK;
}

enum nd_status nd_walk(const char *path,
                       const struct nd_source_options *options,
                       struct nd_file_list *list, struct nd_error *error)
{
    struct walk walk = {.options = options, .list = list};
    struct stat facts;
    if (strcmp(path, "-") == 0) {
        append(list, nd_strdup(path));
        return ND_OK;
    }
    if (stat(path, &facts) != 0)
        return nd_fail_errno(error, "cannot find %s", path);
    if (S_ISDIR(facts.st_mode)) {
        enum nd_status status = check_folder(path, error);
        if (status == ND_OK)
            walk_folder(&walk, path, 0);
        return status;
    }
    if (!S_ISREG(facts.st_mode))
        return nd_fail(error, ND_DATA,
                       "%s is neither a file nor a folder; give - to read "
                       "standard input",
                       path);
    append(list, nd_strdup(path));
    return ND_OK;
}
