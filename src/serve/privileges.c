/* SPDX-License-Identifier: Apache-2.0
 *
 * Gives up root's rights, groups first, since afterwards nothing could.
 */
#include "serve/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <unistd.h>

/* What is needed to let the trainer compete again (learn/spare.h), and never
 * more than what every process starts with: nice 0. */
static void keep_nice_right(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NICE, &limit) == 0 && limit.rlim_cur < 20) {
        limit.rlim_cur = 20;
        limit.rlim_max = limit.rlim_max < 20 ? 20 : limit.rlim_max;
        (void)setrlimit(RLIMIT_NICE, &limit);
    }
}

enum nd_status nd_privileges_drop(const char *user, struct nd_error *error)
{
    if (user == NULL) {
        return ND_OK;
    }
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL) {
        return nd_fail(error, ND_CONFIG, "there is no user %s on this machine",
                       user);
    }
    if (geteuid() == entry->pw_uid) {
        return ND_OK;
    }
    keep_nice_right();
    if (initgroups(user, entry->pw_gid) != 0 ||
        setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) != 0 ||
        setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) != 0) {
        return nd_fail(error, ND_PERMISSION,
                       "cannot become user %s; only root can", user);
    }
    return ND_OK;
}
