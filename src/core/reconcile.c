#include "core/reconcile.h"

#include <assert.h>

static const hust_stamp_t NO_STAMP = {0, 0};

static bool same_stamp(hust_stamp_t a, hust_stamp_t b)
{
    return hust_stamp_compare(a, b) == 0;
}

/* Which side a node accepted itself: the only one, or in a conflict the one that it remembers. */
static unsigned own_index(const hust_stored_t *stored)
{
    const hust_record_t *record = &stored->record;
    assert(record->side_count > 0);
    return record->side_count == 2 && same_stamp(record->sides[1].stamp, stored->hint.own) ? 1 : 0;
}

static const hust_side_t *own_side(const hust_stored_t *stored)
{
    return &stored->record.sides[own_index(stored)];
}

/* In a conflict: the side that came from the other node. */
static const hust_side_t *other_side(const hust_stored_t *stored)
{
    assert(stored->record.side_count == 2);
    return &stored->record.sides[1 - own_index(stored)];
}

/* True if `known` has already seen of the other node something newer than `shown`. */
static bool is_old_news(const hust_stored_t *known, const hust_side_t *shown)
{
    return known->record.side_count == 2 &&
           hust_stamp_compare(shown->stamp, other_side(known)->stamp) < 0;
}

static bool holds_both(const hust_record_t *record, const hust_side_t *a, const hust_side_t *b)
{
    if (record->side_count != 2) {
        return false;
    }
    hust_stamp_t first = record->sides[0].stamp;
    hust_stamp_t second = record->sides[1].stamp;
    return (same_stamp(first, a->stamp) && same_stamp(second, b->stamp)) ||
           (same_stamp(first, b->stamp) && same_stamp(second, a->stamp));
}

/* True if what `held` holds is what the writes under the other one's hint replaced. */
static bool is_stale(const hust_stored_t *held, const hust_hint_t *hint)
{
    return same_stamp(hint->base, own_side(held)->stamp) ||
           same_stamp(hint->base, hust_record_stamp(&held->record));
}

/* A difference in expiry alone is none; two that are gone are alike. */
static bool content_differs(const hust_side_t *a, const hust_side_t *b, uint64_t now_ms)
{
    bool a_live = hust_side_is_live(a, now_ms);
    bool b_live = hust_side_is_live(b, now_ms);
    return a_live != b_live || (a_live && !hust_slice_equal(a->value, b->value));
}

static bool is_conflict(const hust_stored_t *mine, const hust_stored_t *theirs, uint64_t now_ms)
{
    return mine->hint.present && theirs->hint.present &&
           content_differs(own_side(mine), own_side(theirs), now_ms) &&
           !is_stale(mine, &theirs->hint) && !is_stale(theirs, &mine->hint);
}

static hust_record_t one_side(const hust_side_t *a, const hust_side_t *b)
{
    hust_record_t first = {.side_count = 1, .sides = {*a}};
    hust_record_t second = {.side_count = 1, .sides = {*b}};
    return hust_record_merge(&first, &second);
}

static hust_record_t both_sides(const hust_side_t *a, const hust_side_t *b)
{
    int order = hust_stamp_compare(a->stamp, b->stamp);
    assert(order != 0);
    return (hust_record_t){.side_count = 2, .sides = {order > 0 ? *a : *b, order > 0 ? *b : *a}};
}

/*
 * The record that both are to hold; the same with the arguments swapped.
 *
 * Of a conflict that only one of them knows yet, its own side counts: the other side is what the
 * other node held then, and whatever that node holds now has been written over it.
 */
static hust_record_t join(const hust_stored_t *mine, const hust_stored_t *theirs, uint64_t now_ms)
{
    const hust_record_t *a = &mine->record;
    const hust_record_t *b = &theirs->record;
    if (a->side_count == 0 || b->side_count == 0 || hust_record_compare(a, b) == 0) {
        return hust_record_merge(a, b);
    }
    const hust_side_t *own_a = own_side(mine);
    const hust_side_t *own_b = own_side(theirs);
    if (is_old_news(mine, own_b) || is_old_news(theirs, own_a)) {
        return hust_record_merge(a, b);
    }
    if (same_stamp(own_a->stamp, own_b->stamp)) {
        return one_side(own_a, own_b);
    }
    bool a_knows = holds_both(a, own_a, own_b);
    bool b_knows = holds_both(b, own_a, own_b);
    if (a_knows != b_knows) {
        return a_knows ? *a : *b;
    }
    if (!a_knows && is_conflict(mine, theirs, now_ms)) {
        return both_sides(own_a, own_b);
    }
    return hust_record_merge(a, b);
}

/* Which of the two sides of a conflict is ours: the one we had, or else the one they had not. */
static unsigned own_in_conflict(const hust_stored_t *mine, const hust_stored_t *theirs,
                                const hust_record_t *record)
{
    for (unsigned i = 0; i < 2 && mine->record.side_count > 0; i++) {
        if (same_stamp(record->sides[i].stamp, own_side(mine)->stamp)) {
            return i;
        }
    }
    assert(theirs->record.side_count > 0);
    return same_stamp(record->sides[0].stamp, own_side(theirs)->stamp) ? 1 : 0;
}

static hust_hint_t next_hint(const hust_stored_t *mine, const hust_stored_t *theirs,
                             const hust_reconciled_t *out)
{
    hust_hint_t hint = mine->hint;
    const hust_record_t *record = &out->next.record;
    hint.own = NO_STAMP;
    if (record->side_count == 2) {
        unsigned own = own_in_conflict(mine, theirs, record);
        hint.present = true;
        hint.own = record->sides[own].stamp;
        hint.base = record->sides[1 - own].stamp;
        hint.solo = NO_STAMP;
    } else if (out->agreed && hint.present && hint.has_target) {
        hint.base = hust_record_stamp(record);
        hint.solo = NO_STAMP;
    } else if (out->agreed) {
        hint = (hust_hint_t){0};
    }
    return hint;
}

static bool same_hint(const hust_hint_t *a, const hust_hint_t *b)
{
    return a->present == b->present && a->has_target == b->has_target &&
           same_stamp(a->base, b->base) && same_stamp(a->solo, b->solo) &&
           same_stamp(a->own, b->own) && a->gen == b->gen;
}

void hust_reconcile(const hust_stored_t *mine, const hust_stored_t *theirs, uint64_t now_ms,
                    hust_reconciled_t *out)
{
    assert(mine->record.side_count <= 2 && theirs->record.side_count <= 2);
    out->next.record = join(mine, theirs, now_ms);
    out->agreed = hust_record_compare(&out->next.record, &theirs->record) == 0;
    out->changed = hust_record_compare(&out->next.record, &mine->record) != 0;
    out->next.hint = next_hint(mine, theirs, out);
    /* Who goes by what was held before must find it changed, although the newest side is not. */
    if (out->changed && out->next.hint.present) {
        out->next.hint.gen++;
    }
    out->changed = out->changed || !same_hint(&out->next.hint, &mine->hint);
}
