/* The batch format: round trips, the layout byte by byte, and every kind of damage. */
#include "support.h"

static hust_slice_t random_bytes(uint64_t *seed, uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)test_random(seed);
    }
    return hust_slice_of(bytes, len);
}

static hust_stamp_t random_stamp(uint64_t *seed)
{
    return (hust_stamp_t){.time = test_random(seed) | 1, .writer = (uint32_t)test_random(seed)};
}

static void fill_optional(uint64_t *seed, hust_op_t *op)
{
    op->stamp = (op->flags & HUST_OPF_HAS_STAMP) != 0 ? random_stamp(seed) : op->stamp;
    op->expire_at_ms = (op->flags & HUST_OPF_HAS_STAMP) != 0 ? test_random(seed) : 0;
    op->ver = (op->flags & HUST_OPF_HAS_VER) != 0 ? test_random(seed) : 0;
    op->if_match = (op->flags & HUST_OPF_HAS_IF_MATCH) != 0 ? random_stamp(seed) : op->if_match;
    op->delta = (op->flags & HUST_OPF_HAS_DELTA) != 0 ? (int64_t)test_random(seed) : 0;
    op->base = (op->flags & HUST_OPF_HAS_BASE) != 0 ? random_stamp(seed) : op->base;
    op->gen = (op->flags & HUST_OPF_HAS_GEN) != 0 ? test_random(seed) : 0;
}

/* A valid operation with every optional field that its code may carry. */
static hust_op_t random_op(uint64_t *seed, uint8_t *bytes)
{
    static const hust_type_t types[] = {HUST_TYPE_KV, HUST_TYPE_HASH, HUST_TYPE_SET,
                                        HUST_TYPE_ZSET};
    hust_op_t op = {.code = (hust_op_code_t)(1 + test_pick(seed, 7)), .now_ms = test_random(seed)};
    op.element.type = types[test_pick(seed, 4)];
    if (op.element.type == HUST_TYPE_SET && op.code == HUST_OP_INCR) {
        op.code = HUST_OP_DEL; /* a member has nothing to add to */
    }
    op.element.tb = hust_slice_str(op.element.type == HUST_TYPE_KV ? "" : "some:table");
    op.element.key = random_bytes(seed, bytes, 1 + test_pick(seed, 300));
    op.flags = HUST_OPF_HAS_STAMP | (unsigned)(test_random(seed) & 0x7f) |
               (test_pick(seed, 2) != 0 ? HUST_OPF_HAS_VER : 0) |
               (test_pick(seed, 2) != 0 ? HUST_OPF_HAS_IF_MATCH : 0) |
               (test_pick(seed, 2) != 0 ? HUST_OPF_HAS_BASE : 0) | HUST_OPF_HAS_TARGET |
               HUST_OPF_HAS_GEN | (op.code == HUST_OP_INCR ? HUST_OPF_HAS_DELTA : 0);
    op.target = hust_slice_str("10.0.0.1:8085");
    fill_optional(seed, &op);
    if (op.code == HUST_OP_PUT && op.element.type == HUST_TYPE_ZSET) {
        op.value = hust_slice_str("-9223372036854775808");
    } else if (op.code == HUST_OP_MERGE ||
               (op.code == HUST_OP_PUT && op.element.type != HUST_TYPE_SET)) {
        op.value = random_bytes(seed, bytes + 300, 1 + test_pick(seed, 700));
    }
    return op;
}

static void assert_same_op(const hust_op_t *a, const hust_op_t *b)
{
    assert_int_equal(a->code, b->code);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->element.type, b->element.type);
    assert_true(hust_slice_equal(a->element.tb, b->element.tb));
    assert_true(hust_slice_equal(a->element.key, b->element.key));
    assert_int_equal(a->now_ms, b->now_ms);
    assert_stamp(a->stamp, b->stamp);
    assert_int_equal(a->expire_at_ms, b->expire_at_ms);
    assert_int_equal(a->ver, b->ver);
    assert_stamp(a->if_match, b->if_match);
    assert_int_equal(a->delta, b->delta);
    assert_stamp(a->base, b->base);
    assert_true(hust_slice_equal(a->target, b->target));
    assert_int_equal(a->gen, b->gen);
    assert_true(hust_slice_equal(a->value, b->value));
}

