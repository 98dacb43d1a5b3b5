/* SPDX-License-Identifier: Apache-2.0
 *
 * Our walk over the parts against GMime's own parser, on messages that are made
 * at random but well: both must find the same parts. And many threads at once
 * must find what one does.
 */
#include "read.h"

#include <gmime/gmime.h>
#include <pthread.h>

#include "base/random.h"

#define TREES 300

/* Writes a part with its header; what it holds is chosen at random. */
static void write_part(struct nd_random *random, struct nd_buffer *text,
                       unsigned depth)
{
    static const char *const leaves[] = {
        "\n",
        "Content-Type: text/plain\n\n",
        "Content-Type: TEXT/html; charset=utf-8\n\n",
        "Content-Type: image/png;\n\tname=\"a;b.png\"\n\n",
        "Content-Disposition: attachment; filename=x\nX: y\n\n",
    };
    static const char *const bodies[] = {
        "", "words\n", "-- \nsignature\n", "--almost\n\n", "\n\n--\n",
    };
    uint64_t choice = depth < 5 ? nd_random_below(random, 8) : 0;
    if (choice == 7) {
        nd_buffer_append_text(text, "Content-Type: message/rfc822\n\n"
                                    "Subject: inner\n");
        write_part(random, text, depth + 1);
        return;
    }
    if (choice < 5) {
        nd_buffer_append_text(text, leaves[nd_random_below(random, 5)]);
        nd_buffer_append_text(text, bodies[nd_random_below(random, 5)]);
        return;
    }
    char boundary[40];
    snprintf(boundary, sizeof boundary, "=_%u.%llu:x", depth,
             (unsigned long long)nd_random_below(random, 1000000));
    nd_buffer_printf(text,
                     "Content-Type: multipart/mixed;\n boundary=\"%s\"\n\n"
                     "preamble\n",
                     boundary);
    for (uint64_t left = 1 + nd_random_below(random, 4); left > 0; left--) {
        nd_buffer_printf(text, "--%s\n", boundary);
        write_part(random, text, depth + 1);
        nd_buffer_append_text(text, "\n");
    }
    nd_buffer_printf(text, "--%s--\nepilogue\n", boundary);
}

static void list_part(GMimeObject *object, unsigned depth,
                      struct nd_buffer *list)
{
    char *type = g_mime_content_type_get_mime_type(
        g_mime_object_get_content_type(object));
    char *lower = g_ascii_strdown(type, -1);
    nd_buffer_printf(list, "%u:%s ", depth, lower);
    g_free(lower);
    g_free(type);
    if (GMIME_IS_MULTIPART(object)) {
        GMimeMultipart *parts = GMIME_MULTIPART(object);
        for (int i = 0; i < g_mime_multipart_get_count(parts); i++)
            list_part(g_mime_multipart_get_part(parts, i), depth + 1, list);
    } else if (GMIME_IS_MESSAGE_PART(object)) {
        GMimeMessage *message =
            g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
        list_part(g_mime_message_get_mime_part(message), depth + 1, list);
    }
}

static void list_by_gmime(const struct nd_buffer *text, struct nd_buffer *list)
{
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(
        (const char *)text->data, text->length);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
    assert_non_null(message);
    list_part(g_mime_message_get_mime_part(message), 0, list);
    g_object_unref(message);
    g_object_unref(parser);
    g_object_unref(stream);
}

static void list_by_us(struct desk *desk, const struct nd_buffer *text,
                       struct nd_buffer *list)
{
    const struct nd_message *m = read_bytes(desk, text->data, text->length);
    for (size_t i = 0; i < m->part_count; i++)
        nd_buffer_printf(list, "%u:%s ", m->parts[i].depth,
                         m->parts[i].type.data);
    assert_int_equal(m->defects, 0);
}

static void both_find_the_same_parts(void **state)
{
    struct desk *desk = *state;
    struct nd_random random;
    nd_random_seed(&random, 20260101);
    read_text(desk, "Subject: x\n\n"); /* sets GMime up */
    for (int i = 0; i < TREES; i++) {
        struct nd_buffer text = {0};
        struct nd_buffer ours = {0};
        struct nd_buffer gmimes = {0};
        nd_buffer_append_text(&text, "Subject: tree\n");
        write_part(&random, &text, 0);
        list_by_us(desk, &text, &ours);
        list_by_gmime(&text, &gmimes);
        if (strcmp((char *)ours.data, (char *)gmimes.data) != 0)
            fail_msg("tree %d of seed 20260101:\n%s\nours:   %s\nGMime's: %s",
                     i, (char *)text.data, (char *)ours.data,
                     (char *)gmimes.data);
        nd_buffer_free(&text);
        nd_buffer_free(&ours);
        nd_buffer_free(&gmimes);
        nd_arena_reset(desk->arena);
    }
}

static const char everything[] =
    "Received: by mx; Thu, 1 Jan 2026 10:00:00 +0000\n"
    "Subject: =?koi8-r?B?0NI=?=\n"
    "Content-Type: multipart/mixed; boundary=b\n\n"
    "--b\nContent-Type: text/html; charset=iso-2022-jp\n\n"
    "<p>\x1b$B$F\x1b(B <a href='http://a.example/'>www.b.example</a>\n"
    "--b\nContent-Type: text/plain; charset=gb18030\n\n\xc4\xe3\n--b--\n";

struct worker {
    pthread_t thread;
    size_t right;
};

static void *read_again_and_again(void *context)
{
    struct worker *worker = context;
    struct nd_mail_limits limits;
    struct nd_arena *arena = nd_arena_create(0);
    nd_mail_limits_default(&limits);
    for (int i = 0; i < 200; i++) {
        struct nd_error error;
        struct nd_message m;
        nd_arena_reset(arena);
        if (nd_message_read(everything, sizeof everything - 1, &limits, NULL,
                            arena, &error, &m) == ND_OK &&
            strcmp(m.subject.data, "\xd0\xbf\xd1\x80") == 0 &&
            strcmp(m.text.data, "\xe3\x81\xa6 www.b.example\n"
                                "\xe4\xbd\xa0") == 0 &&
            m.url_count == 1 && m.urls[0].text_differs &&
            m.received_ms == INT64_C(1767261600000))
            worker->right++;
    }
    nd_arena_destroy(&arena);
    return NULL;
}

static void many_threads_read_what_one_does(void **state)
{
    struct worker workers[8] = {0};
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL,
                                        read_again_and_again, &workers[i]),
                         0);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].right, 200);
    }
}

int main(void)
{
    /* Threads come first, so that they race to set the libraries up. */
    const struct CMUnitTest tests[] = {
        with_desk(many_threads_read_what_one_does),
        with_desk(both_find_the_same_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
