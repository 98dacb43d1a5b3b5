/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald config: shows the effective configuration with the origin of each
 * value, checks a file, and writes the example and the reference pages.
 */
#include "cli/command.h"
#include "cli/config_document.h"
#include "cli/manual.h"

static const struct nd_option options[] = {
    {"test-config", ND_OPTION_FLAG, NULL, "only check the file of --config"},
    {"example", ND_OPTION_FLAG, NULL,
     "print a configuration file with every key, its default and its meaning"},
    {"reference", ND_OPTION_FLAG, NULL, "print the reference page (Markdown)"},
    {"manual", ND_OPTION_FLAG, NULL,
     "print the manual page neurald.conf(5) (scdoc)"},
    {0},
};

static void print_tested(struct nd_cli *cli)
{
    const char *path = cli->config->path;
    if (path != NULL) {
        nd_cli_remark(cli, "%s: ok, %zu rule%s", path, cli->config->rule_count,
                      cli->config->rule_count == 1 ? "" : "s");
    } else {
        nd_cli_remark(cli, "no --config FILE was given; the defaults are ok");
    }
}

static enum nd_status run(struct nd_cli *cli)
{
    enum nd_status status = nd_cli_no_words(cli);
    if (status != ND_OK) {
        return status;
    }
    if (nd_arguments_flag(cli->arguments, "test-config")) {
        print_tested(cli);
    } else if (nd_arguments_flag(cli->arguments, "example")) {
        nd_config_write_example(stdout);
    } else if (nd_arguments_flag(cli->arguments, "reference")) {
        nd_config_write_reference(stdout);
    } else if (nd_arguments_flag(cli->arguments, "manual")) {
        nd_manual_config(stdout);
    } else if (cli->json) {
        status = nd_config_write_json(cli->config, stdout, &cli->error);
    } else {
        nd_config_write_values(cli->config, stdout);
    }
    return status;
}

const struct nd_command nd_command_config = {
    .name = "config",
    .usage = "[--test-config | --example | --reference | --manual]",
    .summary = "show or check the configuration",
    .about = "Prints the effective configuration as a file, with the origin of "
             "each value: its default, FILE:LINE, or an option. With --json an "
             "object a key: section, rule, key, value (as one would write it), "
             "origin.\n",
    .options = options,
    .run = run,
};
