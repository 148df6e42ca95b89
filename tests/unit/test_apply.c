/* Applying operations: versions, conditions, stamps, hints, and that masters converge. */
#include "support.h"

#include "core/params.h"

static int setup(void **state)
{
    static replica_t replica;
    replica_init(&replica);
    *state = &replica;
    return 0;
}

static int teardown(void **state)
{
    replica_free(*state);
    return 0;
}

static void assert_read(replica_t *replica, const char *value, uint64_t version)
{
    hust_buf_t reply = {0};
    hust_op_t get = test_get();
    hust_result_t result = replica_apply(replica, &get, &reply);
    assert_int_equal(result.status, value == NULL ? 404 : 200);
    assert_int_equal(result.version, version);
    if (value != NULL) {
        assert_slice(result.value, value);
    }
    hust_buf_free(&reply);
}

static void versions_count_writes(void **state)
{
    assert_read(*state, NULL, 0);
    for (uint64_t n = 1; n <= 300; n++) {
        assert_int_equal(replica_do(*state, test_put(test_stamp(n), "v")).version, n);
    }
    assert_read(*state, "v", 300);
    hust_result_t deleted = replica_do(*state, test_del(test_stamp(301)));
    assert_int_equal(deleted.status, 200);
    assert_int_equal(deleted.version, 300);
    assert_read(*state, NULL, 0);
    assert_int_equal(replica_do(*state, test_put(test_stamp(302), "again")).version, 1);
}

static void late_write_counts_but_does_not_win(void **state)
{
    replica_do(*state, test_put(test_stamp(5), "later"));
    hust_result_t late = replica_do(*state, test_put(test_stamp(4), "earlier"));
    assert_int_equal(late.status, 200);
    assert_int_equal(late.version, 2);
    assert_stamp(late.stamp, test_stamp(5));
    assert_read(*state, "later", 2);
}

static void same_write_twice_counts_once(void **state)
{
    replica_do(*state, test_put(test_stamp(5), "x"));
    replica_do(*state, test_put(test_stamp(5), "x"));
    assert_read(*state, "x", 1);
}

static void again_is_not_counted_twice(void **state)
{
    replica_do(*state, test_put(test_stamp_by(9, 2), "ahead"));
    replica_do(*state, test_put(test_stamp(3), "mine"));
    assert_read(*state, "ahead", 2);
    hust_op_t again = test_put(test_stamp(10), "mine");
    again.flags |= HUST_OPF_AGAIN;
    assert_int_equal(replica_do(*state, again).version, 2);
    assert_read(*state, "mine", 2);
    replica_do(*state, test_del(test_stamp(20)));
    again.stamp = test_stamp(21); /* the first try lost to a delete */
    assert_int_equal(replica_do(*state, again).version, 1);
}

static void delete_leaves_a_tombstone_over_nothing(void **state)
{
    replica_t *replica = *state;
    hust_result_t result = replica_do(replica, test_del(test_stamp(5)));
    assert_int_equal(result.status, 404);
    assert_true((result.flags & HUST_RESULT_STORED) != 0);
    replica_do(replica, test_put(test_stamp(4), "older than the delete"));
    assert_read(replica, NULL, 0);
    hust_op_t get = test_get();
    assert_true((replica_do(replica, get).flags & HUST_RESULT_DELETED) != 0);
}

static void expired_is_absent_by_the_operations_time(void **state)
{
    hust_op_t put = test_put(test_stamp(1), "short");
    put.expire_at_ms = TEST_NOW_MS + 1000;
    replica_do(*state, put);
    hust_op_t get = test_get();
    get.now_ms = TEST_NOW_MS + 999;
    assert_int_equal(replica_do(*state, get).status, 200);
    get.now_ms = TEST_NOW_MS + 1000;
    hust_result_t result = replica_do(*state, get);
    assert_int_equal(result.status, 404);
    assert_int_equal(result.version, 0);
    assert_true((result.flags & HUST_RESULT_DELETED) != 0);
    put = test_put(test_stamp(2000), "new life");
    put.now_ms = TEST_NOW_MS + 2000;
    assert_int_equal(replica_do(*state, put).version, 1);
    get.now_ms = TEST_NOW_MS + 1000000;
    assert_int_equal(replica_do(*state, get).status, 200);
}

static void ver_decides(void **state)
{
    replica_do(*state, test_put(test_stamp(1), "one"));
    hust_op_t put = test_put(test_stamp(2), "two");
    put.flags |= HUST_OPF_HAS_VER;
    put.ver = 2;
    hust_result_t refused = replica_do(*state, put);
    assert_int_equal(refused.status, 401);
    assert_int_equal(refused.version, 1);
    assert_false((refused.flags & HUST_RESULT_STORED) != 0);
    assert_read(*state, "one", 1);
    put.ver = 1;
    assert_int_equal(replica_do(*state, put).version, 2);
    hust_op_t del = test_del(test_stamp(3));
    del.flags |= HUST_OPF_HAS_VER;
    del.ver = 1;
    assert_int_equal(replica_do(*state, del).status, 401);
}

