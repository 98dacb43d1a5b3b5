/* SPDX-License-Identifier: Apache-2.0
 *
 * The network's part of the model file: what is read scores exactly as what was
 * written, writes the same bytes again, and bytes that lie are refused.
 */
#include "fixture.h"

#include "nn/network_internal.h"

static enum nd_status read_bytes(const uint8_t *data, size_t length,
                                 struct nd_network **network_r)
{
    struct nd_reader reader;
    nd_reader_init(&reader, data, length);
    enum nd_status status = nd_network_read(&reader, NULL, network_r);
    if (status == ND_OK)
        assert_int_equal(reader.position, length);
    return status;
}

static void check_round_trip(const struct nd_shape *shape)
{
    struct nd_buffer first = {0}, second = {0};
    struct nd_network *read = NULL, *network = make_network(shape, 5);
    struct nd_dataset *set = linear_set(shape->inputs, 50, 3);
    memset(network->rows, 0, 7 * network->width * sizeof(float));
    network->out_bias = 0.125F;
    nd_network_write(network, &first);
    nd_network_quantize(network);
    assert_int_equal(read_bytes(first.data, first.length, &read), ND_OK);
    for (size_t i = 0; i < 50; i++) {
        struct nd_sparse row = nd_dataset_row(set, i);
        assert_true(nd_network_score(network, &row) ==
                    nd_network_score(read, &row));
    }
    nd_network_write(read, &second);
    assert_int_equal(first.length, second.length);
    assert_memory_equal(first.data, second.data, first.length);
    nd_buffer_free(&first);
    nd_buffer_free(&second);
    nd_dataset_destroy(&set);
    nd_network_destroy(&read);
    nd_network_destroy(&network);
}

static void what_is_read_is_what_was_written(void **state)
{
    check_round_trip(&(struct nd_shape){.inputs = 300});
    check_round_trip(
        &(struct nd_shape){.inputs = 320, .layers = 1, .units = {15}});
    check_round_trip(&(struct nd_shape){
        .inputs = 301, .layers = 1, .units = {31}, .wide = true});
    check_round_trip(&(struct nd_shape){
        .inputs = 64, .layers = 4, .units = {20, 17, 3, 40}, .wide = true});
}

static void a_network_stays_equal_to_its_file_when_trained_on(void **state)
{
    struct nd_shape shape = {
        .inputs = 300, .layers = 1, .units = {15}, .wide = true};
    struct nd_train_options options;
    struct nd_dataset *set = linear_set(300, 200, 3);
    struct nd_network *network = make_network(&shape, 5), *read = NULL;
    struct nd_buffer bytes = {0};
    nd_train_defaults(&options);
    train_network(network, set, &options);
    nd_network_quantize(network);
    nd_network_write(network, &bytes);
    assert_int_equal(read_bytes(bytes.data, bytes.length, &read), ND_OK);
    for (size_t i = 0; i < 200; i++) {
        struct nd_sparse row = nd_dataset_row(set, i);
        assert_true(nd_network_score(network, &row) ==
                    nd_network_score(read, &row));
    }
    nd_buffer_free(&bytes);
    nd_dataset_destroy(&set);
    nd_network_destroy(&read);
    nd_network_destroy(&network);
}

static void absent_rows_take_a_bit_each(void **state)
{
    struct nd_shape shape = {
        .inputs = 1U << 18, .layers = 1, .units = {15}, .wide = true};
    struct nd_network *network = make_network(&shape, 5);
    struct nd_buffer bytes = {0};
    memset(network->rows, 0, shape.inputs * network->width * sizeof(float));
    nd_network_write(network, &bytes);
    size_t empty = bytes.length;
    assert_true(empty < (1U << 15) + 256);
    network->rows[1000 * network->width] = 1;
    nd_buffer_clear(&bytes);
    nd_network_write(network, &bytes);
    assert_int_equal(bytes.length, empty + 8 + 15);
    nd_buffer_free(&bytes);
    nd_network_destroy(&network);
}

static void a_full_text_network_is_below_8_mb(void **state)
{
    struct nd_shape shape = {
        .inputs = 1U << 18, .layers = 1, .units = {16}, .wide = true};
    struct nd_network *network = make_network(&shape, 5);
    struct nd_buffer bytes = {0};
    nd_network_write(network, &bytes);
    assert_true(bytes.length < 8000000);
    nd_buffer_free(&bytes);
    nd_network_destroy(&network);
}

