/* The list of hints and its counts. */
#include "fixture.h"

static const uint64_t NOW_MS = 1700000000500;

static void commit(fixture_t *fixture)
{
    hust_write_t *write = hust_write_new(fixture->store);
    hust_hints_stage(fixture->hints, write);
    assert_int_equal(hust_store_commit(fixture->store, write), 0);
    hust_hints_commit(fixture->hints);
    hust_write_free(write);
}

static void add(fixture_t *fixture, const char *target, const char *key, uint64_t gen,
                uint64_t now_ms)
{
    assert_int_equal(
        hust_hints_add(fixture->hints, hust_slice_str(target), hust_slice_str(key), gen, now_ms),
        HUST_OK);
}

static void drop(fixture_t *fixture, const char *target, const char *key)
{
    assert_int_equal(hust_hints_drop(fixture->hints, hust_slice_str(target), hust_slice_str(key)),
                     HUST_OK);
}

/* How many hints wait for a target at a time; 0 also if it is not told at all. */
static uint64_t backlog(fixture_t *fixture, const char *target, uint64_t now_ms)
{
    hust_backlog_t backlogs[HUST_BATCH_BACKLOGS_MAX];
    unsigned count = hust_hints_backlogs(fixture->hints, now_ms, backlogs);
    for (unsigned i = 0; i < count; i++) {
        assert_true(backlogs[i].hint_count > 0);
        if (hust_slice_equal(backlogs[i].target, hust_slice_str(target))) {
            return backlogs[i].hint_count;
        }
    }
    return 0;
}

static void test_young_hints_are_no_backlog(void **state)
{
    fixture_t *fixture = *state;
    add(fixture, "a:1", "k1", 1, NOW_MS);
    commit(fixture);
    assert_int_equal(backlog(fixture, "a:1", NOW_MS), 0);
    assert_int_equal(backlog(fixture, "a:1", NOW_MS + HUST_HINT_BACKLOG_MS - 1), 0);
    assert_int_equal(backlog(fixture, "a:1", NOW_MS + HUST_HINT_BACKLOG_MS + 1000), 1);
    add(fixture, "a:1", "k2", 1, NOW_MS + 5000);
    commit(fixture);
    assert_int_equal(backlog(fixture, "a:1", NOW_MS + 5000), 1);
    assert_int_equal(backlog(fixture, "a:1", NOW_MS + 9000), 2);
}

static void test_hints_of_one_element_collapse(void **state)
{
    fixture_t *fixture = *state;
    add(fixture, "a:1", "k", 1, NOW_MS);
    add(fixture, "a:1", "k", 2, NOW_MS);
    commit(fixture);
    /* Written again and again it stays as old as it is. */
    add(fixture, "a:1", "k", 3, NOW_MS + 5000);
    commit(fixture);
    assert_int_equal(backlog(fixture, "a:1", NOW_MS + 5000), 1);
    assert_int_equal(fixture_count_keys(fixture, HUST_CF_HINTS, ""), 1);

    uint8_t key[HUST_HINT_KEY_BYTES_MAX];
    size_t len = hust_hint_key(BYTES("a:1"), BYTES("k"), key);
    hust_pinned_t found;
    uint64_t gen;
    uint64_t since_ms;
    assert_int_equal(hust_store_get(fixture->store, HUST_CF_HINTS, hust_slice_of(key, len), &found),
                     HUST_OK);
    assert_int_equal(hust_hint_value_parse(found.bytes, &gen, &since_ms), HUST_OK);
    assert_int_equal(gen, 3);
    assert_int_equal(since_ms, NOW_MS);
    hust_pin_release(found.pin);
}

static void test_targets_are_counted_apart(void **state)
{
    fixture_t *fixture = *state;
    add(fixture, "a:1", "k", 1, NOW_MS);
    add(fixture, "b:1", "k", 1, NOW_MS);
    add(fixture, "b:1", "k2", 1, NOW_MS);
    commit(fixture);
    assert_int_equal(backlog(fixture, "a:1", NOW_MS + 5000), 1);
    assert_int_equal(backlog(fixture, "b:1", NOW_MS + 5000), 2);
    drop(fixture, "b:1", "k");
    commit(fixture);
    assert_int_equal(backlog(fixture, "a:1", NOW_MS + 5000), 1);
    assert_int_equal(backlog(fixture, "b:1", NOW_MS + 5000), 1);
}

static void test_dropped_hints(void **state)
{
    fixture_t *fixture = *state;
    drop(fixture, "a:1", "never there");
    commit(fixture);
    assert_int_equal(backlog(fixture, "a:1", NOW_MS + 5000), 0);
    add(fixture, "a:1", "k", 1, NOW_MS);
    add(fixture, "a:1", "old", 1, NOW_MS - 9000);
    commit(fixture);
    /* A young one goes: the old one is still told. */
    drop(fixture, "a:1", "k");
    drop(fixture, "a:1", "k");
    commit(fixture);
    assert_int_equal(backlog(fixture, "a:1", NOW_MS), 1);
    drop(fixture, "a:1", "old");
    commit(fixture);
    assert_int_equal(backlog(fixture, "a:1", NOW_MS + 5000), 0);
    assert_int_equal(fixture_count_keys(fixture, HUST_CF_HINTS, ""), 0);
    /* Come and gone within one group. */
    add(fixture, "a:1", "k", 1, NOW_MS);
    drop(fixture, "a:1", "k");
    commit(fixture);
    assert_int_equal(fixture_count_keys(fixture, HUST_CF_HINTS, ""), 0);
    assert_int_equal(backlog(fixture, "a:1", NOW_MS + 5000), 0);
}

static void test_rollback(void **state)
{
    fixture_t *fixture = *state;
    add(fixture, "a:1", "k", 1, NOW_MS);
    commit(fixture);
    add(fixture, "a:1", "k2", 1, NOW_MS);
    drop(fixture, "a:1", "k");
    add(fixture, "new:1", "k", 1, NOW_MS);
    hust_hints_rollback(fixture->hints);
    assert_int_equal(backlog(fixture, "a:1", NOW_MS + 5000), 1);
    assert_int_equal(backlog(fixture, "new:1", NOW_MS + 5000), 0);
    /* Nothing of it shows later. */
    commit(fixture);
    assert_int_equal(fixture_count_keys(fixture, HUST_CF_HINTS, ""), 1);
}

static void test_counts_survive_a_restart(void **state)
{
    fixture_t *fixture = *state;
    add(fixture, "a:1", "k1", 1, NOW_MS);
    add(fixture, "a:1", "k2", 1, NOW_MS);
    add(fixture, "b:1", "k1", 1, NOW_MS);
    commit(fixture);
    drop(fixture, "b:1", "k1");
    commit(fixture);
    fixture_restart(fixture);
    /* All hints from before a start are old. */
    assert_int_equal(backlog(fixture, "a:1", NOW_MS), 2);
    assert_int_equal(backlog(fixture, "b:1", NOW_MS), 0);
    drop(fixture, "a:1", "k1");
    commit(fixture);
    assert_int_equal(backlog(fixture, "a:1", NOW_MS), 1);
}

int main(void)
{
#define ON_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        ON_FIXTURE(test_young_hints_are_no_backlog),
        ON_FIXTURE(test_hints_of_one_element_collapse),
        ON_FIXTURE(test_targets_are_counted_apart),
        ON_FIXTURE(test_dropped_hints),
        ON_FIXTURE(test_rollback),
        ON_FIXTURE(test_counts_survive_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