static void requests_round_trip(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        uint64_t random = seed;
        uint8_t bytes[3][1000];
        hust_op_t ops[3];
        hust_buf_t out = {0};
        hust_batch_request_head_t head = {.epoch = seed};
        assert_int_equal(hust_batch_request_begin(&out, &head), HUST_OK);
        for (unsigned i = 0; i < 3; i++) {
            ops[i] = random_op(&random, bytes[i]);
            size_t before = out.len;
            assert_int_equal(hust_batch_request_add(&out, &ops[i]), HUST_OK);
            assert_int_equal(out.len - before, hust_op_encoded_bytes(&ops[i]));
        }
        hust_batch_request_set_count(out.data, 3);
        hust_batch_reader_t reader;
        assert_int_equal(hust_batch_request_open(hust_buf_slice(&out), &head, &reader), HUST_OK);
        assert_int_equal(head.epoch, seed);
        for (unsigned i = 0; i < 3; i++) {
            hust_op_t back;
            assert_int_equal(hust_batch_request_next(&reader, &back), HUST_OK);
            assert_same_op(&ops[i], &back);
        }
        assert_int_equal(hust_batch_request_next(&reader, &ops[0]), HUST_ERR_END);
        hust_buf_free(&out);
    }
}

static hust_error_t read_all(hust_slice_t in)
{
    hust_batch_request_head_t head;
    hust_batch_reader_t reader;
    hust_op_t op;
    hust_error_t err = hust_batch_request_open(in, &head, &reader);
    while (err == HUST_OK) {
        err = hust_batch_request_next(&reader, &op);
        assert_true(err != HUST_OK || hust_element_valid(&op.element));
    }
    return err;
}

static void encode_two_puts(hust_buf_t *out)
{
    hust_batch_request_head_t head = {.count = 2};
    hust_op_t put = test_put(test_stamp(1), "value");
    assert_int_equal(hust_batch_request_begin(out, &head), HUST_OK);
    assert_int_equal(hust_batch_request_add(out, &put), HUST_OK);
    assert_int_equal(hust_batch_request_add(out, &put), HUST_OK);
}

static void damaged_requests_are_refused(void **state)
{
    (void)state;
    hust_buf_t out = {0};
    encode_two_puts(&out);
    assert_int_equal(read_all(hust_buf_slice(&out)), HUST_ERR_END);
    for (size_t cut = 0; cut < out.len; cut++) {
        hust_error_t err = read_all(hust_slice_of(out.data, cut));
        assert_true(err == HUST_ERR_TRUNCATED || err == HUST_ERR_MALFORMED);
    }
    for (size_t i = 0; i < out.len * 256; i++) {
        uint8_t kept = out.data[i / 256];
        out.data[i / 256] = (uint8_t)i;
        assert_int_not_equal(read_all(hust_buf_slice(&out)), HUST_OK);
        out.data[i / 256] = kept;
    }
    assert_int_equal(hust_buf_append(&out, "x", 1), HUST_OK);
    assert_int_equal(read_all(hust_buf_slice(&out)), HUST_ERR_MALFORMED);
    out.data[3]++;
    assert_int_equal(read_all(hust_buf_slice(&out)), HUST_ERR_VERSION);
    hust_buf_free(&out);
}

static void too_many_operations_are_refused(void **state)
{
    (void)state;
    hust_buf_t out = {0};
    hust_batch_request_head_t head = {.count = HUST_BATCH_OPS_MAX + 1};
    assert_int_equal(hust_batch_request_begin(&out, &head), HUST_OK);
    assert_int_equal(read_all(hust_buf_slice(&out)), HUST_ERR_LIMIT);
    hust_buf_free(&out);
}

static hust_error_t read_one(const hust_op_t *op)
{
    hust_buf_t out = {0};
    hust_batch_request_head_t head = {.count = 1};
    assert_int_equal(hust_batch_request_begin(&out, &head), HUST_OK);
    assert_int_equal(hust_batch_request_add(&out, op), HUST_OK);
    hust_error_t err = read_all(hust_buf_slice(&out));
    hust_buf_free(&out);
    return err;
}

