/* The order of sorted sets: keys, and the counted tree against a sorted array. */
#include <stdio.h>
#include <stdlib.h>

#include "core/params.h"
#include "core/wire.h"
#include "fixture.h"
#include "node/rank.h"
#include "node/rank_balance.h"
#include "node/rank_build.h"
#include "node/rank_find.h"
#include "support.h"

/* ---- keys ----------------------------------------------------------------------------------- */

static void test_scores_order_as_their_bytes(void **state)
{
    (void)state;
    static const int64_t scores[] = {INT64_MIN, INT64_MIN + 1, -256, -255,          -1,       0,
                                     1,         255,           256,  INT64_MAX - 1, INT64_MAX};
    uint8_t before[HUST_RANK_SCORE_BYTES];
    uint8_t after[HUST_RANK_SCORE_BYTES];
    for (size_t i = 0; i < sizeof(scores) / sizeof(scores[0]); i++) {
        hust_rank_score(scores[i], after);
        assert_int_equal(hust_rank_score_of(after), scores[i]);
        if (i > 0) {
            assert_true(memcmp(before, after, sizeof(after)) < 0);
        }
        memcpy(before, after, sizeof(after));
    }
}

static void test_layout_of_keys(void **state)
{
    (void)state;
    static const uint8_t entry[] = "tb\0\xff\x80\0\0\0\0\0\0\5m\0";
    static const uint8_t root[] = "tb\0\xfe";
    uint8_t key[HUST_RANK_KEY_BYTES_MAX];
    uint8_t position[HUST_RANK_POSITION_BYTES_MAX];
    int64_t score;
    hust_slice_t member;
    hust_slice_t tb = hust_slice_str("tb");
    size_t len = hust_rank_position(5, hust_slice_of("m\0", 2), position);
    size_t key_len = hust_rank_key(tb, 0, hust_slice_of(position, len), key);
    assert_int_equal(key_len, sizeof(entry) - 1);
    assert_memory_equal(key, entry, key_len);
    assert_int_equal(hust_rank_position_parse(hust_slice_of(position, len), &score, &member),
                     HUST_OK);
    assert_int_equal(score, 5);
    assert_int_equal(member.len, 2);
    assert_int_equal(hust_rank_key(tb, 1, hust_slice_str(""), key), sizeof(root) - 1);
    assert_memory_equal(key, root, sizeof(root) - 1);
    assert_int_equal(hust_rank_position_parse(hust_slice_of(position, 8), &score, &member),
                     HUST_ERR_MALFORMED);
}

static void test_values(void **state)
{
    (void)state;
    uint8_t bytes[HUST_RANK_VALUE_BYTES];
    const hust_rank_count_t count = {.entries = 1ULL << 40, .children = 77};
    const hust_rank_entry_t entry = {.version = 9, .expire_at_ms = TEST_NOW_MS};
    hust_rank_count_t count_again;
    hust_rank_entry_t entry_again;
    hust_rank_count_value(&count, bytes);
    hust_slice_t value = hust_slice_of(bytes, sizeof(bytes));
    assert_int_equal(hust_rank_count_parse(value, &count_again), HUST_OK);
    assert_memory_equal(&count, &count_again, sizeof(count));
    hust_rank_entry_value(&entry, bytes);
    assert_int_equal(hust_rank_entry_parse(value, &entry_again), HUST_OK);
    assert_memory_equal(&entry, &entry_again, sizeof(entry));
    value.len--;
    assert_int_equal(hust_rank_count_parse(value, &count_again), HUST_ERR_MALFORMED);
    assert_int_equal(hust_rank_entry_parse(value, &entry_again), HUST_ERR_MALFORMED);
    assert_int_equal(hust_rank_score_in(hust_slice_str("-12")), -12);
    assert_int_equal(hust_rank_score_in(hust_slice_str("12 or so")), 0);
}

/* ---- the model ------------------------------------------------------------------------------ */

enum {
    MEMBERS = 40000,
    MEMBER_BYTES_MAX = 16,
};

/* A member of the model; what it is called follows from its number. */
typedef struct {
    bool present;
    int64_t score;
    size_t position_len;
    uint8_t position[HUST_RANK_SCORE_BYTES + MEMBER_BYTES_MAX];
} member_t;

typedef struct {
    fixture_t *store;
    hust_rank_t *rank;
    hust_write_t *write;
    hust_slice_t tb;
    uint64_t random;
    size_t count;
    member_t members[MEMBERS];
    member_t *sorted[MEMBERS];
} model_t;

