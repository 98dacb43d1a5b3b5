/* SPDX-License-Identifier: Apache-2.0
 *
 * Graphs of KANN's operators. A node is checked when it is added, against the
 * nodes before it: that makes cycles impossible and every shape known, so that
 * nothing is left to check when the graph is evaluated. Shapes follow KANN's
 * own rules where those make sense, and are refused where KANN would read past
 * an operand. It knows the file format as little as the arithmetic.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rspamd/kann_graph.h"

struct operator_facts {
    const char *name;
    enum nd_kann_rule rule;
};

/* By KANN's numbers. */
static const struct operator_facts operators[] = {
    {NULL, ND_KANN_REFUSED},
    {"add", ND_KANN_SPREAD},
    {"mul", ND_KANN_SPREAD},
    {"cmul", ND_KANN_PRODUCT_TRANSPOSED},
    {"ce_bin_neg", ND_KANN_TO_COST},
    {"square", ND_KANN_SAME},
    {"sigm", ND_KANN_SAME},
    {"tanh", ND_KANN_SAME},
    {"relu", ND_KANN_SAME},
    {"matmul", ND_KANN_PRODUCT},
    {"avg", ND_KANN_REFUSED},
    {"1minus", ND_KANN_SAME},
    {"select", ND_KANN_REFUSED},
    {"ce_multi", ND_KANN_TO_COST},
    {"softmax", ND_KANN_ROWS},
    {"dropout", ND_KANN_REFUSED},
    {"conv2d", ND_KANN_REFUSED},
    {"max2d", ND_KANN_REFUSED},
    {"conv1d", ND_KANN_REFUSED},
    {"max1d", ND_KANN_REFUSED},
    {"slice", ND_KANN_REFUSED},
    {"max", ND_KANN_REFUSED},
    {"ce_bin", ND_KANN_TO_COST},
    {"sub", ND_KANN_SPREAD},
    {"sample_normal", ND_KANN_REFUSED},
    {"reduce_sum", ND_KANN_REFUSED},
    {"reduce_mean", ND_KANN_REFUSED},
    {"log", ND_KANN_SAME},
    {"avg1d", ND_KANN_REFUSED},
    {"mse", ND_KANN_TO_COST},
    {"reshape", ND_KANN_REFUSED},
    {"concat", ND_KANN_REFUSED},
    {"stdnorm", ND_KANN_ROWS},
    {"exp", ND_KANN_SAME},
    {"sin", ND_KANN_SAME},
    {"stack", ND_KANN_REFUSED},
    {"reverse", ND_KANN_REFUSED},
};

#define OPERATORS (sizeof(operators) / sizeof(operators[0]))

const char *nd_kann_operator_name(uint32_t number)
{
    return number < OPERATORS ? operators[number].name : NULL;
}

enum nd_kann_rule nd_kann_operator_rule(uint32_t number)
{
    return number < OPERATORS ? operators[number].rule : ND_KANN_REFUSED;
}

struct nd_kann *nd_kann_create(void)
{
    return nd_calloc(1, sizeof(struct nd_kann));
}

void nd_kann_destroy(struct nd_kann **kann)
{
    if (kann == NULL || *kann == NULL)
        return;
    for (uint32_t i = 0; i < (*kann)->count; i++)
        free((*kann)->nodes[i].weights);
    free((*kann)->nodes);
    free(*kann);
    *kann = NULL;
}

/* The number of values of a shape; 0 where it is none or too large. */
static uint32_t shape_length(const struct nd_kann_shape *shape)
{
    uint64_t length = 1;
    if (shape->dimensions > ND_KANN_MAX_DIMENSIONS)
        return 0;
    for (uint32_t i = 0; i < shape->dimensions; i++) {
        length *= shape->sizes[i];
        if (length == 0 || length > ND_KANN_MAX_FLOATS)
            return 0;
    }
    return (uint32_t)length;
}

static uint32_t last_size(const struct nd_kann_shape *shape)
{
    return shape->dimensions == 0 ? 1 : shape->sizes[shape->dimensions - 1];
}

/* The least product of last dimensions that reaches wanted. */
static uint32_t columns_from_the_end(const struct nd_kann_node *node,
                                     uint32_t wanted)
{
    uint32_t columns = 1;
    for (uint32_t i = node->shape.dimensions; i > 0 && columns < wanted; i--)
        columns *= node->shape.sizes[i - 1];
    return columns;
}

static bool product_transposed(const struct nd_kann_node *first,
                               const struct nd_kann_node *second,
                               uint32_t rows_r[2], uint32_t *columns_r)
{
    uint32_t a = last_size(&first->shape), b = last_size(&second->shape);
    uint32_t columns = a > b ? a : b;
    if (columns_from_the_end(first, columns) != columns ||
        columns_from_the_end(second, columns) != columns)
        return false;
    rows_r[0] = first->length / columns;
    rows_r[1] = second->length / columns;
    *columns_r = columns;
    return true;
}

