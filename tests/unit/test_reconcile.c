/*
 * Reconciling: every pair of what two masters may hold, and random histories of two replicas that
 * end equal, with no write lost silently.
 */
#include "support.h"

#include <stdio.h>

#include "core/reconcile.h"

static const hust_stamp_t NO_STAMP = {0, 0};

static hust_side_t side(unsigned at, const char *value)
{
    return (hust_side_t){.stamp = test_stamp(at),
                         .version = value == NULL ? 0 : 1,
                         .deleted = value == NULL,
                         .value = value == NULL ? (hust_slice_t){NULL, 0} : hust_slice_str(value)};
}

static hust_stored_t plain(unsigned at, const char *value)
{
    return (hust_stored_t){.record = {.side_count = 1, .sides = {side(at, value)}}};
}

/* A write at `at` that only this master has, over what was written at `base` (0: nothing). */
static hust_stored_t solo(unsigned at, const char *value, unsigned base, bool has_target)
{
    hust_stored_t stored = plain(at, value);
    stored.hint = (hust_hint_t){.present = true,
                                .has_target = has_target,
                                .gen = 1,
                                .base = base == 0 ? NO_STAMP : test_stamp(base),
                                .solo = test_stamp(at)};
    return stored;
}

static hust_stored_t conflict(unsigned newer, const char *a, unsigned older, const char *b,
                              unsigned own)
{
    return (hust_stored_t){.record = {.side_count = 2, .sides = {side(newer, a), side(older, b)}},
                           .hint = {.present = true,
                                    .gen = 1,
                                    .own = test_stamp(own),
                                    .base = test_stamp(own == newer ? older : newer)}};
}

/* Both work it out; they must agree on the record. The outcome of the first is returned. */
static hust_reconciled_t reconcile(const hust_stored_t *a, const hust_stored_t *b)
{
    hust_reconciled_t one;
    hust_reconciled_t two;
    hust_reconcile(a, b, TEST_NOW_MS, &one);
    hust_reconcile(b, a, TEST_NOW_MS, &two);
    assert_int_equal(hust_record_compare(&one.next.record, &two.next.record), 0);
    assert_true(one.agreed || two.agreed || one.next.record.side_count == 2);
    return one;
}

static void assert_holds(const hust_reconciled_t *out, unsigned first, unsigned second)
{
    assert_int_equal(out->next.record.side_count, second == 0 ? 1 : 2);
    assert_stamp(out->next.record.sides[0].stamp, test_stamp(first));
    if (second != 0) {
        assert_stamp(out->next.record.sides[1].stamp, test_stamp(second));
    }
}

static void equal_records_leave_nothing_to_do(void **state)
{
    (void)state;
    hust_stored_t a = plain(5, "x");
    hust_stored_t b = plain(5, "x");
    hust_reconciled_t out = reconcile(&a, &b);
    assert_true(out.agreed);
    assert_false(out.changed);
}

static void a_mark_goes_once_both_hold_the_same(void **state)
{
    (void)state;
    hust_stored_t mark = solo(5, "x", 3, false);
    hust_stored_t other = plain(5, "x");
    hust_reconciled_t out = reconcile(&mark, &other);
    assert_true(out.changed);
    assert_false(out.next.hint.present);
}

static void a_listed_hint_stays_but_says_that_nothing_is_missing(void **state)
{
    (void)state;
    hust_stored_t hinted = solo(5, "x", 3, true);
    hust_stored_t other = plain(5, "x");
    hust_reconciled_t out = reconcile(&hinted, &other);
    assert_true(out.changed);
    assert_true(out.next.hint.present && out.next.hint.has_target);
    assert_stamp(out.next.hint.base, test_stamp(5));
    assert_stamp(out.next.hint.solo, NO_STAMP);
    assert_int_equal(out.next.hint.gen, 1);
    hust_stored_t settled = out.next;
    out = reconcile(&settled, &other);
    assert_false(out.changed);
}

