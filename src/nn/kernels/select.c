/* SPDX-License-Identifier: Apache-2.0
 *
 * Chooses the kernel table, once, from what the processor says it has and what
 * NEURALD_KERNEL asks for. A name that is unknown or cannot run here is told in
 * the log and passed over: a misspelt variable must not stop mail.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "nn/kernels/kernels.h"
#include "nn/network.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct nd_kernels *chosen;

const struct nd_kernels *nd_kernels_named(const char *name)
{
    if (strcmp(name, "scalar") == 0)
        return &nd_kernels_scalar;
    return NULL;
}

static void choose(void)
{
    static const char *const by_speed[] = {"scalar"};
    const char *asked = getenv("NEURALD_KERNEL");
    if (asked != NULL && asked[0] != '\0') {
        chosen = nd_kernels_named(asked);
        if (chosen != NULL)
            return;
        nd_log(ND_LOG_WARNING,
               "NEURALD_KERNEL=%s is not available on this machine and is "
               "ignored",
               asked);
    }
    for (size_t i = 0; chosen == NULL; i++)
        chosen = nd_kernels_named(by_speed[i]);
}

const struct nd_kernels *nd_kernels(void)
{
    (void)pthread_once(&once, choose);
    return chosen;
}

const char *nd_kernel_name(void)
{
    return nd_kernels()->name;
}