static void incomplete_operations_are_refused(void **state)
{
    (void)state;
    hust_op_t put = test_put(test_stamp(1), "v");
    assert_int_equal(read_one(&put), HUST_ERR_END);
    put.flags = 0; /* a write without a stamp */
    assert_int_equal(read_one(&put), HUST_ERR_MALFORMED);
    put = test_put(test_stamp(1), "v");
    put.flags |= HUST_OPF_SOLO; /* a hint for nobody */
    assert_int_equal(read_one(&put), HUST_ERR_MALFORMED);
    hust_op_t incr = test_incr(test_stamp(1), 5);
    assert_int_equal(read_one(&incr), HUST_ERR_END);
    incr.flags &= ~(unsigned)HUST_OPF_HAS_DELTA;
    assert_int_equal(read_one(&incr), HUST_ERR_MALFORMED);
    hust_op_t direct = test_put(test_stamp(1), "v");
    direct.flags |= HUST_OPF_DIRECT; /* never written, so it cannot be smuggled in */
    assert_int_equal(read_one(&direct), HUST_ERR_END);
}

static void request_layout_is_what_the_document_says(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        'H', 'B', 'Q',  '1',                                /* magic and version */
        0,   0,   0,    1,                                  /* one operation */
        0,   0,   0,    0,    0,   0,   0,   5,             /* routing table epoch */
        0,   0,   0,    0,                                  /* spare */
        0,   0,   0,    48,                                 /* bytes that follow */
        2,   'H', 0x02, 0x00,                               /* PUT, hash, HAS_STAMP */
        0,   0,   0,    0,    0,   0,   0,   9,             /* now */
        2,   0,   0,    3,                                  /* tb length, spare, key length */
        't', 'b', 'k',  'e',  'y',                          /* tb, key */
        0,   0,   0,    0,    0,   0,   0,   7, 0, 0, 0, 8, /* stamp */
        0,   0,   0,    0,    0,   0,   0,   6,             /* expiry */
        'v', 'a', 'l',  'u',  'e', '!', '!',                /* value: the rest */
    };
    hust_op_t op = {.code = HUST_OP_PUT,
                    .flags = HUST_OPF_HAS_STAMP,
                    .element = {HUST_TYPE_HASH, hust_slice_str("tb"), hust_slice_str("key")},
                    .now_ms = 9,
                    .stamp = {7, 8},
                    .expire_at_ms = 6,
                    .value = hust_slice_str("value!!")};
    hust_buf_t out = {0};
    hust_batch_request_head_t head = {.count = 1, .epoch = 5};
    assert_int_equal(hust_batch_request_begin(&out, &head), HUST_OK);
    assert_int_equal(hust_batch_request_add(&out, &op), HUST_OK);
    assert_int_equal(out.len, sizeof(expected));
    assert_memory_equal(out.data, expected, sizeof(expected));
    hust_buf_free(&out);
}

static hust_result_t random_result(uint64_t *seed, uint8_t *bytes)
{
    hust_result_t result = {.status = 200 + test_pick(seed, 308),
                            .flags = (unsigned)(test_random(seed) & 0x1fff),
                            .version = test_random(seed)};
    if ((result.flags & HUST_RESULT_HAS_STAMP) != 0) {
        result.stamp = random_stamp(seed);
        result.expire_at_ms = test_random(seed);
    }
    if ((result.flags & HUST_RESULT_HAS_REPLACED) != 0) {
        result.replaced = random_stamp(seed);
    }
    if ((result.flags & HUST_RESULT_HAS_GEN) != 0) {
        result.gen = test_random(seed);
    }
    if ((result.flags & HUST_RESULT_LARGE) != 0) {
        result.value_bytes = test_random(seed);
        random_bytes(seed, result.value_hash, HUST_VALUE_HASH_BYTES);
    } else {
        result.value = random_bytes(seed, bytes, test_pick(seed, 1000));
    }
    return result;
}

static void assert_same_result(const hust_result_t *a, const hust_result_t *b)
{
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->version, b->version);
    assert_stamp(a->stamp, b->stamp);
    assert_int_equal(a->expire_at_ms, b->expire_at_ms);
    assert_stamp(a->replaced, b->replaced);
    assert_int_equal(a->gen, b->gen);
    assert_int_equal(a->value_bytes, b->value_bytes);
    assert_memory_equal(a->value_hash, b->value_hash, HUST_VALUE_HASH_BYTES);
    assert_true(hust_slice_equal(a->value, b->value));
}