static void the_newer_wins(void **state)
{
    (void)state;
    hust_stored_t old = plain(5, "old");
    hust_stored_t new = plain(6, "new");
    hust_reconciled_t out = reconcile(&old, &new);
    assert_holds(&out, 6, 0);
    assert_true(out.agreed && out.changed);
    out = reconcile(&new, &old);
    assert_holds(&out, 6, 0);
    assert_false(out.agreed || out.changed);
}

static void nothing_at_all_takes_what_there_is(void **state)
{
    (void)state;
    hust_stored_t nothing = {0};
    hust_stored_t asked = {.hint = {.present = true, .has_target = true, .gen = 1}};
    hust_stored_t solo_write = solo(5, "x", 0, true);
    hust_reconciled_t out = reconcile(&nothing, &solo_write);
    assert_holds(&out, 5, 0);
    out = reconcile(&asked, &solo_write);
    assert_holds(&out, 5, 0);
    out = reconcile(&nothing, &asked);
    assert_int_equal(out.next.record.side_count, 0);
    assert_true(out.agreed);
}

static void a_stale_copy_is_no_conflict(void **state)
{
    (void)state;
    hust_stored_t writes = solo(9, "new", 5, true);
    /* The stale one has a hint of its own, left over from a write that both know. */
    hust_stored_t stale = solo(5, "old", 3, true);
    hust_reconciled_t out = reconcile(&stale, &writes);
    assert_holds(&out, 9, 0);
    out = reconcile(&writes, &stale);
    assert_holds(&out, 9, 0);
    /* A deletion as well. */
    writes = solo(9, NULL, 5, true);
    out = reconcile(&stale, &writes);
    assert_true(out.next.record.sides[0].deleted);
}

static void writes_that_did_not_know_each_other_are_both_kept(void **state)
{
    (void)state;
    static const char *const values[] = {"a", "b", NULL};
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned j = 0; j < 3; j++) {
            for (unsigned marks = 0; marks < 4; marks++) {
                hust_stored_t a = solo(7, values[i], 5, (marks & 1) != 0);
                hust_stored_t b = solo(9, values[j], 5, (marks & 2) != 0);
                bool same = i == j;
                hust_reconciled_t out = reconcile(&a, &b);
                assert_holds(&out, 9, same ? 0 : 7);
                assert_int_equal(out.next.hint.has_target && !same, a.hint.has_target && !same);
                assert_true(out.changed);
                if (!same) {
                    assert_stamp(out.next.hint.own, test_stamp(7));
                    assert_stamp(out.next.hint.base, test_stamp(9));
                    assert_int_equal(out.next.hint.gen, 2);
                }
            }
        }
    }
}

static void only_two_hints_make_a_conflict(void **state)
{
    (void)state;
    hust_stored_t a = solo(7, "a", 5, true);
    hust_stored_t b = plain(9, "b");
    hust_reconciled_t out = reconcile(&a, &b);
    assert_holds(&out, 9, 0);
}

static void expiry_is_no_difference_in_content(void **state)
{
    (void)state;
    hust_stored_t a = solo(7, "x", 5, true);
    hust_stored_t b = solo(9, "x", 5, true);
    b.record.sides[0].expire_at_ms = TEST_NOW_MS + 1000;
    hust_reconciled_t out = reconcile(&a, &b);
    assert_holds(&out, 9, 0);
    /* What has expired is gone, and so differs from what is there but not from a tombstone. */
    b.record.sides[0].expire_at_ms = TEST_NOW_MS;
    out = reconcile(&a, &b);
    assert_holds(&out, 9, 7);
    a = solo(7, NULL, 5, true);
    out = reconcile(&a, &b);
    assert_holds(&out, 9, 0);
}

