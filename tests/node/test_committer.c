/* The committer: operations in order, one group at a time, all or nothing. */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "fixture.h"

static void test_operations_of_a_job_chain(void **state)
{
    fixture_t *fixture = *state;
    hust_element_t kv = element(HUST_TYPE_KV, NULL, "k");
    const hust_op_t ops[] = {
        direct(HUST_OP_GET, kv, ""),    direct(HUST_OP_PUT, kv, "one"), direct(HUST_OP_GET, kv, ""),
        direct(HUST_OP_PUT, kv, "two"), direct(HUST_OP_DEL, kv, ""),    direct(HUST_OP_GET, kv, ""),
        direct(HUST_OP_PUT, kv, "new"), direct(HUST_OP_GET, kv, ""),
    };
    static const unsigned statuses[] = {404, 200, 200, 200, 200, 404, 200, 200};
    static const uint64_t versions[] = {0, 1, 1, 2, 2, 0, 1, 1};
    answer_t answers[COUNT_OF(ops)] = {0};
    assert_int_equal(fixture_run(fixture, ops, COUNT_OF(ops), answers), 0);
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        assert_int_equal(answers[i].result.status, statuses[i]);
        assert_int_equal(answers[i].result.version, versions[i]);
    }
    assert_bytes(answers[2].result.value, "one");
    assert_bytes(answers[7].result.value, "new");
    answers_free(answers, COUNT_OF(ops));
    fixture_check(fixture);
}

static void test_numbers_chain(void **state)
{
    fixture_t *fixture = *state;
    hust_op_t ops[3];
    answer_t answers[COUNT_OF(ops)] = {0};
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        ops[i] = direct(HUST_OP_INCR, element(HUST_TYPE_HASH, "t", "n"), "");
        ops[i].delta = 5;
        ops[i].flags |= HUST_OPF_HAS_DELTA;
    }
    assert_int_equal(fixture_run(fixture, ops, COUNT_OF(ops), answers), 0);
    assert_bytes(answers[0].result.value, "5");
    assert_bytes(answers[2].result.value, "15");
    answers_free(answers, COUNT_OF(ops));
    fixture_check(fixture);
}

static void test_everything_is_there_after_a_restart(void **state)
{
    fixture_t *fixture = *state;
    hust_element_t kv = element(HUST_TYPE_KV, NULL, "k");
    fixture_do(fixture, direct(HUST_OP_PUT, kv, "v"));
    fixture_do(fixture, expiring(direct(HUST_OP_PUT, element(HUST_TYPE_ZSET, "z", "m"), "7"),
                                 hust_wall_ms() + 100000));
    fixture_do(fixture, coordinated(HUST_OP_PUT, element(HUST_TYPE_SET, "s", "m"), "", 1000, true));
    fixture_restart(fixture);
    fixture_check(fixture);
    hust_op_t get = direct(HUST_OP_GET, kv, "");
    answer_t answer = {0};
    assert_int_equal(fixture_run(fixture, &get, 1, &answer), 0);
    assert_bytes(answer.result.value, "v");
    answers_free(&answer, 1);
    assert_int_equal(hust_counters_total(fixture->counters, HUST_TYPE_SET).count, 1);
}

/* A stamp seen before the end is not issued again after a restart, whatever the wall clock says. */
static void test_the_clock_never_goes_back(void **state)
{
    fixture_t *fixture = *state;
    uint64_t ahead_ms = hust_wall_ms() + 300000;
    hust_element_t kv = element(HUST_TYPE_KV, NULL, "k");
    fixture_do(fixture, coordinated(HUST_OP_PUT, kv, "v", ahead_ms, false));
    assert_int_equal(hust_committer_clock(fixture->committer) >> 16, ahead_ms);
    fixture_restart(fixture);
    assert_int_equal(hust_committer_clock(fixture->committer) >> 16, ahead_ms);
    hust_result_t result =
        fixture_do(fixture, direct(HUST_OP_PUT, element(HUST_TYPE_KV, NULL, "k2"), "v"));
    assert_true(result.stamp.time > ahead_ms << 16);
}

