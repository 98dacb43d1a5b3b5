/* SPDX-License-Identifier: Apache-2.0
 *
 * Trainer children that go wrong in a named way. A test program hands its
 * arguments to misbehave_main first: where they ask for such a child it is
 * one, or the real one, and never returns to the tests.
 */
#ifndef ND_TEST_LEARN_MISBEHAVE_H
#define ND_TEST_LEARN_MISBEHAVE_H

#include <stdbool.h>

/* Answers -1 where the program is not started as a child, else its exit
 * status. */
int misbehave_main(int argc, char **argv);

/* From now on trainings start a child that does this: "die", "silence",
 * "rubbish", "hang", "stubborn" (ignores TERM), "cut", "oversize", "backward",
 * "no reading", "early end", "failure", "abort", "wrong order",
 * "wrong count", "broken model", "kill parent". NULL: the real child. */
void misbehave_like(const char *manner);

/* Whether a sanitizer reserves so much address space that no limit of memory
 * can be set. */
bool has_shadow_memory(void);

#endif