static void a_swept_side_is_the_same_write(void **state)
{
    (void)state;
    hust_stored_t live = solo(7, "x", 5, true);
    live.record.sides[0].expire_at_ms = TEST_NOW_MS + 1;
    hust_stored_t swept = solo(7, NULL, 4, true);
    swept.record.sides[0].expire_at_ms = TEST_NOW_MS + 1;
    hust_reconciled_t out = reconcile(&live, &swept);
    assert_int_equal(out.next.record.side_count, 1);
    assert_true(out.next.record.sides[0].deleted);
}

static void a_conflict_spreads_to_the_one_that_does_not_know_it(void **state)
{
    (void)state;
    hust_stored_t both = conflict(9, "b", 7, "a", 7);
    hust_stored_t alone = solo(9, "b", 5, true);
    hust_reconciled_t out = reconcile(&alone, &both);
    assert_holds(&out, 9, 7);
    assert_true(out.agreed && out.changed);
    assert_stamp(out.next.hint.own, test_stamp(9));
    assert_true(out.next.hint.has_target);
    /* And then it rests. */
    hust_stored_t next = out.next;
    out = reconcile(&next, &both);
    assert_false(out.changed);
    out = reconcile(&both, &next);
    assert_false(out.changed);
}

static void a_conflict_outlives_the_sweeping_of_a_side(void **state)
{
    (void)state;
    hust_stored_t both = conflict(9, "b", 7, "a", 7);
    both.record.sides[0].expire_at_ms = TEST_NOW_MS;
    hust_stored_t swept = solo(9, NULL, 5, true);
    swept.record.sides[0].expire_at_ms = TEST_NOW_MS;
    hust_reconciled_t out = reconcile(&swept, &both);
    assert_holds(&out, 9, 7);
}

static void an_answer_counts_only_while_nothing_has_changed(void **state)
{
    (void)state;
    replica_t replica;
    replica_init(&replica);
    replica_do(&replica, test_put(test_stamp(5), "x"));
    hust_stored_t theirs = plain(9, "newer");
    hust_buf_t bytes = {0};
    assert_int_equal(hust_stored_encode(&theirs, &bytes), HUST_OK);
    hust_op_t op = {.code = HUST_OP_RECONCILE,
                    .flags = HUST_OPF_HAS_STAMP | HUST_OPF_HAS_GEN,
                    .element = test_element(),
                    .now_ms = TEST_NOW_MS,
                    .stamp = test_stamp(4),
                    .value = hust_buf_slice(&bytes)};
    assert_true((replica_do(&replica, op).flags & HUST_RESULT_BEHIND) != 0);
    op.stamp = test_stamp(5);
    op.gen = 1;
    assert_true((replica_do(&replica, op).flags & HUST_RESULT_BEHIND) != 0);
    assert_stamp(replica.held.record.sides[0].stamp, test_stamp(5));
    op.gen = 0;
    assert_true((replica_do(&replica, op).flags & HUST_RESULT_STORED) != 0);
    assert_stamp(replica.held.record.sides[0].stamp, test_stamp(9));
    op.value = hust_slice_str("no record");
    assert_int_equal(replica_do(&replica, op).status, 400);
    hust_buf_free(&bytes);
    replica_free(&replica);
}

static void a_stamp_far_ahead_is_refused(void **state)
{
    (void)state;
    replica_t replica;
    replica_init(&replica);
    hust_stored_t theirs = plain(1, "x");
    hust_buf_t bytes = {0};
    theirs.record.sides[0].stamp = test_stamp(HUST_CLOCK_AHEAD_MAX_MS + 1);
    assert_int_equal(hust_stored_encode(&theirs, &bytes), HUST_OK);
    hust_op_t op = {.code = HUST_OP_RECONCILE,
                    .element = test_element(),
                    .now_ms = TEST_NOW_MS,
                    .value = hust_buf_slice(&bytes)};
    assert_int_equal(replica_do(&replica, op).status, 503);
    assert_int_equal(replica.held.record.side_count, 0);
    hust_buf_free(&bytes);
    replica_free(&replica);
}