static void test_hints_are_listed_and_dropped(void **state)
{
    fixture_t *fixture = *state;
    hust_element_t kv = element(HUST_TYPE_KV, NULL, "k");
    uint64_t now_ms = hust_wall_ms();
    hust_result_t result = fixture_do(fixture, coordinated(HUST_OP_PUT, kv, "v", now_ms, true));
    assert_true((result.flags & HUST_RESULT_HINTED) != 0);
    assert_int_equal(fixture_count_keys(fixture, HUST_CF_HINTS, ""), 1);
    fixture_check(fixture);

    hust_op_t unhint = coordinated(HUST_OP_UNHINT, kv, "", now_ms, false);
    unhint.flags |= HUST_OPF_HAS_TARGET | HUST_OPF_HAS_GEN;
    unhint.target = BYTES(PEER);
    unhint.gen = result.gen + 1;
    fixture_do(fixture, unhint); /* of another generation: stays */
    assert_int_equal(fixture_count_keys(fixture, HUST_CF_HINTS, ""), 1);
    unhint.gen = result.gen;
    fixture_do(fixture, unhint);
    assert_int_equal(fixture_count_keys(fixture, HUST_CF_HINTS, ""), 0);
    fixture_check(fixture);
}

/* A hint over nothing is a record without a side; without the hint nothing is left of it. */
static void test_a_hint_over_nothing(void **state)
{
    fixture_t *fixture = *state;
    hust_element_t kv = element(HUST_TYPE_KV, NULL, "k");
    hust_op_t hint = {
        .code = HUST_OP_HINT, .flags = HUST_OPF_HAS_TARGET, .element = kv, .target = BYTES(PEER)};
    hust_result_t result = fixture_do(fixture, hint);
    assert_int_equal(fixture_count_keys(fixture, HUST_CF_DATA, ""), 1);
    assert_int_equal(hust_counters_total(fixture->counters, HUST_TYPE_KV).count, 0);
    hust_op_t unhint = hint;
    unhint.code = HUST_OP_UNHINT;
    unhint.flags |= HUST_OPF_HAS_GEN | HUST_OPF_HAS_STAMP;
    unhint.gen = result.gen;
    fixture_do(fixture, unhint);
    assert_int_equal(fixture_count_keys(fixture, HUST_CF_DATA, ""), 0);
    fixture_check(fixture);
}

static void test_an_unreadable_record_fails_alone(void **state)
{
    fixture_t *fixture = *state;
    uint8_t key[HUST_DATA_KEY_BYTES_MAX];
    hust_element_t bad = element(HUST_TYPE_KV, NULL, "bad");
    hust_element_t good = element(HUST_TYPE_KV, NULL, "good");
    hust_write_t *write = hust_write_new(fixture->store);
    hust_write_put(write, HUST_CF_DATA, hust_slice_of(key, hust_data_key(&bad, key)),
                   BYTES("garbage"));
    assert_int_equal(hust_store_commit(fixture->store, write), 0);
    hust_write_free(write);
    const hust_op_t ops[] = {direct(HUST_OP_PUT, bad, "v"), direct(HUST_OP_PUT, good, "v"),
                             direct(HUST_OP_GET, bad, "")};
    answer_t answers[COUNT_OF(ops)] = {0};
    assert_int_equal(fixture_run(fixture, ops, COUNT_OF(ops), answers), 0);
    assert_int_equal(answers[0].result.status, 500);
    assert_int_equal(answers[1].result.status, 200);
    assert_int_equal(answers[2].result.status, 500);
    answers_free(answers, COUNT_OF(ops));
    assert_int_equal(hust_counters_total(fixture->counters, HUST_TYPE_KV).count, 1);
}

/*
 * The log file cannot grow: a real failed write. Nothing of the group is there, and the store takes
 * no more writes; reads go on; after a restart everything agrees.
 */
