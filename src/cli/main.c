/* SPDX-License-Identifier: Apache-2.0
 *
 * The program's entry: the command line, or a trainer's child or the milter's
 * worker, which a training and the daemon spawn from this same program.
 */
#include <string.h>

#include "cli/command.h"
#include "learn/trainer.h"
#include "rspamd/child.h"
#include "serve/milter_worker.h"

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], ND_TRAINER_ARGUMENT) == 0) {
        return nd_trainer_child_main();
    }
    if (argc > 1 && strcmp(argv[1], ND_RSPAMD_CHILD_ARGUMENT) == 0) {
        return nd_rspamd_child_main();
    }
    if (argc > 1 && strcmp(argv[1], ND_MILTER_ARGUMENT) == 0) {
        return nd_milter_worker_main();
    }
    return nd_cli_main(argc, argv);
}
