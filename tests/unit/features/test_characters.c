/* SPDX-License-Identifier: Apache-2.0 */
#include "features/characters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

#define LONGEST 700U /* several blocks, and a rest */

static struct nd_characters count(const char *text)
{
    return nd_count_characters((struct nd_text){text, strlen(text)});
}

static void each_kind_is_counted(void **state)
{
    (void)state;
    struct nd_characters found = count("Win 100 $ now!! \xc3\x84");
    assert_int_equal(found.upper, 1);
    assert_int_equal(found.lower, 5);
    assert_int_equal(found.digits, 3);
    assert_int_equal(found.blanks, 4);
    assert_int_equal(found.high, 2);
    assert_int_equal(found.exclamations, 2);
    assert_int_equal(found.money, 1);
    assert_int_equal(found.signs, 3);
    assert_int_equal(found.words, 5);
    assert_int_equal(found.long_words, 0);
}

static void a_word_is_long_from_thirteen_bytes_on(void **state)
{
    (void)state;
    assert_int_equal(count("twelve_bytes").long_words, 0);
    assert_int_equal(count("thirteen_byte").long_words, 1);
    assert_int_equal(count("a thirteen_byte b thirteen_bytes").long_words, 2);
    assert_int_equal(count("").words, 0);
}

/* Byte by byte, as the definition says it. */
static struct nd_characters by_the_book(struct nd_text text)
{
    struct nd_characters found = {0};
    size_t length = 0;
    for (size_t i = 0; i <= text.length; i++) {
        unsigned char byte = i < text.length ? (unsigned char)text.data[i] : 0;
        if (byte > ' ') {
            length++;
        } else {
            found.words += length > 0;
            found.long_words += length > 12;
            length = 0;
        }
        if (i == text.length)
            break;
        found.upper += byte >= 'A' && byte <= 'Z';
        found.lower += byte >= 'a' && byte <= 'z';
        found.digits += byte >= '0' && byte <= '9';
        found.blanks += byte <= ' ';
        found.high += byte >= 0x80;
        found.exclamations += byte == '!';
        found.money += byte == '$';
    }
    found.signs = text.length - found.upper - found.lower - found.digits -
                  found.blanks - found.high;
    return found;
}

static void any_text_is_counted_as_byte_by_byte(void **state)
{
    (void)state;
    struct nd_random random;
    nd_random_seed(&random, 7);
    print_message("seed 7\n");
    for (size_t length = 0; length < LONGEST; length++) {
        char bytes[LONGEST];
        uint64_t blanks = nd_random_below(&random, 30) + 1; /* one in so many */
        for (size_t i = 0; i < length; i++) {
            uint64_t drawn = nd_random_u64(&random);
            bytes[i] = (char)(drawn % blanks == 0 ? ' ' : drawn >> 32);
        }
        struct nd_text text = {bytes, length};
        struct nd_characters found = nd_count_characters(text);
        struct nd_characters wanted = by_the_book(text);
        assert_memory_equal(&found, &wanted, sizeof found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_counted),
        cmocka_unit_test(a_word_is_long_from_thirteen_bytes_on),
        cmocka_unit_test(any_text_is_counted_as_byte_by_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
