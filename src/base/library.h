/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared libraries that only some commands need, loaded when these run: with
 * the libraries behind them they would take longer to load, each time that the
 * program starts, than a message takes to score (docs/decisions/0019). Types
 * and constants come from the library's header, functions from a table:
 *
 *     #define FUNCTIONS(X) X(easy_init) X(easy_cleanup)
 *     #define MEMBER(name) __typeof__(&curl_##name) name;
 *     #define NAME(name) "curl_" #name,
 *     static struct { FUNCTIONS(MEMBER) } libcurl;
 *     static const char *const names[] = {FUNCTIONS(NAME)};
 */
#ifndef ND_BASE_LIBRARY_H
#define ND_BASE_LIBRARY_H

#include <stddef.h>

#include "base/status.h"

/* Loads the library called file ("libcurl.so.4") and fills in functions_r, a
 * struct of count pointers to the functions of these names. The library stays
 * loaded until the program ends. ND_UNAVAILABLE where it or one of the
 * functions is not there. Not while other threads use functions_r. */
enum nd_status nd_library_load(const char *file, const char *const *names,
                               size_t count, struct nd_error *error,
                               void *functions_r) ND_MUST_CHECK;

#endif
