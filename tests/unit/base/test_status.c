/* SPDX-License-Identifier: Apache-2.0
 *
 * What a status says, and how an error text is made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/status.h"

static void success_is_zero_and_exits_with_zero(void **state)
{
    assert_int_equal(ND_OK, 0);
    assert_int_equal(nd_status_exit(ND_OK), 0);
    assert_int_equal(nd_status_exit(ND_NOTHING), 1);
}

static void every_failure_exits_with_one_or_a_sysexits_status(void **state)
{
    for (int status = ND_NOTHING; status <= ND_KEY; status++) {
        int code = nd_status_exit((enum nd_status)status);
        assert_true(code == 1 || (code >= 64 && code <= 78));
        assert_true(strlen(nd_status_text((enum nd_status)status)) > 3);
    }
}

static void names_are_lower_case_and_outlive_the_next_call(void **state)
{
    const char *first = nd_status_name(ND_NO_INPUT);
    const char *second = nd_status_name(ND_UNAVAILABLE);
    assert_string_equal(first, "no_input");
    assert_string_equal(second, "unavailable");
}

static void no_name_is_cut_short_or_given_twice(void **state)
{
    static const char *const whole[] = {
#define NAME(name, exit_status, words) #name,
        ND_STATUS_MAP(NAME)
#undef NAME
    };
    for (int status = ND_OK; status <= ND_KEY; status++) {
        const char *name = nd_status_name((enum nd_status)status);
        assert_int_equal(strlen(name), strlen(whole[status]));
        for (int other = ND_OK; other < status; other++)
            assert_string_not_equal(name,
                                    nd_status_name((enum nd_status)other));
    }
}

static void an_unknown_status_still_has_words_and_an_exit(void **state)
{
    enum nd_status unknown = (enum nd_status)(ND_KEY + 1);
    assert_string_equal(nd_status_text(unknown), "unknown status");
    assert_string_equal(nd_status_name(unknown), "unknown");
    assert_int_equal(nd_status_exit(unknown), nd_status_exit(ND_INTERNAL));
}

static void fail_formats_and_answers_the_status(void **state)
{
    struct nd_error error = {""};
    assert_int_equal(nd_fail(&error, ND_DATA, "line %d of '%s'", 7, "x.conf"),
                     ND_DATA);
    assert_string_equal(error.text, "line 7 of 'x.conf'");
}

static void fail_needs_no_error_buffer(void **state)
{
    errno = ENOENT;
    assert_int_equal(nd_fail(NULL, ND_LIMIT, "unread"), ND_LIMIT);
    assert_int_equal(nd_fail_errno(NULL, "unread"), ND_NO_INPUT);
}

static void fail_cuts_a_long_text_and_ends_it(void **state)
{
    char long_text[2U * ND_ERROR_BYTES];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    struct nd_error error;
    assert_int_equal(nd_fail(&error, ND_DATA, "%s", long_text), ND_DATA);
    assert_int_equal(strlen(error.text), ND_ERROR_BYTES - 1);
    errno = EIO;
    assert_int_equal(nd_fail_errno(&error, "%s", long_text), ND_IO);
    assert_int_equal(strlen(error.text), ND_ERROR_BYTES - 1);
}

static void control_characters_become_question_marks(void **state)
{
    struct nd_error error;
    assert_int_equal(nd_fail(&error, ND_DATA, "%s", "a\x1b[2J\r\nb\x7f\tc"),
                     ND_DATA);
    assert_string_equal(error.text, "a?[2J??b??c");
}

static void letters_of_other_languages_stay(void **state)
{
    struct nd_error error;
    assert_int_equal(nd_fail(&error, ND_DATA, "%s", "Gr\xc3\xbc\xc3\x9f"),
                     ND_DATA);
    assert_string_equal(error.text, "Gr\xc3\xbc\xc3\x9f");
}

static void an_error_can_wrap_its_own_text(void **state)
{
    struct nd_error error;
    assert_int_equal(nd_fail(&error, ND_DATA, "no such key"), ND_DATA);
    assert_int_equal(
        nd_fail(&error, ND_CONFIG, "neurald.conf:3: %s", error.text),
        ND_CONFIG);
    assert_string_equal(error.text, "neurald.conf:3: no such key");
    errno = ENOSPC;
    assert_int_equal(nd_fail_errno(&error, "<%s>", error.text), ND_FULL);
    assert_string_equal(error.text, "<neurald.conf:3: no such key>: "
                                    "No space left on device");
}

static void errno_decides_the_status(void **state)
{
    static const struct {
        int number;
        enum nd_status status;
    } cases[] = {
        {EACCES, ND_PERMISSION}, {EPERM, ND_PERMISSION}, {EROFS, ND_PERMISSION},
        {ENOENT, ND_NO_INPUT},   {ENOTDIR, ND_NO_INPUT}, {ENOSPC, ND_FULL},
        {EDQUOT, ND_FULL},       {EIO, ND_IO},           {EISDIR, ND_IO},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct nd_error error;
        errno = cases[i].number;
        assert_int_equal(nd_fail_errno(&error, "open 'x'"), cases[i].status);
        assert_non_null(strstr(error.text, strerror(cases[i].number)));
        assert_memory_equal(error.text, "open 'x': ", 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_is_zero_and_exits_with_zero),
        cmocka_unit_test(every_failure_exits_with_one_or_a_sysexits_status),
        cmocka_unit_test(names_are_lower_case_and_outlive_the_next_call),
        cmocka_unit_test(no_name_is_cut_short_or_given_twice),
        cmocka_unit_test(an_unknown_status_still_has_words_and_an_exit),
        cmocka_unit_test(fail_formats_and_answers_the_status),
        cmocka_unit_test(fail_needs_no_error_buffer),
        cmocka_unit_test(fail_cuts_a_long_text_and_ends_it),
        cmocka_unit_test(control_characters_become_question_marks),
        cmocka_unit_test(letters_of_other_languages_stay),
        cmocka_unit_test(an_error_can_wrap_its_own_text),
        cmocka_unit_test(errno_decides_the_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
