/*
 * Every allocation of the core fails once: the n-th one, n = 1, 2, 3 ... until a run meets no
 * failure. Each run must report it as what it is, leave its buffers as they were and leak nothing.
 * (The linker replaces the allocator: see meson.build.)
 */
#include <jansson.h>
#include <stdlib.h>

#include "core/batch.h"
#include "core/params.h"
#include "core/record.h"
#include "core/routing.h"
#include "unit.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);

static struct {
    unsigned countdown; /* 1: the next allocation fails; 0: none does */
    bool failed;
    long live; /* allocations that were not freed yet */
} heap;

static bool may_allocate(void)
{
    if (heap.countdown > 0 && --heap.countdown == 0) {
        heap.failed = true;
        return false;
    }
    return true;
}

static void *counted(void *memory)
{
    heap.live += memory == NULL ? 0 : 1;
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return may_allocate() ? counted(__real_malloc(size)) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate() ? counted(__real_calloc(count, size)) : NULL;
}

void *__wrap_realloc(void *memory, size_t size)
{
    if (!may_allocate()) {
        return NULL;
    }
    void *moved = __real_realloc(memory, size);
    return memory == NULL ? counted(moved) : moved;
}

void __wrap_free(void *memory)
{
    heap.live -= memory == NULL ? 0 : 1;
    __real_free(memory);
}

/* Does its work and checks that it succeeded, or reported HUST_ERR_NOMEM if `failed` says so. */
typedef void scenario_t(const bool *failed);

enum { SWEEP_MAX = 100000 };

/* Run with the n-th allocation failing until none does; returns how many there are. */
static unsigned sweep(scenario_t *scenario)
{
    long live_before = heap.live;
    for (unsigned n = 1; n < SWEEP_MAX; n++) {
        heap.failed = false;
        heap.countdown = n;
        scenario(&heap.failed);
        heap.countdown = 0;
        if (heap.live != live_before) {
            fail_msg("%ld allocations leaked when number %u failed", heap.live - live_before, n);
        }
        if (!heap.failed) {
            return n - 1;
        }
    }
    fail_msg("no end after %d allocations", SWEEP_MAX);
    return 0;
}

static void assert_outcome(hust_error_t err, const bool *failed)
{
    assert_int_equal(err, *failed ? HUST_ERR_NOMEM : HUST_OK);
}

/* ---- scenarios ------------------------------------------------------------------------------ */

static void grow_a_buffer(const bool *failed)
{
    hust_buf_t buf = {0};
    size_t appended = 0;
    hust_error_t err = HUST_OK;
    while (appended < 10000 && err == HUST_OK) {
        err = hust_buf_append(&buf, "0123456789", 10);
        appended += err == HUST_OK ? 10 : 0;
    }
    assert_outcome(err, failed);
    assert_int_equal(buf.len, appended);
    for (size_t i = 0; i < buf.len; i++) {
        assert_int_equal(buf.data[i], '0' + i % 10);
    }
    hust_buf_free(&buf);
}

/* A short value first: scratch must be grown for all of them before it is borrowed from. */
static void parse_parameters(const bool *failed)
{
    static char query[2000] = "tb=%74&key=a%20b&val=%00";
    const hust_limits_t limits = HUST_LIMITS_DEFAULT;
    memset(query + strlen(query), 'v', sizeof(query) - 1 - strlen(query));
    const hust_request_t request = {.method = HUST_METHOD_GET, .query = hust_slice_str(query)};
    hust_buf_t scratch = {0};
    hust_params_t params;
    char message[HUST_MESSAGE_BYTES];
    unsigned status =
        hust_params_parse(hust_call(HUST_CALL_HSET), &request, &limits, &scratch, &params, message);
    assert_int_equal(status, *failed ? 500 : 0);
    assert_string_equal(message, *failed ? "tb: out of memory" : "");
    hust_buf_free(&scratch);
}

static const char table[] =
    "{\"table\":[{\"item\":{\"key\":[0,512],\"val\":[\"a:1\",\"b:1\"]}},"
    "{\"item\":{\"key\":[512,768],\"val\":[\"c:1\",\"d:1\"]}},"
    "{\"item\":{\"key\":[768,1024],\"val\":[\"e:1\",\"[::1]:1\"]},\"increase\":{"
    "\"low\":{\"key\":[768,800],\"val\":[\"e:1\",\"n:1\"]},"
    "\"high\":{\"key\":[800,1024],\"val\":[\"n:1\",\"[::1]:1\"]}}}]}";