static void write_small(struct nd_buffer *bytes)
{
    struct nd_shape shape = {
        .inputs = 70, .layers = 2, .units = {5, 3}, .wide = true};
    struct nd_network *network = make_network(&shape, 5);
    nd_network_write(network, bytes);
    nd_network_destroy(&network);
}

static void a_network_cut_anywhere_is_refused(void **state)
{
    struct nd_buffer bytes = {0};
    write_small(&bytes);
    for (size_t length = 0; length < bytes.length; length++) {
        struct nd_network *network = NULL;
        uint8_t *copy = malloc(length + 1); /* so that sanitizers see the end */
        memcpy(copy, bytes.data, length);
        assert_int_equal(read_bytes(copy, length, &network), ND_DATA);
        assert_null(network);
        free(copy);
    }
    nd_buffer_free(&bytes);
}

static void assert_refused(const char *hex_shape, size_t length, size_t filler)
{
    struct nd_network *network = NULL;
    uint8_t *data = calloc(length + filler + 1, 1);
    memcpy(data, hex_shape, length);
    assert_int_equal(read_bytes(data, length + filler, &network), ND_DATA);
    assert_null(network);
    free(data);
}

static void shapes_that_lie_are_refused_before_memory_is_taken(void **state)
{
    /* inputs, layers, wide, units */
    assert_refused("\xff\xff\xff\xff\x01\x01\x10\x00", 8, 1000);
    assert_refused("\x00\x00\x00\x01\x01\x01\xff\x0f", 8, 1000);
    assert_refused("\x40\x00\x00\x00\x02\x01\x00\x10\x00\x10", 10, 1000);
    assert_refused("\x00\x00\x00\x00\x01\x01\x10\x00", 8, 1000);
    assert_refused("\x40\x00\x00\x00\x00\x00", 6, 1000);
    assert_refused("\x40\x00\x00\x00\x05\x01\x01\x00\x01\x00\x01\x00\x01\x00"
                   "\x01\x00",
                   16, 1000);
    assert_refused("\x40\x00\x00\x00\x01\x02\x10\x00", 8, 1000);
    assert_refused("\x40\x00\x00\x00\x01\x01\x00\x00", 8, 1000);
    assert_refused("\x40\x00\x00\x00\x01\x01\x01\x10", 8, 1 << 17);
}

static void weights_that_are_not_finite_are_refused(void **state)
{
    static const uint8_t infinite[] = {0, 0, 0x80, 0x7f};
    struct nd_buffer bytes = {0};
    write_small(&bytes);
    size_t shape = 4 + 1 + 1 + 2 * 2, refused = 0;
    size_t upper = (5 + 3 + 5 * 3 + 3 + 1) * sizeof(float);
    size_t words = 2 * sizeof(uint64_t), row = 2 * sizeof(float) + 5;
    for (size_t at = shape; at + 4 <= bytes.length;) {
        struct nd_network *network = NULL;
        uint8_t saved[4];
        memcpy(saved, bytes.data + at, 4);
        memcpy(bytes.data + at, infinite, 4);
        refused += read_bytes(bytes.data, bytes.length, &network) == ND_DATA;
        nd_network_destroy(&network);
        memcpy(bytes.data + at, saved, 4);
        at += at + 4 < shape + upper       ? 4
              : at < shape + upper + words ? shape + upper + words - at
                                           : row;
    }
    assert_int_equal(refused, upper / 4 + 70);
    nd_buffer_free(&bytes);
}

static void a_row_beyond_the_last_column_is_refused(void **state)
{
    struct nd_buffer bytes = {0};
    struct nd_network *network = NULL;
    write_small(&bytes);
    size_t upper = 10 + (5 + 3 + 5 * 3 + 3 + 1) * sizeof(float);
    bytes.data[upper + 8] |= 0x40; /* column 70 of 70 */
    assert_int_equal(read_bytes(bytes.data, bytes.length, &network), ND_DATA);
    assert_null(network);
    nd_buffer_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_what_was_written),
        cmocka_unit_test(a_network_stays_equal_to_its_file_when_trained_on),
        cmocka_unit_test(absent_rows_take_a_bit_each),
        cmocka_unit_test(a_full_text_network_is_below_8_mb),
        cmocka_unit_test(a_network_cut_anywhere_is_refused),
        cmocka_unit_test(shapes_that_lie_are_refused_before_memory_is_taken),
        cmocka_unit_test(weights_that_are_not_finite_are_refused),
        cmocka_unit_test(a_row_beyond_the_last_column_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