static void replies_round_trip(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        uint64_t random = seed;
        uint8_t bytes[1000];
        hust_result_t result = random_result(&random, bytes);
        hust_batch_reply_head_t head = {
            .count = 1,
            .clock = seed,
            .backlog_count = 2,
            .backlogs = {{hust_slice_str("a:1"), 7}, {hust_slice_str("[::1]:8086"), seed}}};
        hust_buf_t out = {0};
        assert_int_equal(hust_batch_reply_begin(&out, &head), HUST_OK);
        size_t before = out.len;
        assert_int_equal(hust_batch_reply_add(&out, &result), HUST_OK);
        assert_int_equal(out.len - before, hust_result_encoded_bytes(&result));
        hust_batch_reader_t reader;
        hust_result_t back;
        assert_int_equal(hust_batch_reply_open(hust_buf_slice(&out), &head, &reader), HUST_OK);
        assert_int_equal(head.clock, seed);
        assert_slice(head.backlogs[1].target, "[::1]:8086");
        assert_int_equal(head.backlogs[1].hint_count, seed);
        assert_int_equal(hust_batch_reply_next(&reader, &back), HUST_OK);
        assert_same_result(&result, &back);
        assert_int_equal(hust_batch_reply_next(&reader, &back), HUST_ERR_END);
        hust_buf_free(&out);
    }
}

static void a_streamed_value_is_found_from_the_first_bytes(void **state)
{
    (void)state;
    hust_buf_t out = {0};
    hust_batch_reply_head_t head = {.count = 1};
    hust_result_t result = {.status = 200,
                            .flags = HUST_RESULT_HAS_STAMP,
                            .version = 3,
                            .stamp = test_stamp(1),
                            .value = hust_slice_str("a long value")};
    size_t value_at = 0;
    size_t value_bytes = 0;
    hust_result_t back;
    assert_int_equal(hust_batch_reply_begin(&out, &head), HUST_OK);
    assert_int_equal(hust_batch_reply_add(&out, &result), HUST_OK);
    size_t head_bytes = out.len - result.value.len;
    for (size_t cut = 0; cut < head_bytes; cut++) {
        assert_int_equal(hust_batch_reply_peek_value(hust_slice_of(out.data, cut), &back, &value_at,
                                                     &value_bytes),
                         HUST_ERR_TRUNCATED);
    }
    for (size_t cut = head_bytes; cut <= out.len; cut++) {
        assert_int_equal(hust_batch_reply_peek_value(hust_slice_of(out.data, cut), &back, &value_at,
                                                     &value_bytes),
                         HUST_OK);
        assert_int_equal(value_at, head_bytes);
        assert_int_equal(value_bytes, result.value.len);
        assert_int_equal(back.version, 3);
    }
    hust_buf_free(&out);
}

static void damaged_replies_are_refused(void **state)
{
    (void)state;
    hust_buf_t out = {0};
    hust_batch_reply_head_t head = {
        .count = 1, .backlog_count = 1, .backlogs = {{hust_slice_str("a:1"), 7}}};
    hust_result_t result = {.status = 404, .flags = HUST_RESULT_HAS_STAMP, .stamp = test_stamp(1)};
    assert_int_equal(hust_batch_reply_begin(&out, &head), HUST_OK);
    assert_int_equal(hust_batch_reply_add(&out, &result), HUST_OK);
    for (size_t cut = 0; cut < out.len; cut++) {
        hust_batch_reader_t reader;
        hust_error_t err = hust_batch_reply_open(hust_slice_of(out.data, cut), &head, &reader);
        if (err == HUST_OK) {
            err = hust_batch_reply_next(&reader, &result);
        }
        assert_int_equal(err, HUST_ERR_TRUNCATED);
    }
    hust_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_round_trip),
        cmocka_unit_test(damaged_requests_are_refused),
        cmocka_unit_test(too_many_operations_are_refused),
        cmocka_unit_test(incomplete_operations_are_refused),
        cmocka_unit_test(request_layout_is_what_the_document_says),
        cmocka_unit_test(replies_round_trip),
        cmocka_unit_test(a_streamed_value_is_found_from_the_first_bytes),
        cmocka_unit_test(damaged_replies_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