static void a_write_that_knew_both_sides_decides(void **state)
{
    (void)state;
    for (unsigned own = 7; own <= 9; own += 2) {
        hust_stored_t both = conflict(9, "b", 7, "a", own);
        hust_stored_t write = solo(12, "c", 9, true);
        hust_reconciled_t out = reconcile(&both, &write);
        assert_holds(&out, 12, 0);
        assert_false(out.next.hint.present);
        write = plain(12, "c");
        out = reconcile(&both, &write);
        assert_holds(&out, 12, 0);
    }
}

static void a_write_that_knew_one_side_replaces_that_one(void **state)
{
    (void)state;
    hust_stored_t both = conflict(9, "b", 7, "a", 7);
    hust_stored_t write = solo(12, "c", 5, true); /* over 9, which was solo as well */
    hust_reconciled_t out = reconcile(&both, &write);
    assert_holds(&out, 12, 7);
    assert_stamp(out.next.hint.own, test_stamp(7));
    out = reconcile(&write, &both);
    assert_stamp(out.next.hint.own, test_stamp(12));
}

static void old_news_of_a_conflict_change_nothing(void **state)
{
    (void)state;
    hust_stored_t both = conflict(9, "b", 7, "a", 7);
    hust_stored_t old = solo(8, "before b", 5, true);
    hust_reconciled_t out = reconcile(&both, &old);
    assert_holds(&out, 9, 7);
    assert_false(out.changed);
}

static void a_conflict_over_a_write_that_reached_both_is_none(void **state)
{
    (void)state;
    hust_stored_t both = conflict(9, "c", 7, "a", 9);
    hust_stored_t reached = solo(9, "c", 5, true);
    hust_reconciled_t out = reconcile(&both, &reached);
    assert_holds(&out, 9, 0);
}

/* --- random histories --- */

enum { WRITES_MAX = 24, HISTORIES = 40000 };

/* Two masters, and for each write what the one who made it could know: bits of earlier writes. */
typedef struct {
    uint64_t seed;
    replica_t master[2];
    unsigned count;
    uint32_t knows[WRITES_MAX];
    hust_stamp_t stamps[WRITES_MAX];
    char values[WRITES_MAX][8];
    hust_clock_t clock;
} history_t;

static const hust_slice_t ADDRESS = {(const uint8_t *)"h:1", 3};

static uint32_t known_of(const history_t *history, hust_stamp_t stamp)
{
    for (unsigned i = 0; i < history->count; i++) {
        if (hust_stamp_compare(history->stamps[i], stamp) == 0) {
            return history->knows[i] | 1u << i;
        }
    }
    return 0;
}

/* All writes that what a replica holds knows of. */
static uint32_t known_by(const history_t *history, const replica_t *replica)
{
    uint32_t known = 0;
    for (unsigned i = 0; i < replica->held.record.side_count; i++) {
        known |= known_of(history, replica->held.record.sides[i].stamp);
    }
    return known;
}

/* A write arrives: it knows what it replaces, and what it loses to knows it from now on. */
static hust_result_t arrive(history_t *history, unsigned m, unsigned write, const hust_op_t *op)
{
    replica_t *replica = &history->master[m];
    uint32_t before = known_by(history, replica);
    hust_stamp_t top = hust_record_stamp(&replica->held.record);
    hust_result_t result = replica_do(replica, *op);
    if (result.status == 200 || result.status == 404) {
        hust_stamp_t now = hust_record_stamp(&replica->held.record);
        if ((op->flags & HUST_OPF_DIRECT) != 0) {
            history->stamps[write] = now;
        }
        if (hust_stamp_compare(now, history->stamps[write]) == 0) {
            history->knows[write] |= before;
        } else if (hust_stamp_compare(now, top) == 0) {
            for (unsigned i = 0; i < history->count; i++) {
                if (hust_stamp_compare(history->stamps[i], now) == 0) {
                    history->knows[i] |= known_of(history, history->stamps[write]);
                }
            }
        }
    }
    return result;
}