static hust_slice_t member_name(unsigned number, char out[MEMBER_BYTES_MAX])
{
    /* Some begin as others end, and some hold NULs. */
    int len = snprintf(out, MEMBER_BYTES_MAX, "%u%s", number * 7919 % 65537, number % 3 ? "" : "x");
    if (number % 5 == 0) {
        out[len++] = '\0';
    }
    return hust_slice_of(out, (size_t)len);
}

static hust_record_t record_of(const member_t *member, char text[24])
{
    hust_record_t record = {0};
    if (member->present) {
        record.side_count = 1;
        record.sides[0] = (hust_side_t){.stamp = test_stamp(1), .version = 3};
        record.sides[0].value = hust_slice_of(text, hust_format_i64(member->score, text));
    }
    return record;
}

/* One member goes from what it is to `next`. Within a group each one changes once at most. */
static void change(model_t *model, unsigned number, const member_t *next)
{
    char name[MEMBER_BYTES_MAX];
    char old_text[24];
    char new_text[24];
    member_t *member = &model->members[number];
    hust_slice_t key = member_name(number, name);
    const hust_element_t element = {.type = HUST_TYPE_ZSET, .tb = model->tb, .key = key};
    hust_record_t before = record_of(member, old_text);
    hust_record_t after = record_of(next, new_text);
    assert_int_equal(hust_rank_change(model->rank, &element, &before, &after, model->write),
                     HUST_OK);
    model->count += (size_t)next->present - (size_t)member->present;
    *member = *next;
    if (member->present) {
        uint8_t position[HUST_RANK_POSITION_BYTES_MAX];
        member->position_len = hust_rank_position(member->score, key, position);
        memcpy(member->position, position, member->position_len);
    }
}

static void commit(model_t *model)
{
    hust_rank_stage(model->rank, model->write);
    assert_int_equal(hust_store_commit(model->store->store, model->write), 0);
    hust_write_clear(model->write);
    hust_rank_settle(model->rank);
}

static hust_slice_t position_of(const member_t *member)
{
    return hust_slice_of(member->position, member->position_len);
}

static int compare_members(const void *left, const void *right)
{
    return hust_slice_compare(position_of(*(member_t *const *)left),
                              position_of(*(member_t *const *)right));
}

static void sort_model(model_t *model)
{
    size_t count = 0;
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (model->members[i].present) {
            model->sorted[count++] = &model->members[i];
        }
    }
    assert_int_equal(count, model->count);
    qsort(model->sorted, count, sizeof(member_t *), compare_members);
}

/* ---- what the tree must be ------------------------------------------------------------------ */

typedef struct {
    uint64_t rows;
    uint64_t entries; /* that they count */
} level_t;

/* Every row of a level: sums right, sizes within bounds. */
static level_t check_level(hust_scan_t *scan, hust_slice_t tb, unsigned level, bool is_root)
{
    uint8_t prefix[HUST_RANK_PREFIX_BYTES_MAX];
    size_t len = hust_rank_prefix(tb, level, prefix);
    level_t found = {0};
    hust_slice_t position;
    hust_scan_seek(scan, hust_slice_of(prefix, len));
    for (; hust_rank_on_level(scan, tb, level, &position); hust_scan_next(scan)) {
        hust_rank_count_t count = {.entries = 1};
        if (level > 0) {
            assert_int_equal(hust_rank_count_parse(hust_scan_value(scan), &count), HUST_OK);
            assert_true(!is_root || position.len == 0);
            assert_true(count.children <= HUST_RANK_CHILDREN_MAX);
            assert_true(count.children > (level > 1 && is_root ? 1u : 0u));
        }
        found.rows++;
        found.entries += count.entries;
    }
    return found;
}

