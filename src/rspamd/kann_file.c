/* SPDX-License-Identifier: Apache-2.0
 *
 * KANN's file format, which is a dump of its graph in memory (docs/formats/
 * kann.md). KANN's own loader believes its file; here every number is checked
 * against what is left of the file before it is used. Evaluating is in
 * kann_run.c.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "rspamd/kann_graph.h"

static const uint8_t magic[4] = {'K', 'A', 'N', 1};

static enum nd_status truncated(struct nd_error *error)
{
    return nd_fail(error, ND_DATA, "the KANN file is cut off");
}

/* A feed's first dimension is the size of the batch when it was saved; one
 * vector at a time is what an evaluation takes. */
static enum nd_status read_leaf(struct nd_reader *reader,
                                struct nd_kann_node *node,
                                struct nd_error *error)
{
    struct nd_kann_shape *shape = &node->shape;
    uint8_t kinds = ND_KANN_FLAG_VARIABLE | ND_KANN_FLAG_CONSTANT;
    shape->dimensions = nd_reader_u8(reader);
    if (shape->dimensions > ND_KANN_MAX_DIMENSIONS || (node->flag & ~kinds) ||
        node->flag == kinds)
        return nd_fail(error, ND_DATA,
                       "the KANN file has a leaf of %u dimensions with the "
                       "flag %u",
                       shape->dimensions, node->flag);
    for (uint32_t i = 0; i < shape->dimensions; i++)
        shape->sizes[i] = nd_reader_u32(reader);
    if (node->flag == 0 && shape->dimensions > 0)
        shape->sizes[0] = 1;
    return reader->failed ? truncated(error) : ND_OK;
}

static enum nd_status read_operator(struct nd_reader *reader,
                                    struct nd_kann_node *node,
                                    struct nd_error *error)
{
    node->operation = nd_reader_u16(reader);
    for (uint32_t i = 0; i < node->child_count; i++)
        node->children[i] = nd_reader_u32(reader);
    uint32_t before = nd_reader_u32(reader);
    uint32_t parameters = nd_reader_u32(reader);
    const char *name = nd_kann_operator_name(node->operation);
    if (reader->failed)
        return truncated(error);
    if (nd_kann_operator_rule(node->operation) == ND_KANN_REFUSED)
        return nd_fail(error, ND_DATA,
                       "the KANN file has the operator %s (%u), which is not "
                       "supported",
                       name != NULL ? name : "of no name", node->operation);
    if (before != UINT32_MAX || (node->flag & ~ND_KANN_FLAG_VARIABLE))
        return nd_fail(error, ND_DATA,
                       "the KANN file holds a recurrent network, which is not "
                       "supported");
    if (parameters != 0)
        return nd_fail(error, ND_DATA,
                       "the operator %s has %u bytes of parameters, where "
                       "none are known",
                       name, parameters);
    return ND_OK;
}

static enum nd_status read_node(struct nd_reader *reader, struct nd_kann *kann,
                                struct nd_error *error)
{
    struct nd_kann_node node = {.label = (int32_t)nd_reader_u32(reader)};
    node.role = nd_reader_u32(reader);
    node.flag = nd_reader_u8(reader);
    node.child_count = nd_reader_u32(reader);
    if (reader->failed)
        return truncated(error);
    if (node.child_count > ND_KANN_MAX_CHILDREN)
        return nd_fail(error, ND_DATA,
                       "node %u of the KANN file has %u operands, where %d "
                       "are the most",
                       kann->count, node.child_count, ND_KANN_MAX_CHILDREN);
    enum nd_status status = node.child_count == 0
                                ? read_leaf(reader, &node, error)
                                : read_operator(reader, &node, error);
    return status == ND_OK ? nd_kann_append(kann, &node, error) : status;
}

/* Reads the floats of all leaves that have this flag. */
static enum nd_status read_weights(struct nd_reader *reader,
                                   struct nd_kann *kann, uint8_t flag,
                                   struct nd_error *error)
{
    for (uint32_t i = 0; i < kann->count; i++) {
        struct nd_kann_node *node = &kann->nodes[i];
        if (node->operation != ND_KANN_LEAF || node->flag != flag)
            continue;
        if (nd_reader_left(reader) / sizeof(float) < node->length)
            return truncated(error);
        node->weights = nd_calloc(node->length, sizeof(float));
        for (uint32_t k = 0; k < node->length; k++) {
            node->weights[k] = nd_reader_f32(reader);
            if (!isfinite(node->weights[k]))
                return nd_fail(error, ND_DATA,
                               "a weight of the KANN file is not a finite "
                               "number");
        }
    }
    return ND_OK;
}