static hust_op_t new_write(history_t *history, unsigned *write)
{
    *write = history->count++;
    snprintf(history->values[*write], sizeof(history->values[0]), "v%u",
             test_pick(&history->seed, 3) == 0 ? 0 : *write);
    history->knows[*write] = 0;
    history->stamps[*write] = hust_clock_next(&history->clock, TEST_NOW_MS + *write);
    hust_op_t op = test_put(history->stamps[*write], history->values[*write]);
    unsigned kind = test_pick(&history->seed, 8);
    op.expire_at_ms = kind == 0 ? TEST_NOW_MS : (kind == 1 ? TEST_NOW_MS + 9999 : 0);
    if (kind == 2 || kind == 3) {
        op = test_del(history->stamps[*write]);
    }
    if (!hust_side_is_live(
            &(hust_side_t){.deleted = op.code == HUST_OP_DEL, .expire_at_ms = op.expire_at_ms},
            TEST_NOW_MS)) {
        strcpy(history->values[*write], "gone");
    }
    return op;
}

/* Through HA, both up: at the two masters in either order, maybe another one in between. */
static void write_plain(history_t *history)
{
    unsigned one;
    unsigned two;
    hust_op_t first = new_write(history, &one);
    hust_op_t second = new_write(history, &two);
    unsigned late = test_pick(&history->seed, 3); /* 2: at no master the wrong way round */
    for (unsigned m = 0; m < 2; m++) {
        (void)arrive(history, m, late == m ? two : one, late == m ? &second : &first);
        (void)arrive(history, m, late == m ? one : two, late == m ? &first : &second);
    }
}

/* Through HA, one master away: known beforehand, or found out and then hinted. */
static void write_solo(history_t *history)
{
    unsigned write;
    unsigned m = test_pick(&history->seed, 2);
    hust_op_t op = new_write(history, &write);
    bool known = test_pick(&history->seed, 2) == 0;
    op.target = ADDRESS;
    op.flags |= known ? HUST_OPF_SOLO | HUST_OPF_HAS_TARGET : 0;
    hust_result_t result = arrive(history, m, write, &op);
    if (!known) {
        hust_op_t hint = {.code = HUST_OP_HINT,
                          .element = op.element,
                          .now_ms = op.now_ms,
                          .flags = HUST_OPF_HAS_STAMP | HUST_OPF_HAS_BASE | HUST_OPF_HAS_TARGET,
                          .stamp = op.stamp,
                          .base = result.replaced,
                          .target = ADDRESS};
        replica_do(&history->master[m], hint);
    }
}

static void write_direct(history_t *history)
{
    unsigned write;
    hust_op_t op = new_write(history, &write);
    op.flags = HUST_OPF_DIRECT;
    (void)arrive(history, test_pick(&history->seed, 2), write, &op);
    (void)hust_clock_see(&history->clock, history->stamps[write], TEST_NOW_MS + 1000);
}

