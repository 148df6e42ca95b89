/* Whether a table exists and of which type it is, and what follows (HTTP contract, section 2). */
#include "fixture.h"

static hust_result_t read_miss(fixture_t *fixture, hust_element_t of, uint64_t now_ms)
{
    hust_op_t op = direct(HUST_OP_GET, of, "");
    hust_result_t result = {.status = 404};
    op.now_ms = now_ms;
    hust_tables_judge_read(fixture->counters, fixture->store, &op, &result);
    return result;
}

static bool allows(fixture_t *fixture, hust_op_t op, hust_result_t *result)
{
    return hust_tables_allow_write(fixture->counters, fixture->store, &op, result);
}

static void put(fixture_t *fixture, hust_element_t of, uint64_t expire_at_ms)
{
    hust_op_t op = expiring(direct(HUST_OP_PUT, of, "1"), expire_at_ms);
    assert_int_equal(fixture_do(fixture, op).status, 200);
}

static void test_kv_has_no_table(void **state)
{
    fixture_t *fixture = *state;
    hust_result_t result;
    hust_element_t kv = element(HUST_TYPE_KV, NULL, "k");
    assert_int_equal(read_miss(fixture, kv, hust_wall_ms()).status, 404);
    assert_true(allows(fixture, direct(HUST_OP_DEL, kv, ""), &result));
}

static void test_a_missing_table(void **state)
{
    fixture_t *fixture = *state;
    hust_result_t result;
    hust_element_t field = element(HUST_TYPE_HASH, "t", "f");
    result = read_miss(fixture, field, hust_wall_ms());
    assert_int_equal(result.status, 412);
    assert_int_equal(result.flags, HUST_RESULT_NO_TABLE);
    assert_true(allows(fixture, direct(HUST_OP_PUT, field, "v"), &result));
    assert_false(allows(fixture, direct(HUST_OP_DEL, field, ""), &result));
    assert_int_equal(result.status, 412);
    assert_int_equal(result.flags, HUST_RESULT_NO_TABLE);
    /* A coordinated delete leaves its tombstone whatever the table. */
    assert_true(allows(fixture, coordinated(HUST_OP_DEL, field, "", 1, false), &result));
}

static void test_another_type(void **state)
{
    fixture_t *fixture = *state;
    hust_result_t result;
    hust_element_t member = element(HUST_TYPE_SET, "t", "m");
    put(fixture, element(HUST_TYPE_HASH, "t", "f"), 0);
    result = read_miss(fixture, member, hust_wall_ms());
    assert_int_equal(result.status, 412);
    assert_int_equal(result.flags, HUST_RESULT_OTHER_TYPE);
    static const hust_op_code_t refused[] = {HUST_OP_PUT, HUST_OP_DEL, HUST_OP_INCR};
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        assert_false(allows(fixture, direct(refused[i], member, ""), &result));
        assert_int_equal(result.status, 412);
        assert_int_equal(result.flags, HUST_RESULT_OTHER_TYPE);
        assert_false(allows(fixture, coordinated(refused[i], member, "", 1, false), &result));
    }
    static const hust_op_code_t never_refused[] = {HUST_OP_MERGE, HUST_OP_HINT, HUST_OP_UNHINT};
    for (size_t i = 0; i < COUNT_OF(never_refused); i++) {
        assert_true(allows(fixture, coordinated(never_refused[i], member, "", 1, false), &result));
    }
    /* A KV pair may have any name. */
    assert_true(
        allows(fixture, direct(HUST_OP_PUT, element(HUST_TYPE_KV, NULL, "t"), "v"), &result));
}

static void test_the_same_type(void **state)
{
    fixture_t *fixture = *state;
    hust_result_t result;
    hust_element_t other = element(HUST_TYPE_HASH, "t", "other");
    put(fixture, element(HUST_TYPE_HASH, "t", "f"), 0);
    assert_int_equal(read_miss(fixture, other, hust_wall_ms()).status, 404);
    assert_true(allows(fixture, direct(HUST_OP_DEL, other, ""), &result));
}