static enum nd_status read_graph(struct nd_reader *reader, struct nd_kann *kann,
                                 struct nd_error *error)
{
    const uint8_t *head = nd_reader_bytes(reader, sizeof(magic));
    uint32_t count = nd_reader_u32(reader);
    const char *packing = nd_file_packing(reader->data, reader->length);
    if (packing != NULL)
        return nd_fail(error, ND_DATA,
                       "this is packed by %s, and no plain KANN file; unpack "
                       "it first",
                       packing);
    if (head == NULL || memcmp(head, magic, sizeof(magic)) != 0)
        return nd_fail(error, ND_DATA, "this is no KANN file");
    if (reader->failed)
        return truncated(error);
    if (count > ND_KANN_MAX_NODES)
        return nd_fail(error, ND_LIMIT,
                       "the KANN file has %u nodes, where %d are the most",
                       count, ND_KANN_MAX_NODES);
    enum nd_status status = ND_OK;
    for (uint32_t i = 0; status == ND_OK && i < count; i++)
        status = read_node(reader, kann, error);
    if (status == ND_OK)
        status = read_weights(reader, kann, ND_KANN_FLAG_VARIABLE, error);
    if (status == ND_OK)
        status = read_weights(reader, kann, ND_KANN_FLAG_CONSTANT, error);
    if (status == ND_OK && nd_reader_left(reader) > 0)
        status = nd_fail(error, ND_DATA,
                         "the KANN file has %zu bytes behind its end",
                         nd_reader_left(reader));
    return status;
}

enum nd_status nd_kann_read(const void *data, size_t length,
                            struct nd_error *error, struct nd_kann **kann_r)
{
    struct nd_reader reader;
    struct nd_kann *kann = nd_kann_create();
    nd_reader_init(&reader, data, length);
    enum nd_status status = read_graph(&reader, kann, error);
    if (status == ND_OK)
        status = nd_kann_complete(kann, error);
    if (status == ND_OK)
        *kann_r = kann;
    else
        nd_kann_destroy(&kann);
    return status;
}

/* ---- writing ---- */

static void write_node(const struct nd_kann_node *node,
                       struct nd_buffer *buffer)
{
    nd_buffer_u32(buffer, (uint32_t)node->label);
    nd_buffer_u32(buffer, node->role);
    nd_buffer_u8(buffer, node->flag);
    nd_buffer_u32(buffer, node->child_count);
    if (node->operation == ND_KANN_LEAF) {
        nd_buffer_u8(buffer, (uint8_t)node->shape.dimensions);
        for (uint32_t i = 0; i < node->shape.dimensions; i++)
            nd_buffer_u32(buffer, node->shape.sizes[i]);
        return;
    }
    nd_buffer_u16(buffer, node->operation);
    for (uint32_t i = 0; i < node->child_count; i++)
        nd_buffer_u32(buffer, node->children[i]);
    nd_buffer_u32(buffer, UINT32_MAX); /* no node of an earlier time step */
    nd_buffer_u32(buffer, 0);          /* no parameters */
}

static void write_weights(const struct nd_kann *kann, uint8_t flag,
                          struct nd_buffer *buffer)
{
    for (uint32_t i = 0; i < kann->count; i++) {
        const struct nd_kann_node *node = &kann->nodes[i];
        if (node->weights == NULL || node->flag != flag)
            continue;
        for (uint32_t k = 0; k < node->length; k++)
            nd_buffer_f32(buffer, node->weights[k]);
    }
}

void nd_kann_write(const struct nd_kann *kann, struct nd_buffer *buffer)
{
    nd_buffer_append(buffer, magic, sizeof(magic));
    nd_buffer_u32(buffer, kann->count);
    for (uint32_t i = 0; i < kann->count; i++)
        write_node(&kann->nodes[i], buffer);
    write_weights(kann, ND_KANN_FLAG_VARIABLE, buffer);
    write_weights(kann, ND_KANN_FLAG_CONSTANT, buffer);
}
