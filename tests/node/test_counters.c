/* Table counters: exact, kept with the data, taken back with it. */
#include <stdlib.h>

#include "fixture.h"

static hust_footprint_t footprint_of(const char *key, const char *value, uint64_t expire_at_ms)
{
    const hust_record_t record = {
        .side_count = 1,
        .sides = {{.version = 1, .expire_at_ms = expire_at_ms, .value = hust_slice_str(value)}}};
    return hust_footprint(hust_slice_str(key), &record);
}

static const hust_footprint_t nothing;

static void commit(fixture_t *fixture)
{
    hust_write_t *write = hust_write_new(fixture->store);
    hust_counters_stage(fixture->counters, write);
    assert_int_equal(hust_store_commit(fixture->store, write), 0);
    hust_counters_commit(fixture->counters);
    hust_write_free(write);
}

static void change(fixture_t *fixture, const hust_element_t *of, hust_footprint_t before,
                   hust_footprint_t after)
{
    assert_int_equal(hust_counters_change(fixture->counters, of, &before, &after), HUST_OK);
}

static void assert_total(fixture_t *fixture, hust_type_t type, uint64_t count, uint64_t size,
                         uint64_t capacity)
{
    hust_count_t total = hust_counters_total(fixture->counters, type);
    assert_int_equal(total.count, count);
    assert_int_equal(total.size, size);
    assert_int_equal(total.capacity, capacity);
}

static void test_footprint(void **state)
{
    (void)state;
    static char text[1025];
    memset(text, 'x', sizeof(text) - 1);
    assert_int_equal(footprint_of("k", "", 0).count.size, 1);
    assert_int_equal(footprint_of("k", "", 0).count.capacity, 1024);
    assert_int_equal(footprint_of("k", text + 1, 0).count.size, 1024);
    assert_int_equal(footprint_of("k", text + 1, 0).count.capacity, 1024);
    assert_int_equal(footprint_of("k", text, 0).count.capacity, 2048);
    assert_int_equal(footprint_of("k", "v", 0).count.expiring, 0);
    assert_int_equal(footprint_of("k", "v", 9).count.expiring, 1);
    assert_int_equal(footprint_of("k", "v", 9).expire_at_ms, 9);

    hust_record_t record = {.side_count = 1, .sides = {{.deleted = true, .expire_at_ms = 9}}};
    assert_memory_equal(&(hust_footprint_t){0},
                        &(hust_footprint_t[]){hust_footprint(BYTES("k"), &record)},
                        sizeof(nothing));
    record.side_count = 0;
    assert_int_equal(hust_footprint(BYTES("k"), &record).count.count, 0);
}

static void test_changes_are_kept(void **state)
{
    fixture_t *fixture = *state;
    hust_element_t kv = element(HUST_TYPE_KV, NULL, "k");
    hust_element_t field = element(HUST_TYPE_HASH, "t", "f");
    hust_footprint_t small = footprint_of("k", "v", 0);
    change(fixture, &kv, nothing, small);
    change(fixture, &field, nothing, footprint_of("f", "value", 5));
    commit(fixture);
    change(fixture, &kv, small, footprint_of("k", "longer", 0));
    commit(fixture);
    fixture_restart(fixture);
    assert_total(fixture, HUST_TYPE_KV, 1, 7, 1024);
    assert_total(fixture, HUST_TYPE_HASH, 1, 6, 1024);
    assert_total(fixture, HUST_TYPE_SET, 0, 0, 0);
    assert_int_equal(hust_counters_of(fixture->counters, BYTES("t"), HUST_TYPE_HASH).expiring, 1);
}

static void test_rollback(void **state)
{
    fixture_t *fixture = *state;
    hust_element_t field = element(HUST_TYPE_HASH, "t", "f");
    hust_element_t other = element(HUST_TYPE_SET, "new", "m");
    hust_footprint_t first = footprint_of("f", "value", 0);
    hust_table_counts_t table;
    change(fixture, &field, nothing, first);
    commit(fixture);
    change(fixture, &field, first, nothing);
    change(fixture, &field, nothing, footprint_of("f", "another value", 0));
    change(fixture, &other, nothing, footprint_of("m", "", 0));
    assert_true(hust_counters_table(fixture->counters, BYTES("new"), &table));
    hust_counters_rollback(fixture->counters);
    assert_total(fixture, HUST_TYPE_HASH, 1, 6, 1024);
    assert_total(fixture, HUST_TYPE_SET, 0, 0, 0);
    assert_false(hust_counters_table(fixture->counters, BYTES("new"), &table));
    fixture_restart(fixture);
    assert_total(fixture, HUST_TYPE_HASH, 1, 6, 1024);
}

/* A table that became empty leaves nothing behind, in memory or on disk. */
static void test_an_empty_table_is_forgotten(void **state)
{
    fixture_t *fixture = *state;
    hust_element_t field = element(HUST_TYPE_HASH, "t", "f");
    hust_footprint_t one = footprint_of("f", "v", 0);
    hust_table_counts_t table;
    change(fixture, &field, nothing, one);
    commit(fixture);
    assert_int_equal(fixture_count_keys(fixture, HUST_CF_META, "count/"), 1);
    change(fixture, &field, one, nothing);
    commit(fixture);
    assert_false(hust_counters_table(fixture->counters, BYTES("t"), &table));
    assert_int_equal(fixture_count_keys(fixture, HUST_CF_META, "count/"), 0);
}

static void test_tables_come_by_name_and_type(void **state)
{
    fixture_t *fixture = *state;
    static const struct {
        hust_type_t type;
        const char *tb;
    } rows[] = {{HUST_TYPE_ZSET, "b"},
                {HUST_TYPE_SET, "ab"},
                {HUST_TYPE_HASH, "b"},
                {HUST_TYPE_HASH, "a"},
                {HUST_TYPE_SET, "a.b"}};
    static const char *const expected[] = {"aH", "a.bS", "abS", "bH", "bZ"};
    hust_table_t *tables;
    size_t count;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        hust_element_t of = element(rows[i].type, rows[i].tb, "k");
        change(fixture, &of, nothing, footprint_of("k", "v", 0));
    }
    commit(fixture);
    assert_int_equal(hust_counters_tables(fixture->counters, &tables, &count), HUST_OK);
    assert_int_equal(count, COUNT_OF(expected));
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(expected[i]) - 1;
        assert_int_equal(tables[i].tb.len, len);
        assert_memory_equal(tables[i].tb.data, expected[i], len);
        assert_int_equal(tables[i].type, expected[i][len]);
        assert_int_equal(tables[i].count.count, 1);
    }
    free(tables);
}

static void test_damaged_counters_are_refused(void **state)
{
    fixture_t *fixture = *state;
    hust_counters_t *counters;
    hust_write_t *write = hust_write_new(fixture->store);
    hust_write_put(write, HUST_CF_META, BYTES("count/Ht"), BYTES("short"));
    assert_int_equal(hust_store_commit(fixture->store, write), 0);
    assert_int_equal(hust_counters_load(fixture->store, &counters), HUST_ERR_MALFORMED);
    assert_null(counters);
    hust_write_clear(write);
    hust_write_delete(write, HUST_CF_META, BYTES("count/Ht"));
    assert_int_equal(hust_store_commit(fixture->store, write), 0);
    hust_write_free(write);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_footprint),
#define ON_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
        ON_FIXTURE(test_changes_are_kept),
        ON_FIXTURE(test_rollback),
        ON_FIXTURE(test_an_empty_table_is_forgotten),
        ON_FIXTURE(test_tables_come_by_name_and_type),
        ON_FIXTURE(test_damaged_counters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