/* How many rows of level - 1 stand under each row of a level: what it says itself. */
static void check_children(hust_store_t *store, hust_slice_t tb, unsigned level)
{
    uint8_t prefix[HUST_RANK_PREFIX_BYTES_MAX];
    hust_scan_t *rows = hust_scan_begin(store, HUST_CF_RANK);
    hust_scan_t *children = hust_scan_begin(store, HUST_CF_RANK);
    hust_slice_t row;
    hust_slice_t child;
    hust_slice_t next;
    hust_scan_seek(rows, hust_slice_of(prefix, hust_rank_prefix(tb, level, prefix)));
    hust_scan_seek(children, hust_slice_of(prefix, hust_rank_prefix(tb, level - 1, prefix)));
    while (hust_rank_on_level(rows, tb, level, &row)) {
        hust_rank_count_t count;
        hust_rank_count_t sum = {0};
        assert_int_equal(hust_rank_count_parse(hust_scan_value(rows), &count), HUST_OK);
        hust_scan_next(rows);
        bool last = !hust_rank_on_level(rows, tb, level, &next);
        while (hust_rank_on_level(children, tb, level - 1, &child) &&
               (last || hust_slice_compare(child, next) < 0)) {
            hust_rank_count_t below = {.entries = 1};
            if (level > 1) {
                assert_int_equal(hust_rank_count_parse(hust_scan_value(children), &below), 0);
            }
            sum.children++;
            sum.entries += below.entries;
            hust_scan_next(children);
        }
        assert_int_equal(sum.children, count.children);
        assert_int_equal(sum.entries, count.entries);
    }
    hust_scan_end(rows);
    hust_scan_end(children);
}

static unsigned check_tree(hust_store_t *store, hust_slice_t tb, uint64_t entries)
{
    unsigned height;
    hust_rank_count_t root;
    hust_scan_t *scan = hust_scan_begin(store, HUST_CF_RANK);
    assert_int_equal(hust_rank_root(scan, tb, &height, &root), HUST_OK);
    assert_int_equal(root.entries, entries);
    assert_int_equal(height == 0, entries == 0);
    for (unsigned level = 0; entries > 0 && level <= height; level++) {
        level_t found = check_level(scan, tb, level, level == height);
        assert_int_equal(found.entries, entries);
        assert_true(level < height || found.rows == 1);
        if (level > 0) {
            check_children(store, tb, level);
        }
    }
    hust_scan_end(scan);
    return height;
}

static void check_lookup(model_t *model, hust_scan_t *scan, size_t rank)
{
    bool found;
    uint64_t below;
    hust_slice_t position;
    hust_slice_t expected = position_of(model->sorted[rank]);
    assert_int_equal(hust_rank_seek(scan, model->tb, rank, &found), HUST_OK);
    assert_true(found);
    assert_true(hust_rank_on_level(scan, model->tb, 0, &position));
    assert_true(hust_slice_equal(position, expected));
    assert_int_equal(hust_rank_below(scan, model->tb, expected, &below), HUST_OK);
    assert_int_equal(below, rank);
}

