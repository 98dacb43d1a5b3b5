/* SPDX-License-Identifier: Apache-2.0
 *
 * Findings from headers: SpamAssassin's X-Spam-Status and X-Spam-Report, and
 * the X-Spamd-Result of rspamd and its milter. Whether a header is to be
 * believed is not decided here (trust.c does), only what it says. Anything that
 * does not look like these programs' own writing is passed over.
 */
#include "mail/scan.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mail/scan_builder.h"

static const char *skip_blanks(const char *at)
{
    while (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')
        at++;
    return at;
}

/* A finite number, as programs print it, at *at, which is moved behind it. */
static bool read_number(const char **at, double *number_r)
{
    const char *start = *at + (**at == '-' || **at == '+');
    if (!isdigit((unsigned char)*start) && *start != '.')
        return false;
    if (start[0] == '0' && (start[1] == 'x' || start[1] == 'X'))
        return false;
    char *end;
    double number = strtod(*at, &end);
    if (end == *at || !isfinite(number))
        return false;
    *at = end;
    *number_r = number;
    return true;
}

/* Where "key=" begins at a word's start; NULL if nowhere. */
static const char *find_key(const char *value, const char *key)
{
    size_t length = strlen(key);
    for (const char *at = value; (at = strcasestr(at, key)) != NULL; at++)
        if (at[length] == '=' &&
            (at == value || at[-1] == ' ' || at[-1] == ','))
            return at + length + 1;
    return NULL;
}

static bool is_symbol_byte(char byte)
{
    return byte > ' ' && byte <= '~' && byte != ',' && byte != '=' &&
           byte != ']' && byte != '[';
}

/* One "NAME" or "NAME=1.5" at at; answers what follows it, or at itself where
 * there is none. */
static const char *read_test(struct nd_scan_builder *builder, const char *at)
{
    const char *end = at;
    while (is_symbol_byte(*end))
        end++;
    size_t length = (size_t)(end - at);
    double score;
    bool has_score = false;
    if (length > 0 && *end == '=') {
        end++;
        has_score = read_number(&end, &score);
        while (is_symbol_byte(*end)) /* whatever else is stuck to it */
            end++;
    }
    if (length > 0 && strncasecmp(at, "none", length) != 0)
        nd_scan_builder_add(builder, at, length, has_score ? &score : NULL);
    return end;
}

/* The list behind "tests=": names with commas between them, perhaps in
 * brackets; a line may be folded behind a comma. */
static void read_tests(struct nd_scan_builder *builder, const char *at)
{
    at = skip_blanks(at);
    if (*at == '[')
        at++;
    for (;;) {
        at = skip_blanks(at);
        const char *next = read_test(builder, at);
        if (next == at && *at != ',')
            return;
        at = *next == ',' ? next : skip_blanks(next);
        if (*at != ',')
            return;
        at++;
    }
}

/* "Yes, score=7.1 required=5.0 tests=A,B=1.5 autolearn=no" */
static bool read_status(const char *value, struct nd_scan *scan,
                        struct nd_scan_builder *builder)
{
    const char *tests = find_key(value, "tests");
    const char *score = find_key(value, "score");
    const char *required = find_key(value, "required");
    if (score == NULL)
        score = find_key(value, "hits");
    if (tests == NULL && score == NULL)
        return false;
    if (score != NULL)
        scan->has_score = read_number(&score, &scan->score);
    if (required != NULL && !read_number(&required, &scan->required))
        scan->required = 0;
    if (strncasecmp(value, "yes", 3) == 0)
        scan->verdict = ND_SCAN_SPAM;
    else if (strncasecmp(value, "no", 2) == 0)
        scan->verdict = ND_SCAN_HAM;
    if (tests != NULL)
        read_tests(builder, tests);
    return true;
}

static bool is_rule_byte(char byte)
{
    return isupper((unsigned char)byte) || isdigit((unsigned char)byte) ||
           byte == '_';
}

/* "*  1.5 NAME words about it", again and again; folded words begin with a
 * star too, but have no number behind it. */
static bool read_report(const char *value, struct nd_scan_builder *builder)
{
    bool any = false;
    for (const char *at = value; (at = strchr(at, '*')) != NULL;) {
        double score;
        at = skip_blanks(at + 1);
        if (!read_number(&at, &score) || *at != ' ')
            continue;
        const char *name = skip_blanks(at);
        const char *end = name;
        while (is_rule_byte(*end))
            end++;
        if (end - name < 2 || (*end != ' ' && *end != '\0'))
            continue;
        nd_scan_builder_add(builder, name, (size_t)(end - name), &score);
        any = true;
        at = end;
    }
    return any;
}

/* Behind the options "[...]" at at, which may hold brackets in pairs. */
static const char *skip_options(const char *at)
{
    size_t depth = 0;
    for (; *at != '\0'; at++) {
        if (*at == '[')
            depth++;
        else if (*at == ']' && --depth == 0)
            return at + 1;
    }
    return at;
}

/* "NAME(1.50)[options]" at at; NULL where that is not what stands there. */
static const char *read_result(struct nd_scan_builder *builder, const char *at)
{
    const char *open = at;
    while (*open > ' ' && *open <= '~' && *open != '(' && *open != ';')
        open++;
    double score;
    const char *close = open + 1;
    if (*open != '(' || !read_number(&close, &score) || *close != ')')
        return NULL;
    nd_scan_builder_add(builder, at, (size_t)(open - at), &score);
    close = skip_blanks(close + 1);
    return *close == '[' ? skip_options(close) : close;
}

/* "default: True [7.10 / 15.00];" in front of the results. */
static const char *read_total(const char *value, struct nd_scan *scan)
{
    const char *open = strchr(value, '[');
    const char *colon = strchr(value, ':');
    if (open == NULL || colon == NULL || colon > open)
        return NULL;
    const char *at = skip_blanks(open + 1);
    double score;
    double required;
    if (!read_number(&at, &score))
        return NULL;
    at = skip_blanks(at);
    if (*at != '/')
        return NULL;
    at = skip_blanks(at + 1);
    if (!read_number(&at, &required))
        return NULL;
    const char *word = skip_blanks(colon + 1);
    scan->has_score = true;
    scan->score = score;
    scan->required = required;
    scan->verdict =
        strncasecmp(word, "true", 4) == 0 ? ND_SCAN_SPAM : ND_SCAN_HAM;
    return strchr(at, ']') == NULL ? at + strlen(at) : strchr(at, ']') + 1;
}

static bool read_spamd_result(const char *value, struct nd_scan *scan,
                              struct nd_scan_builder *builder)
{
    const char *at = read_total(value, scan);
    if (at == NULL)
        return false;
    while ((at = strchr(at, ';')) != NULL) {
        const char *symbol = skip_blanks(at + 1);
        const char *next = read_result(builder, symbol);
        at = next == NULL ? symbol : next;
    }
    return true;
}

bool nd_scan_read_header(const char *name, const char *value,
                         struct nd_arena *arena, struct nd_scan *scan)
{
    struct nd_scan_builder builder;
    struct nd_scan found = *scan;
    bool any = false;
    nd_scan_builder_begin(&builder, scan, arena);
    if (strcasecmp(name, "X-Spam-Status") == 0)
        any = read_status(value, &found, &builder);
    else if (strcasecmp(name, "X-Spam-Report") == 0)
        any = read_report(value, &builder);
    else if (strcasecmp(name, "X-Spamd-Result") == 0)
        any = read_spamd_result(value, &found, &builder);
    if (!any)
        return false;
    nd_scan_builder_end(&builder, &found);
    *scan = found;
    return true;
}
