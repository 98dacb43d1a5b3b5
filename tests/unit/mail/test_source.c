/* SPDX-License-Identifier: Apache-2.0
 *
 * Files, mailboxes and folders as people have them, and those that would block
 * or fill a careless reader.
 */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "mail/mailbox.h"
#include "mail/source.h"

#define FROM "From ann@example.org Thu Jan  1 10:00:00 2026\n"
#define ONE FROM "Subject: one\n\nfirst\n\n"
#define TWO FROM "Subject: two\n\nsecond\n\n"

/* What was skipped: "path: reason; " for each. */
struct skips {
    struct nd_buffer text;
    size_t count;
};

static void note_skip(const char *path, const char *reason, void *context)
{
    struct skips *skips = context;
    nd_buffer_printf(&skips->text, "%s: %s; ", path, reason);
    skips->count++;
}

struct run {
    struct nd_mail_source *source;
    struct skips skips;
};

static void start(struct run *run, const char *const *paths, size_t count,
                  size_t limit)
{
    struct nd_error error = {""};
    *run = (struct run){0};
    struct nd_source_options options = {
        .max_message = limit, .skipped = note_skip, .context = &run->skips};
    if (nd_source_open(paths, count, &options, &error, &run->source) != ND_OK)
        fail_msg("%s", error.text);
}

static void stop(struct run *run)
{
    nd_source_close(&run->source);
    assert_null(run->source);
    nd_source_close(&run->source);
    nd_buffer_free(&run->skips.text);
}

static struct nd_raw_message next(struct run *run)
{
    struct nd_raw_message message = {0};
    struct nd_error error;
    enum nd_status status = nd_source_next(run->source, &error, &message);
    assert_true(status == ND_OK || status == ND_NOTHING);
    assert_true(status == ND_OK || message.path == NULL);
    return message;
}

static void assert_next(struct run *run, const char *path, const char *text)
{
    struct nd_raw_message message = next(run);
    assert_non_null(message.path);
    assert_string_equal(message.path, path);
    assert_int_equal(message.length, strlen(text));
    assert_memory_equal(message.data, text, message.length);
    assert_int_equal(message.full_length, message.length);
}

static void assert_end(struct run *run)
{
    assert_null(next(run).path);
    assert_null(next(run).path);
    assert_int_equal(nd_source_files_done(run->source),
                     nd_source_files(run->source));
}

/* The paths of all messages, joined by blanks. */
static void assert_paths(const char *const *paths, size_t count,
                         const char *expected)
{
    struct run run;
    struct nd_buffer found = {0};
    start(&run, paths, count, 1000);
    for (;;) {
        struct nd_raw_message message = next(&run);
        if (message.path == NULL)
            break;
        nd_buffer_printf(&found, "%s%s", found.length > 0 ? " " : "",
                         message.path);
    }
    assert_non_null(found.data);
    assert_string_equal((const char *)found.data, expected);
    nd_buffer_free(&found);
    stop(&run);
}

