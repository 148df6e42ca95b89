/* From checked parameters to the operation that the masters get. */
#include "core/params.h"
#include "unit.h"

static const uint64_t NOW_MS = 1700000000000;

typedef struct {
    hust_buf_t scratch;
    hust_params_t params;
    hust_op_t op;
    char number[24];
    char message[HUST_MESSAGE_BYTES];
} fixture_t;

static int set_up(void **state)
{
    static fixture_t fixture;
    fixture = (fixture_t){0};
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    hust_buf_free(&f->scratch);
    return 0;
}

static unsigned make_with(fixture_t *f, hust_call_id_t id, const char *query,
                          const hust_conditions_t *conditions)
{
    const hust_limits_t limits = {.ttl_max_s = UINT64_MAX, .value_bytes_max = 1000};
    const hust_request_t request = {.method = HUST_METHOD_GET, .query = hust_slice_str(query)};
    assert_int_equal(
        hust_params_parse(hust_call(id), &request, &limits, &f->scratch, &f->params, f->message),
        0);
    memset(&f->op, 0xa5, sizeof(f->op));
    return hust_params_to_op(hust_call(id), &f->params, conditions, NOW_MS, f->number, &f->op,
                             f->message);
}

static const hust_op_t *make(fixture_t *f, hust_call_id_t id, const char *query)
{
    const hust_conditions_t none = {0};
    assert_int_equal(make_with(f, id, query, &none), 0);
    assert_int_equal(f->op.now_ms, NOW_MS);
    assert_int_equal(f->op.element.type, hust_call(id)->type);
    return &f->op;
}

static void test_reads(void **state)
{
    static const struct {
        hust_call_id_t id;
        const char *query;
        unsigned flags;
    } rows[] = {
        {HUST_CALL_GET, "key=k", 0},
        {HUST_CALL_HGET, "tb=t&key=k", 0},
        {HUST_CALL_ZSCORE, "tb=t&key=k", 0},
        {HUST_CALL_EXIST, "key=k", HUST_OPF_NO_VALUE},
        {HUST_CALL_HEXIST, "tb=t&key=k", HUST_OPF_NO_VALUE},
        {HUST_CALL_SISMEMBER, "tb=t&key=k", HUST_OPF_NO_VALUE},
        {HUST_CALL_ZISMEMBER, "tb=t&key=k", HUST_OPF_NO_VALUE},
        {HUST_CALL_GET2, "key=k", HUST_OPF_OWN},
        {HUST_CALL_HGET2, "tb=t&key=k", HUST_OPF_OWN},
        {HUST_CALL_ZSCORE2, "tb=t&key=k", HUST_OPF_OWN},
        {HUST_CALL_EXIST2, "key=k", HUST_OPF_OWN | HUST_OPF_NO_VALUE},
        {HUST_CALL_HEXIST2, "tb=t&key=k", HUST_OPF_OWN | HUST_OPF_NO_VALUE},
        {HUST_CALL_SISMEMBER2, "tb=t&key=k", HUST_OPF_OWN | HUST_OPF_NO_VALUE},
        {HUST_CALL_ZISMEMBER2, "tb=t&key=k", HUST_OPF_OWN | HUST_OPF_NO_VALUE},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const hust_op_t *op = make(*state, rows[i].id, rows[i].query);
        const char *name = hust_call(rows[i].id)->name;
        assert_row(op->code == HUST_OP_GET, name);
        assert_row(op->flags == rows[i].flags, name);
        assert_row(hust_slice_equal(op->element.key, BYTES("k")), name);
        bool kv = op->element.type == HUST_TYPE_KV;
        assert_row(hust_slice_equal(op->element.tb, kv ? BYTES("") : BYTES("t")), name);
        assert_row(hust_element_valid(&op->element), name);
        assert_row(!hust_op_is_write(op), name);
    }
}

