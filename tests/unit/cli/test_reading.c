/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages as the commands read them: in order, with their scan results, with
 * what is left out told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "cli/reading.h"
#include "cli/selection.h"
#include "learn/bulk.h"

static char folder[] = "/tmp/neurald-reading-XXXXXX";
static struct nd_cli cli = {.quiet = true};

static char *write_file(const char *name, const char *text, size_t length)
{
    char *path = nd_sprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    fclose(file);
    return path;
}

static void add_mail(const char *name, const char *subject)
{
    char *text = nd_sprintf("Message-ID: <%s@host>\nSubject: %s\n\nbody\n",
                            name, subject);
    free(write_file(name, text, strlen(text)));
    free(text);
}

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL ||
        nd_config_load(NULL, NULL, &cli.config) != ND_OK) {
        return -1;
    }
    add_mail("b.eml", "second");
    add_mail("a.eml", "first");
    free(write_file("empty.eml", "", 0));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    nd_config_destroy(&cli.config);
    char *command = nd_sprintf("rm -r '%s'", folder);
    int result = system(command);
    free(command);
    return result;
}

static struct nd_reading *open_path(const char *path,
                                    const struct nd_scan_file *scans)
{
    struct nd_reading *reading = NULL;
    assert_int_equal(nd_reading_open(&cli, &path, 1, scans, &reading), ND_OK);
    return reading;
}

static void a_folder_is_read_in_order_of_names(void **state)
{
    struct nd_item item;
    struct nd_reading *reading = open_path(folder, NULL);
    (void)state;
    assert_int_equal(nd_reading_next(reading, &item), ND_OK);
    assert_string_equal(item.message.subject.data, "first");
    assert_string_equal(strrchr(item.path, '/'), "/a.eml");
    assert_null(item.scan);
    assert_int_equal(nd_reading_next(reading, &item), ND_OK);
    assert_string_equal(item.message.subject.data, "second");
    assert_int_equal(nd_reading_next(reading, &item), ND_NOTHING);
    assert_int_equal(nd_reading_skipped(reading), 1);
    assert_float_equal(nd_reading_done(reading), 1.0, 1e-9);
    nd_reading_close(&reading);
    assert_null(reading);
}

static void what_is_not_there_is_named(void **state)
{
    const char *path = "/nonexistent/mail";
    struct nd_reading *reading = NULL;
    (void)state;
    assert_int_equal(nd_reading_open(&cli, &path, 1, NULL, &reading),
                     ND_NO_INPUT);
    assert_non_null(strstr(cli.error.text, path));
    assert_null(reading);
}

static void a_scan_result_finds_its_message(void **state)
{
    static const char line[] = "{\"id\": \"b\", \"symbols\": {\"S\": 2.5}}\n";
    struct nd_scan_file *scans = NULL;
    struct nd_item item;
    char *path = write_file(".scans", line, strlen(line));
    (void)state;
    assert_int_equal(nd_scan_file_open(path, NULL, &scans), ND_OK);
    struct nd_reading *reading = open_path(folder, scans);
    assert_int_equal(nd_reading_next(reading, &item), ND_OK);
    assert_null(item.scan);
    assert_int_equal(nd_reading_next(reading, &item), ND_OK);
    assert_non_null(item.scan);
    assert_string_equal(item.scan->symbols[0].name, "S");
    nd_reading_close(&reading);
    nd_scan_file_close(&scans);
    unlink(path);
    free(path);
}

/* Of a message over the limit the size is known, and how much was not read. */
static void a_long_message_keeps_its_size(void **state)
{
    struct nd_item item;
    size_t length = 100000;
    char *text = nd_calloc(length, 1);
    (void)state;
    memset(text, 'x', length);
    memcpy(text, "A: b\n\n", 6);
    char *path = write_file("long.eml", text, length);
    cli.config->limits.max_message = 4096;
    struct nd_reading *reading = open_path(path, NULL);
    assert_int_equal(nd_reading_next(reading, &item), ND_OK);
    assert_int_equal(item.length, 4096);
    assert_int_equal(item.message.raw_bytes, length);
    assert_int_equal(item.message.unread_bytes, length - 4096);
    nd_reading_close(&reading);
    cli.config->limits.max_message = 4 << 20;
    unlink(path);
    free(path);
    free(text);
}