/* One master decides; its record may be merged into the other one, and the hint dropped. */
static void write_deciding(history_t *history)
{
    unsigned write;
    unsigned m = test_pick(&history->seed, 2);
    hust_op_t op = new_write(history, &write);
    op.flags |= HUST_OPF_DECIDE | HUST_OPF_HAS_TARGET;
    op.target = ADDRESS;
    hust_result_t decided = arrive(history, m, write, &op);
    unsigned fate = test_pick(&history->seed, 3);
    if ((decided.flags & HUST_RESULT_BEHIND) != 0 || fate == 0) {
        return;
    }
    hust_buf_t record = {0};
    const hust_record_t *mine = &history->master[m].held.record;
    assert_int_equal(hust_record_encode(mine, &record), HUST_OK);
    hust_op_t merge = {.code = HUST_OP_MERGE,
                       .flags = HUST_OPF_HAS_BASE,
                       .element = op.element,
                       .now_ms = op.now_ms,
                       .base = decided.replaced,
                       .value = hust_buf_slice(&record)};
    /* Any write through HA decides a conflict that it meets: it counts as knowing both sides. */
    bool decides = history->master[1 - m].held.record.side_count == 2;
    uint32_t before = decides ? known_by(history, &history->master[1 - m]) : 0;
    hust_result_t merged = replica_do(&history->master[1 - m], merge);
    history->knows[write] |= hust_stamp_compare(merged.stamp, decided.stamp) == 0 ? before : 0;
    hust_buf_free(&record);
    bool equal = hust_stamp_compare(merged.stamp, decided.stamp) == 0 &&
                 (merged.flags & HUST_RESULT_CONFLICT) == 0;
    if (fate == 2 && equal) {
        hust_op_t unhint = {.code = HUST_OP_UNHINT,
                            .element = op.element,
                            .now_ms = op.now_ms,
                            .flags = HUST_OPF_HAS_STAMP | HUST_OPF_HAS_GEN | HUST_OPF_HAS_TARGET,
                            .stamp = decided.stamp,
                            .gen = decided.gen,
                            .target = ADDRESS};
        replica_do(&history->master[m], unhint);
    }
}

static hust_op_t show(const replica_t *from, hust_buf_t *bytes)
{
    hust_buf_clear(bytes);
    assert_int_equal(hust_stored_encode(&from->held, bytes), HUST_OK);
    return (hust_op_t){.code = HUST_OP_RECONCILE,
                       .element = test_element(),
                       .now_ms = TEST_NOW_MS,
                       .value = hust_buf_slice(bytes)};
}

/* One exchange as a node carries it out; true if both are known to hold the same. */
static bool exchange(history_t *history, unsigned m, bool lose_reply)
{
    replica_t *mine = &history->master[m];
    replica_t *other = &history->master[1 - m];
    hust_buf_t shown = {0};
    hust_buf_t answer = {0};
    const hust_op_t bound = {.flags = HUST_OPF_HAS_STAMP | HUST_OPF_HAS_GEN | HUST_OPF_HAS_TARGET,
                             .stamp = hust_record_stamp(&mine->held.record),
                             .gen = mine->held.hint.gen};
    hust_op_t reply = show(other, &answer);
    hust_result_t result = replica_do(other, show(mine, &shown));
    assert_int_equal(result.status, 200);
    bool agreed = replicas_equal(mine, other);
    if (!lose_reply) {
        reply.flags |= bound.flags;
        reply.stamp = bound.stamp;
        reply.gen = bound.gen;
        reply.target = ADDRESS;
        if (agreed) {
            reply.code = HUST_OP_UNHINT;
            reply.value = (hust_slice_t){NULL, 0};
        }
        assert_int_equal(replica_do(mine, reply).status, 200);
    }
    hust_buf_free(&shown);
    hust_buf_free(&answer);
    return agreed && !lose_reply;
}

/* What hint delivery does, from either side, with replies lost on the way. */
static void deliver(history_t *history, bool to_the_end)
{
    unsigned first = test_pick(&history->seed, 2);
    for (unsigned i = 0; i < 2; i++) {
        unsigned m = first ^ i;
        unsigned lost = to_the_end ? test_pick(&history->seed, 3) : 0;
        unsigned rounds = to_the_end ? 8 : test_pick(&history->seed, 3);
        while (rounds-- > 0 && history->master[m].held.hint.has_target &&
               !(exchange(history, m, lost > 0) && to_the_end)) {
            lost -= lost > 0 ? 1 : 0;
        }
        assert_true(!to_the_end || !history->master[m].held.hint.has_target);
    }
}