static void test_plain_writes_do_not_decide(void **state)
{
    static const struct {
        hust_call_id_t id;
        const char *query;
        hust_op_code_t code;
        const char *value;
    } rows[] = {
        {HUST_CALL_PUT, "key=k&val=v", HUST_OP_PUT, "v"},
        {HUST_CALL_PUT, "key=k&val=v&ver=0", HUST_OP_PUT, "v"},
        {HUST_CALL_HSET, "tb=t&key=k&val=v", HUST_OP_PUT, "v"},
        {HUST_CALL_SADD, "tb=t&key=k", HUST_OP_PUT, ""},
        {HUST_CALL_ZADD, "tb=t&key=k&score=-007", HUST_OP_PUT, "-7"}, /* canonical */
        {HUST_CALL_ZADD, "tb=t&key=k&score=60&opt=0", HUST_OP_PUT, "60"},
        {HUST_CALL_DEL, "key=k", HUST_OP_DEL, ""},
        {HUST_CALL_HDEL, "tb=t&key=k", HUST_OP_DEL, ""},
        {HUST_CALL_SREM, "tb=t&key=k&ver=0", HUST_OP_DEL, ""},
        {HUST_CALL_ZREM, "tb=t&key=k", HUST_OP_DEL, ""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const hust_op_t *op = make(*state, rows[i].id, rows[i].query);
        assert_row(op->code == rows[i].code, rows[i].query);
        assert_row(op->flags == 0, rows[i].query);
        assert_row(hust_slice_equal(op->value, hust_slice_str(rows[i].value)), rows[i].query);
        assert_row(op->expire_at_ms == 0, rows[i].query);
        assert_row(hust_stamp_is_none(op->stamp), rows[i].query);
        assert_row(hust_op_is_write(op) && !hust_op_is_deciding(op), rows[i].query);
    }
}

static void test_additions_decide(void **state)
{
    static const struct {
        hust_call_id_t id;
        const char *query;
        int64_t delta;
        bool subtract;
    } rows[] = {
        {HUST_CALL_HINCRBY, "tb=t&key=k&val=5", 5, false},
        {HUST_CALL_HINCRBY, "tb=t&key=k&val=0", 0, false},
        {HUST_CALL_HINCRBY, "tb=t&key=k&val=-9223372036854775808", INT64_MIN, false},
        {HUST_CALL_ZADD, "tb=t&key=k&score=5&opt=1", 5, false},
        {HUST_CALL_ZADD, "tb=t&key=k&score=5&opt=-1", 5, true},
        {HUST_CALL_ZADD, "tb=t&key=k&score=-5&opt=-1", -5, true},
        {HUST_CALL_ZADD, "tb=t&key=k&score=-9223372036854775808&opt=1", INT64_MIN, false},
        {HUST_CALL_ZADD, "tb=t&key=k&score=-9223372036854775808&opt=-1", INT64_MIN, true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const hust_op_t *op = make(*state, rows[i].id, rows[i].query);
        assert_row(op->code == HUST_OP_INCR, rows[i].query);
        unsigned flags = rows[i].subtract ? HUST_OPF_SUBTRACT : 0;
        assert_row(op->flags == (HUST_OPF_HAS_DELTA | flags), rows[i].query);
        assert_row(op->delta == rows[i].delta, rows[i].query);
        assert_row(op->value.len == 0, rows[i].query);
        assert_row(hust_op_is_deciding(op), rows[i].query);
    }
}

static void test_version_condition(void **state)
{
    const hust_op_t *op = make(*state, HUST_CALL_PUT, "key=k&val=v&ver=3");
    assert_int_equal(op->flags, HUST_OPF_HAS_VER);
    assert_int_equal(op->ver, 3);
    assert_true(hust_op_is_deciding(op));
    op = make(*state, HUST_CALL_DEL, "key=k&ver=18446744073709551615");
    assert_int_equal(op->flags, HUST_OPF_HAS_VER);
    assert_true(op->ver == UINT64_MAX);
    op = make(*state, HUST_CALL_HINCRBY, "tb=t&key=k&val=1&ver=3");
    assert_int_equal(op->flags, HUST_OPF_HAS_VER | HUST_OPF_HAS_DELTA);
}

/* One absolute instant, fixed here once for both masters. */
static void test_expiry(void **state)
{
    assert_int_equal(make(*state, HUST_CALL_PUT, "key=k&val=v&ttl=30")->expire_at_ms,
                     NOW_MS + 30000);
    assert_int_equal(make(*state, HUST_CALL_SADD, "tb=t&key=k&ttl=1")->expire_at_ms, NOW_MS + 1000);
    assert_int_equal(make(*state, HUST_CALL_HINCRBY, "tb=t&key=k&val=1&ttl=1")->expire_at_ms,
                     NOW_MS + 1000);
    assert_int_equal(make(*state, HUST_CALL_PUT, "key=k&val=v&ttl=0")->expire_at_ms, 0);
    /* With a limit that allows it, a ttl past the end of time is for ever, not in the past. */
    assert_int_equal(
        make(*state, HUST_CALL_PUT, "key=k&val=v&ttl=18446744073709551615")->expire_at_ms, 0);
    assert_int_equal(make(*state, HUST_CALL_PUT, "key=k&val=v&ttl=18446744073709551")->expire_at_ms,
                     0);
}

static void test_values_in_a_file_keep_their_length(void **state)
{
    fixture_t *f = *state;
    const hust_conditions_t none = {0};
    f->params = (hust_params_t){.key = BYTES("k"), .val = {NULL, 900}, .val_in_body = true};
    assert_int_equal(hust_params_to_op(hust_call(HUST_CALL_PUT), &f->params, &none, NOW_MS,
                                       f->number, &f->op, f->message),
                     0);
    assert_null(f->op.value.data);
    assert_int_equal(f->op.value.len, 900);
}

static void test_writes_take_conditions(void **state)
{
    fixture_t *f = *state;
    const hust_conditions_t match = {.if_match = BYTES("\"018bcfe568000001deadbeef\"")};
    assert_int_equal(make_with(f, HUST_CALL_PUT, "key=k&val=v&ver=2", &match), 0);
    assert_int_equal(f->op.flags, HUST_OPF_HAS_VER | HUST_OPF_HAS_IF_MATCH);
    assert_int_equal(f->op.if_match.writer, 0xdeadbeef);

    const hust_conditions_t absent = {.if_none_match = BYTES("*")};
    assert_int_equal(make_with(f, HUST_CALL_SADD, "tb=t&key=k", &absent), 0);
    assert_int_equal(f->op.flags, HUST_OPF_IF_ABSENT);

    const hust_conditions_t wrong = {.if_none_match = BYTES("\"x\"")};
    assert_int_equal(make_with(f, HUST_CALL_DEL, "key=k", &wrong), 400);
    assert_string_equal(f->message, "If-None-Match: only * on a write");
}

/* Reads judge theirs by the result: nothing of it travels, nothing in it is refused here. */
static void test_reads_leave_conditions_alone(void **state)
{
    fixture_t *f = *state;
    const hust_conditions_t given = {.if_match = BYTES("garbage"), .if_none_match = BYTES("\"x\"")};
    assert_int_equal(make_with(f, HUST_CALL_GET, "key=k", &given), 0);
    assert_int_equal(f->op.flags, 0);
    assert_int_equal(make_with(f, HUST_CALL_GET2, "key=k", &given), 0);
    assert_int_equal(f->op.flags, HUST_OPF_OWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_plain_writes_do_not_decide, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_additions_decide, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_version_condition, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_expiry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_values_in_a_file_keep_their_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_writes_take_conditions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reads_leave_conditions_alone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