static void test_a_failed_write_is_as_if_it_had_not_been(void **state)
{
    fixture_t *fixture = *state;
    struct rlimit before;
    static char value[2 << 20];
    hust_element_t old = element(HUST_TYPE_KV, NULL, "old");
    memset(value, 'x', sizeof(value) - 1);
    fixture_do(fixture, direct(HUST_OP_PUT, old, "v"));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    const struct rlimit tight = {.rlim_cur = 1 << 20, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);

    hust_op_t ops[] = {direct(HUST_OP_PUT, element(HUST_TYPE_HASH, "t", "f"), value),
                       coordinated(HUST_OP_PUT, old, "lost", hust_wall_ms() + 1000, true)};
    answer_t answers[COUNT_OF(ops)] = {0};
    assert_int_equal(fixture_run(fixture, ops, COUNT_OF(ops), answers), 500);
    answers_free(answers, COUNT_OF(ops));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

    assert_int_equal(hust_store_failure(fixture->store), 507);
    fixture_check(fixture);
    assert_int_equal(hust_counters_total(fixture->counters, HUST_TYPE_HASH).count, 0);
    assert_int_equal(fixture_do(fixture, direct(HUST_OP_PUT, old, "again")).status, 507);
    assert_int_equal(fixture_do(fixture, direct(HUST_OP_DEL, old, "")).status, 507);
    assert_int_equal(fixture_do(fixture, direct(HUST_OP_GET, old, "")).version, 1);
    fixture_restart(fixture);
    fixture_check(fixture);
    assert_int_equal(fixture_do(fixture, direct(HUST_OP_PUT, old, "v2")).version, 2);
}

/* --- random operations --- */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1d;
}

static hust_op_t random_op(uint64_t *random, uint64_t now_ms)
{
    static const char *const keys[] = {"a", "b", "c"};
    static const char *const tables[] = {"t", "u"};
    static const char *const values[] = {"", "1", "a longer value", "-77"};
    static const hust_op_code_t codes[] = {HUST_OP_PUT,  HUST_OP_PUT, HUST_OP_DEL,
                                           HUST_OP_INCR, HUST_OP_GET, HUST_OP_HINT};
    uint64_t bits = next_random(random) >> 8;
    hust_type_t type = HUST_TYPES[bits % HUST_TYPE_COUNT];
    const char *tb = type == HUST_TYPE_KV ? NULL : tables[bits >> 3 & 1];
    hust_element_t of = element(type, tb, keys[(bits >> 4) % COUNT_OF(keys)]);
    hust_op_code_t code = codes[(bits >> 8) % COUNT_OF(codes)];
    const char *value = code == HUST_OP_PUT ? values[bits >> 12 & 3] : "";
    bool solo = (bits >> 14 & 1) != 0 || code == HUST_OP_HINT;
    hust_op_t op = (bits >> 15 & 1) != 0 && !solo
                       ? direct(code, of, value)
                       : coordinated(code, of, value, now_ms + (bits >> 16 & 255), solo);
    op.delta = (int64_t)(bits >> 24 & 63) - 32;
    op.flags |= code == HUST_OP_INCR ? HUST_OPF_HAS_DELTA : 0u;
    op.expire_at_ms = (bits >> 30 & 1) != 0 ? now_ms + 1 + (bits >> 31 & 255) : 0;
    op.now_ms = now_ms + (bits >> 39 & 127);
    return op;
}

/* Whatever happens, what is kept beside the records agrees with them. */
static void test_random_operations_keep_everything_in_step(void **state)
{
    fixture_t *fixture = *state;
    uint64_t random = 0x9e3779b97f4a7c15;
    uint64_t now_ms = hust_wall_ms();
    for (unsigned round = 0; round < 300; round++) {
        hust_op_t ops[8];
        answer_t answers[COUNT_OF(ops)] = {0};
        for (size_t i = 0; i < COUNT_OF(ops); i++) {
            ops[i] = random_op(&random, now_ms);
        }
        assert_int_equal(fixture_run(fixture, ops, COUNT_OF(ops), answers), 0);
        answers_free(answers, COUNT_OF(ops));
        fixture_check(fixture);
        if (round % 50 == 49) {
            fixture_restart(fixture);
            fixture_check(fixture);
        }
    }
}

int main(void)
{
#define ON_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        ON_FIXTURE(test_operations_of_a_job_chain),
        ON_FIXTURE(test_numbers_chain),
        ON_FIXTURE(test_everything_is_there_after_a_restart),
        ON_FIXTURE(test_the_clock_never_goes_back),
        ON_FIXTURE(test_hints_are_listed_and_dropped),
        ON_FIXTURE(test_a_hint_over_nothing),
        ON_FIXTURE(test_an_unreadable_record_fails_alone),
        ON_FIXTURE(test_a_failed_write_is_as_if_it_had_not_been),
        ON_FIXTURE(test_random_operations_keep_everything_in_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
