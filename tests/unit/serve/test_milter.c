/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker with libmilter, and the daemon's side of it: messages pass with
 * their header whatever happens to either. This program is both: started with
 * ND_MILTER_ARGUMENT it is the worker.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "milter_client.h"
#include "serve/milter.h"

#define ALL_SILENT 0xfffffU /* no answers before the end */
#define SPACED 0x100000U    /* blanks behind the colon are told */

static struct nd_milter *milter;
static int port, patience_ms;
static atomic_int answer_after_ms, starts;
static atomic_ullong told[ND_LINK_EVENT_COUNT];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char last_message[4096], last_id[64], last_line[300];
static bool last_authenticated;
static struct nd_link_answer wanted;

static void pause_ms(int milliseconds)
{
    struct timespec pause = {milliseconds / 1000,
                             (long)(milliseconds % 1000) * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* ---- the daemon ---- */

static void decide(const struct nd_link_question *question,
                   struct nd_arena *arena, struct nd_link_answer *answer_r,
                   void *context)
{
    size_t length = question->length < sizeof(last_message) - 1
                        ? question->length
                        : sizeof(last_message) - 1;
    (void)pthread_mutex_lock(&mutex);
    memcpy(last_message, question->message, length);
    last_message[length] = '\0';
    (void)snprintf(last_id, sizeof(last_id), "%s", question->queue_id);
    last_authenticated = question->authenticated;
    *answer_r = wanted;
    (void)pthread_mutex_unlock(&mutex);
    pause_ms(atomic_load(&answer_after_ms));
}

static void tell(const struct nd_link_events *events, void *context)
{
    for (int i = 0; i < ND_LINK_EVENT_COUNT; i++) {
        atomic_fetch_add(&told[i], events->of[i]);
    }
}

static void started(void *context)
{
    atomic_fetch_add(&starts, 1);
}

static void keep_line(enum nd_log_level level, const char *line, void *context)
{
    (void)pthread_mutex_lock(&mutex);
    (void)snprintf(last_line, sizeof(last_line), "%s", line);
    (void)pthread_mutex_unlock(&mutex);
}

/* Whether what the daemon saw last has these words. */
static bool has(const char *seen, const char *words)
{
    (void)pthread_mutex_lock(&mutex);
    bool found = strstr(seen, words) != NULL;
    (void)pthread_mutex_unlock(&mutex);
    return found;
}

static bool was_authenticated(void)
{
    (void)pthread_mutex_lock(&mutex);
    bool was = last_authenticated;
    (void)pthread_mutex_unlock(&mutex);
    return was;
}

static void want(struct nd_link_answer answer)
{
    (void)pthread_mutex_lock(&mutex);
    wanted = answer;
    (void)pthread_mutex_unlock(&mutex);
}

static const struct nd_link_settings settings = {.header = "X-Neurald",
                                                 .tag_header = "X-Spam",
                                                 .deadline_ms = 20000,
                                                 .max_message = 1 << 20,
                                                 .max_memory = 1 << 24};

static void start(const struct nd_link_settings *with)
{
    struct nd_milter_options options = {.settings = *with,
                                        .decide = decide,
                                        .tell = tell,
                                        .started = started,
                                        .threads = 2,
                                        .patience_ms = patience_ms};
    assert_int_equal(nd_milter_listen("inet:0", 0, NULL, &options.listener),
                     ND_OK);
    port = milter_port(options.listener);
    assert_int_equal(nd_milter_start(&options, NULL, &milter), ND_OK);
}

static int set_up(void **state)
{
    want((struct nd_link_answer){"spam, probability=0.99", "", "", ""});
    atomic_store(&answer_after_ms, 0);
    atomic_store(&starts, 0);
    for (int i = 0; i < ND_LINK_EVENT_COUNT; i++) {
        atomic_store(&told[i], 0);
    }
    start(&settings);
    return 0;
}

static int tear_down(void **state)
{
    nd_milter_stop(&milter);
    return 0;
}

static void open_client(struct milter_client *client, uint32_t steps)
{
    assert_true(milter_connect(client, port, steps));
    assert_true(milter_tell_client(client));
}

/* One message on a connection of its own: its changes, to be freed. */
static char *changes_of(const char *name, const char *value)
{
    struct milter_client client;
    struct milter_end end;
    open_client(&client, 0);
    milter_send(&client, name, value, &end);
    milter_close(&client);
    assert_int_equal(end.answer, 'a');
    return (char *)end.changes.data;
}

static void expect(const char *name, const char *value, const char *changes)
{
    char *found = changes_of(name, value);
    assert_string_equal(found, changes);
    free(found);
}

static void wait_until(const atomic_ullong *counter, unsigned long long least)
{
    for (int i = 0; i < 6000 && atomic_load(counter) < least; i++) {
        pause_ms(10);
    }
    assert_true(atomic_load(counter) >= least);
}

/* ---- what is done to messages ---- */

static void a_message_gets_its_verdict_as_a_header(void **state)
{
    expect(NULL, NULL, "i X-Neurald:spam, probability=0.99\n");
    assert_true(has(last_id, "4ABC"));
    assert_false(was_authenticated());
    assert_true(has(last_message, "Received: from mail.example "
                                  "(mail.example [192.0.2.1])\r\n"));
    assert_true(has(last_message, "\r\nSubject: hello\r\n\r\ntext\r\n"));
}

static void several_messages_pass_through_one_connection(void **state)
{
    struct milter_client client;
    static const uint32_t steps[] = {0, ALL_SILENT, ALL_SILENT | SPACED};
    for (size_t i = 0; i < 3; i++) {
        open_client(&client, steps[i]);
        for (int j = 0; j < 5; j++) {
            struct milter_end end;
            milter_send(&client, NULL, NULL, &end);
            assert_int_equal(end.answer, 'a');
            assert_string_equal((char *)end.changes.data,
                                i < 2
                                    ? "i X-Neurald:spam, probability=0.99\n"
                                    : "i X-Neurald: spam, probability=0.99\n");
            nd_buffer_free(&end.changes);
        }
        milter_close(&client);
    }
}

static void forged_headers_go(void **state)
{
    expect("x-neurald", "ham, probability=0",
           "m 1 X-Neurald:\ni X-Neurald:spam, probability=0.99\n");
    expect("X-Spam", "no", "m 1 X-Spam:\ni X-Neurald:spam, probability=0.99\n");
    wait_until(&told[ND_LINK_FORGED], 2);
}

static void spam_is_tagged_and_held_where_that_is_wanted(void **state)
{
    want((struct nd_link_answer){"spam", "[SPAM] ", "yes", "neurald: spam"});
    expect(NULL, NULL,
           "i X-Neurald:spam\ni X-Spam:yes\nm 1 Subject:[SPAM] hello\n"
           "q neurald: spam\n");
}

static void a_tagged_subject_is_not_tagged_again(void **state)
{
    struct milter_client client;
    struct milter_end end;
    want((struct nd_link_answer){"spam", "[SPAM] ", "", ""});
    open_client(&client, ALL_SILENT | SPACED);
    assert_true(milter_tell_sender(&client, "<>"));
    assert_true(milter_tell_header(&client, "Subject", " [SPAM] hello"));
    assert_true(milter_tell_body(&client, "text", 4));
    milter_finish(&client, &end);
    assert_string_equal((char *)end.changes.data, "i X-Neurald: spam\n");
    nd_buffer_free(&end.changes);
    milter_close(&client);
}

static void a_sender_with_a_password_is_told_apart(void **state)
{
    struct milter_client client;
    struct milter_end end;
    open_client(&client, ALL_SILENT);
    assert_true(milter_tell_macro(&client, 'M', "{auth_authen}", "ann"));
    milter_send(&client, NULL, NULL, &end);
    assert_int_equal(end.answer, 'a');
    assert_true(was_authenticated());
    nd_buffer_free(&end.changes);
    milter_close(&client);
}

static void a_message_that_is_given_up_leaves_nothing_behind(void **state)
{
    struct milter_client client;
    struct milter_end end;
    open_client(&client, ALL_SILENT);
    assert_true(milter_tell_sender(&client, "<>"));
    assert_true(milter_tell_header(&client, "Subject", "forgotten"));
    assert_true(milter_abort(&client));
    milter_send(&client, NULL, NULL, &end);
    assert_int_equal(end.answer, 'a');
    assert_false(has(last_message, "forgotten"));
    nd_buffer_free(&end.changes);
    milter_close(&client);
    wait_until(&told[ND_LINK_ABORTED], 1);
}

/* ---- what goes wrong ---- */

static void late_verdicts_are_not_waited_for(void **state)
{
    struct nd_link_settings hasty = settings;
    hasty.deadline_ms = 100;
    nd_milter_apply(milter, &hasty);
    atomic_store(&answer_after_ms, 1500);
    char *changes = NULL;
    do { /* until the worker has heard of the deadline */
        free(changes);
        changes = changes_of(NULL, NULL);
    } while (strstr(changes, "0.99") != NULL);
    assert_non_null(strstr(changes, "i X-Neurald:unsure, "));
    assert_non_null(strstr(changes, "reason=\"late: "));
    free(changes);
    wait_until(&told[ND_LINK_LATE], 1);
    assert_true(has(last_line, "4ABC: unsure reason=late"));
    atomic_store(&answer_after_ms, 0);
}

static void without_room_messages_pass_unread(void **state)
{
    struct nd_link_settings narrow = settings;
    narrow.max_memory = 1;
    nd_milter_apply(milter, &narrow);
    char *changes = changes_of(NULL, NULL);
    while (strstr(changes, "crowded") == NULL) {
        free(changes);
        changes = changes_of(NULL, NULL);
    }
    assert_non_null(strstr(changes, "i X-Neurald:unsure, "));
    free(changes);
    wait_until(&told[ND_LINK_CROWDED], 1);
}

static pid_t wait_for_another(pid_t before)
{
    pid_t process = 0;
    for (int i = 0; i < 6000; i++) {
        process = nd_milter_process(milter);
        if (process != 0 && process != before) {
            return process;
        }
        pause_ms(10);
    }
    fail();
    return 0;
}

static void a_worker_that_dies_is_started_again(void **state)
{
    pid_t first = wait_for_another(0);
    expect(NULL, NULL, "i X-Neurald:spam, probability=0.99\n");
    assert_int_equal(kill(first, SIGKILL), 0);
    while (nd_milter_process(milter) == first) {
        pause_ms(1);
    }
    /* Who connects meanwhile waits. */
    expect(NULL, NULL, "i X-Neurald:spam, probability=0.99\n");
    pid_t second = wait_for_another(first);
    assert_int_equal(kill(second, SIGTERM), 0);
    (void)wait_for_another(second);
    expect(NULL, NULL, "i X-Neurald:spam, probability=0.99\n");
    assert_int_equal(atomic_load(&starts), 3);
}

static void a_worker_that_hangs_is_replaced(void **state)
{
    nd_milter_stop(&milter);
    patience_ms = 3000;
    start(&settings);
    patience_ms = 0;
    pid_t first = wait_for_another(0);
    expect(NULL, NULL, "i X-Neurald:spam, probability=0.99\n");
    assert_int_equal(kill(first, SIGSTOP), 0);
    (void)wait_for_another(first);
    expect(NULL, NULL, "i X-Neurald:spam, probability=0.99\n");
}

/* ---- the end ---- */

static void *stop(void *context)
{
    nd_milter_stop(&milter);
    return NULL;
}

static void a_message_that_is_open_is_finished_at_the_end(void **state)
{
    struct milter_client client;
    struct milter_end end;
    pthread_t stopper;
    open_client(&client, ALL_SILENT);
    assert_true(milter_tell_sender(&client, "<>"));
    assert_true(milter_tell_header(&client, "Subject", "hello"));
    pause_ms(200);
    assert_int_equal(pthread_create(&stopper, NULL, stop, NULL), 0);
    pause_ms(300);
    assert_true(milter_tell_body(&client, "text", 4));
    milter_finish(&client, &end);
    assert_int_equal(end.answer, 'a');
    assert_string_equal((char *)end.changes.data,
                        "i X-Neurald:spam, probability=0.99\n");
    assert_int_equal(pthread_join(stopper, NULL), 0);
    struct milter_client other;
    assert_false(milter_connect(&other, port, 0));
    nd_buffer_free(&end.changes);
    (void)close(other.socket);
    milter_close(&client);
}

static void a_message_that_does_not_end_is_not_waited_for(void **state)
{
    struct milter_client client;
    open_client(&client, ALL_SILENT);
    assert_true(milter_tell_sender(&client, "<>"));
    pause_ms(200);
    int64_t start_us = nd_clock_monotonic_us();
    nd_milter_stop(&milter);
    int64_t took_us = nd_clock_monotonic_us() - start_us;
    assert_true(took_us > 1500000);
    assert_true(took_us < 10000000);
    milter_close(&client);
}

static void an_idle_milter_stops_at_once(void **state)
{
    struct milter_client client;
    open_client(&client, 0);
    int64_t start_us = nd_clock_monotonic_us();
    nd_milter_stop(&milter);
    assert_true(nd_clock_monotonic_us() - start_us < 1500000);
    milter_close(&client);
}

/* The daemon as a process of its own, to be killed. */
static int be_daemon(void)
{
    if (set_up(NULL) != 0) {
        return 1;
    }
    printf("%d %d\n", port, (int)nd_milter_process(milter));
    (void)fflush(stdout);
    atomic_store(&answer_after_ms, 60000);
    for (;;) {
        pause_ms(60000);
    }
}

static void a_message_survives_the_daemon(void **state)
{
    struct milter_client client;
    struct milter_end end;
    int own_port = port;
    FILE *daemon = popen("exec /proc/$PPID/exe --daemon & echo $!; wait", "r");
    int process = 0, worker = 0;
    assert_non_null(daemon);
    assert_int_equal(fscanf(daemon, "%d %d %d", &process, &port, &worker), 3);
    open_client(&client, ALL_SILENT);
    assert_true(milter_tell_sender(&client, "<>"));
    assert_true(milter_tell_header(&client, "Subject", "hello"));
    assert_true(milter_tell_body(&client, "text", 4));
    assert_true(milter_tell_macro(&client, 'E', "i", "4ABC"));
    pause_ms(200);
    assert_int_equal(kill(process, SIGKILL), 0);
    milter_finish(&client, &end);
    assert_int_equal(end.answer, 'a');
    assert_non_null(strstr((char *)end.changes.data, "reason=\"gone: "));
    nd_buffer_free(&end.changes);
    milter_close(&client);
    (void)pclose(daemon);
    /* The worker ends by itself, and its port is free. */
    for (int i = 0; i < 500 && kill(worker, 0) == 0; i++) {
        pause_ms(10);
    }
    assert_false(milter_connect(&client, port, 0));
    (void)close(client.socket);
    port = own_port;
}

/* ---- addresses ---- */

static void addresses_that_are_none_are_refused(void **state)
{
    static const char *const wrong[] = {
        "",           "inet:",         "inet:x@127.0.0.1", "inet:1@",
        "inet:70000", "unix:relative", "/var/run/socket",  "tcp:1@127.0.0.1",
        "inet:-1",    "inet:12x@::1"};
    struct nd_error error;
    int listener = -1;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(nd_milter_listen(wrong[i], 0600, &error, &listener),
                         ND_USAGE);
    }
    assert_int_equal(listener, -1);
    assert_int_equal(nd_milter_address_check("inet6:0@::1", NULL), ND_OK);
    assert_int_equal(nd_milter_address_check("local:/a", NULL), ND_OK);
}

static void a_place_that_is_taken_is_told(void **state)
{
    char address[64];
    struct nd_error error;
    int listener;
    (void)snprintf(address, sizeof(address), "inet:%d@127.0.0.1", port);
    assert_int_equal(nd_milter_listen(address, 0, &error, &listener), ND_BUSY);
    assert_non_null(strstr(error.text, "already"));
}

static void a_socket_file_that_was_left_behind_is_replaced(void **state)
{
    static const char path[] = "/tmp/neurald-test-milter.sock";
    int first, second;
    struct stat info;
    unlink(path);
    assert_int_equal(nd_milter_listen("unix:/tmp/neurald-test-milter.sock",
                                      0660, NULL, &first),
                     ND_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0660);
    assert_int_equal(nd_milter_listen("unix:/tmp/neurald-test-milter.sock",
                                      0660, NULL, &second),
                     ND_BUSY);
    (void)close(first);
    assert_int_equal(nd_milter_listen("local:/tmp/neurald-test-milter.sock",
                                      0600, NULL, &second),
                     ND_OK);
    (void)close(second);
    assert_int_equal(unlink(path), 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], ND_MILTER_ARGUMENT) == 0) {
        return nd_milter_worker_main();
    }
    if (argc > 1 && strcmp(argv[1], "--daemon") == 0) {
        return be_daemon();
    }
    nd_log_set_sink(keep_line, NULL);
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_message_gets_its_verdict_as_a_header),
        TEST(several_messages_pass_through_one_connection),
        TEST(forged_headers_go),
        TEST(spam_is_tagged_and_held_where_that_is_wanted),
        TEST(a_tagged_subject_is_not_tagged_again),
        TEST(a_sender_with_a_password_is_told_apart),
        TEST(a_message_that_is_given_up_leaves_nothing_behind),
        TEST(late_verdicts_are_not_waited_for),
        TEST(without_room_messages_pass_unread),
        TEST(a_worker_that_dies_is_started_again),
        TEST(a_worker_that_hangs_is_replaced),
        TEST(a_message_that_is_open_is_finished_at_the_end),
        TEST(a_message_that_does_not_end_is_not_waited_for),
        TEST(an_idle_milter_stops_at_once),
        TEST(a_message_survives_the_daemon),
        cmocka_unit_test(addresses_that_are_none_are_refused),
        TEST(a_place_that_is_taken_is_told),
        cmocka_unit_test(a_socket_file_that_was_left_behind_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
