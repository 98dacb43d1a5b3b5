/* SPDX-License-Identifier: Apache-2.0
 *
 * Scan results by id, from plain and compressed files, whole and damaged.
 */
#include "folder.h"

#include <zstd.h>

#include "mail/lines.h"
#include "mail/scan.h"

#define THREE                                                     \
    "{\"id\":\"easy-ham-1-00001.xyz\",\"symbols\":{\"A\":1.0}}\n" \
    "\r\n"                                                        \
    "{\"id\":\"00002\",\"symbols\":{\"B\":2.0,\"C\":0}}\r\n"      \
    "{\"id\":\"spam-3\",\"symbols\":{}}"

static struct nd_scan_file *open_file(const char *path)
{
    struct nd_scan_file *file = NULL;
    struct nd_error error = {""};
    assert_int_equal(nd_scan_file_open(path, &error, &file), ND_OK);
    return file;
}

static void write_compressed(const char *path, const char *text, size_t cut)
{
    size_t room = ZSTD_compressBound(strlen(text));
    char *data = nd_calloc(room, 1);
    size_t length = ZSTD_compress(data, room, text, strlen(text), 3);
    assert_false(ZSTD_isError(length));
    write_file(path, data, length - cut);
    free(data);
}

static void assert_first_symbol(const struct nd_scan_file *file,
                                const char *path, const char *symbol)
{
    const struct nd_scan *scan = nd_scan_file_find(file, path);
    assert_non_null(scan);
    assert_string_equal(scan->symbols[0].name, symbol);
}

static void results_are_found_by_file_and_by_folder(void **state)
{
    write_text("scan.jsonl", THREE);
    struct nd_scan_file *file = open_file("scan.jsonl");
    assert_int_equal(nd_scan_file_count(file), 3);
    assert_first_symbol(file, "ham/easy-ham-1-00001.xyz.eml", "A");
    assert_first_symbol(file, "/data/easy-ham-1/00001.xyz.txt", "A");
    assert_first_symbol(file, "easy-ham-1/00001.xyz.EML", "A");
    assert_first_symbol(file, "easy-ham-1-00001.xyz", "A");
    assert_first_symbol(file, "any/folder/00002.eml", "B");
    assert_int_equal(nd_scan_file_find(file, "spam/3")->count, 0);
    assert_null(nd_scan_file_find(file, "00001.xyz.eml"));
    assert_null(nd_scan_file_find(file, "other/00001.xyz.eml"));
    assert_null(nd_scan_file_find(file, ""));
    assert_null(nd_scan_file_find(file, "/"));
    assert_null(nd_scan_file_find(file, ".eml"));
    nd_scan_file_close(&file);
    assert_null(file);
    nd_scan_file_close(&file);
}

static void a_compressed_file_gives_the_same(void **state)
{
    write_compressed("scan.jsonl.zst", THREE, 0);
    struct nd_scan_file *file = open_file("scan.jsonl.zst");
    assert_int_equal(nd_scan_file_count(file), 3);
    assert_first_symbol(file, "00002.txt", "B");
    nd_scan_file_close(&file);
}

static void many_results_are_kept_apart(void **state)
{
    struct nd_buffer text = {0};
    for (int i = 0; i < 5000; i++)
        nd_buffer_printf(&text, "{\"id\":\"m-%d\",\"symbols\":{\"S%d\":1}}\n",
                         i, i);
    write_compressed("scan", (const char *)text.data, 0);
    struct nd_scan_file *file = open_file("scan");
    assert_int_equal(nd_scan_file_count(file), 5000);
    for (int i = 0; i < 5000; i++) {
        char path[32];
        char symbol[32];
        snprintf(path, sizeof path, "m/%d.eml", i);
        snprintf(symbol, sizeof symbol, "S%d", i);
        assert_first_symbol(file, path, symbol);
    }
    nd_scan_file_close(&file);
    nd_buffer_free(&text);
}

static void the_later_of_two_results_counts(void **state)
{
    write_text("scan", "{\"id\":\"x\",\"symbols\":{\"A\":1}}\n"
                       "{\"id\":\"x\",\"symbols\":{\"B\":1}}\n");
    struct nd_scan_file *file = open_file("scan");
    assert_int_equal(nd_scan_file_count(file), 1);
    assert_first_symbol(file, "x", "B");
    nd_scan_file_close(&file);
}

static void an_empty_file_has_no_results(void **state)
{
    write_text("scan", "");
    struct nd_scan_file *file = open_file("scan");
    assert_int_equal(nd_scan_file_count(file), 0);
    assert_null(nd_scan_file_find(file, "x"));
    nd_scan_file_close(&file);
}

static void assert_refused(const char *path, enum nd_status status,
                           const char *says)
{
    struct nd_scan_file *file = NULL;
    struct nd_error error = {""};
    assert_int_equal(nd_scan_file_open(path, &error, &file), status);
    assert_null(file);
    if (strstr(error.text, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, says);
}

static void what_is_wrong_is_named_with_its_line(void **state)
{
    assert_refused("nosuch", ND_NO_INPUT, "nosuch");
    write_text("broken", "{\"id\":\"x\"}\n\n{\"id\"\n");
    assert_refused("broken", ND_DATA, "broken, line 3");
    write_text("noid", "{\"symbols\":{}}\n");
    assert_refused("noid", ND_DATA, "noid, line 1");
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_refused("folder", ND_IO, "folder");
}

static void a_damaged_compressed_file_is_refused(void **state)
{
    write_compressed("cut", THREE, 5);
    assert_refused("cut", ND_DATA, "too early");
    write_file("damaged", "\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff\xff\xff", 11);
    assert_refused("damaged", ND_DATA, "damaged");
}

static void a_line_without_an_end_is_refused(void **state)
{
    struct nd_buffer text = {0};
    repeat(&text, "x", ND_MAX_LINE_BYTES + 200000);
    nd_buffer_append(&text, "", 1);
    write_compressed("long", (const char *)text.data, 0);
    assert_refused("long", ND_LIMIT, "long, line 1");
    nd_buffer_free(&text);
}

static void lines_are_given_one_by_one(void **state)
{
    static const char *const expected[] = {"one", "", "three", "four"};
    struct nd_lines *lines;
    struct nd_error error;
    const char *text;
    size_t length;
    write_text("lines", "one\n\r\nthree\r\nfour");
    assert_int_equal(nd_lines_open("lines", &error, &lines), ND_OK);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(nd_lines_next(lines, &error, &text, &length), ND_OK);
        assert_int_equal(length, strlen(expected[i]));
        assert_memory_equal(text, expected[i], length);
        assert_int_equal(nd_lines_number(lines), i + 1);
    }
    assert_int_equal(nd_lines_next(lines, &error, &text, &length), ND_NOTHING);
    assert_int_equal(nd_lines_next(lines, &error, &text, &length), ND_NOTHING);
    nd_lines_close(&lines);
    nd_lines_close(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(results_are_found_by_file_and_by_folder),
        in_folder(a_compressed_file_gives_the_same),
        in_folder(many_results_are_kept_apart),
        in_folder(the_later_of_two_results_counts),
        in_folder(an_empty_file_has_no_results),
        in_folder(what_is_wrong_is_named_with_its_line),
        in_folder(a_damaged_compressed_file_is_refused),
        in_folder(a_line_without_an_end_is_refused),
        in_folder(lines_are_given_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