/* An expired element is absent everywhere: a table of nothing else does not exist. */
static void test_a_table_expires_with_its_last_element(void **state)
{
    fixture_t *fixture = *state;
    hust_result_t result;
    hust_type_t type;
    uint64_t now_ms = hust_wall_ms();
    hust_element_t field = element(HUST_TYPE_HASH, "t", "f");
    put(fixture, field, now_ms + 60000);
    put(fixture, element(HUST_TYPE_HASH, "t", "g"), now_ms + 50000);
    assert_int_equal(read_miss(fixture, field, now_ms + 59999).status, 404);
    assert_int_equal(read_miss(fixture, field, now_ms + 60000).flags, HUST_RESULT_NO_TABLE);
    assert_true(hust_tables_type(fixture->counters, fixture->store, BYTES("t"), now_ms, &type));
    assert_int_equal(type, HUST_TYPE_HASH);
    assert_false(
        hust_tables_type(fixture->counters, fixture->store, BYTES("t"), now_ms + 60000, &type));
    hust_op_t add = direct(HUST_OP_PUT, element(HUST_TYPE_SET, "t", "m"), "");
    assert_false(allows(fixture, add, &result));
    add.now_ms = now_ms + 60000;
    assert_true(allows(fixture, add, &result));
    /* One permanent element, and it lives on. */
    put(fixture, element(HUST_TYPE_HASH, "t", "h"), 0);
    assert_false(allows(fixture, add, &result));
    assert_int_equal(read_miss(fixture, field, now_ms + 60000).status, 404);
}

/* The longest-lived element is deleted: the others decide again. */
static void test_the_last_expiry_counts_not_the_longest_ever(void **state)
{
    fixture_t *fixture = *state;
    uint64_t now_ms = hust_wall_ms();
    hust_element_t field = element(HUST_TYPE_HASH, "t", "f");
    put(fixture, field, now_ms + 10000);
    put(fixture, element(HUST_TYPE_HASH, "t", "g"), now_ms + 90000);
    assert_int_equal(read_miss(fixture, field, now_ms + 20000).status, 404);
    fixture_do(fixture, direct(HUST_OP_DEL, element(HUST_TYPE_HASH, "t", "g"), ""));
    assert_int_equal(read_miss(fixture, field, now_ms + 20000).flags, HUST_RESULT_NO_TABLE);
    fixture_check(fixture);
}

/* Within one job an element that is not stored yet makes its table exist. */
static void test_a_table_made_in_the_same_group(void **state)
{
    fixture_t *fixture = *state;
    uint64_t now_ms = hust_wall_ms();
    put(fixture, element(HUST_TYPE_HASH, "t", "f"), now_ms + 1);
    hust_op_t ops[] = {
        expiring(direct(HUST_OP_PUT, element(HUST_TYPE_HASH, "t", "g"), "v"), now_ms + 90000),
        direct(HUST_OP_PUT, element(HUST_TYPE_SET, "t", "m"), ""),
        direct(HUST_OP_GET, element(HUST_TYPE_HASH, "t", "x"), ""),
        direct(HUST_OP_GET, element(HUST_TYPE_SET, "t", "m"), ""),
    };
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        ops[i].now_ms = now_ms + 1000;
    }
    answer_t answers[COUNT_OF(ops)] = {0};
    assert_int_equal(fixture_run(fixture, ops, COUNT_OF(ops), answers), 0);
    assert_int_equal(answers[0].result.status, 200);
    assert_int_equal(answers[1].result.flags, HUST_RESULT_OTHER_TYPE);
    assert_int_equal(answers[2].result.status, 404);
    assert_int_equal(answers[3].result.flags & HUST_RESULT_OTHER_TYPE, HUST_RESULT_OTHER_TYPE);
    answers_free(answers, COUNT_OF(ops));
}

int main(void)
{
#define ON_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        ON_FIXTURE(test_kv_has_no_table),
        ON_FIXTURE(test_a_missing_table),
        ON_FIXTURE(test_another_type),
        ON_FIXTURE(test_the_same_type),
        ON_FIXTURE(test_a_table_expires_with_its_last_element),
        ON_FIXTURE(test_the_last_expiry_counts_not_the_longest_ever),
        ON_FIXTURE(test_a_table_made_in_the_same_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
