/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the few declarations by which senders hide text from the eye: display,
 * visibility, opacity, a size of nothing, and a colour equal to its background.
 * Style sheets are not applied: what they hide counts as visible.
 */
#include "mail/html_style.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_DECLARATIONS 100

void nd_html_style_default(struct nd_html_style *style_r)
{
    *style_r =
        (struct nd_html_style){.color = 0x000000, .background = 0xffffff};
}

bool nd_html_style_visible(const struct nd_html_style *style)
{
    return !style->hidden &&
           (style->background_unsure || style->color != style->background);
}

struct named_color {
    const char *name;
    uint32_t color;
};

static const struct named_color named_colors[] = {
    {"black", 0x000000},  {"white", 0xffffff}, {"red", 0xff0000},
    {"lime", 0x00ff00},   {"blue", 0x0000ff},  {"yellow", 0xffff00},
    {"aqua", 0x00ffff},   {"cyan", 0x00ffff},  {"fuchsia", 0xff00ff},
    {"gray", 0x808080},   {"grey", 0x808080},  {"silver", 0xc0c0c0},
    {"maroon", 0x800000}, {"olive", 0x808000}, {"green", 0x008000},
    {"teal", 0x008080},   {"navy", 0x000080},  {"purple", 0x800080},
    {"snow", 0xfffafa},   {"ivory", 0xfffff0}, {"whitesmoke", 0xf5f5f5},
    {"orange", 0xffa500},
};

/* Three or six hexadecimal digits. */
static bool parse_hex_color(const char *text, size_t length, uint32_t *color_r)
{
    uint32_t color = 0;
    if (length != 3 && length != 6)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isxdigit((unsigned char)text[i]))
            return false;
        char digit[2] = {text[i], '\0'};
        uint32_t value = (uint32_t)strtoul(digit, NULL, 16);
        color = length == 6 ? color << 4 | value : color << 8 | value * 17;
    }
    *color_r = color;
    return true;
}

/* What follows "rgb" in "rgb(1, 2, 3)". */
static bool parse_rgb(const char *text, uint32_t *color_r)
{
    uint32_t color = 0;
    for (int i = 0; i < 3; i++) {
        text += strspn(text, " ");
        if (*text != "(,,"[i])
            return false;
        char *end;
        unsigned long part = strtoul(text + 1, &end, 10);
        if (end == text + 1)
            return false;
        color = color << 8 | (uint32_t)(part > 255 ? 255 : part);
        text = end;
    }
    *color_r = color;
    return true;
}

static bool parse_color(const char *text, size_t length, uint32_t *color_r)
{
    if (length > 0 && text[0] == '#')
        return parse_hex_color(text + 1, length - 1, color_r);
    if (length > 3 && strncmp(text, "rgb", 3) == 0)
        return parse_rgb(text + 3, color_r);
    for (size_t i = 0; i < sizeof named_colors / sizeof *named_colors; i++)
        if (strlen(named_colors[i].name) == length &&
            strncasecmp(text, named_colors[i].name, length) == 0) {
            *color_r = named_colors[i].color;
            return true;
        }
    return parse_hex_color(text, length, color_r);
}

/* One declaration, or an attribute: text up to a ';', without blanks. */
struct value {
    const char *text;
    size_t length;
};

static struct value trim(const char *text, const char *end)
{
    while (text < end && isspace((unsigned char)*text))
        text++;
    while (end > text && isspace((unsigned char)end[-1]))
        end--;
    return (struct value){text, (size_t)(end - text)};
}

static bool is(struct value value, const char *word)
{
    return value.length == strlen(word) &&
           strncasecmp(value.text, word, value.length) == 0;
}

static bool begins(struct value value, const char *word)
{
    return value.length >= strlen(word) &&
           strncasecmp(value.text, word, strlen(word)) == 0;
}

static void set_background(struct nd_html_style *style, struct value value)
{
    uint32_t color;
    if (is(value, "transparent") || is(value, "inherit") || is(value, "none"))
        return;
    style->background_unsure = !parse_color(value.text, value.length, &color);
    if (!style->background_unsure)
        style->background = color;
}

/* An unknown colour is surely meant to be read. */
static void set_color(struct nd_html_style *style, struct value value)
{
    uint32_t color;
    if (is(value, "inherit"))
        return;
    if (parse_color(value.text, value.length, &color))
        style->color = color;
    else
        style->background_unsure = true;
}

/* Sizes up to one pixel or point cannot be read; per cents and em can only
 * be nothing. */
static bool is_tiny(struct value value)
{
    char *rest;
    if (value.length == 0 || strchr("0123456789.", *value.text) == NULL)
        return false;
    double number = strtod(value.text, &rest);
    bool absolute =
        strncasecmp(rest, "px", 2) == 0 || strncasecmp(rest, "pt", 2) == 0;
    return number <= 0 || (absolute && number <= 1);
}

static void declare(struct nd_html_style *style, struct value name,
                    struct value value)
{
    if (is(name, "display"))
        style->hidden = style->hidden || begins(value, "none");
    else if (is(name, "visibility"))
        style->hidden = style->hidden || begins(value, "hidden");
    else if (is(name, "font-size"))
        style->hidden = style->hidden || is_tiny(value);
    else if (is(name, "opacity"))
        style->hidden =
            style->hidden || (is_tiny(value) && strtod(value.text, NULL) <= 0);
    else if (is(name, "mso-hide"))
        style->hidden = style->hidden || begins(value, "all");
    else if (is(name, "color"))
        set_color(style, value);
    else if (is(name, "background-color") || is(name, "background"))
        set_background(style, value);
    else if (is(name, "background-image") && !is(value, "none"))
        style->background_unsure = true;
}

static void read_declarations(struct nd_html_style *style, const char *text)
{
    for (unsigned i = 0; i < MAX_DECLARATIONS && *text != '\0'; i++) {
        const char *end = text + strcspn(text, ";");
        const char *colon = memchr(text, ':', (size_t)(end - text));
        if (colon != NULL) {
            const char *stop = memchr(colon, '!', (size_t)(end - colon));
            declare(style, trim(text, colon),
                    trim(colon + 1, stop == NULL ? end : stop));
        }
        text = *end == ';' ? end + 1 : end;
    }
}

enum nd_html_property nd_html_property(struct nd_span name)
{
    static const struct {
        const char *name;
        enum nd_html_property property;
    } properties[] = {
        {"style", ND_HTML_STYLE},
        {"bgcolor", ND_HTML_BACKGROUND_COLOR},
        {"background", ND_HTML_BACKGROUND},
        {"color", ND_HTML_COLOR},
        {"text", ND_HTML_COLOR},
        {"hidden", ND_HTML_HIDDEN},
    };
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++)
        if (strlen(properties[i].name) == name.length &&
            strncasecmp(properties[i].name, name.data, name.length) == 0)
            return properties[i].property;
    return ND_HTML_NO_PROPERTY;
}

void nd_html_style_apply(struct nd_html_style *style,
                         enum nd_html_property property, const char *value)
{
    struct value whole = trim(value, value + strlen(value));
    if (property == ND_HTML_HIDDEN)
        style->hidden = true;
    else if (property == ND_HTML_STYLE)
        read_declarations(style, value);
    else if (property == ND_HTML_BACKGROUND_COLOR)
        set_background(style, whole);
    else if (property == ND_HTML_BACKGROUND && whole.length > 0)
        style->background_unsure = true;
    else if (property == ND_HTML_COLOR)
        set_color(style, whole);
}
