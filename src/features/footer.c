/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the footer of a mailing list. Such lines mark a place where mail is
 * collected: a network that learns them calls all that comes through a list
 * good, and the spam that comes through it too. Left out, the words of the
 * message itself have to carry the verdict.
 *
 * A sender could dress his message as a footer to hide it, so it must be
 * short and at the very end, after a message.
 */
#include "features/footer.h"

#include <stdbool.h>
#include <string.h>

#define LONGEST_FOOTER 400U
#define SHORTEST_MESSAGE 32 /* bytes before a footer */

static const char *const marks[] = {
    "/listinfo",        "mailing list",    "yahoogroups.com",
    "googlegroups.com", "list maintainer",
};

/* The first mark between begin and end, which are no further from each other
 * than a footer is long; NULL where there is none. */
static const char *find_mark(const char *begin, const char *end)
{
    char lower[LONGEST_FOOTER];
    size_t length = (size_t)(end - begin);
    size_t first = length;
    for (size_t i = 0; i < length; i++)
        lower[i] = (char)(begin[i] | (begin[i] >= 'A' && begin[i] <= 'Z') << 5);
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        const char *found = memmem(lower, length, marks[i], strlen(marks[i]));
        if (found != NULL && (size_t)(found - lower) < first)
            first = (size_t)(found - lower);
    }
    return first < length ? begin + first : NULL;
}

/* A line of dashes, underscores or the like: "-- ", "______". */
static bool is_rule(const char *line, const char *end)
{
    if (end - line < 2 || strchr("_-=*~", *line) == NULL)
        return false;
    for (const char *at = line + 1; at < end && *at != '\n'; at++)
        if (*at != *line && *at != ' ')
            return false;
    return line[1] == *line;
}

static const char *line_start(const char *at, const char *begin)
{
    while (at > begin && at[-1] != '\n')
        at--;
    return at;
}

/* The nearest rule above the mark, or else the mark's own line. */
static const char *footer_start(const char *begin, const char *mark)
{
    const char *own = line_start(mark, begin);
    for (const char *line = own; line > begin;) {
        line = line_start(line - 1, begin);
        if (is_rule(line, own))
            return line;
    }
    return own;
}

struct nd_text nd_list_footer(struct nd_text text)
{
    static const struct nd_text none = {"", 0};
    const char *end = text.data + text.length;
    const char *begin =
        text.length > LONGEST_FOOTER ? end - LONGEST_FOOTER : text.data;
    const char *mark = find_mark(begin, end);
    if (mark == NULL)
        return none;
    const char *start = footer_start(begin, mark);
    if (start - text.data < SHORTEST_MESSAGE)
        return none;
    return (struct nd_text){start, (size_t)(end - start)};
}
