/* SPDX-License-Identifier: Apache-2.0
 *
 * The growing buffer and the bounded reader: what one writes the other reads,
 * and nothing is read past the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

static void assert_holds(const struct nd_buffer *buffer, const void *bytes,
                         size_t length)
{
    assert_int_equal(buffer->length, length);
    assert_memory_equal(buffer->data, bytes, length);
    assert_int_equal(buffer->data[length], 0);
}

static void numbers_are_little_endian(void **state)
{
    struct nd_buffer buffer = {0};
    nd_buffer_u8(&buffer, 0x01);
    nd_buffer_u16(&buffer, 0x0302);
    nd_buffer_u32(&buffer, 0x07060504);
    nd_buffer_u64(&buffer, 0x0f0e0d0c0b0a0908);
    nd_buffer_f32(&buffer, 1.0F);
    nd_buffer_f64(&buffer, -2.0);
    assert_holds(&buffer,
                 "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
                 "\x00\x00\x80\x3f"
                 "\x00\x00\x00\x00\x00\x00\x00\xc0",
                 27);
    nd_buffer_free(&buffer);
}

static void text_and_bytes_are_appended(void **state)
{
    struct nd_buffer buffer = {0};
    nd_buffer_append_text(&buffer, "one ");
    nd_buffer_append(&buffer, "t\0o", 3);
    nd_buffer_append(&buffer, NULL, 0);
    nd_buffer_printf(&buffer, " %s=%d", "three", 3);
    nd_buffer_printf(&buffer, "%s", "");
    assert_holds(&buffer, "one t\0o three=3", 15);
    nd_buffer_clear(&buffer);
    assert_holds(&buffer, "", 0);
    nd_buffer_free(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer.capacity, 0);
}

static void a_buffer_grows_without_losing_bytes(void **state)
{
    struct nd_buffer buffer = {0};
    for (uint32_t i = 0; i < 100000; i++)
        nd_buffer_u32(&buffer, i);
    assert_int_equal(buffer.length, 400000);
    struct nd_reader reader;
    nd_reader_init(&reader, buffer.data, buffer.length);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(nd_reader_u32(&reader), i);
    assert_int_equal(nd_reader_left(&reader), 0);
    assert_false(reader.failed);
    nd_buffer_free(&buffer);
}

static void reserved_room_is_written_to_by_the_caller(void **state)
{
    struct nd_buffer buffer = {0};
    nd_buffer_append_text(&buffer, "a");
    uint8_t *end = nd_buffer_reserve(&buffer, 1000);
    assert_ptr_equal(end, buffer.data + 1);
    memset(end, 'b', 1000);
    buffer.length += 1000;
    nd_buffer_append_text(&buffer, "c");
    assert_int_equal(buffer.length, 1002);
    assert_int_equal(buffer.data[1000], 'b');
    assert_int_equal(buffer.data[1001], 'c');
    nd_buffer_free(&buffer);
}

static void numbers_come_back_as_they_were(void **state)
{
    struct nd_buffer buffer = {0};
    nd_buffer_u8(&buffer, UINT8_MAX);
    nd_buffer_u16(&buffer, UINT16_MAX - 1);
    nd_buffer_u32(&buffer, UINT32_MAX - 2);
    nd_buffer_u64(&buffer, UINT64_MAX - 3);
    nd_buffer_f32(&buffer, 0x1.fffffep127F);
    nd_buffer_f64(&buffer, -0.1);
    nd_buffer_f64(&buffer, (double)NAN);
    struct nd_reader reader;
    nd_reader_init(&reader, buffer.data, buffer.length);
    assert_int_equal(nd_reader_u8(&reader), UINT8_MAX);
    assert_int_equal(nd_reader_u16(&reader), UINT16_MAX - 1);
    assert_int_equal(nd_reader_u32(&reader), UINT32_MAX - 2);
    assert_true(nd_reader_u64(&reader) == UINT64_MAX - 3);
    assert_true(nd_reader_f32(&reader) == 0x1.fffffep127F);
    assert_true(nd_reader_f64(&reader) == -0.1);
    assert_true(isnan(nd_reader_f64(&reader)));
    assert_false(reader.failed);
    assert_int_equal(nd_reader_left(&reader), 0);
    nd_buffer_free(&buffer);
}

static void varints_of_every_length_come_back(void **state)
{
    for (unsigned bits = 0; bits < 64; bits++) {
        uint64_t value = (UINT64_C(1) << bits) | bits;
        struct nd_buffer buffer = {0};
        nd_buffer_varint(&buffer, value);
        assert_int_equal(buffer.length, (bits < 6 ? 6 : bits) / 7 + 1);
        struct nd_reader reader;
        nd_reader_init(&reader, buffer.data, buffer.length);
        assert_true(nd_reader_varint(&reader) == value);
        assert_false(reader.failed);
        assert_int_equal(nd_reader_left(&reader), 0);
        nd_buffer_free(&buffer);
    }
}

static void the_greatest_varint_takes_ten_bytes(void **state)
{
    struct nd_buffer buffer = {0};
    nd_buffer_varint(&buffer, UINT64_MAX);
    assert_holds(&buffer, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
    struct nd_reader reader;
    nd_reader_init(&reader, buffer.data, buffer.length);
    assert_true(nd_reader_varint(&reader) == UINT64_MAX);
    nd_buffer_free(&buffer);
}

static void assert_varint_fails(const char *bytes, size_t length)
{
    struct nd_reader reader;
    nd_reader_init(&reader, bytes, length);
    assert_true(nd_reader_varint(&reader) == 0);
    assert_true(reader.failed);
}

static void varints_too_long_or_cut_short_fail(void **state)
{
    assert_varint_fails("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
    assert_varint_fails("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11);
    assert_varint_fails("\x80\x80", 2);
    assert_varint_fails("", 0);
}

static void reading_past_the_end_fails_for_good(void **state)
{
    struct nd_reader reader;
    nd_reader_init(&reader, "\x01\x02\x03", 3);
    assert_int_equal(nd_reader_u32(&reader), 0);
    assert_true(reader.failed);
    assert_int_equal(nd_reader_left(&reader), 0);
    assert_int_equal(nd_reader_u8(&reader), 0);
    assert_int_equal(nd_reader_u16(&reader), 0);
    assert_true(nd_reader_u64(&reader) == 0);
    assert_true(nd_reader_f32(&reader) == 0.0F);
    assert_true(nd_reader_f64(&reader) == 0.0);
    assert_null(nd_reader_bytes(&reader, 0));
}

static void bytes_lie_inside_the_readers_data(void **state)
{
    const char data[] = "headbody";
    struct nd_reader reader;
    nd_reader_init(&reader, data, 8);
    assert_ptr_equal(nd_reader_bytes(&reader, 4), data);
    assert_ptr_equal(nd_reader_bytes(&reader, 0), data + 4);
    assert_null(nd_reader_bytes(&reader, SIZE_MAX));
    assert_true(reader.failed);
}

static void assert_json(const char *text, size_t length, const char *expected)
{
    struct nd_buffer buffer = {0};
    nd_buffer_json_string(&buffer, text, length);
    assert_string_equal((const char *)buffer.data, expected);
    nd_buffer_free(&buffer);
}

static void json_strings_escape_what_they_must(void **state)
{
    assert_json("plain", 5, "\"plain\"");
    assert_json("", 0, "\"\"");
    assert_json("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
    assert_json("\n\r\t", 3, "\"\\n\\r\\t\"");
    assert_json("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\\u007f\"");
}

static void json_strings_are_valid_utf8_whatever_comes(void **state)
{
    assert_json("\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\"");
    assert_json("a\xff", 2, "\"a\xef\xbf\xbd\"");
    assert_json("\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_json("\xed\xa0\x80z", 4,
                "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_little_endian),
        cmocka_unit_test(text_and_bytes_are_appended),
        cmocka_unit_test(a_buffer_grows_without_losing_bytes),
        cmocka_unit_test(reserved_room_is_written_to_by_the_caller),
        cmocka_unit_test(numbers_come_back_as_they_were),
        cmocka_unit_test(varints_of_every_length_come_back),
        cmocka_unit_test(the_greatest_varint_takes_ten_bytes),
        cmocka_unit_test(varints_too_long_or_cut_short_fail),
        cmocka_unit_test(reading_past_the_end_fails_for_good),
        cmocka_unit_test(bytes_lie_inside_the_readers_data),
        cmocka_unit_test(json_strings_escape_what_they_must),
        cmocka_unit_test(json_strings_are_valid_utf8_whatever_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