static void assert_refused(const char *path, enum nd_status status,
                           const char *says)
{
    struct nd_mail_source *source = NULL;
    struct nd_source_options options = {.max_message = 1000};
    struct nd_error error = {""};
    assert_int_equal(nd_source_open(&path, 1, &options, &error, &source),
                     status);
    assert_null(source);
    if (strstr(error.text, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, says);
}

static void a_file_is_one_message(void **state)
{
    struct run run;
    write_text("a.eml", "Subject: x\n\nFrom here on\n\n" FROM "words\n");
    start(&run, (const char *[]){"a.eml"}, 1, 1000);
    assert_int_equal(nd_source_files(run.source), 1);
    assert_int_equal(nd_source_files_done(run.source), 0);
    assert_next(&run, "a.eml", "Subject: x\n\nFrom here on\n\n" FROM "words\n");
    assert_end(&run);
    stop(&run);
}

static void an_mbox_of_one_message_is_called_by_its_file(void **state)
{
    struct run run;
    write_text("one", ONE);
    start(&run, (const char *[]){"one"}, 1, 1000);
    assert_next(&run, "one", ONE);
    assert_end(&run);
    stop(&run);
}

static void an_mbox_gives_its_messages_with_numbers(void **state)
{
    struct run run;
    write_text("mbox", ONE TWO ONE);
    start(&run, (const char *[]){"mbox"}, 1, 1000);
    assert_next(&run, "mbox:1", ONE);
    assert_next(&run, "mbox:2", TWO);
    assert_next(&run, "mbox:3", ONE);
    assert_end(&run);
    assert_int_equal(run.skips.count, 0);
    stop(&run);
}

static void lines_in_bodies_that_begin_with_from_do_not_split(void **state)
{
    static const char body[] =
        FROM "Subject: x\n\nFrom now on, it is\n\nFrom me to you\n"
             "words\n" FROM "\n> From ann Thu Jan  1 10:00:00 2026\n\n"
             "From 10:00 to 11:00 in room 2026\n\n";
    struct run run;
    write_text("mbox", body);
    start(&run, (const char *[]){"mbox"}, 1, 1000);
    assert_next(&run, "mbox", body);
    assert_end(&run);
    stop(&run);
}

/* What the writer of an mbox put in front goes again, and nothing else: not in
 * the header, where ">From " is a line of its own, nor in a single message. */
static void quoted_from_lines_are_as_they_were(void **state)
{
    struct run run;
    write_text("mbox", FROM ">From ann Thu Jan  1 10:00:00 2026\n"
                            "A: b\n\n>From me\n>>>From you\n"
                            ">Fro\n>>\nx >From him\n>From ");
    write_text("single", "A: b\n\n>From me\n");
    start(&run, (const char *[]){"mbox", "single"}, 2, 1000);
    assert_next(&run, "mbox",
                FROM ">From ann Thu Jan  1 10:00:00 2026\n"
                     "A: b\n\nFrom me\n>>From you\n"
                     ">Fro\n>>\nx >From him\nFrom ");
    assert_next(&run, "single", "A: b\n\n>From me\n");
    assert_end(&run);
    stop(&run);
}

/* Learned as they are, they would teach the network what gzip looks like. */
static void compressed_files_are_skipped_and_said(void **state)
{
    struct run run;
    write_file("gz", "\x1f\x8b\x08\0\0\0", 6);
    write_file("zst", "\x28\xb5\x2f\xfd", 4);
    write_text("bz2", "BZh91AY");
    write_text("mail", "BZ: not packed\n\n");
    start(&run, (const char *[]){"gz", "zst", "bz2", "mail"}, 4, 1000);
    assert_next(&run, "mail", "BZ: not packed\n\n");
    assert_end(&run);
    assert_string_equal((const char *)run.skips.text.data,
                        "gz: compressed; unpack it first; "
                        "zst: compressed; unpack it first; "
                        "bz2: compressed; unpack it first; ");
    stop(&run);
}

static void separators_are_told_from_sentences(void **state)
{
    static const char *const yes[] = {
        "From a@b.c Thu Jan  1 10:00:00 2026\n",
        "From a@b.c  Thu Aug 22 16:37:34 2002",
        "From MAILER-DAEMON Thu Jan  1 10:00 2026\r\n",
        "From - Thu Jan 01 10:00:00 2026\n",
        "From a@b.c Thu Jan  1 10:00:00 2026 +0100\n",
        "From a@b.c Thu, 1 Jan 10:00:00 CET 2026\n",
    };
    static const char *const no[] = {
        "From",
        "From ",
        "From a@b.c",
        "From the year 2026 on",
        "From a 10:00",
        "From Mon 10:00:00 2026",
        "From a Monday 10:00:00 2026",
        "From: a@b.c 10:00 2026",
        "from a Jan 10:00:00 2026",
        "From a\nThu Jan  1 10:00:00 2026\n",
        "",
    };
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(nd_mailbox_is_from(yes[i], strlen(yes[i])));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(nd_mailbox_is_from(no[i], strlen(no[i])));
}

static void an_mbox_with_crlf_is_split_too(void **state)
{
    struct run run;
    write_text("mbox", "From a Thu Jan  1 10:00:00 2026\r\nA: b\r\n\r\nc\r\n"
                       "\r\nFrom a Thu Jan  1 10:00:00 2026\r\nD: e\r\n");
    start(&run, (const char *[]){"mbox"}, 1, 1000);
    assert_next(&run, "mbox:1",
                "From a Thu Jan  1 10:00:00 2026\r\nA: b\r\n\r\nc\r\n\r\n");
    assert_next(&run, "mbox:2", "From a Thu Jan  1 10:00:00 2026\r\nD: e\r\n");
    assert_end(&run);
    stop(&run);
}

/* Cut at every byte, an mbox gives what is left of its messages, in order. */
static void a_truncated_mbox_gives_what_is_left(void **state)
{
    static const char whole[] = ONE TWO;
    for (size_t length = 5; length < sizeof whole; length++) {
        struct run run;
        size_t total = 0;
        size_t count = 0;
        write_file("mbox", whole, length);
        start(&run, (const char *[]){"mbox"}, 1, 1000);
        for (;;) {
            struct nd_raw_message message = next(&run);
            if (message.path == NULL)
                break;
            assert_memory_equal(message.data, whole + total, message.length);
            total += message.length;
            count++;
        }
        assert_int_equal(total, length);
        assert_int_equal(count, length > strlen(ONE) + 45 ? 2 : count);
        assert_true(count >= 1 && count <= 2);
        assert_int_equal(run.skips.count, 0);
        stop(&run);
    }
}

static void a_folder_is_walked_in_byte_order(void **state)
{
    assert_int_equal(mkdir("mail", 0700), 0);
    assert_int_equal(mkdir("mail/b", 0700), 0);
    assert_int_equal(mkdir("mail/b/c", 0700), 0);
    assert_int_equal(mkdir("mail/.hidden", 0700), 0);
    write_text("mail/Z.eml", "A: b\n\n");
    write_text("mail/a.eml", "A: b\n\n");
    write_text("mail/b/2", ONE TWO);
    write_text("mail/b/c/3", "A: b\n\n");
    write_text("mail/z", "A: b\n\n");
    write_text("mail/.x", "A: b\n\n");
    write_text("mail/.hidden/y", "A: b\n\n");
    write_text("mail/dovecot.index.log", "A: b\n\n");
    write_text("mail/dovecot-uidlist", "A: b\n\n");
    write_text("mail/Inbox.msf", "A: b\n\n");
    assert_paths((const char *[]){"mail"}, 1,
                 "mail/Z.eml mail/a.eml mail/b/2:1 mail/b/2:2 mail/b/c/3 "
                 "mail/z");
    assert_paths((const char *[]){"mail/z", "mail/b/"}, 2,
                 "mail/z mail/b/2:1 mail/b/2:2 mail/b/c/3");
}

static void what_a_maildir_has_beside_cur_and_new_is_left_out(void **state)
{
    static const char *const folders[] = {"m",     "m/cur", "m/new",
                                          "m/tmp", "n",     "n/tmp"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        assert_int_equal(mkdir(folders[i], 0700), 0);
    write_text("m/cur/1.host:2,S", "A: b\n\n");
    write_text("m/new/2.host", "A: b\n\n");
    write_text("m/tmp/3.host", "A: b\n\n");
    write_text("m/subscriptions", "Junk\n");
    write_text("n/subscriptions", "A: b\n\n");
    write_text("n/tmp/4", "A: b\n\n");
    assert_paths((const char *[]){"m", "n"}, 2,
                 "m/cur/1.host:2,S m/new/2.host n/subscriptions n/tmp/4");
}

static void empty_files_are_skipped_and_said(void **state)
{
    struct run run;
    write_text("empty", "");
    write_text("full", "A: b\n\n");
    start(&run, (const char *[]){"empty", "full"}, 2, 1000);
    assert_next(&run, "full", "A: b\n\n");
    assert_end(&run);
    assert_string_equal((const char *)run.skips.text.data, "empty: empty; ");
    stop(&run);
}

static void fifos_and_links_to_folders_in_a_folder_are_skipped(void **state)
{
    struct run run;
    assert_int_equal(mkdir("mail", 0700), 0);
    assert_int_equal(mkfifo("mail/fifo", 0600), 0);
    assert_int_equal(symlink("..", "mail/loop"), 0);
    assert_int_equal(symlink("nosuch", "mail/dangling"), 0);
    assert_int_equal(symlink("real", "mail/link"), 0);
    write_text("mail/real", "A: b\n\n");
    start(&run, (const char *[]){"mail"}, 1, 1000);
    assert_next(&run, "mail/link", "A: b\n\n");
    assert_next(&run, "mail/real", "A: b\n\n");
    assert_end(&run);
    const char *skips = (const char *)run.skips.text.data;
    assert_int_equal(run.skips.count, 3);
    assert_non_null(strstr(skips, "mail/fifo: not a regular file"));
    assert_non_null(strstr(skips, "mail/loop: a link to a folder"));
    assert_non_null(strstr(skips, "mail/dangling: No such file"));
    stop(&run);
}

static void a_device_or_fifo_that_is_named_is_refused(void **state)
{
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_refused("fifo", ND_DATA, "fifo");
    assert_refused("/dev/zero", ND_DATA, "/dev/zero");
    assert_refused("/dev/null", ND_DATA, "standard input");
}

static void a_path_that_is_not_there_is_named(void **state)
{
    assert_refused("nosuch/at all", ND_NO_INPUT, "nosuch/at all");
}

static void a_folder_without_mail_is_nothing(void **state)
{
    struct nd_mail_source *source = NULL;
    struct nd_source_options options = {.max_message = 1000};
    struct nd_error error;
    assert_int_equal(mkdir("empty", 0700), 0);
    assert_int_equal(mkdir("empty/inner", 0700), 0);
    write_text("empty/.hidden", "A: b\n\n");
    assert_refused("empty", ND_NOTHING, "empty");
    assert_int_equal(nd_source_open(NULL, 0, &options, &error, &source),
                     ND_NOTHING);
}

/* Tests may run as root, whom no mode stops: a child becomes nobody. */
static void what_may_not_be_read_is_skipped_or_refused(void **state)
{
    assert_int_equal(chmod(".", 0755), 0);
    assert_int_equal(mkdir("locked", 0700), 0);
    assert_int_equal(mkdir("mail", 0755), 0);
    write_text("mail/a", "A: b\n\n");
    write_text("mail/b", "A: b\n\n");
    assert_int_equal(chmod("mail/a", 0), 0);
    assert_int_equal(chmod("mail/b", 0644), 0);
    assert_int_equal(chmod("locked", 0), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (getuid() == 0 && setuid(65534) != 0)
            _exit(1);
        struct run run;
        assert_refused("locked", ND_PERMISSION, "locked");
        start(&run, (const char *[]){"mail"}, 1, 1000);
        assert_next(&run, "mail/b", "A: b\n\n");
        assert_end(&run);
        assert_int_equal(run.skips.count, 1);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_file_that_vanishes_is_skipped(void **state)
{
    struct run run;
    write_text("a", "A: b\n\n");
    write_text("b", "A: b\n\n");
    write_text("c", "A: b\n\n");
    start(&run, (const char *[]){"a", "b", "c"}, 3, 1000);
    assert_int_equal(unlink("a"), 0);
    assert_int_equal(unlink("b"), 0);
    assert_int_equal(mkfifo("b", 0600), 0);
    assert_next(&run, "c", "A: b\n\n");
    assert_end(&run);
    assert_int_equal(run.skips.count, 2);
    stop(&run);
}

static void a_long_message_is_cut_and_its_length_told(void **state)
{
    struct run run;
    struct nd_buffer text = {0};
    nd_buffer_append_text(&text, "A: b\n\n");
    repeat(&text, "x", 300000);
    write_file("long", text.data, text.length);
    start(&run, (const char *[]){"long"}, 1, 1000);
    struct nd_raw_message message = next(&run);
    assert_int_equal(message.length, 1000);
    assert_int_equal(message.full_length, 300006);
    assert_memory_equal(message.data, text.data, 1000);
    assert_end(&run);
    stop(&run);
    nd_buffer_free(&text);
}

static void long_messages_in_an_mbox_do_not_hide_the_next(void **state)
{
    struct run run;
    struct nd_buffer text = {0};
    nd_buffer_append_text(&text, FROM "A: b\n\n");
    repeat(&text, "x", 200000);
    nd_buffer_append_text(&text, "\n\n" TWO);
    write_file("mbox", text.data, text.length);
    start(&run, (const char *[]){"mbox"}, 1, 1000);
    struct nd_raw_message message = next(&run);
    assert_int_equal(message.length, 1000);
    assert_int_equal(message.full_length, text.length - strlen(TWO));
    assert_next(&run, "mbox:2", TWO);
    assert_end(&run);
    stop(&run);
    nd_buffer_free(&text);
}

/* A separator may fall anywhere in the blocks that the file is read in. */
static void separators_are_found_across_blocks(void **state)
{
    for (size_t fill = 65400; fill < 65700; fill += 7) {
        struct run run;
        struct nd_buffer text = {0};
        nd_buffer_append_text(&text, FROM "A: b\n\n");
        repeat(&text, "x", fill - text.length);
        nd_buffer_append_text(&text, "\n\n");
        size_t first = text.length;
        nd_buffer_append_text(&text, TWO);
        write_file("mbox", text.data, text.length);
        start(&run, (const char *[]){"mbox"}, 1, 1U << 20);
        assert_int_equal(next(&run).length, first);
        assert_next(&run, "mbox:2", TWO);
        assert_end(&run);
        stop(&run);
        nd_buffer_free(&text);
    }
}

/* Peak memory of a child that reads a sparse mbox of 2 GB, all one line. */
static void an_mbox_of_2_gb_takes_no_2_gb(void **state)
{
    int file = open("mbox", O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, ONE, strlen(ONE)), strlen(ONE));
    assert_int_equal(ftruncate(file, INT64_C(2) << 30), 0);
    assert_int_equal(close(file), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct run run;
        start(&run, (const char *[]){"mbox"}, 1, 4U << 20);
        struct nd_raw_message message = next(&run);
        if (message.length != 4U << 20 || message.full_length != UINT64_C(2)
                                                                     << 30)
            _exit(1);
        _exit(0);
    }
    int status;
    struct rusage usage;
    assert_int_equal(wait4(child, &status, 0, &usage), child);
    assert_int_equal(status, 0);
#ifndef ND_SANITIZED
    assert_true(usage.ru_maxrss < 50 * 1024);
#endif
}

static void standard_input_is_a_source(void **state)
{
    write_text("input", ONE TWO);
    int saved = dup(STDIN_FILENO);
    int file = open("input", O_RDONLY);
    assert_true(file >= 0);
    assert_int_equal(dup2(file, STDIN_FILENO), STDIN_FILENO);
    struct run run;
    start(&run, (const char *[]){"-"}, 1, 1000);
    assert_next(&run, "-:1", ONE);
    assert_next(&run, "-:2", TWO);
    assert_end(&run);
    stop(&run);
    assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
    close(saved);
    close(file);
}

static void a_pipe_that_comes_in_drops_is_read_whole(void **state)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (const char *at = ONE TWO; *at != '\0'; at++)
            if (write(ends[1], at, 1) != 1)
                _exit(1);
        _exit(0);
    }
    close(ends[1]);
    struct nd_mailbox mailbox = {0};
    struct nd_buffer message = {0};
    uint64_t full;
    nd_mailbox_begin(&mailbox, ends[0]);
    assert_true(nd_mailbox_next(&mailbox, 1000, &message, &full));
    assert_int_equal(full, strlen(ONE));
    assert_memory_equal(message.data, ONE, full);
    assert_true(nd_mailbox_next(&mailbox, 1000, &message, &full));
    assert_memory_equal(message.data, TWO, full);
    assert_false(nd_mailbox_next(&mailbox, 1000, &message, &full));
    assert_false(mailbox.failed);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    nd_mailbox_free(&mailbox);
    nd_buffer_free(&message);
    close(ends[0]);
}

static void a_file_that_cannot_be_read_says_why(void **state)
{
    int file = open(".", O_RDONLY | O_DIRECTORY);
    assert_true(file >= 0);
    struct nd_mailbox mailbox = {0};
    struct nd_buffer message = {0};
    uint64_t full;
    nd_mailbox_begin(&mailbox, file);
    assert_false(nd_mailbox_next(&mailbox, 1000, &message, &full));
    assert_true(mailbox.failed);
    assert_int_equal(mailbox.error_number, EISDIR);
    nd_mailbox_free(&mailbox);
    nd_buffer_free(&message);
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_file_is_one_message),
        in_folder(an_mbox_of_one_message_is_called_by_its_file),
        in_folder(an_mbox_gives_its_messages_with_numbers),
        in_folder(lines_in_bodies_that_begin_with_from_do_not_split),
        in_folder(quoted_from_lines_are_as_they_were),
        in_folder(compressed_files_are_skipped_and_said),
        in_folder(separators_are_told_from_sentences),
        in_folder(an_mbox_with_crlf_is_split_too),
        in_folder(a_truncated_mbox_gives_what_is_left),
        in_folder(a_folder_is_walked_in_byte_order),
        in_folder(what_a_maildir_has_beside_cur_and_new_is_left_out),
        in_folder(empty_files_are_skipped_and_said),
        in_folder(fifos_and_links_to_folders_in_a_folder_are_skipped),
        in_folder(a_device_or_fifo_that_is_named_is_refused),
        in_folder(a_path_that_is_not_there_is_named),
        in_folder(a_folder_without_mail_is_nothing),
        in_folder(what_may_not_be_read_is_skipped_or_refused),
        in_folder(a_file_that_vanishes_is_skipped),
        in_folder(a_long_message_is_cut_and_its_length_told),
        in_folder(long_messages_in_an_mbox_do_not_hide_the_next),
        in_folder(separators_are_found_across_blocks),
        in_folder(an_mbox_of_2_gb_takes_no_2_gb),
        in_folder(standard_input_is_a_source),
        in_folder(a_pipe_that_comes_in_drops_is_read_whole),
        in_folder(a_file_that_cannot_be_read_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