static void parse_a_routing_table(const bool *failed)
{
    hust_routing_t *routing;
    char message[HUST_ROUTING_MESSAGE_BYTES];
    hust_error_t err = hust_routing_parse(BYTES(table), &routing, message);
    assert_int_equal(routing == NULL, *failed);
    if (!*failed) {
        assert_int_equal(err, HUST_OK);
        assert_int_equal(hust_routing_peer_count(routing), 7);
    } else if (err == HUST_ERR_MALFORMED) {
        /* jansson takes a string that it has no memory for as a syntax error. */
        assert_memory_equal(message, "line ", 5);
    } else {
        assert_int_equal(err, HUST_ERR_NOMEM);
        assert_non_null(strstr(message, "out of memory"));
    }
    hust_routing_free(routing);
}

static void encode_a_record(const bool *failed)
{
    static const uint8_t value[1000];
    const hust_stored_t stored = {
        .hint = {.present = true, .has_target = true, .gen = 7},
        .record = {.side_count = 2,
                   .sides = {{.stamp = {2, 1}, .version = 3, .value = {value, sizeof(value)}},
                             {.stamp = {1, 1}, .version = 2, .value = {value, 500}}}}};
    hust_buf_t out = {0};
    hust_error_t err = hust_stored_encode(&stored, &out);
    assert_outcome(err, failed);
    if (err == HUST_OK) {
        err = hust_record_encode(&stored.record, &out);
        assert_outcome(err, failed);
    }
    hust_buf_free(&out);
}

/* A batch whose next operation finds no memory is as good as before. */
static void gather_a_batch(const bool *failed)
{
    static const uint8_t value[600];
    const hust_batch_request_head_t head = {.count = 0, .epoch = 9};
    const hust_op_t op = {.code = HUST_OP_PUT,
                          .flags = HUST_OPF_HAS_STAMP,
                          .element = {.type = HUST_TYPE_KV, .key = BYTES("k")},
                          .stamp = {1, 1},
                          .value = {value, sizeof(value)}};
    hust_buf_t out = {0};
    uint32_t count = 0;
    hust_error_t err = hust_batch_request_begin(&out, &head);
    bool begun = err == HUST_OK;
    while (count < 10 && err == HUST_OK) {
        err = hust_batch_request_add(&out, &op);
        count += err == HUST_OK ? 1 : 0;
    }
    assert_outcome(err, failed);
    if (begun) {
        hust_batch_request_head_t read_head;
        hust_batch_reader_t reader;
        hust_op_t read_op;
        hust_batch_request_set_count(out.data, count);
        assert_int_equal(hust_batch_request_open(hust_buf_slice(&out), &read_head, &reader),
                         HUST_OK);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(hust_batch_request_next(&reader, &read_op), HUST_OK);
        }
        assert_int_equal(hust_batch_request_next(&reader, &read_op), HUST_ERR_END);
    }
    hust_buf_free(&out);
}

static void answer_a_batch(const bool *failed)
{
    static const uint8_t value[600];
    const hust_batch_reply_head_t head = {
        .count = 1, .clock = 5, .backlog_count = 1, .backlogs = {{BYTES("a:1"), 3}}};
    const hust_result_t result = {.status = 200, .version = 1, .value = {value, sizeof(value)}};
    hust_buf_t out = {0};
    hust_error_t err = hust_batch_reply_begin(&out, &head);
    if (err == HUST_OK) {
        err = hust_batch_reply_add(&out, &result);
    }
    assert_outcome(err, failed);
    hust_buf_free(&out);
}

/* ---- tests ---------------------------------------------------------------------------------- */

/*
 * With too few failures the allocator was not replaced at all; an upper bound is given where the
 * number of allocations is a promise.
 */
#define SWEEP_TEST(scenario, allocations_min, allocations_max)                                     \
    static void test_##scenario(void **state)                                                      \
    {                                                                                              \
        (void)state;                                                                               \
        assert_in_range(sweep(scenario), allocations_min, allocations_max);                        \
    }

SWEEP_TEST(grow_a_buffer, 6, SWEEP_MAX)
SWEEP_TEST(parse_parameters, 1, 1)
SWEEP_TEST(parse_a_routing_table, 50, SWEEP_MAX)
SWEEP_TEST(encode_a_record, 2, SWEEP_MAX)
SWEEP_TEST(gather_a_batch, 4, SWEEP_MAX)
SWEEP_TEST(answer_a_batch, 2, SWEEP_MAX)

static int use_this_heap(void **state)
{
    (void)state;
    json_set_alloc_funcs(malloc, free);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grow_a_buffer),         cmocka_unit_test(test_parse_parameters),
        cmocka_unit_test(test_parse_a_routing_table), cmocka_unit_test(test_encode_a_record),
        cmocka_unit_test(test_gather_a_batch),        cmocka_unit_test(test_answer_a_batch),
    };
    return cmocka_run_group_tests(tests, use_this_heap, NULL);
}
