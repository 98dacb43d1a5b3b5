/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints the tables of routes and metrics as a page shows them. A test compares
 * docs/api.md with what comes out of here.
 */
#include "serve/reference.h"

#include <string.h>

#include "serve/metrics.h"
#include "serve/metrics_host.h"
#include "serve/route.h"

static const char *body_words(uint32_t takes)
{
    if (takes == ND_TAKES_NOTHING) {
        return "none";
    }
    return (takes & ND_TAKES_NOTHING) != 0 ? "message, JSON, parts, or none"
                                           : "message, JSON, or parts";
}

static void print_parameters(const char *names, FILE *out)
{
    fputs(*names == '\0' ? "" : "`", out);
    for (const char *c = names; *c != '\0'; c++) {
        if (*c == ' ') {
            fputs("` `", out);
        } else {
            fputc(*c, out);
        }
    }
    fputs(*names == '\0' ? "" : "`", out);
}

static void print_routes(FILE *out)
{
    fputs("### Routes\n\n| method | path | role | body | parameters | what it "
          "does |\n| --- | --- | --- | --- | --- | --- |\n",
          out);
    for (size_t i = 0; i < ND_ROUTE_COUNT; i++) {
        const struct nd_route *route = &nd_routes()[i];
        fprintf(out, "| %s | `%s` | %s | %s | ", route->method, route->path,
                nd_access_name(route->access), body_words(route->takes));
        print_parameters(route->parameters, out);
        fprintf(out, " | %s |\n", route->text);
    }
}

static void print_metric(FILE *out, const char *name, enum nd_metric_type type,
                         const char *label, const char *text)
{
    fprintf(out, "| `%s` | %s | %s%s%s | %s |\n", name,
            nd_metric_type_name(type), label[0] != '\0' ? "`" : "", label,
            label[0] != '\0' ? "`" : "", text);
}

static void print_host_metric(const char *name, enum nd_metric_type type,
                              const char *labels, const char *text,
                              void *context)
{
    print_metric(context, name, type, labels, text);
}

void nd_serve_write_reference(FILE *out)
{
    print_routes(out);
    fputs("\n### Metrics\n\n| name | type | labels | what it says |\n"
          "| --- | --- | --- | --- |\n",
          out);
    for (size_t i = 0; i < ND_METRIC_COUNT; i++) {
        const struct nd_metric_info *info = nd_metric((enum nd_metric)i);
        print_metric(out, info->name, info->type, info->label, info->text);
    }
    nd_metrics_host_each(print_host_metric, out);
}
