/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor's checks of the machine around the store: kernel and files.
 */
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