/* Writes that left the same as a later one that is known of: nobody misses them. */
static uint32_t with_same_content(const history_t *history, uint32_t known)
{
    uint32_t before;
    do {
        before = known;
        for (unsigned i = 0; i < history->count; i++) {
            for (unsigned j = 0; j < history->count; j++) {
                bool same = strcmp(history->values[i], history->values[j]) == 0 &&
                            hust_stamp_compare(history->stamps[i], history->stamps[j]) > 0;
                known |= same && (known & 1u << i) != 0 ? history->knows[j] | 1u << j : 0;
            }
        }
    } while (known != before);
    return known;
}

static void check_end(history_t *history, uint64_t seed)
{
    const hust_stored_t *a = &history->master[0].held;
    const hust_stored_t *b = &history->master[1].held;
    uint32_t known = with_same_content(history, known_by(history, &history->master[0]));
    uint32_t all = (1u << history->count) - 1;
    if (!replicas_equal(&history->master[0], &history->master[1])) {
        fail_msg("seed %lu: the masters differ", seed);
    }
    if (known != all) {
        fail_msg("seed %lu: lost writes %x of %x", seed, all & ~known, all);
    }
    if (a->record.side_count == 2) {
        assert_true(a->hint.present && b->hint.present);
        assert_int_not_equal(hust_stamp_compare(a->hint.own, b->hint.own), 0);
    }
}

static void run_history(uint64_t seed)
{
    static void (*const writes[])(history_t *) = {write_plain, write_solo, write_solo, write_direct,
                                                  write_deciding};
    history_t history = {.seed = seed * 0x9E3779B97F4A7C15ULL + 1, .clock = {.writer = 7}};
    for (unsigned m = 0; m < 2; m++) {
        replica_init(&history.master[m]);
        history.master[m].replicated = true;
        history.master[m].clock.writer = 100 + m;
    }
    unsigned length = 1 + test_pick(&history.seed, 10);
    for (unsigned i = 0; i < length; i++) {
        writes[test_pick(&history.seed, 5)](&history);
        if (test_pick(&history.seed, 4) == 0) {
            deliver(&history, false);
        }
    }
    /* Marks are no tasks: something has to bring the element up, as the comparison of masters. */
    hust_op_t hint = {.code = HUST_OP_HINT,
                      .flags = HUST_OPF_HAS_TARGET,
                      .element = test_element(),
                      .now_ms = TEST_NOW_MS,
                      .target = ADDRESS};
    replica_do(&history.master[test_pick(&history.seed, 2)], hint);
    deliver(&history, true);
    check_end(&history, seed);
    replica_free(&history.master[0]);
    replica_free(&history.master[1]);
}

static void random_histories_end_equal_and_lose_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= HISTORIES; seed++) {
        run_history(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_records_leave_nothing_to_do),
        cmocka_unit_test(a_mark_goes_once_both_hold_the_same),
        cmocka_unit_test(a_listed_hint_stays_but_says_that_nothing_is_missing),
        cmocka_unit_test(the_newer_wins),
        cmocka_unit_test(nothing_at_all_takes_what_there_is),
        cmocka_unit_test(a_stale_copy_is_no_conflict),
        cmocka_unit_test(writes_that_did_not_know_each_other_are_both_kept),
        cmocka_unit_test(only_two_hints_make_a_conflict),
        cmocka_unit_test(expiry_is_no_difference_in_content),
        cmocka_unit_test(a_swept_side_is_the_same_write),
        cmocka_unit_test(a_conflict_spreads_to_the_one_that_does_not_know_it),
        cmocka_unit_test(a_conflict_outlives_the_sweeping_of_a_side),
        cmocka_unit_test(an_answer_counts_only_while_nothing_has_changed),
        cmocka_unit_test(a_stamp_far_ahead_is_refused),
        cmocka_unit_test(a_write_that_knew_both_sides_decides),
        cmocka_unit_test(a_write_that_knew_one_side_replaces_that_one),
        cmocka_unit_test(old_news_of_a_conflict_change_nothing),
        cmocka_unit_test(a_conflict_over_a_write_that_reached_both_is_none),
        cmocka_unit_test(random_histories_end_equal_and_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