static bool product(const struct nd_kann_node *first,
                    const struct nd_kann_node *second, uint32_t rows_r[2],
                    uint32_t *columns_r)
{
    uint32_t above = first->shape.dimensions <= 1 ? 1 : first->shape.sizes[0];
    uint32_t below = second->shape.dimensions <= 1 ? 1 : second->shape.sizes[0];
    if (first->length / above != below)
        return false;
    rows_r[0] = above;
    rows_r[1] = second->length / below;
    *columns_r = below;
    return true;
}

bool nd_kann_product(const struct nd_kann *kann,
                     const struct nd_kann_node *node, uint32_t rows_r[2],
                     uint32_t *columns_r)
{
    const struct nd_kann_node *first = &kann->nodes[node->children[0]];
    const struct nd_kann_node *second = &kann->nodes[node->children[1]];
    return nd_kann_operator_rule(node->operation) == ND_KANN_PRODUCT
               ? product(first, second, rows_r, columns_r)
               : product_transposed(first, second, rows_r, columns_r);
}

static bool shape_of_product(const struct nd_kann *kann,
                             struct nd_kann_node *node)
{
    uint32_t rows[2], columns;
    if (!nd_kann_product(kann, node, rows, &columns))
        return false;
    node->shape = (struct nd_kann_shape){2, {rows[0], rows[1]}};
    return true;
}

/* Works out the shape of an operator's result; false where its operands do
 * not fit together. */
static bool shape_of_result(const struct nd_kann *kann,
                            struct nd_kann_node *node)
{
    const struct nd_kann_node *first = &kann->nodes[node->children[0]];
    const struct nd_kann_node *second =
        node->child_count > 1 ? &kann->nodes[node->children[1]] : NULL;
    node->shape = first->shape;
    switch (nd_kann_operator_rule(node->operation)) {
    case ND_KANN_SAME:
        return second == NULL;
    case ND_KANN_ROWS:
        return second == NULL && first->shape.dimensions > 0;
    case ND_KANN_SPREAD:
        return node->child_count == 2 && first->length % second->length == 0;
    case ND_KANN_PRODUCT_TRANSPOSED:
    case ND_KANN_PRODUCT:
        return node->child_count == 2 && shape_of_product(kann, node);
    case ND_KANN_TO_COST:
        node->shape = (struct nd_kann_shape){0};
        return second != NULL && first->length == second->length;
    case ND_KANN_REFUSED:
        break;
    }
    return false;
}

static enum nd_status check_operator(const struct nd_kann *kann,
                                     struct nd_kann_node *node,
                                     struct nd_error *error)
{
    const char *name = nd_kann_operator_name(node->operation);
    if (nd_kann_operator_rule(node->operation) == ND_KANN_REFUSED)
        return nd_fail(error, ND_DATA,
                       "node %u of the KANN network has the operator %s (%u), "
                       "which is not supported",
                       kann->count, name != NULL ? name : "of no name",
                       node->operation);
    if (node->child_count == 0 || node->child_count > ND_KANN_MAX_CHILDREN)
        return nd_fail(error, ND_DATA, "node %u (%s) has %u operands",
                       kann->count, name, node->child_count);
    for (uint32_t i = 0; i < node->child_count; i++)
        if (node->children[i] >= kann->count)
            return nd_fail(error, ND_DATA,
                           "node %u (%s) takes from node %u, which does not "
                           "come before it",
                           kann->count, name, node->children[i]);
    if (!shape_of_result(kann, node))
        return nd_fail(error, ND_DATA,
                       "node %u (%s) has operands that do not fit together",
                       kann->count, name);
    return ND_OK;
}

enum nd_status nd_kann_append(struct nd_kann *kann,
                              const struct nd_kann_node *node,
                              struct nd_error *error)
{
    struct nd_kann_node copy = *node;
    if (kann->count == ND_KANN_MAX_NODES)
        return nd_fail(error, ND_LIMIT, "the KANN network has over %d nodes",
                       ND_KANN_MAX_NODES);
    if (copy.operation != ND_KANN_LEAF || copy.child_count > 0) {
        enum nd_status status = check_operator(kann, &copy, error);
        if (status != ND_OK)
            return status;
    }
    copy.length = shape_length(&copy.shape);
    if (copy.length == 0)
        return nd_fail(error, ND_DATA,
                       "node %u of the KANN network has a dimension of 0, or "
                       "more than %u values",
                       kann->count, ND_KANN_MAX_FLOATS);
    kann->nodes =
        nd_realloc(kann->nodes, kann->count + (size_t)1, sizeof(*kann->nodes));
    kann->nodes[kann->count++] = copy;
    return ND_OK;
}

