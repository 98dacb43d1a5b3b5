/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor's checks: each adds findings, ok, warn or fail, with the remedy.
 */
#ifndef ND_CLI_DOCTOR_H
#define ND_CLI_DOCTOR_H

#include <stdint.h>

#include "cli/command.h"
#include "cli/session.h"
#include "cli/status_facts.h"

enum nd_health { ND_HEALTH_OK, ND_HEALTH_WARN, ND_HEALTH_FAIL };

struct nd_doctor {
    struct nd_cli *cli;
    uint64_t found[3];     /* by health */
    enum nd_status output; /* of writing the findings */
};

/* Tells one finding. check is a word or two ("free space"); text says what was
 * seen; remedy (NULL where health is ok) what to do. */
void nd_doctor_tell(struct nd_doctor *doctor, enum nd_health health,
                    const char *check, const char *text, const char *remedy);

/* The machine: kernel, key file. */
void nd_doctor_check_kernel(struct nd_doctor *doctor);
void nd_doctor_check_key_file(struct nd_doctor *doctor);

/* What Postfix does while the milter is away or slow, by its own program
 * postconf at that path; nothing is told where that is not installed. */
void nd_doctor_check_postfix(struct nd_doctor *doctor, const char *postconf);

/* The file behind an SQLite store: mode of the file, room on its disk. */
void nd_doctor_check_file(struct nd_doctor *doctor, const char *path);

/* The open store: clock, integrity. */
void nd_doctor_check_store(struct nd_doctor *doctor, struct nd_store *store);

/* --gc: lists, or with drop drops, what nothing reaches. */
enum nd_status nd_doctor_collect(struct nd_cli *cli, bool drop) ND_MUST_CHECK;

/* One rule: lease, classes, autolearn, model, hosts, key. */
void nd_doctor_check_rule(struct nd_doctor *doctor,
                          const struct nd_status_facts *facts);

#endif
