/* SPDX-License-Identifier: Apache-2.0
 *
 * Chooses the kernel table, once, from what the processor says it has and what
 * NEURALD_KERNEL asks for. A name that is unknown or cannot run here is told in
 * the log and passed over: a misspelt variable must not stop mail.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "nn/kernels/kernels.h"
#include "nn/network.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct nd_kernels *chosen;

#if defined(__x86_64__)
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("popcnt");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#endif

static bool always(void)
{
    return true;
}

/* Best first. */
static const struct variant {
    const struct nd_kernels *kernels;
    bool (*runs_here)(void);
} variants[] = {
#if defined(__x86_64__)
    {&nd_kernels_avx512, has_avx512},
    {&nd_kernels_avx2, has_avx2},
#elif defined(__aarch64__)
    {&nd_kernels_neon, always},
#endif
    {&nd_kernels_scalar, always},
};

#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

/* NULL for any name: the best that runs here. */
static const struct nd_kernels *find(const char *name)
{
    for (size_t i = 0; i < VARIANTS; i++) {
        const struct nd_kernels *kernels = variants[i].kernels;
        bool named = name == NULL || strcmp(kernels->name, name) == 0;
        if (named && variants[i].runs_here())
            return kernels;
    }
    return NULL;
}

const struct nd_kernels *nd_kernels_named(const char *name)
{
    return find(name);
}

static void choose(void)
{
    const char *asked = getenv("NEURALD_KERNEL");
    if (asked != NULL && asked[0] != '\0')
        chosen = find(asked);
    if (chosen == NULL && asked != NULL && asked[0] != '\0')
        nd_log(ND_LOG_WARNING,
               "NEURALD_KERNEL=%s is not available on this machine and is "
               "ignored",
               asked);
    if (chosen == NULL)
        chosen = find(NULL);
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