static void a_filter_matches_by_every_part(void **state)
{
    struct nd_selection all = {.filter = {.source = -1, .label = -1}};
    struct nd_sample_info sample = {
        .label = ND_SPAM, .source = ND_SOURCE_TRAP, .label_ms = 1000};
    (void)state;
    assert_true(nd_filter_matches(&all.filter, &sample));
    struct nd_selection one = all;
    one.filter.source = ND_SOURCE_TRAP;
    one.filter.label = ND_SPAM;
    one.filter.since_ms = 1000;
    one.filter.until_ms = 1001;
    assert_true(nd_filter_matches(&one.filter, &sample));
    struct nd_selection other = one;
    other.filter.source = ND_SOURCE_USER;
    assert_false(nd_filter_matches(&other.filter, &sample));
    other = one;
    other.filter.label = ND_HAM;
    assert_false(nd_filter_matches(&other.filter, &sample));
    other = one;
    other.filter.since_ms = 1001;
    assert_false(nd_filter_matches(&other.filter, &sample));
    other = one;
    other.filter.until_ms = 1000;
    assert_false(nd_filter_matches(&other.filter, &sample));
}

/* ---- several at a time ---- */

#define MANY 300

/* An mbox whose messages have their numbers as subjects. */
static char *write_many(void)
{
    struct nd_buffer text = {0};
    for (int i = 0; i < MANY; i++)
        nd_buffer_printf(&text,
                         "From a@b Mon Jan  1 10:00:00 2024\n"
                         "Subject: %d\n\nbody\n\n",
                         i);
    char *path = write_file(".many", (const char *)text.data, text.length);
    nd_buffer_free(&text);
    return path;
}

/* Later messages are often done before earlier ones. */
static void read_number(const struct nd_item *item, void *result, void *context)
{
    int number = atoi(item->message.subject.data);
    (void)context;
    (void)usleep((unsigned)(number * 7 % 5) * 100U);
    memcpy(result, &number, sizeof number);
}

struct told {
    int count;
    int last; /* message to be told */
};

static enum nd_status tell_number(const char *path, const void *result,
                                  void *context)
{
    struct told *told = context;
    int number;
    memcpy(&number, result, sizeof number);
    assert_int_equal(number, told->count);
    assert_int_equal(atoi(strrchr(path, ':') + 1), number + 1);
    told->count++;
    return number == told->last ? ND_TEMPORARY : ND_OK;
}

static enum nd_status read_many(struct told *told, uint64_t *count_r)
{
    struct nd_reading_work work = {.result_size = sizeof(int),
                                   .work = read_number,
                                   .tell = tell_number,
                                   .context = told};
    char *path = write_many();
    struct nd_reading *reading = open_path(path, NULL);
    enum nd_status status = nd_reading_each(reading, &work, count_r);
    nd_reading_close(&reading);
    unlink(path);
    free(path);
    return status;
}

static void messages_are_told_in_their_order(void **state)
{
    struct told told = {.last = MANY};
    uint64_t count;
    (void)state;
    assert_int_equal(read_many(&told, &count), ND_NOTHING);
    assert_int_equal(count, MANY);
    assert_int_equal(told.count, MANY);
}

static void a_message_that_cannot_be_told_is_the_last(void **state)
{
    uint64_t count;
    (void)state;
    for (int last = 0; last < MANY; last += 59) {
        struct told told = {.last = last};
        assert_int_equal(read_many(&told, &count), ND_TEMPORARY);
        assert_int_equal(count, last + 1);
        assert_int_equal(told.count, last + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_is_read_in_order_of_names),
        cmocka_unit_test(what_is_not_there_is_named),
        cmocka_unit_test(a_scan_result_finds_its_message),
        cmocka_unit_test(a_long_message_keeps_its_size),
        cmocka_unit_test(a_filter_matches_by_every_part),
        cmocka_unit_test(messages_are_told_in_their_order),
        cmocka_unit_test(a_message_that_cannot_be_told_is_the_last),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
