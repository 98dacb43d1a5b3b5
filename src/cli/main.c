/* SPDX-License-Identifier: Apache-2.0
 *
 * The program's entry: the command line, or the trainer's child, which a
 * training spawns from this same program.
 */
#include <string.h>

#include "cli/command.h"
#include "learn/trainer.h"

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], ND_TRAINER_ARGUMENT) == 0) {
        return nd_trainer_child_main();
    }
    return nd_cli_main(argc, argv);
}
