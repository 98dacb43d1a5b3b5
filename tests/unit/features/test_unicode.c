/* SPDX-License-Identifier: Apache-2.0
 *
 * Folding: what must be one word, and what never may change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "features/unicode.h"

/* text folded and without ignored characters, into folded_r. */
static void fold_text(const char *text, char *folded_r)
{
    const char *end = text + strlen(text);
    size_t length = 0;
    while (text < end) {
        uint32_t code = nd_fold(nd_next_code(&text, end));
        if (nd_char_class(code) != ND_CHAR_IGNORED)
            length += nd_utf8_encode(code, folded_r + length);
    }
    folded_r[length] = '\0';
}

static void case_is_folded_in_latin_greek_and_cyrillic(void **state)
{
    char folded[128];
    fold_text("VIAGRA ÀÉÎÕÜ ĀŁŽŸ ΑΩΣ БЖЯ ЁЇ", folded);
    assert_string_equal(folded, "viagra àéîõü āłžÿ αωσ бжя ёї");
}

static void full_width_letters_are_ascii(void **state)
{
    char folded[64];
    fold_text("ＦＲＥＥ！", folded);
    assert_string_equal(folded, "free!");
}

static void digits_are_all_zero(void **state)
{
    char folded[64];
    fold_text("$1,299.95 ７", folded);
    assert_string_equal(folded, "$0,000.00 0");
}

static void every_blank_is_one(void **state)
{
    char folded[64];
    fold_text("a\tb\nc\xC2\xA0"
              "d\xE2\x80\x83"
              "e\xE3\x80\x80"
              "f",
              folded);
    assert_string_equal(folded, "a b c d e f");
}

static void invisible_characters_vanish(void **state)
{
    char folded[64];
    fold_text("v\xC2\xADi\xE2\x80\x8B"
              "a\xE2\x80\x8Dg\xEF\xBB\xBFra",
              folded);
    assert_string_equal(folded, "viagra");
}

static void broken_utf8_moves_on_byte_by_byte(void **state)
{
    const char bytes[] = "\xFF\xC3\x28\xE2\x82";
    const char *cursor = bytes, *end = bytes + 5;
    assert_int_equal(nd_next_code(&cursor, end), 0xFFFD);
    assert_ptr_equal(cursor, bytes + 1);
    assert_int_equal(nd_next_code(&cursor, end), 0xFFFD);
    assert_int_equal(nd_next_code(&cursor, end), '(');
    assert_int_equal(nd_next_code(&cursor, end), 0xFFFD);
    assert_int_equal(nd_next_code(&cursor, end), 0xFFFD);
    assert_ptr_equal(cursor, end);
}

static void classes_tell_words_from_the_rest(void **state)
{
    assert_int_equal(nd_char_class('a'), ND_CHAR_LETTER);
    assert_int_equal(nd_char_class('0'), ND_CHAR_DIGIT);
    assert_int_equal(nd_char_class(' '), ND_CHAR_BLANK);
    assert_int_equal(nd_char_class('!'), ND_CHAR_OTHER);
    assert_int_equal(nd_char_class(0xE9), ND_CHAR_LETTER);
    assert_int_equal(nd_char_class(0x434), ND_CHAR_LETTER);
    assert_int_equal(nd_char_class(0x4E2D), ND_CHAR_IDEOGRAPH);
    assert_int_equal(nd_char_class(0x30AB), ND_CHAR_LETTER);
    assert_int_equal(nd_char_class(0xD55C), ND_CHAR_LETTER);
    assert_int_equal(nd_char_class(0x2014), ND_CHAR_OTHER);
    assert_int_equal(nd_char_class(0x200B), ND_CHAR_IGNORED);
}

/* A fold or class that changed would make every stored sample and model mean
 * something else: this digest is of all of them and must never be adapted. */
static void folds_and_classes_are_what_they_always_were(void **state)
{
    struct nd_digest_state digest_state;
    uint8_t digest[ND_DIGEST_BYTES];
    char text[2 * ND_DIGEST_BYTES + 1];
    nd_digest_begin(&digest_state, NULL, sizeof(digest));
    for (uint32_t code = 0; code < 0x30000; code++) {
        uint32_t folded = nd_fold(code);
        uint8_t bytes[] = {(uint8_t)folded, (uint8_t)(folded >> 8),
                           (uint8_t)(folded >> 16),
                           (uint8_t)nd_char_class(folded)};
        nd_digest_add(&digest_state, bytes, sizeof(bytes));
    }
    nd_digest_end(&digest_state, digest, sizeof(digest));
    nd_hex(digest, sizeof(digest), text);
    assert_string_equal(
        text,
        "7309df1501b1ffc1d77735e4bfe805ec33c1c1b0a507ee5aa9e2c940824e915f");
}

static void folding_twice_changes_nothing(void **state)
{
    for (uint32_t code = 0; code < 0x30000; code++)
        assert_int_equal(nd_fold(nd_fold(code)), nd_fold(code));
}

static int set_up(void **state)
{
    return nd_hash_init(NULL) == ND_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_is_folded_in_latin_greek_and_cyrillic),
        cmocka_unit_test(full_width_letters_are_ascii),
        cmocka_unit_test(digits_are_all_zero),
        cmocka_unit_test(every_blank_is_one),
        cmocka_unit_test(invisible_characters_vanish),
        cmocka_unit_test(broken_utf8_moves_on_byte_by_byte),
        cmocka_unit_test(classes_tell_words_from_the_rest),
        cmocka_unit_test(folds_and_classes_are_what_they_always_were),
        cmocka_unit_test(folding_twice_changes_nothing),
    };
    return cmocka_run_group_tests_name("unicode", tests, set_up, NULL);
}
