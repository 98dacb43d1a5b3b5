/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts of links.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "example.h"

static struct nd_features features_of(struct nd_url url)
{
    struct nd_message message = empty_message();
    struct nd_url *urls = nd_arena_take(arena, sizeof(*urls));
    *urls = url;
    message.urls = urls;
    message.url_count = 1;
    return named_features(&message);
}

static struct nd_features features_of_text(const char *text)
{
    return features_of((struct nd_url){.url = text_of(text)});
}

static bool has_url(const struct nd_features *features, const char *name)
{
    return has(features, ND_FAMILY_URLS, name);
}

static void a_url_falls_into_its_parts(void **state)
{
    struct nd_features features =
        features_of_text("https://www.Example.co.uk/Shop/buy.php?id=17");
    assert_true(has_url(&features, "scheme:https"));
    assert_true(has_url(&features, "host:www.example.co.uk"));
    assert_true(has_url(&features, "label:www"));
    assert_true(has_url(&features, "label:example"));
    assert_true(has_url(&features, "tld:uk"));
    assert_true(has_url(&features, "labels:4"));
    assert_true(has_url(&features, "path:shop"));
    assert_true(has_url(&features, "path:php"));
    assert_true(has_url(&features, "slashes:2"));
}

static void numeric_hosts_ports_and_users_are_facts(void **state)
{
    struct nd_features features =
        features_of_text("http://bank.com@192.0.2.7:8080/x");
    assert_true(has_url(&features, "url:user"));
    assert_true(has_url(&features, "url:numeric host"));
    assert_true(has_url(&features, "port:0000"));
    assert_false(mentions(&features, "tld:"));
}

static void images_and_misleading_text_are_told_apart(void **state)
{
    struct nd_features features = features_of((struct nd_url){
        .url = text_of("http://a.example/i.gif"), .is_image = true});
    assert_true(has_url(&features, "image scheme:http"));
    assert_false(has_url(&features, "scheme:http"));
    features = features_of((struct nd_url){.url = text_of("http://a.example/"),
                                           .text_differs = true});
    assert_true(has_url(&features, "url:text differs"));
}

static void odd_urls_are_taken_as_far_as_they_go(void **state)
{
    static const char *const odd[] = {
        "",           ":",     "://",
        "http:",      "a@",    "mailto:",
        "http://@:/", "//x..", "javascript:void(0)",
        "%%%"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        struct nd_features features = features_of_text(odd[i]);
        assert_true(features.text[ND_FAMILY_URLS].count <= 12);
    }
    struct nd_features relative = features_of_text("pictures/a.gif");
    assert_true(has_url(&relative, "url:relative"));
}

static void many_urls_stop_at_the_limit(void **state)
{
    struct nd_message message = empty_message();
    struct nd_url *urls = nd_arena_take(arena, 5000 * sizeof(*urls));
    for (int i = 0; i < 5000; i++) {
        char text[64];
        int length = snprintf(text, sizeof(text), "http://host%c%c%c.example/",
                              'a' + i % 26, 'a' + i / 26 % 26, 'a' + i / 676);
        urls[i] = (struct nd_url){
            .url = {nd_arena_strndup(arena, text, (size_t)length),
                    (size_t)length}};
    }
    message.urls = urls;
    message.url_count = 5000;
    struct nd_features features = named_features(&message);
    assert_int_equal(features.text[ND_FAMILY_URLS].count,
                     nd_family(ND_FAMILY_URLS)->max_features);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_falls_into_its_parts),
        cmocka_unit_test(numeric_hosts_ports_and_users_are_facts),
        cmocka_unit_test(images_and_misleading_text_are_told_apart),
        cmocka_unit_test(odd_urls_are_taken_as_far_as_they_go),
        cmocka_unit_test(many_urls_stop_at_the_limit),
    };
    return cmocka_run_group_tests_name("urls", tests, set_up_example,
                                       tear_down_example);
}
