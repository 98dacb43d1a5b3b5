/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-1 against the vectors of FIPS 180 and RFC 3174, and the split that is
 * made of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/memory.h"
#include "cli/sha1.h"

static void expect_digest(const void *data, size_t length, const char *hex)
{
    uint8_t digest[ND_SHA1_BYTES];
    char text[2 * ND_SHA1_BYTES + 1];
    nd_sha1(data, length, digest);
    nd_hex(digest, sizeof(digest), text);
    assert_string_equal(text, hex);
}

static void published_vectors_come_out(void **state)
{
    static const char two_blocks[] =
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    (void)state;
    expect_digest("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    expect_digest("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
    expect_digest(two_blocks, strlen(two_blocks),
                  "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
}

static void a_million_bytes_come_out(void **state)
{
    (void)state;
    char *data = nd_calloc(1000000, 1);
    memset(data, 'a', 1000000);
    expect_digest(data, 1000000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    free(data);
}

/* Lengths around the padding's edges (55, 56, 63, 64 bytes), by Python's
 * hashlib. */
static void lengths_around_a_block_come_out(void **state)
{
    char data[64];
    (void)state;
    memset(data, 'x', sizeof(data));
    expect_digest(data, 55, "cef734ba81a024479e09eb5a75b6ddae62e6abf1");
    expect_digest(data, 56, "901305367c259952f4e7af8323f480d59f81335b");
    expect_digest(data, 63, "0ddc4e0cccd9a12850deb5abb0853a4425559fec");
    expect_digest(data, 64, "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163");
}

/* int(hashlib.sha1(name).hexdigest(), 16) % divisor */
static void the_remainder_is_that_of_one_big_integer(void **state)
{
    (void)state;
    assert_int_equal(nd_sha1_modulo("abc", 4), 1);
    assert_int_equal(nd_sha1_modulo("abc", 7), 4);
    assert_int_equal(nd_sha1_modulo("abc", 1000003), 629791);
    assert_int_equal(nd_sha1_modulo("", 10), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors_come_out),
        cmocka_unit_test(a_million_bytes_come_out),
        cmocka_unit_test(lengths_around_a_block_come_out),
        cmocka_unit_test(the_remainder_is_that_of_one_big_integer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
