/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash for the small tables of names in this folder, whose fill is bounded or
 * whose names are the administrator's: FNV-1a with 64 bits (Fowler, Noll, Vo),
 * folded to 32. Not for anything that is stored or secret.
 */
#ifndef ND_MAIL_FNV_H
#define ND_MAIL_FNV_H

#include <stddef.h>
#include <stdint.h>

/* The hash of length bytes at data. */
static inline uint32_t nd_fnv(const char *data, size_t length)
{
    uint64_t value = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < length; i++)
        value = (value ^ (uint8_t)data[i]) * UINT64_C(1099511628211);
    return (uint32_t)(value ^ value >> 32);
}

#endif
