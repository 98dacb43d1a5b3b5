/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor's checks of the machine: what is well, what is not, and the remedy.
 * Those of stores and rules are tested with the program (tests/system).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "cli/doctor.h"

static char folder[] = "/tmp/neurald-doctor-XXXXXX";
static struct nd_config *config;
static struct nd_cli cli;

static int set_up(void **state)
{
    (void)state;
    cli.config = NULL;
    if (mkdtemp(folder) == NULL ||
        nd_config_load(NULL, NULL, &config) != ND_OK) {
        return -1;
    }
    cli.config = config;
    return 0;
}

static char *path_of(const char *name)
{
    return nd_sprintf("%s/%s", folder, name);
}

static int tear_down(void **state)
{
    (void)state;
    char *path = path_of("file");
    unlink(path);
    free(path);
    nd_config_destroy(&config);
    return rmdir(folder);
}

static char *write_file(const char *text, mode_t mode)
{
    char *path = path_of("file");
    unlink(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

/* Runs a check with standard output in a string; the caller frees it. */
static char *told_by(struct nd_doctor *doctor,
                     void (*check)(struct nd_doctor *, const char *),
                     const char *path)
{
    char *text = NULL;
    size_t length = 0;
    FILE *real = stdout;
    *doctor = (struct nd_doctor){.cli = &cli};
    FILE *memory = open_memstream(&text, &length);
    stdout = memory;
    check(doctor, path);
    stdout = real;
    fclose(memory);
    return text;
}

static void expect(void (*check)(struct nd_doctor *, const char *),
                   const char *path, enum nd_health health, const char *words)
{
    struct nd_doctor doctor;
    char *text = told_by(&doctor, check, path);
    assert_int_equal(doctor.found[health], 1);
    if (strstr(text, words) == NULL) {
        fail_msg("'%s' lacks '%s'", text, words);
    }
    assert_int_equal(strstr(text, "->") != NULL, health != ND_HEALTH_OK);
    free(text);
}

/* Postfix's own defaults, as postconf prints them. */
#define DEFAULTS                         \
    "milter_default_action = tempfail\n" \
    "milter_connect_timeout = 30s\n"     \
    "milter_command_timeout = 30s\n"     \
    "milter_content_timeout = 300s\n"
#define GENTLE                         \
    "milter_default_action = accept\n" \
    "milter_connect_timeout = 2s\n"    \
    "milter_command_timeout = 5s\n"    \
    "milter_content_timeout = 10s\n"
#define OWN                                                              \
    "{ inet:127.0.0.1:11381, connect_timeout=2s, command_timeout = 5s, " \
    "content_timeout=10s, default_action=accept }"

/* With a postconf that prints this. */
static void expect_postfix(const char *text, uint64_t warnings, uint64_t well)
{
    struct nd_doctor doctor;
    char *script = nd_sprintf("#!/bin/sh\ncat <<'END'\n%sEND\n", text);
    char *path = write_file(script, 0755);
    char *told = told_by(&doctor, nd_doctor_check_postfix, path);
    if (doctor.found[ND_HEALTH_WARN] != warnings ||
        doctor.found[ND_HEALTH_OK] != well) {
        fail_msg("%s: %s", text, told);
    }
    assert_int_equal(doctor.found[ND_HEALTH_FAIL], 0);
    free(told);
    free(script);
    free(path);
}

static void postfix_is_to_pass_mail_without_a_milter(void **state)
{
    (void)state;
    expect_postfix("smtpd_milters = inet:localhost:1\n" DEFAULTS, 2, 0);
    expect_postfix("smtpd_milters = inet:localhost:1\n" GENTLE, 0, 1);
    expect_postfix("smtpd_milters = " OWN "\n" DEFAULTS, 0, 1);
    expect_postfix("smtpd_milters = unix:a, " OWN " unix:b\n" DEFAULTS, 4, 1);
    expect_postfix("smtpd_milters =\nnon_smtpd_milters = unix:a\n" GENTLE, 0,
                   1);
}

static void postfix_is_to_wait_longer_than_the_deadline(void **state)
{
    (void)state;
    expect_postfix("smtpd_milters = { unix:a, content_timeout=5s }\n" GENTLE, 1,
                   0);
    expect_postfix("smtpd_milters = { unix:a, content_timeout=5m }\n" GENTLE, 1,
                   0);
}

static void only_the_configured_milter_is_looked_at(void **state)
{
    static char address[] = "inet:11381@127.0.0.1";
    static char file[] = "unix:/var/spool/postfix/neurald/milter";
    (void)state;
    config->milter.address = address;
    expect_postfix("smtpd_milters = unix:a, " OWN "\n" DEFAULTS, 0, 1);
    expect_postfix("smtpd_milters = inet:a:1381, inet:a:113810\n" GENTLE, 1, 0);
    expect_postfix("smtpd_milters =\nnon_smtpd_milters =\n" GENTLE, 1, 0);
    config->milter.address = file;
    expect_postfix("smtpd_milters = unix:neurald/milter\n" GENTLE, 0, 1);
    expect_postfix("smtpd_milters = unix:rspamd/milter, unix:\n" GENTLE, 1, 0);
    config->milter.address = NULL;
}

static void a_postfix_without_milters_is_left_alone(void **state)
{
    (void)state;
    expect_postfix("smtpd_milters =\nnon_smtpd_milters =\n" DEFAULTS, 0, 0);
    expect_postfix("my_smtpd_milters = a\nsmtpd_milters_x = b\n", 0, 0);
    expect_postfix("", 0, 0);
}

static void a_missing_postfix_is_none_of_ours(void **state)
{
    struct nd_doctor doctor;
    (void)state;
    char *text = told_by(&doctor, nd_doctor_check_postfix, "/nonexistent");
    assert_int_equal(doctor.found[0] + doctor.found[1] + doctor.found[2], 0);
    free(text);
}

static void check_mode_and_room(struct nd_doctor *doctor, const char *path)
{
    nd_doctor_check_file(doctor, path);
}

static void a_store_open_to_all_is_told(void **state)
{
    struct nd_doctor doctor;
    char *path = write_file("x", 0644);
    (void)state;
    char *text = told_by(&doctor, check_mode_and_room, path);
    assert_non_null(strstr(text, "0644"));
    assert_non_null(strstr(text, "chmod o-rwx"));
    assert_true(doctor.found[ND_HEALTH_WARN] >= 1);
    free(text);
    assert_int_equal(chmod(path, 0640), 0);
    text = told_by(&doctor, check_mode_and_room, path);
    assert_null(strstr(text, "chmod"));
    assert_non_null(strstr(text, "free on the store's disk"));
    free(text);
    free(path);
}

static void check_key_file(struct nd_doctor *doctor, const char *path)
{
    free(config->global.key_file);
    config->global.key_file = path != NULL ? nd_strdup(path) : NULL;
    nd_doctor_check_key_file(doctor);
}

#define DIGITS \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void a_key_file_is_private_and_a_key(void **state)
{
    (void)state;
    char *path = write_file(DIGITS "\n", 0600);
    expect(check_key_file, path, ND_HEALTH_OK, path);
    assert_int_equal(chmod(path, 0644), 0);
    expect(check_key_file, path, ND_HEALTH_FAIL, "key file");
    free(path);
    path = write_file("secret\n", 0600);
    expect(check_key_file, path, ND_HEALTH_FAIL, "64 hexadecimal");
    free(path);
    expect(check_key_file, "/nonexistent/key", ND_HEALTH_FAIL, "/nonexistent");
}

static void without_a_key_file_nothing_is_said(void **state)
{
    struct nd_doctor doctor;
    (void)state;
    char *text = told_by(&doctor, check_key_file, NULL);
    assert_int_equal(doctor.found[0] + doctor.found[1] + doctor.found[2], 0);
    free(text);
}

static void check_kernel(struct nd_doctor *doctor, const char *path)
{
    (void)path;
    nd_doctor_check_kernel(doctor);
}

static void the_kernel_is_named(void **state)
{
    struct nd_doctor doctor;
    (void)state;
    char *text = told_by(&doctor, check_kernel, NULL);
    assert_int_equal(doctor.found[ND_HEALTH_FAIL], 0);
    assert_non_null(strstr(text, "kernel"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(postfix_is_to_pass_mail_without_a_milter),
        cmocka_unit_test(postfix_is_to_wait_longer_than_the_deadline),
        cmocka_unit_test(only_the_configured_milter_is_looked_at),
        cmocka_unit_test(a_postfix_without_milters_is_left_alone),
        cmocka_unit_test(a_missing_postfix_is_none_of_ours),
        cmocka_unit_test(a_store_open_to_all_is_told),
        cmocka_unit_test(a_key_file_is_private_and_a_key),
        cmocka_unit_test(without_a_key_file_nothing_is_said),
        cmocka_unit_test(the_kernel_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
