/* The coordinator against two real replicas: every row of the contract's tables, and faults. */
#include "world.h"

static int setup(void **state)
{
    static world_t world;
    world_init(&world);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

/* Status, then pairs of header name and value (NULL: not there), ended by a NULL name. */
static void expect(world_t *world, unsigned status, ...)
{
    va_list list;
    va_start(list, status);
    assert_int_equal(world->answer.status, status);
    for (const char *name = va_arg(list, const char *); name != NULL;
         name = va_arg(list, const char *)) {
        const char *value = va_arg(list, const char *);
        const char *got = world_header(world, name);
        if (value == NULL) {
            assert_null(got);
        } else {
            assert_non_null(got);
            assert_string_equal(got, value);
        }
    }
    va_end(list);
}

#define NO_MORE ((const char *)NULL)

static void direct_put(world_t *world, unsigned master, const char *value)
{
    hust_op_t put = test_put((hust_stamp_t){0, 0}, value);
    put.flags = HUST_OPF_DIRECT;
    assert_int_equal(replica_do(&world->master[master], put).status, 200);
}

/* ---- read2: the four return values, then the rows beside them ---- */

static void get2_both_match(void **state)
{
    world_t *world = *state;
    world_put(world, "hustdbhavalue");
    world_get2(world);
    expect(world, 200, "Version", "1", "Version1", NULL, "Newer", NULL, "Val-Offset", NULL,
           NO_MORE);
    assert_string_equal(world_body(world), "hustdbhavalue");
    assert_non_null(world_header(world, "ETag"));
}

static void get2_version_differs(void **state)
{
    world_t *world = *state;
    direct_put(world, 0, "hustdbhavalue");
    direct_put(world, 1, "other");
    direct_put(world, 1, "hustdbhavalue");
    world_get2(world);
    expect(world, 200, "Version1", "1", "Version2", "2", "Version", NULL, "Val-Offset", NULL,
           NO_MORE);
    assert_string_equal(world_body(world), "hustdbhavalue");
}

static void get2_value_differs(void **state)
{
    world_t *world = *state;
    direct_put(world, 0, "hustdbhavalue");
    direct_put(world, 1, "0000000000000");
    world_get2(world);
    assert_int_equal(world->sent[0], 1); /* the marks explain it: nothing to wait for */
    expect(world, 409, "Version", "1", "Val-Offset", "13", "Version1", NULL, "ETag", NULL, NO_MORE);
    assert_string_equal(world_body(world), "hustdbhavalue0000000000000");
}

static void get2_both_differ(void **state)
{
    world_t *world = *state;
    direct_put(world, 0, "hustdbhavalue");
    direct_put(world, 1, "x");
    direct_put(world, 1, "00");
    world_get2(world);
    expect(world, 409, "Version1", "1", "Version2", "2", "Val-Offset", "13", "Version", NULL,
           "Newer", "2", NO_MORE);
    assert_string_equal(world_body(world), "hustdbhavalue00");
}

static void get2_on_one_master_only(void **state)
{
    world_t *world = *state;
    direct_put(world, 1, "lonely");
    world_get2(world);
    expect(world, 409, "Version1", "0", "Version2", "1", "Val-Offset", "0", "Newer", "2", NO_MORE);
    assert_string_equal(world_body(world), "lonely");
}

static void get2_absent_and_unreachable(void **state)
{
    world_t *world = *state;
    world_get2(world);
    expect(world, 404, "Version", "0", NO_MORE);
    assert_int_equal(world->answer.body_bytes, 0);
    world->state[1] = HUST_MASTER_DOWN;
    world_get2(world);
    expect(world, 503, "Unreachable", "10.0.0.2:8085", "Retry-After", "1", NO_MORE);
    world->state[1] = HUST_MASTER_UP;
    world->link[0] = LINK_LOSES;
    world_get2(world);
    expect(world, 503, "Unreachable", "10.0.0.1:8085", NO_MORE);
}

static void get2_names_a_waiting_hint(void **state)
{
    world_t *world = *state;
    world->state[1] = HUST_MASTER_DOWN;
    world_put(world, "v");
    expect(world, 200, "Version", "1", "Sync", "10.0.0.2:8085", NO_MORE);
    world->state[1] = HUST_MASTER_CATCHING_UP;
    world_get2(world);
    expect(world, 409, "Version1", "1", "Version2", "0", "Newer", "1", "Sync-Pending",
           "10.0.0.2:8085", NO_MORE);
}

static void finish_write_on_second(void *context)
{
    world_t *world = context;
    hust_op_t put = test_put(test_stamp(100), "arriving");
    replica_do(&world->master[1], put);
}

static void get2_waits_for_a_write_on_its_way(void **state)
{
    world_t *world = *state;
    replica_do(&world->master[0], test_put(test_stamp(100), "arriving"));
    world->on_timer = finish_write_on_second;
    world->context = world;
    world_get2(world);
    expect(world, 200, "Version", "1", "Newer", NULL, NO_MORE);
    assert_string_equal(world_body(world), "arriving");
}

static void keep_writing(void *context)
{
    world_t *world = context;
    static uint64_t ms = 200;
    hust_stamp_t next = test_stamp(++ms);
    /* master1 is always one write ahead of master2 */
    replica_do(&world->master[1], test_put(world->master[0].held.record.sides[0].stamp, "busy"));
    replica_do(&world->master[0], test_put(next, "busy!"));
}

static void get2_of_a_busy_key_is_no_conflict(void **state)
{
    world_t *world = *state;
    replica_do(&world->master[0], test_put(test_stamp(150), "busy"));
    world->on_timer = keep_writing;
    world->context = world;
    world_get2(world);
    expect(world, 200, "Newer", NULL, NO_MORE);
}

static void get2_gives_up_after_a_while(void **state)
{
    world_t *world = *state;
    uint64_t before = world->now_ms;
    replica_do(&world->master[0], test_put(test_stamp(100), "unexplained"));
    world_get2(world);
    expect(world, 409, "Version1", "1", "Version2", "0", "Newer", "1", NO_MORE);
    assert_true(world->now_ms - before >= HUST_READ2_WAIT_MS);
    assert_true(world->now_ms - before <= HUST_READ2_WAIT_MS + 2);
}

static void presence_compares_version_only(void **state)
{
    world_t *world = *state;
    hust_op_t op = test_get();
    op.flags = HUST_OPF_NO_VALUE;
    world_put(world, "v");
    world_run(world, HUST_CALL_EXIST2, op);
    expect(world, 200, "Version", "1", "ETag", NULL, NO_MORE);
    assert_int_equal(world->answer.body_bytes, 0);
    direct_put(world, 0, "w");
    world_run(world, HUST_CALL_EXIST2, op);
    expect(world, 409, "Version1", "2", "Version2", "1", "Val-Offset", NULL, NO_MORE);
    assert_int_equal(world->answer.body_bytes, 0);
}

/* ---- read ---- */

static void get_asks_the_second_master_only_if_needed(void **state)
{
    world_t *world = *state;
    world_put(world, "v");
    world_get(world);
    expect(world, 200, "Version", "1", NO_MORE);
    assert_int_equal(world->sent[1], 0);
    world->link[0] = LINK_LOSES;
    world_get(world);
    expect(world, 200, "Version", "1", NO_MORE);
    assert_int_equal(world->sent[1], 1);
}

static void get_finds_what_only_the_second_has(void **state)
{
    world_t *world = *state;
    direct_put(world, 1, "second");
    world_get(world);
    expect(world, 200, "Version", "1", NO_MORE);
    assert_string_equal(world_body(world), "second");
}

static void get_believes_a_tombstone_at_once(void **state)
{
    world_t *world = *state;
    direct_put(world, 1, "old");
    replica_do(&world->master[0], test_del(test_stamp(500)));
    world_get(world);
    expect(world, 404, "Version", "0", NO_MORE);
    assert_int_equal(world->sent[1], 0);
}

static void get_does_not_believe_a_master_that_catches_up(void **state)
{
    world_t *world = *state;
    direct_put(world, 1, "new");
    replica_do(&world->master[0], test_del(test_stamp(1)));
    world->state[0] = HUST_MASTER_CATCHING_UP;
    world_get(world);
    expect(world, 200, "Version", "1", NO_MORE);
    assert_int_equal(world->sent[0], 0);
    world->state[1] = HUST_MASTER_DOWN;
    world_get(world);
    expect(world, 503, "Retry-After", "1", NO_MORE);
}

static void get_with_one_master_away(void **state)
{
    world_t *world = *state;
    world->state[0] = HUST_MASTER_DOWN;
    world_get(world);
    expect(world, 404, "Version", "0", NO_MORE);
    world->state[1] = HUST_MASTER_DOWN;
    world_get(world);
    expect(world, 503, "Version", NULL, NO_MORE);
    assert_int_equal(world->sent[0] + world->sent[1], 0);
}

static void another_type_is_412(void **state)
{
    world_t *world = *state;
    for (unsigned m = 0; m < 2; m++) {
        world->link[m] = LINK_STATUS;
        world->refuse_status[m] = 412;
        world->refuse_flags[m] = HUST_RESULT_OTHER_TYPE;
    }
    world_get(world);
    expect(world, 412, "Version", "0", NO_MORE);
    world_get2(world);
    expect(world, 412, "Version", "0", NO_MORE);
    world_put(world, "v");
    expect(world, 412, "Version", "0", NO_MORE);
    world->refuse_flags[0] = world->refuse_flags[1] = HUST_RESULT_NO_TABLE;
    world_get2(world);
    expect(world, 404, "Version", "0", NO_MORE);
}

/* ---- write ---- */

static void put_reaches_both(void **state)
{
    world_t *world = *state;
    for (unsigned n = 1; n <= 100; n++) {
        world_put(world, "v");
        assert_int_equal(world->coord.outcome.version, n);
        expect(world, 200, "Sync", NULL, "VerError", NULL, NO_MORE);
        assert_int_equal(world->sent[0] + world->sent[1], 2);
    }
    assert_true(world_is_settled(world));
}

static void del_rules(void **state)
{
    world_t *world = *state;
    world_del(world);
    expect(world, 404, "Version", "0", "Sync", NULL, NO_MORE);
    world_put(world, "v");
    world_put(world, "v");
    world_del(world);
    expect(world, 200, "Version", "2", NO_MORE);
    assert_true(world_is_settled(world));
    world->state[0] = HUST_MASTER_DOWN;
    world_del(world);
    expect(world, 404, "Version", "0", "Sync", "10.0.0.1:8085", NO_MORE);
    assert_true(world->master[1].held.hint.has_target);
}

static void a_missed_write_leaves_a_hint(void **state)
{
    static const link_t links[] = {LINK_REFUSES, LINK_LOSES, LINK_LOSES_REPLY, LINK_STATUS};
    for (unsigned i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        for (unsigned missed = 0; missed < 2; missed++) {
            world_t *world = *state;
            world_free(world);
            world_init(world);
            world->link[missed] = links[i];
            world->refuse_status[missed] = 507;
            world_put(world, "v");
            expect(world, 200, "Version", "1", "Sync",
                   missed == 0 ? "10.0.0.1:8085" : "10.0.0.2:8085", NO_MORE);
            const hust_hint_t *hint = &world->master[1 - missed].held.hint;
            assert_true(hint->present && hint->has_target);
            assert_stamp(hint->solo, world->coord.op.stamp);
            assert_true(hust_stamp_is_none(hint->base));
        }
    }
}

static void a_write_that_nobody_took_is_503_or_the_refusal(void **state)
{
    world_t *world = *state;
    world->link[0] = world->link[1] = LINK_REFUSES;
    world_put(world, "v");
    expect(world, 503, "Version", NULL, NO_MORE);
    world->link[0] = LINK_STATUS;
    world->refuse_status[0] = 507;
    world_put(world, "v");
    expect(world, 507, "VerError", "false", NO_MORE);
    world->link[1] = LINK_LOSES;
    world_put(world, "v");
    expect(world, 503, NO_MORE);
    assert_int_equal(world->sent[1], 1);
}

static void no_hint_no_success(void **state)
{
    world_t *world = *state;
    world->link[1] = LINK_LOSES;
    world->link[0] = LINK_LOSES_REPLY;
    world_put(world, "v");
    expect(world, 503, "Sync", NULL, NO_MORE);
}

static void a_write_after_a_fast_clock_still_wins(void **state)
{
    world_t *world = *state;
    for (unsigned m = 0; m < 2; m++) { /* another worker, a minute ahead */
        replica_do(&world->master[m], test_put(test_stamp_by(60000, 8), "fast"));
    }
    world_put(world, "mine");
    expect(world, 200, "Version", "2", NO_MORE);
    assert_int_equal(world->sent[0] + world->sent[1], 4);
    world_get(world);
    assert_string_equal(world_body(world), "mine");
    assert_true(world_is_settled(world));
}

static void a_write_that_lost_to_its_own_worker_is_not_repeated(void **state)
{
    world_t *world = *state;
    for (unsigned m = 0; m < 2; m++) {
        replica_do(&world->master[m], test_put(test_stamp_by(60000, 7), "concurrent"));
    }
    world_put(world, "mine");
    expect(world, 200, "Version", "2", NO_MORE);
    assert_int_equal(world->sent[0] + world->sent[1], 2);
}

static hust_op_t put_if_version(uint64_t ver, const char *value)
{
    hust_op_t op = test_put((hust_stamp_t){0, 0}, value);
    op.flags = HUST_OPF_HAS_VER;
    op.ver = ver;
    return op;
}

static hust_op_t increment(int64_t delta)
{
    hust_op_t op = test_incr((hust_stamp_t){0, 0}, delta);
    op.flags = HUST_OPF_HAS_DELTA;
    return op;
}

static void ver_is_decided_by_master1(void **state)
{
    world_t *world = *state;
    world_put(world, "one");
    world_run(world, HUST_CALL_PUT, put_if_version(5, "no"));
    expect(world, 401, "Version", "1", "VerError", "true", NO_MORE);
    assert_int_equal(world->sent[1], 0);
    world_run(world, HUST_CALL_PUT, put_if_version(1, "two"));
    expect(world, 200, "Version", "2", "Sync", NULL, NO_MORE);
    assert_int_equal(world->background, 1);
    assert_true(world_is_settled(world));
}

static void increments_answer_the_number(void **state)
{
    world_t *world = *state;
    world_run(world, HUST_CALL_HINCRBY, increment(40));
    assert_string_equal(world_body(world), "40");
    world_run(world, HUST_CALL_HINCRBY, increment(-50));
    expect(world, 200, "Version", "2", NO_MORE);
    assert_string_equal(world_body(world), "-10");
    assert_true(world_is_settled(world));
    world_put(world, "word");
    world_run(world, HUST_CALL_HINCRBY, increment(1));
    expect(world, 403, "Version", "3", "VerError", "false", NO_MORE);
}

static void a_decision_of_unknown_fate_is_never_sent_again(void **state)
{
    static const link_t links[] = {LINK_LOSES, LINK_LOSES_REPLY};
    for (unsigned i = 0; i < 2; i++) {
        world_t *world = *state;
        world->link[0] = links[i];
        world_run(world, HUST_CALL_HINCRBY, increment(1));
        expect(world, 503, "Version", NULL, NO_MORE);
        assert_int_equal(world->sent[0], 1);
        assert_int_equal(world->sent[1], 0);
    }
}

static void the_second_decides_if_the_first_surely_did_not(void **state)
{
    world_t *world = *state;
    world->link[0] = LINK_REFUSES;
    world_run(world, HUST_CALL_HINCRBY, increment(7));
    expect(world, 200, "Version", "1", "Sync", "10.0.0.1:8085", NO_MORE);
    assert_string_equal(world_body(world), "7");
    assert_true(world->master[1].held.hint.has_target);
    world->link[0] = LINK_OK;
    world->state[0] = HUST_MASTER_CATCHING_UP; /* decides nothing */
    world_run(world, HUST_CALL_HINCRBY, increment(1));
    assert_string_equal(world_body(world), "8");
    world->state[1] = HUST_MASTER_DOWN;
    world_run(world, HUST_CALL_HINCRBY, increment(1));
    expect(world, 503, NO_MORE);
}

static void a_decision_that_the_other_missed_is_hinted(void **state)
{
    world_t *world = *state;
    world_put(world, "1");
    world->link[1] = LINK_LOSES;
    world_run(world, HUST_CALL_HINCRBY, increment(1));
    expect(world, 200, "Version", "2", "Sync", "10.0.0.2:8085", NO_MORE);
    assert_true(world->master[0].held.hint.has_target);
    assert_int_equal(world->background, 0);
}

static void a_decider_ahead_of_our_clock_is_followed(void **state)
{
    world_t *world = *state;
    for (unsigned m = 0; m < 2; m++) {
        replica_do(&world->master[m], test_put(test_stamp_by(60000, 8), "10"));
    }
    world_run(world, HUST_CALL_HINCRBY, increment(5));
    expect(world, 200, "Version", "2", NO_MORE);
    assert_string_equal(world_body(world), "15");
    assert_true(world_is_settled(world));
}

static void a_decided_delete_reaches_both(void **state)
{
    world_t *world = *state;
    world_put(world, "v");
    hust_op_t del = test_del((hust_stamp_t){0, 0});
    del.flags = HUST_OPF_HAS_VER;
    del.ver = 1;
    world_run(world, HUST_CALL_DEL, del);
    expect(world, 200, "Version", "1", NO_MORE);
    assert_true(world_is_settled(world));
    world_run(world, HUST_CALL_DEL, del);
    expect(world, 401, "Version", "0", "VerError", "true", NO_MORE);
}

/* ---- faults at random: what was acknowledged stays, and one exchange makes the masters equal ----
 */

static void random_request(world_t *world, uint64_t *seed, uint64_t *counted)
{
    static const link_t links[] = {LINK_OK,      LINK_OK,    LINK_OK,
                                   LINK_REFUSES, LINK_LOSES, LINK_LOSES_REPLY};
    for (unsigned m = 0; m < 2; m++) {
        world->link[m] = links[test_pick(seed, 6)];
        world->state[m] = test_pick(seed, 6) == 0 ? HUST_MASTER_DOWN : HUST_MASTER_UP;
    }
    switch (test_pick(seed, 3)) {
    case 0:
        world_put(world, "v");
        break;
    case 1:
        world_del(world);
        break;
    default:
        world_run(world, HUST_CALL_PUT, put_if_version(1, "cas"));
        break;
    }
    *counted += world->answer.status == 200;
}

static bool holds_stamp(const world_t *world, unsigned master, hust_stamp_t stamp)
{
    return hust_stamp_compare(hust_record_stamp(&world->master[master].held.record), stamp) >= 0;
}

static void acknowledged_writes_survive_any_fault(void **state)
{
    uint64_t acknowledged = 0;
    for (uint64_t seed = 1; seed <= 5000; seed++) {
        world_t *world = *state;
        uint64_t random = seed;
        world_free(world);
        world_init(world);
        for (unsigned i = 0; i < 6; i++) {
            random_request(world, &random, &acknowledged);
            const char *sync = world_header(world, "Sync");
            if (world->answer.status == 200) {
                hust_stamp_t stamp = world->coord.op.stamp;
                bool first = holds_stamp(world, 0, stamp);
                bool second = holds_stamp(world, 1, stamp);
                assert_true(sync == NULL ? first && second : first || second);
                unsigned survivor = sync != NULL && strcmp(sync, "10.0.0.1:8085") == 0 ? 1 : 0;
                assert_true(sync == NULL || world->master[survivor].held.hint.has_target);
            }
        }
        replica_merge(&world->master[0], &world->master[1]);
        replica_merge(&world->master[1], &world->master[0]);
        assert_true(replicas_equal(&world->master[0], &world->master[1]));
    }
    assert_true(acknowledged > 5000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(get2_both_match),
        TEST(get2_version_differs),
        TEST(get2_value_differs),
        TEST(get2_both_differ),
        TEST(get2_on_one_master_only),
        TEST(get2_absent_and_unreachable),
        TEST(get2_names_a_waiting_hint),
        TEST(get2_waits_for_a_write_on_its_way),
        TEST(get2_of_a_busy_key_is_no_conflict),
        TEST(get2_gives_up_after_a_while),
        TEST(presence_compares_version_only),
        TEST(get_asks_the_second_master_only_if_needed),
        TEST(get_finds_what_only_the_second_has),
        TEST(get_believes_a_tombstone_at_once),
        TEST(get_does_not_believe_a_master_that_catches_up),
        TEST(get_with_one_master_away),
        TEST(another_type_is_412),
        TEST(put_reaches_both),
        TEST(del_rules),
        TEST(a_missed_write_leaves_a_hint),
        TEST(a_write_that_nobody_took_is_503_or_the_refusal),
        TEST(no_hint_no_success),
        TEST(a_write_after_a_fast_clock_still_wins),
        TEST(a_write_that_lost_to_its_own_worker_is_not_repeated),
        TEST(ver_is_decided_by_master1),
        TEST(increments_answer_the_number),
        TEST(a_decision_of_unknown_fate_is_never_sent_again),
        TEST(the_second_decides_if_the_first_surely_did_not),
        TEST(a_decision_that_the_other_missed_is_hinted),
        TEST(a_decider_ahead_of_our_clock_is_followed),
        TEST(a_decided_delete_reaches_both),
        TEST(acknowledged_writes_survive_any_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
