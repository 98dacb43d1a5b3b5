/* SPDX-License-Identifier: Apache-2.0
 *
 * A thin layer over dlopen, so that what is wrong is said in one place. It is
 * not for plug-ins: the libraries are those that the program was built for.
 */
#include "base/library.h"

#include <dlfcn.h>
#include <string.h>

enum nd_status nd_library_load(const char *file, const char *const *names,
                               size_t count, struct nd_error *error,
                               void *functions_r)
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return nd_fail(error, ND_UNAVAILABLE,
                       "%s cannot be loaded (%s): install it", file, dlerror());
    for (size_t i = 0; i < count; i++) {
        void *function = dlsym(library, names[i]);
        if (function == NULL) {
            (void)dlclose(library);
            return nd_fail(error, ND_UNAVAILABLE,
                           "%s has no %s: install the version that neurald "
                           "was built for",
                           file, names[i]);
        }
        memcpy((char *)functions_r + i * sizeof(function), &function,
               sizeof(function));
    }
    return ND_OK;
}
