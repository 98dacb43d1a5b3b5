/* SPDX-License-Identifier: Apache-2.0
 *
 * The reference of routes and metrics, from their tables.
 */
#ifndef ND_SERVE_REFERENCE_H
#define ND_SERVE_REFERENCE_H

#include <stdio.h>

/* Prints the last part of docs/api.md, in Markdown. */
void nd_serve_write_reference(FILE *out);

#endif
