/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers with units. A decimal number is read strictly (no blanks, no
 * hexadecimal, nothing after it); the unit is looked up in a table.
 */
#include "base/units.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    double factor;
};

static const struct unit durations[] = {
    {"", 1000.0},      {"ms", 1.0},        {"s", 1000.0},
    {"m", 60000.0},    {"min", 60000.0},   {"h", 3600000.0},
    {"d", 86400000.0}, {"w", 604800000.0}, {NULL, 0.0}};

static const struct unit sizes[] = {
    {"", 1.0},   {"B", 1.0},      {"kB", 1e3},        {"MB", 1e6},
    {"GB", 1e9}, {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0},
    {NULL, 0.0}};

/* Length of the decimal number at the start of text, 0 where none is. */
static size_t number_length(const char *text)
{
    size_t i = text[0] == '-' || text[0] == '+' ? 1 : 0;
    size_t digits = 0;
    for (; isdigit((unsigned char)text[i]); i++)
        digits++;
    if (text[i] == '.') {
        for (i++; isdigit((unsigned char)text[i]); i++)
            digits++;
    }
    return digits > 0 ? i : 0;
}

static enum nd_status parse_with_unit(const char *text,
                                      const struct unit *units,
                                      const char *what, struct nd_error *error,
                                      int64_t *value_r)
{
    size_t length = number_length(text);
    if (length == 0 || length > 40)
        return nd_fail(error, ND_CONFIG, "'%s' is not %s", text, what);
    char number[48];
    memcpy(number, text, length);
    number[length] = '\0';
    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        if (strcmp(text + length, unit->name) != 0)
            continue;
        double value = strtod(number, NULL) * unit->factor;
        if (!(value >= 0.0 && value < 9e15))
            return nd_fail(error, ND_CONFIG, "'%s' is out of range", text);
        *value_r = (int64_t)llround(value);
        return ND_OK;
    }
    return nd_fail(error, ND_CONFIG, "'%s' is not %s", text, what);
}

enum nd_status nd_parse_duration(const char *text, struct nd_error *error,
                                 int64_t *duration_ms_r)
{
    return parse_with_unit(text, durations,
                           "a duration such as 500ms, 30s, 10m, 6h or 2d",
                           error, duration_ms_r);
}

enum nd_status nd_parse_size(const char *text, struct nd_error *error,
                             int64_t *size_bytes_r)
{
    return parse_with_unit(text, sizes,
                           "a size such as 512, 64KiB, 4MiB or 2GB", error,
                           size_bytes_r);
}

enum nd_status nd_parse_integer(const char *text, struct nd_error *error,
                                int64_t *value_r)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    bool starts_well =
        isdigit((unsigned char)text[0]) ||
        ((text[0] == '-' || text[0] == '+') && isdigit((unsigned char)text[1]));
    if (!starts_well || *end != '\0')
        return nd_fail(error, ND_CONFIG, "'%s' is not a whole number", text);
    if (errno == ERANGE)
        return nd_fail(error, ND_CONFIG, "'%s' is out of range", text);
    *value_r = value;
    return ND_OK;
}

enum nd_status nd_parse_number(const char *text, struct nd_error *error,
                               double *value_r)
{
    size_t length = number_length(text);
    char *end = NULL;
    double value = length > 0 ? strtod(text, &end) : 0.0;
    /* strtod alone would take "0x10" and "inf" */
    bool is_decimal = length > 0 && strpbrk(text, "xX") == NULL;
    if (!is_decimal || *end != '\0' || !isfinite(value))
        return nd_fail(error, ND_CONFIG, "'%s' is not a number", text);
    *value_r = value;
    return ND_OK;
}