static void if_match_survives_delete_and_put(void **state)
{
    replica_do(*state, test_put(test_stamp(1), "a"));
    replica_do(*state, test_del(test_stamp(2)));
    replica_do(*state, test_put(test_stamp(3), "b"));
    hust_op_t put = test_put(test_stamp(4), "c");
    put.flags |= HUST_OPF_HAS_IF_MATCH;
    put.if_match = test_stamp(1);
    hust_result_t refused = replica_do(*state, put);
    assert_int_equal(refused.status, 412);
    assert_true((refused.flags & HUST_RESULT_IF_FAILED) != 0);
    put.if_match = test_stamp(3);
    assert_int_equal(replica_do(*state, put).status, 200);
    hust_op_t create = test_put(test_stamp(5), "d");
    create.flags |= HUST_OPF_IF_ABSENT;
    assert_int_equal(replica_do(*state, create).status, 412);
    assert_read(*state, "c", 2);
}

static void numbers_add_up_and_never_overflow(void **state)
{
    hust_buf_t reply = {0};
    hust_op_t incr = test_incr(test_stamp(1), INT64_MAX);
    assert_slice(replica_apply(*state, &incr, &reply).value, "9223372036854775807");
    incr = test_incr(test_stamp(2), 1);
    assert_int_equal(replica_do(*state, incr).status, 403);
    assert_read(*state, "9223372036854775807", 1);
    incr = test_incr(test_stamp(3), -5);
    assert_slice(replica_apply(*state, &incr, &reply).value, "9223372036854775802");
    incr = test_incr(test_stamp(4), INT64_MIN); /* has no negative, and needs none */
    incr.flags |= HUST_OPF_SUBTRACT;
    assert_int_equal(replica_do(*state, incr).status, 403);
    replica_do(*state, test_put(test_stamp(4), "-5"));
    incr.stamp = test_stamp(5);
    assert_slice(replica_apply(*state, &incr, &reply).value, "9223372036854775803");
    replica_do(*state, test_put(test_stamp(6), "not a number"));
    assert_int_equal(replica_do(*state, test_incr(test_stamp(7), 1)).status, 403);
    hust_buf_free(&reply);
}

static void deciding_write_does_not_lose_by_stamp(void **state)
{
    replica_do(*state, test_put(test_stamp(9), "5"));
    hust_op_t incr = test_incr(test_stamp(8), 1);
    incr.flags |= HUST_OPF_DECIDE | HUST_OPF_HAS_TARGET;
    incr.target = hust_slice_str("b:2");
    hust_result_t behind = replica_do(*state, incr);
    assert_true((behind.flags & HUST_RESULT_BEHIND) != 0);
    assert_stamp(behind.stamp, test_stamp(9));
    assert_read(*state, "5", 1);
    incr.stamp = test_stamp(10);
    hust_result_t done = replica_do(*state, incr);
    assert_true((done.flags & HUST_RESULT_HINTED) != 0);
    assert_stamp(done.replaced, test_stamp(9));
    assert_int_equal(done.gen, 1);
}

static void a_stamp_far_ahead_is_refused(void **state)
{
    replica_t *replica = *state;
    uint64_t far = HUST_CLOCK_AHEAD_MAX_MS + 1;
    assert_int_equal(replica_do(replica, test_put(test_stamp(far), "poison")).status, 503);
    assert_read(replica, NULL, 0);
    assert_int_equal(
        replica_do(replica, test_put(test_stamp(HUST_CLOCK_AHEAD_MAX_MS), "edge")).status, 200);
    hust_stamp_t next = hust_stamp_successor(test_stamp(HUST_CLOCK_AHEAD_MAX_MS), 7);
    assert_int_equal(replica_do(replica, test_put(next, "successor")).status, 200);
    assert_read(replica, "successor", 2);
}

static void direct_writes_are_stamped_and_marked(void **state)
{
    replica_t *replica = *state;
    replica->replicated = true;
    replica_do(replica, test_put(test_stamp(HUST_CLOCK_AHEAD_MAX_MS), "ahead"));
    hust_op_t put = test_put((hust_stamp_t){0, 0}, "direct");
    put.flags = HUST_OPF_DIRECT;
    hust_result_t result = replica_do(replica, put);
    assert_true(hust_stamp_compare(result.stamp, test_stamp(HUST_CLOCK_AHEAD_MAX_MS)) > 0);
    assert_true((result.flags & HUST_RESULT_MARKED) != 0);
    assert_false((result.flags & HUST_RESULT_HINTED) != 0);
    assert_stamp(replica->held.hint.base, test_stamp(HUST_CLOCK_AHEAD_MAX_MS));
    replica_do(replica, put);
    assert_stamp(replica->held.hint.base, test_stamp(HUST_CLOCK_AHEAD_MAX_MS));
    assert_read(replica, "direct", 3);
}

