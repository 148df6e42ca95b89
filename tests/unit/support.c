#include "support.h"

uint64_t test_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545F4914F6CDD1DULL;
}

unsigned test_pick(uint64_t *state, unsigned count)
{
    return (unsigned)((test_random(state) >> 33) % count);
}

hust_stamp_t test_stamp_by(uint64_t ms, uint32_t writer)
{
    return (hust_stamp_t){.time = (TEST_NOW_MS + ms) << 16, .writer = writer};
}

hust_stamp_t test_stamp(uint64_t ms)
{
    return test_stamp_by(ms, 1);
}

hust_element_t test_element(void)
{
    return (hust_element_t){.type = HUST_TYPE_KV, .key = hust_slice_str("test_key")};
}

static hust_op_t write_op(hust_op_code_t code, hust_stamp_t stamp)
{
    return (hust_op_t){.code = code,
                       .flags = HUST_OPF_HAS_STAMP,
                       .element = test_element(),
                       .now_ms = TEST_NOW_MS,
                       .stamp = stamp};
}

hust_op_t test_put(hust_stamp_t stamp, const char *value)
{
    hust_op_t op = write_op(HUST_OP_PUT, stamp);
    op.value = hust_slice_str(value);
    return op;
}

hust_op_t test_del(hust_stamp_t stamp)
{
    return write_op(HUST_OP_DEL, stamp);
}

hust_op_t test_incr(hust_stamp_t stamp, int64_t delta)
{
    hust_op_t op = write_op(HUST_OP_INCR, stamp);
    op.flags |= HUST_OPF_HAS_DELTA;
    op.delta = delta;
    return op;
}

hust_op_t test_get(void)
{
    return (hust_op_t){.code = HUST_OP_GET, .element = test_element(), .now_ms = TEST_NOW_MS};
}

void replica_init(replica_t *replica)
{
    *replica = (replica_t){.clock = {.writer = 99}};
}

void replica_free(replica_t *replica)
{
    hust_buf_free(&replica->bytes);
}

static void replica_keep(replica_t *replica, const hust_stored_t *next)
{
    hust_buf_t bytes = {0};
    assert_int_equal(hust_stored_encode(next, &bytes), HUST_OK);
    hust_buf_free(&replica->bytes);
    replica->bytes = bytes;
    assert_int_equal(hust_stored_decode(hust_buf_slice(&bytes), &replica->held), HUST_OK);
}

hust_result_t replica_apply(replica_t *replica, const hust_op_t *op, hust_buf_t *reply)
{
    hust_applied_t applied;
    hust_apply_env_t env = {
        .wall_ms = TEST_NOW_MS, .clock = &replica->clock, .replicated = replica->replicated};
    hust_apply(&env, &replica->held, op, &applied);
    hust_buf_clear(reply);
    assert_int_equal(hust_buf_append_slice(reply, applied.result.value), HUST_OK);
    applied.result.value = hust_buf_slice(reply);
    if (applied.changed) {
        replica_keep(replica, &applied.next);
    }
    return applied.result;
}

hust_result_t replica_do(replica_t *replica, hust_op_t op)
{
    hust_buf_t reply = {0};
    hust_result_t result = replica_apply(replica, &op, &reply);
    hust_buf_free(&reply);
    result.value = (hust_slice_t){NULL, 0};
    return result;
}

bool replicas_equal(const replica_t *a, const replica_t *b)
{
    return hust_record_compare(&a->held.record, &b->held.record) == 0;
}

void replica_merge(replica_t *to, const replica_t *from)
{
    hust_buf_t record = {0};
    assert_int_equal(hust_record_encode(&from->held.record, &record), HUST_OK);
    hust_op_t merge = {.code = HUST_OP_MERGE,
                       .element = test_element(),
                       .now_ms = TEST_NOW_MS,
                       .value = hust_buf_slice(&record)};
    assert_int_equal(replica_do(to, merge).status, 200);
    hust_buf_free(&record);
}