/* The tree, and the rank of every `step`-th member both ways. */
static unsigned check_model(model_t *model, size_t step)
{
    bool found;
    uint64_t below;
    hust_scan_t *scan = hust_scan_begin(model->store->store, HUST_CF_RANK);
    sort_model(model);
    for (size_t rank = 0; rank < model->count; rank += step) {
        check_lookup(model, scan, rank);
    }
    assert_int_equal(hust_rank_seek(scan, model->tb, model->count, &found), HUST_OK);
    assert_false(found);
    assert_int_equal(
        hust_rank_below(scan, model->tb, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff"), &below),
        HUST_OK);
    assert_int_equal(below, model->count);
    hust_scan_end(scan);
    return check_tree(model->store->store, model->tb, model->count);
}

/* ---- the tests ------------------------------------------------------------------------------ */

static model_t *model_new(fixture_t *store)
{
    model_t *model = calloc(1, sizeof(*model));
    *model = (model_t){.store = store, .tb = hust_slice_str("set"), .random = 20240601};
    model->rank = hust_rank_new(store->store);
    model->write = hust_write_new(store->store);
    return model;
}

static void model_free(model_t *model)
{
    hust_rank_free(model->rank);
    hust_write_free(model->write);
    free(model);
}

static int64_t random_score(model_t *model)
{
    switch (test_pick(&model->random, 8)) {
    case 0:
        return INT64_MIN + test_pick(&model->random, 2);
    case 1:
        return INT64_MAX - (int64_t)test_pick(&model->random, 2);
    case 2:
        return (int64_t)test_random(&model->random);
    default:
        return (int64_t)test_pick(&model->random, 50) - 25; /* many ties */
    }
}

/* A group of changes to different members, of which `keep` in 100 leave the member there. */
static void random_group(model_t *model, unsigned changes, unsigned keep)
{
    unsigned number = test_pick(&model->random, MEMBERS);
    for (unsigned i = 0; i < changes; i++) {
        member_t next = {.present = test_pick(&model->random, 100) < keep};
        next.score = next.present ? random_score(model) : 0;
        number = (number + 1 + test_pick(&model->random, MEMBERS / changes)) % MEMBERS;
        change(model, number, &next);
    }
    commit(model);
}

/* It grows, stays, shrinks and empties, many times, in groups of every size. */
static void test_random_changes(void **state)
{
    model_t *model = model_new(*state);
    static const unsigned keeps[] = {95, 70, 50, 10, 0, 100, 30, 60, 3, 0};
    unsigned highest = 0;
    unsigned changes = 0;
    for (unsigned round = 0; changes < 100000; round++) {
        unsigned keep = keeps[round % 10];
        for (unsigned group = 0; group < 30; group++) {
            unsigned size = 1u << test_pick(&model->random, 11);
            random_group(model, size, keep);
            changes += size;
        }
        unsigned height = check_model(model, 101);
        highest = height > highest ? height : highest;
    }
    assert_true(highest >= 2);
    for (unsigned i = 0; i < MEMBERS; i++) {
        change(model, i, &(member_t){0});
        if (i % 100 == 99) {
            commit(model);
        }
    }
    assert_int_equal(check_model(model, 1), 0);
    model_free(model);
}

/* Ascending, as a counter or a clock gives scores: the hardest case for where to split. */
static void test_ascending_and_taken_from_the_front(void **state)
{
    model_t *model = model_new(*state);
    for (unsigned i = 0; i < MEMBERS; i++) {
        change(model, i, &(member_t){.present = true, .score = i});
        if (i % 7 == 6) {
            commit(model);
        }
    }
    commit(model);
    assert_true(check_model(model, 29) >= 3);
    for (unsigned i = 0; i < MEMBERS - 5; i++) {
        change(model, i, &(member_t){0});
        if (i % 7 == 6) {
            commit(model);
        }
    }
    commit(model);
    assert_int_equal(check_model(model, 1), 1);
    model_free(model);
}

/* Add or remove the members from..to-1, in groups of 10; scores as the numbers, or below all. */
static void change_many(model_t *model, unsigned from, unsigned to, bool present, bool below)
{
    for (unsigned i = from; i < to; i++) {
        int64_t score = present ? (int64_t)i - (below ? MEMBERS : 0) : 0;
        change(model, i, &(member_t){.present = present, .score = score});
        if (i % 10 == 9) {
            commit(model);
        }
    }
    commit(model);
}

/* After members were taken from the front, the first rows also count what comes before them. */
static void test_members_before_the_first_separator(void **state)
{
    model_t *model = model_new(*state);
    hust_slice_t position;
    uint8_t prefix[HUST_RANK_PREFIX_BYTES_MAX];
    size_t len = hust_rank_prefix(model->tb, 1, prefix);
    change_many(model, 0, 8000, true, false);
    for (unsigned round = 0; round < 3; round++) {
        unsigned gone = (round + 1) * 2500;
        change_many(model, 0, gone, false, false);
        hust_scan_t *scan = hust_scan_begin(model->store->store, HUST_CF_RANK);
        hust_scan_seek(scan, hust_slice_of(prefix, len));
        assert_true(hust_rank_on_level(scan, model->tb, 1, &position));
        assert_true(position.len > 0); /* or this test shows nothing */
        hust_scan_end(scan);
        check_model(model, 23);
        change_many(model, 0, 30, true, true);
        check_model(model, 23);
        change_many(model, 30, gone, true, true);
        check_model(model, 23);
    }
    model_free(model);
}

/* A score that does not change, and one that moves within a group, leave the counts right. */
static void test_changes_that_cancel(void **state)
{
    model_t *model = model_new(*state);
    change(model, 1, &(member_t){.present = true, .score = 1});
    commit(model);
    change(model, 1, &(member_t){.present = true, .score = 1});
    commit(model);
    check_model(model, 1);
    change(model, 1, &(member_t){.present = true, .score = -1});
    change(model, 2, &(member_t){.present = true, .score = 0});
    commit(model);
    check_model(model, 1);
    change(model, 1, &(member_t){0});
    change(model, 3, &(member_t){.present = true, .score = 4});
    commit(model);
    check_model(model, 1);
    model_free(model);
}

/* The group is stored, and the power fails before the tree is mended. */
static void test_mending_that_never_came(void **state)
{
    model_t *model = model_new(*state);
    for (unsigned round = 0; round < 6; round++) {
        for (unsigned i = 0; i < 1000; i++) {
            const member_t next = {.present = true, .score = random_score(model)};
            change(model, round * 1000 + i, &next);
        }
        hust_rank_stage(model->rank, model->write);
        assert_int_equal(hust_store_commit(model->store->store, model->write), 0);
        hust_write_clear(model->write);
        hust_rank_forget(model->rank);
        sort_model(model);
        hust_scan_t *scan = hust_scan_begin(model->store->store, HUST_CF_RANK);
        for (size_t rank = 0; rank < model->count; rank += 101) {
            check_lookup(model, scan, rank);
        }
        hust_scan_end(scan);
    }
    change(model, 0, &(member_t){0});
    commit(model); /* which mends it all, as there is one leaf */
    assert_true(check_model(model, 11) >= 2);
    model_free(model);
}

/* Two tables whose names begin alike do not mix. */
static void test_tables_are_apart(void **state)
{
    model_t *model = model_new(*state);
    static const char *const names[] = {"set", "se", "set-", "set0"};
    for (unsigned i = 0; i < 4; i++) {
        memset(model->members, 0, sizeof(model->members));
        model->count = 0;
        model->tb = hust_slice_str(names[i]);
        for (unsigned number = 0; number < 300 + i; number++) {
            change(model, number, &(member_t){.present = true, .score = (int64_t)number});
        }
        commit(model);
        check_model(model, 1);
    }
    for (unsigned i = 0; i < 4; i++) {
        check_tree((*(fixture_t **)state)->store, hust_slice_str(names[i]), 300 + i);
    }
    model_free(model);
}

/* ---- a store of the format before ----------------------------------------------------------- */

static void put_member(hust_write_t *write, unsigned number, bool deleted)
{
    char name[MEMBER_BYTES_MAX];
    char text[24];
    uint8_t data_key[HUST_DATA_KEY_BYTES_MAX];
    hust_buf_t bytes = {0};
    const hust_element_t element = {
        .type = HUST_TYPE_ZSET, .tb = hust_slice_str("old"), .key = member_name(number, name)};
    const member_t member = {.present = true, .score = (int64_t)number % 97 - 50};
    hust_stored_t stored = {.record = record_of(&member, text)};
    if (deleted) {
        stored.record.sides[0] = (hust_side_t){.stamp = test_stamp(2), .deleted = true};
    }
    assert_int_equal(hust_stored_encode(&stored, &bytes), HUST_OK);
    hust_write_put(write, HUST_CF_DATA, hust_slice_of(data_key, hust_data_key(&element, data_key)),
                   hust_buf_slice(&bytes));
    hust_buf_free(&bytes);
}

static void test_a_store_without_order_gets_one(void **state)
{
    fixture_t *store = *state;
    uint8_t format[4];
    hust_write_t *write = hust_write_new(store->store);
    for (unsigned i = 0; i < 5000; i++) {
        put_member(write, i, i % 10 == 0);
    }
    hust_put_u32(format, HUST_STORE_FORMAT_UNRANKED);
    hust_write_put(write, HUST_CF_META, hust_slice_str("format"), hust_slice_of(format, 4));
    /* Left behind by an attempt that was interrupted. */
    hust_write_put(write, HUST_CF_RANK, BYTES("old\0\xfe"), BYTES("0123456789abcdef"));
    assert_int_equal(hust_store_commit(store->store, write), 0);
    hust_write_free(write);
    fixture_restart(store);
    assert_int_equal(hust_store_format(store->store), HUST_STORE_FORMAT_UNRANKED);
    assert_int_equal(hust_rank_build(store->store), HUST_OK);
    assert_true(check_tree(store->store, hust_slice_str("old"), 4500) >= 2);
    fixture_restart(store);
    assert_int_equal(hust_store_format(store->store), HUST_STORE_FORMAT);
    check_tree(store->store, hust_slice_str("old"), 4500);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores_order_as_their_bytes),
        cmocka_unit_test(test_layout_of_keys),
        cmocka_unit_test(test_values),
        WITH_STORE(test_changes_that_cancel),
        WITH_STORE(test_random_changes),
        WITH_STORE(test_ascending_and_taken_from_the_front),
        WITH_STORE(test_members_before_the_first_separator),
        WITH_STORE(test_mending_that_never_came),
        WITH_STORE(test_tables_are_apart),
        WITH_STORE(test_a_store_without_order_gets_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