static hust_op_t solo_put(uint64_t ms, const char *value)
{
    hust_op_t put = test_put(test_stamp(ms), value);
    put.flags |= HUST_OPF_SOLO | HUST_OPF_HAS_TARGET;
    put.target = hust_slice_str("b:2");
    return put;
}

static void hints_remember_where_the_chain_began(void **state)
{
    replica_t *replica = *state;
    replica_do(replica, test_put(test_stamp(1), "both"));
    replica_do(replica, solo_put(2, "solo"));
    replica_do(replica, solo_put(3, "solo"));
    assert_stamp(replica->held.hint.base, test_stamp(1));
    assert_stamp(replica->held.hint.solo, test_stamp(3));
    assert_int_equal(replica->held.hint.gen, 2);
    replica_do(replica, test_put(test_stamp(4), "both again"));
    replica_do(replica, solo_put(5, "solo"));
    assert_stamp(replica->held.hint.base, test_stamp(4));
}

static void a_write_found_solo_later_gets_its_hint(void **state)
{
    replica_t *replica = *state;
    replica_do(replica, test_put(test_stamp(1), "both"));
    replica_do(replica, test_put(test_stamp(2), "found solo later"));
    replica_do(replica, solo_put(3, "known solo"));
    hust_op_t hint = {.code = HUST_OP_HINT,
                      .element = test_element(),
                      .now_ms = TEST_NOW_MS,
                      .flags = HUST_OPF_HAS_STAMP | HUST_OPF_HAS_BASE | HUST_OPF_HAS_TARGET,
                      .stamp = test_stamp(2),
                      .base = test_stamp(1),
                      .target = hust_slice_str("b:2")};
    replica_do(replica, hint);
    assert_stamp(replica->held.hint.base, test_stamp(1));
    assert_stamp(replica->held.hint.solo, test_stamp(3));
}

static void a_hint_goes_only_if_nothing_happened_since(void **state)
{
    replica_t *replica = *state;
    hust_result_t first = replica_do(replica, solo_put(1, "a"));
    hust_op_t unhint = {.code = HUST_OP_UNHINT,
                        .element = test_element(),
                        .now_ms = TEST_NOW_MS,
                        .flags = HUST_OPF_HAS_STAMP | HUST_OPF_HAS_GEN | HUST_OPF_HAS_TARGET,
                        .stamp = first.stamp,
                        .gen = first.gen,
                        .target = hust_slice_str("b:2")};
    hust_result_t second = replica_do(replica, solo_put(2, "b"));
    replica_do(replica, unhint);
    assert_true(replica->held.hint.present);
    unhint.stamp = second.stamp; /* the record agreed on, but an older state of the hint */
    replica_do(replica, unhint);
    assert_true(replica->held.hint.present);
    unhint.gen = second.gen;
    assert_false((replica_do(replica, unhint).flags & HUST_RESULT_HINTED) != 0);
    assert_false(replica->held.hint.present);
    assert_read(replica, "b", 2);
}

static hust_result_t merge_side(replica_t *replica, hust_side_t side, const hust_stamp_t *base)
{
    hust_buf_t bytes = {0};
    hust_record_t record = {1, {side}};
    assert_int_equal(hust_record_encode(&record, &bytes), HUST_OK);
    hust_op_t merge = {.code = HUST_OP_MERGE,
                       .element = test_element(),
                       .now_ms = TEST_NOW_MS,
                       .value = hust_buf_slice(&bytes)};
    if (base != NULL) {
        merge.flags |= HUST_OPF_HAS_BASE;
        merge.base = *base;
    }
    hust_result_t result = replica_do(replica, merge);
    hust_buf_free(&bytes);
    return result;
}

static void an_unseen_solo_write_becomes_a_conflict(void **state)
{
    replica_t *replica = *state;
    hust_stamp_t base = test_stamp(1);
    replica_do(replica, test_put(base, "common"));
    replica_do(replica, solo_put(2, "mine"));
    hust_side_t theirs = {.stamp = test_stamp(3), .version = 2, .value = hust_slice_str("theirs")};
    hust_result_t result = merge_side(replica, theirs, &base);
    assert_true((result.flags & HUST_RESULT_CONFLICT) != 0);
    assert_read(replica, "theirs", 2);
    hust_buf_t reply = {0};
    hust_op_t own = test_get();
    own.flags |= HUST_OPF_OWN;
    assert_slice(replica_apply(replica, &own, &reply).value, "mine");
    hust_buf_free(&reply);
    hust_result_t decided = replica_do(replica, test_put(test_stamp(4), "decided"));
    assert_int_equal(decided.version, 3);
    assert_false((decided.flags & HUST_RESULT_CONFLICT) != 0);
}

