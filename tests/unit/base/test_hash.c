/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests and keyed hashes against published test vectors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/hash.h"

static const uint8_t abc_256[] = {
    0xbd, 0xdd, 0x81, 0x3c, 0x63, 0x42, 0x39, 0x72, 0x31, 0x71, 0xef,
    0x3f, 0xee, 0x98, 0x57, 0x9b, 0x94, 0x96, 0x4e, 0x3b, 0xb1, 0xcb,
    0x3e, 0x42, 0x72, 0x62, 0xc8, 0xc0, 0x68, 0xd5, 0x23, 0x19};

static int set_up(void **state)
{
    return nd_hash_init(NULL) == ND_OK ? 0 : -1;
}

static struct nd_key counting_key(void)
{
    uint8_t secret[ND_KEY_BYTES];
    for (size_t i = 0; i < sizeof(secret); i++)
        secret[i] = (uint8_t)i;
    struct nd_key key;
    nd_key_from_secret(secret, &key);
    return key;
}

static void digest_is_blake2b_256(void **state)
{
    uint8_t digest[ND_DIGEST_BYTES];
    nd_digest("abc", 3, NULL, digest);
    assert_memory_equal(digest, abc_256, sizeof(digest));
}

static void a_key_changes_the_digest(void **state)
{
    struct nd_key key = counting_key();
    uint8_t keyed[ND_DIGEST_BYTES], again[ND_DIGEST_BYTES];
    nd_digest("abc", 3, &key, keyed);
    assert_memory_not_equal(keyed, abc_256, sizeof(keyed));
    nd_digest("abc", 3, &key, again);
    assert_memory_equal(keyed, again, sizeof(keyed));
    key.secret[31] ^= 1;
    nd_digest("abc", 3, &key, again);
    assert_memory_not_equal(keyed, again, sizeof(keyed));
}

static void digest_in_pieces_is_the_digest_of_the_whole(void **state)
{
    struct nd_key key = counting_key();
    const struct nd_key *keys[] = {NULL, &key};
    for (size_t i = 0; i < 2; i++) {
        uint8_t whole[ND_DIGEST_BYTES], pieces[ND_DIGEST_BYTES];
        struct nd_digest_state digest;
        nd_digest("piece by piece", 14, keys[i], whole);
        nd_digest_begin(&digest, keys[i], sizeof(pieces));
        nd_digest_add(&digest, "piece", 5);
        nd_digest_add(&digest, "", 0);
        nd_digest_add(&digest, " by piece", 9);
        nd_digest_end(&digest, pieces, sizeof(pieces));
        assert_memory_equal(whole, pieces, sizeof(whole));
    }
}

static void digest_of_64_bytes_is_that_of_rfc_7693(void **state)
{
    uint8_t digest[64];
    char text[129];
    struct nd_digest_state digest_state;
    nd_digest_begin(&digest_state, NULL, sizeof(digest));
    nd_digest_add(&digest_state, "abc", 3);
    nd_digest_end(&digest_state, digest, sizeof(digest));
    nd_hex(digest, sizeof(digest), text);
    assert_string_equal(text, "ba80a53f981c4d0d6a2797b69f12f6e9"
                              "4c212f14685ac4b74b12bb6fdbffa2d1"
                              "7d87c5392aab792dc252d5de4533cc95"
                              "18d38aa8dbf1925ab92386edd4009923");
}

static void an_identity_is_not_a_shortened_digest(void **state)
{
    uint8_t identity[ND_IDENTITY_BYTES];
    struct nd_digest_state digest;
    nd_digest_begin(&digest, NULL, sizeof(identity));
    nd_digest_add(&digest, "abc", 3);
    nd_digest_end(&digest, identity, sizeof(identity));
    assert_memory_not_equal(identity, abc_256, sizeof(identity));
}

/* The vector of Aumasson and Bernstein's paper: key 00..0f, input 00..0e. */
static void keyed_hash_is_siphash_2_4(void **state)
{
    struct nd_key key = counting_key();
    uint8_t input[15];
    for (size_t i = 0; i < sizeof(input); i++)
        input[i] = (uint8_t)i;
    assert_true(nd_keyed_hash(&key, input, sizeof(input)) ==
                UINT64_C(0xa129ca6149be45e5));
}

static void keys_have_ids_that_follow_from_the_secret(void **state)
{
    struct nd_key one, other, copy;
    nd_key_generate(&one);
    nd_key_generate(&other);
    assert_memory_not_equal(one.secret, other.secret, ND_KEY_BYTES);
    assert_memory_not_equal(one.id, other.id, ND_KEY_ID_BYTES);
    nd_key_from_secret(one.secret, &copy);
    assert_memory_equal(copy.secret, one.secret, ND_KEY_BYTES);
    assert_memory_equal(copy.id, one.id, ND_KEY_ID_BYTES);
    nd_key_from_secret(one.secret, &one);
    assert_memory_equal(copy.id, one.id, ND_KEY_ID_BYTES);
}

static void a_key_id_is_the_keyed_digest_of_its_context(void **state)
{
    struct nd_key key = counting_key();
    uint8_t digest[16];
    struct nd_digest_state digest_state;
    nd_digest_begin(&digest_state, &key, sizeof(digest));
    nd_digest_add(&digest_state, "neurald key id", 14);
    nd_digest_end(&digest_state, digest, sizeof(digest));
    assert_memory_equal(key.id, digest, ND_KEY_ID_BYTES);
}

static void hexadecimal_goes_both_ways(void **state)
{
    const uint8_t bytes[] = {0x00, 0x9f, 0xa0, 0xff};
    char text[9];
    uint8_t back[4];
    nd_hex(bytes, sizeof(bytes), text);
    assert_string_equal(text, "009fa0ff");
    assert_true(nd_unhex(text, back, sizeof(back)));
    assert_memory_equal(back, bytes, sizeof(bytes));
    assert_true(nd_unhex("009FA0FF", back, sizeof(back)));
    assert_memory_equal(back, bytes, sizeof(bytes));
}

static void what_is_not_hexadecimal_is_refused_untouched(void **state)
{
    static const char *const wrong[] = {"",     "00",     "0000",   "00000",
                                        "00g0", "0x0000", "00 000", "+00000"};
    uint8_t data[3] = {1, 2, 3};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(nd_unhex(wrong[i], data, sizeof(data)));
        assert_memory_equal(data, "\1\2\3", 3);
    }
}

static void wiped_memory_is_zero(void **state)
{
    char secret[] = "correct horse";
    nd_wipe(secret, sizeof(secret));
    for (size_t i = 0; i < sizeof(secret); i++)
        assert_int_equal(secret[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digest_is_blake2b_256),
        cmocka_unit_test(a_key_changes_the_digest),
        cmocka_unit_test(digest_in_pieces_is_the_digest_of_the_whole),
        cmocka_unit_test(digest_of_64_bytes_is_that_of_rfc_7693),
        cmocka_unit_test(an_identity_is_not_a_shortened_digest),
        cmocka_unit_test(keyed_hash_is_siphash_2_4),
        cmocka_unit_test(keys_have_ids_that_follow_from_the_secret),
        cmocka_unit_test(a_key_id_is_the_keyed_digest_of_its_context),
        cmocka_unit_test(hexadecimal_goes_both_ways),
        cmocka_unit_test(what_is_not_hexadecimal_is_refused_untouched),
        cmocka_unit_test(wiped_memory_is_zero),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