enum nd_status nd_kann_add_leaf(struct nd_kann *kann, enum nd_kann_role role,
                                const struct nd_kann_shape *shape,
                                const float *weights, struct nd_error *error,
                                uint32_t *index_r)
{
    struct nd_kann_node node = {.role = role, .shape = *shape};
    uint32_t length = shape_length(shape);
    if (weights != NULL && length > 0) {
        node.flag = ND_KANN_FLAG_VARIABLE;
        node.weights = nd_calloc(length, sizeof(float));
        memcpy(node.weights, weights, length * sizeof(float));
    }
    enum nd_status status = nd_kann_append(kann, &node, error);
    if (status == ND_OK)
        *index_r = kann->count - 1;
    else
        free(node.weights);
    return status;
}

enum nd_status nd_kann_add(struct nd_kann *kann, enum nd_kann_role role,
                           enum nd_kann_operator operation,
                           const uint32_t *children, uint32_t count,
                           struct nd_error *error, uint32_t *index_r)
{
    struct nd_kann_node node = {
        .role = role, .operation = (uint16_t)operation, .child_count = count};
    for (uint32_t i = 0; i < count && i < ND_KANN_MAX_CHILDREN; i++) {
        node.children[i] = children[i];
        if (children[i] < kann->count)
            node.flag |= kann->nodes[children[i]].flag & ND_KANN_FLAG_VARIABLE;
    }
    enum nd_status status = nd_kann_append(kann, &node, error);
    if (status == ND_OK)
        *index_r = kann->count - 1;
    return status;
}

/* ---- completing ---- */

static enum nd_status find_roles(struct nd_kann *kann, struct nd_error *error)
{
    uint32_t inputs = 0, outputs = 0;
    for (uint32_t i = 0; i < kann->count; i++) {
        const struct nd_kann_node *node = &kann->nodes[i];
        bool feed = node->operation == ND_KANN_LEAF && node->weights == NULL;
        if (feed && (node->role & ND_KANN_INPUT)) {
            kann->input = i;
            inputs++;
        }
        if (node->role & ND_KANN_OUTPUT) {
            kann->output = i;
            outputs++;
        }
    }
    if (inputs != 1 || outputs != 1)
        return nd_fail(error, ND_DATA,
                       "the KANN network has %u inputs and %u outputs, where "
                       "one of each is wanted",
                       inputs, outputs);
    return ND_OK;
}

/* Marks what the output needs; nodes come after their operands, so one walk
 * from the end is enough. */
static void mark_needed(struct nd_kann *kann)
{
    kann->nodes[kann->output].needed = true;
    for (uint32_t i = kann->output + 1; i-- > 0;) {
        const struct nd_kann_node *node = &kann->nodes[i];
        for (uint32_t c = 0; node->needed && c < node->child_count; c++)
            kann->nodes[node->children[c]].needed = true;
    }
}

static uint64_t work_of(const struct nd_kann *kann,
                        const struct nd_kann_node *node)
{
    uint32_t rows[2], columns;
    enum nd_kann_rule rule = nd_kann_operator_rule(node->operation);
    if (node->operation == ND_KANN_LEAF ||
        (rule != ND_KANN_PRODUCT && rule != ND_KANN_PRODUCT_TRANSPOSED) ||
        !nd_kann_product(kann, node, rows, &columns))
        return node->length;
    return (uint64_t)rows[0] * rows[1] * columns;
}

enum nd_status nd_kann_complete(struct nd_kann *kann, struct nd_error *error)
{
    uint64_t values = 0, work = 0;
    enum nd_status status = find_roles(kann, error);
    if (status != ND_OK)
        return status;
    mark_needed(kann);
    for (uint32_t i = 0; i < kann->count; i++) {
        struct nd_kann_node *node = &kann->nodes[i];
        if (!node->needed || node->weights != NULL)
            continue;
        if (node->operation == ND_KANN_LEAF && i != kann->input)
            return nd_fail(error, ND_DATA,
                           "the output of the KANN network needs node %u, "
                           "which is no input",
                           i);
        if (nd_kann_operator_rule(node->operation) == ND_KANN_TO_COST)
            return nd_fail(error, ND_DATA,
                           "the output of the KANN network needs node %u, a "
                           "cost",
                           i);
        node->at = (size_t)values;
        values += node->length;
        work += work_of(kann, node);
        if (values > ND_KANN_MAX_VALUES || work > ND_KANN_MAX_WORK)
            return nd_fail(error, ND_LIMIT,
                           "the KANN network takes too long to evaluate; it "
                           "is no network of rspamd's");
    }
    kann->workspace = (size_t)values;
    return ND_OK;
}

uint32_t nd_kann_inputs(const struct nd_kann *kann)
{
    return kann->nodes[kann->input].length;
}

uint32_t nd_kann_outputs(const struct nd_kann *kann)
{
    return kann->nodes[kann->output].length;
}

size_t nd_kann_workspace(const struct nd_kann *kann)
{
    return kann->workspace;
}