static void a_stale_copy_is_overwritten_without_a_conflict(void **state)
{
    replica_t *replica = *state;
    replica_do(replica, solo_put(2, "mine"));
    hust_stamp_t base = test_stamp(2);
    hust_side_t theirs = {.stamp = test_stamp(3), .version = 2, .value = hust_slice_str("theirs")};
    assert_false((merge_side(replica, theirs, &base).flags & HUST_RESULT_CONFLICT) != 0);
    assert_read(replica, "theirs", 2);
}

enum { WRITES_MAX = 8 };

static unsigned random_writes(uint64_t *seed, hust_op_t ops[WRITES_MAX], bool *deletes)
{
    static const char *const values[] = {"a", "b", "c", ""};
    unsigned count = 1 + test_pick(seed, WRITES_MAX);
    *deletes = false;
    for (unsigned i = 0; i < count; i++) {
        hust_stamp_t stamp = test_stamp_by(i, test_pick(seed, 3));
        if (test_pick(seed, 4) == 0) {
            ops[i] = test_del(stamp);
            *deletes = true;
        } else {
            ops[i] = test_put(stamp, values[test_pick(seed, 4)]);
            ops[i].expire_at_ms = test_pick(seed, 4) == 0 ? TEST_NOW_MS + 5000 : 0;
        }
    }
    return count;
}

static void shuffle(uint64_t *seed, hust_op_t *ops, unsigned count)
{
    for (unsigned i = count; i > 1; i--) {
        unsigned j = test_pick(seed, i);
        hust_op_t kept = ops[i - 1];
        ops[i - 1] = ops[j];
        ops[j] = kept;
    }
}

/* The same plain writes in any order: equal but for versions after deletes; after a merge, equal.
 */
static void any_order_converges(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        uint64_t random = seed;
        hust_op_t ops[WRITES_MAX];
        bool deletes;
        replica_t a;
        replica_t b;
        replica_init(&a);
        replica_init(&b);
        unsigned count = random_writes(&random, ops, &deletes);
        for (unsigned i = 0; i < count; i++) {
            replica_do(&a, ops[i]);
        }
        shuffle(&random, ops, count);
        for (unsigned i = 0; i < count; i++) {
            replica_do(&b, ops[i]);
        }
        const hust_side_t *x = &a.held.record.sides[0];
        const hust_side_t *y = &b.held.record.sides[0];
        assert_int_equal(hust_side_compare(x, y), 0);
        assert_true(deletes || x->version == y->version);
        replica_merge(&a, &b);
        replica_merge(&b, &a);
        assert_true(replicas_equal(&a, &b));
        replica_free(&a);
        replica_free(&b);
    }
}

static void large_values_are_abridged(void **state)
{
    (void)state;
    static uint8_t bytes[HUST_LARGE_BYTES + 1];
    hust_result_t result = {.status = 200, .value = hust_slice_of(bytes, HUST_LARGE_BYTES)};
    hust_result_abridge(&result, HUST_LARGE_BYTES, true);
    assert_int_equal(result.value.len, HUST_LARGE_BYTES);
    result.value.len++;
    hust_result_abridge(&result, HUST_LARGE_BYTES, true);
    assert_true((result.flags & HUST_RESULT_LARGE) != 0);
    assert_int_equal(result.value.len, 0);
    assert_int_equal(hust_result_value_bytes(&result), HUST_LARGE_BYTES + 1);
    uint8_t none[HUST_VALUE_HASH_BYTES] = {0};
    assert_memory_not_equal(result.value_hash, none, sizeof(none));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(versions_count_writes),
        TEST(late_write_counts_but_does_not_win),
        TEST(same_write_twice_counts_once),
        TEST(again_is_not_counted_twice),
        TEST(delete_leaves_a_tombstone_over_nothing),
        TEST(expired_is_absent_by_the_operations_time),
        TEST(ver_decides),
        TEST(if_match_survives_delete_and_put),
        TEST(numbers_add_up_and_never_overflow),
        TEST(deciding_write_does_not_lose_by_stamp),
        TEST(a_stamp_far_ahead_is_refused),
        TEST(direct_writes_are_stamped_and_marked),
        TEST(hints_remember_where_the_chain_began),
        TEST(a_write_found_solo_later_gets_its_hint),
        TEST(a_hint_goes_only_if_nothing_happened_since),
        TEST(an_unseen_solo_write_becomes_a_conflict),
        TEST(a_stale_copy_is_overwritten_without_a_conflict),
        TEST(any_order_converges),
        TEST(large_values_are_abridged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
