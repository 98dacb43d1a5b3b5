/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-1 (FIPS 180-4), for dividing a corpus by file names as others do; good
 * for nothing that an attacker may touch.
 */
#ifndef ND_CLI_SHA1_H
#define ND_CLI_SHA1_H

#include <stddef.h>
#include <stdint.h>

#define ND_SHA1_BYTES 20

/* The digest of length bytes at data. */
void nd_sha1(const void *data, size_t length, uint8_t digest_r[ND_SHA1_BYTES]);

/* The digest of text, read as one integer, most significant byte first, modulo
 * divisor (> 0). */
uint32_t nd_sha1_modulo(const char *text, uint32_t divisor);

#endif
