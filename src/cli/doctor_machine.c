/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor's checks of the machine around the store: kernel, files, Postfix.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/memory.h"
#include "cli/doctor.h"
#include "learn/key_file.h"
#include "nn/network.h"

#define MIB (1024.0 * 1024.0)
#define LITTLE_ROOM (256.0 * MIB)
#define NO_ROOM (16.0 * MIB)

void nd_doctor_check_kernel(struct nd_doctor *doctor)
{
    const char *kernel = nd_kernel_name();
    if (strcmp(kernel, "scalar") == 0) {
        nd_doctor_tell(doctor, ND_HEALTH_WARN, "kernel",
                       "the network runs on the scalar kernel",
                       "right, but slow: is NEURALD_KERNEL set, or the "
                       "virtual machine's processor a very old model?");
    } else {
        nd_doctor_tell(doctor, ND_HEALTH_OK, "kernel", kernel, NULL);
    }
}

void nd_doctor_check_key_file(struct nd_doctor *doctor)
{
    const char *path = doctor->cli->config->global.key_file;
    struct nd_error error = {0};
    struct nd_key key;
    if (path == NULL) {
        return;
    }
    if (nd_key_file_read(path, &error, &key) == ND_OK) {
        nd_wipe(&key, sizeof(key));
        nd_doctor_tell(doctor, ND_HEALTH_OK, "key file", path, NULL);
    } else {
        nd_doctor_tell(doctor, ND_HEALTH_FAIL, "key file", error.text,
                       "the file holds 64 hexadecimal digits, has mode 0600, "
                       "and belongs to the user that neurald runs as");
    }
}

/* ---- the store's file ---- */

static void check_mode(struct nd_doctor *doctor, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return;
    }
    if ((info.st_mode & 07) != 0) {
        char *text =
            nd_sprintf("%s has mode %04o: every user may read samples and key",
                       path, (unsigned)(info.st_mode & 07777));
        char *remedy = nd_sprintf("chmod o-rwx '%s'*", path);
        nd_doctor_tell(doctor, ND_HEALTH_WARN, "file mode", text, remedy);
        free(text);
        free(remedy);
    } else {
        nd_doctor_tell(doctor, ND_HEALTH_OK, "file mode",
                       "the store is not open to all users", NULL);
    }
}

static void check_room(struct nd_doctor *doctor, const char *path)
{
    struct statvfs disk;
    if (statvfs(path, &disk) != 0) {
        return;
    }
    double room = (double)disk.f_bavail * (double)disk.f_frsize;
    char *text =
        nd_sprintf("%.0f MiB are free on the store's disk", room / MIB);
    enum nd_health health = room < NO_ROOM       ? ND_HEALTH_FAIL
                            : room < LITTLE_ROOM ? ND_HEALTH_WARN
                                                 : ND_HEALTH_OK;
    nd_doctor_tell(doctor, health, "free space", text,
                   health == ND_HEALTH_OK
                       ? NULL
                       : "make room: a full disk stops learning, not scoring");
    free(text);
}

void nd_doctor_check_file(struct nd_doctor *doctor, const char *path)
{
    check_mode(doctor, path);
    check_room(doctor, path);
}

/* ---- Postfix ---- */

/* The value of a parameter on a line "name = value"; NULL where it is
 * another. */
static const char *value_on(const char *line, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(line, name, length) != 0) {
        return NULL;
    }
    line += length;
    while (isblank((unsigned char)*line)) {
        line++;
    }
    return *line == '=' ? line + 1 + strspn(line + 1, " \t") : NULL;
}

struct postfix {
    bool has_milters, accepts;
};

static void read_main_cf(FILE *file, struct postfix *found)
{
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, file) >= 0) {
        line[strcspn(line, "\r\n#")] = '\0';
        const char *milters = value_on(line, "smtpd_milters");
        const char *action = value_on(line, "milter_default_action");
        if (milters != NULL) {
            found->has_milters = *milters != '\0';
        }
        if (action != NULL) {
            found->accepts = strncmp(action, "accept", 6) == 0;
        }
    }
    free(line);
}

void nd_doctor_check_postfix(struct nd_doctor *doctor, const char *main_cf)
{
    struct postfix found = {0};
    FILE *file = fopen(main_cf, "re");
    if (file == NULL) {
        return;
    }
    read_main_cf(file, &found);
    fclose(file);
    if (!found.has_milters) {
        return;
    }
    if (found.accepts) {
        nd_doctor_tell(doctor, ND_HEALTH_OK, "postfix",
                       "milter_default_action is accept", NULL);
    } else {
        nd_doctor_tell(doctor, ND_HEALTH_WARN, "postfix",
                       "milter_default_action is not accept: mail is deferred "
                       "while a milter is away",
                       "postconf milter_default_action=accept, or the "
                       "milter's own default_action=accept in smtpd_milters");
    }
}
