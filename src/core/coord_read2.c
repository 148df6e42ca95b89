/*
 * read2: both masters are asked at the same time and compared (docs/http-api.md, "Reading both
 * masters").
 *
 * A difference that can only be a write on its way is looked at again for a few milliseconds: as
 * soon as one stamp has been seen on both masters, at whatever moment on each, that write had
 * reached both, and it is the answer. Both are asked again each time: of a key that is written all
 * the time, asking only the one that is behind would find it a step ahead again and again.
 */
#include <assert.h>
#include <stdlib.h>

#include "core/coord_internal.h"

/* Pauses between the rounds; together HUST_READ2_WAIT_MS. */
static const uint8_t PAUSES_MS[] = {1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                    2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5};
enum { PAUSE_COUNT = sizeof(PAUSES_MS) / sizeof(PAUSES_MS[0]) };

static void ask_both(hust_coord_t *coord)
{
    assert(coord->rounds < HUST_READ2_SEEN_MAX);
    assert(!coord->done);
    hust_op_t op = coord->in.op;
    op.flags |= HUST_OPF_OWN;
    hust_coord_send(coord, 0, &op);
    hust_coord_send(coord, 1, &op);
    coord->rounds++;
}

void hust_coord_read2_begin(hust_coord_t *coord)
{
    _Static_assert((int)PAUSE_COUNT < (int)HUST_READ2_SEEN_MAX, "every round is remembered");
    ask_both(coord);
}

void hust_coord_read2_tick(hust_coord_t *coord)
{
    ask_both(coord);
}

static bool is_present(const hust_result_t *result)
{
    return result->status == 200;
}

static bool values_equal(const hust_result_t *a, const hust_result_t *b)
{
    if ((a->flags & b->flags & HUST_RESULT_LARGE) != 0) {
        return a->value_bytes == b->value_bytes &&
               memcmp(a->value_hash, b->value_hash, HUST_VALUE_HASH_BYTES) == 0;
    }
    return ((a->flags | b->flags) & HUST_RESULT_LARGE) == 0 && hust_slice_equal(a->value, b->value);
}

static bool agree(const hust_result_t *a, const hust_result_t *b)
{
    return is_present(a) == is_present(b) && a->version == b->version && values_equal(a, b);
}

/* Hinted towards a master that is away or catching up: it is known to lack something. */
static bool hint_explains(const hust_coord_t *coord, unsigned holder)
{
    return (coord->master[holder].result.flags & HUST_RESULT_HINTED) != 0 &&
           coord->in.state[1 - holder] != HUST_MASTER_UP;
}

/*
 * A mark or two sides of a conflict on either master, or a hint, explain a difference. But a
 * deciding write keeps a hint while it is on its way to the other master, which is up then: that
 * one is waited for like any other.
 */
static bool explained(const hust_coord_t *coord)
{
    const unsigned known = HUST_RESULT_MARKED | HUST_RESULT_CONFLICT;
    unsigned flags = coord->master[0].result.flags | coord->master[1].result.flags;
    return (flags & known) != 0 || hint_explains(coord, 0) || hint_explains(coord, 1);
}

static void fill_values(hust_coord_t *coord, const hust_result_t *a, const hust_result_t *b,
                        bool same_value)
{
    hust_outcome_t *outcome = &coord->outcome;
    const hust_result_t *results[2] = {a, b};
    assert(outcome->value_count == 0);
    for (unsigned m = 0; m < 2; m++) {
        if (is_present(results[m]) && (outcome->value_count == 0 || !same_value)) {
            outcome->values[outcome->value_count] = *results[m];
            outcome->value_master[outcome->value_count] = m;
            outcome->value_count++;
        }
    }
    outcome->has_val_offset = !same_value;
}

static void fill_difference(hust_coord_t *coord, const hust_result_t *a, const hust_result_t *b)
{
    hust_outcome_t *outcome = &coord->outcome;
    int order = hust_stamp_compare(a->stamp, b->stamp);
    outcome->newer = order > 0 ? 1 : (order < 0 ? 2 : 0);
    if ((a->flags & HUST_RESULT_HINTED) != 0) {
        outcome->sync_pending = coord->in.address[1];
    } else if ((b->flags & HUST_RESULT_HINTED) != 0) {
        outcome->sync_pending = coord->in.address[0];
    }
}

/* The answer from what the two masters hold, at least one of them something. */
static void finish_compared(hust_coord_t *coord, const hust_result_t *a, const hust_result_t *b)
{
    hust_outcome_t *outcome = &coord->outcome;
    assert(is_present(a) || is_present(b));
    bool both = is_present(a) && is_present(b);
    bool wants_value = coord->in.call->reply == HUST_REPLY_VALUE;
    bool same_value = both && values_equal(a, b);
    bool same_version = a->version == b->version;
    outcome->has_version = true;
    outcome->version = a->version;
    outcome->versions[0] = a->version;
    outcome->versions[1] = b->version;
    outcome->differ = !same_version;
    if (!same_value || !same_version) {
        fill_difference(coord, a, b);
    }
    if (wants_value) {
        fill_values(coord, a, b, same_value);
        outcome->has_etag = both && hust_stamp_compare(a->stamp, b->stamp) == 0;
        outcome->etag = a->stamp;
        hust_coord_finish(coord, same_value ? 200 : 409, NULL);
    } else {
        hust_coord_finish(coord, both && same_version ? 200 : 409, NULL);
    }
}

/* A stamp that was seen on both masters, in whatever round on each: the newest of them. */
static bool find_common(const hust_coord_t *coord, const hust_result_t **a, const hust_result_t **b)
{
    bool found = false;
    for (unsigned i = 0; i < coord->seen_count[0]; i++) {
        for (unsigned j = 0; j < coord->seen_count[1]; j++) {
            const hust_result_t *x = &coord->seen[0][i];
            const hust_result_t *y = &coord->seen[1][j];
            bool same = !hust_stamp_is_none(x->stamp) &&
                        hust_stamp_compare(x->stamp, y->stamp) == 0 &&
                        is_present(x) == is_present(y);
            if (same && (!found || hust_stamp_compare(x->stamp, (*a)->stamp) >= 0)) {
                *a = x;
                *b = y;
                found = true;
            }
        }
    }
    return found;
}

static void finish_settled(hust_coord_t *coord, const hust_result_t *a, const hust_result_t *b)
{
    if (is_present(a) || is_present(b)) {
        finish_compared(coord, a, b);
    } else {
        hust_coord_finish_absent(coord, 404, NULL);
    }
}

/* False: no memory, so there is nothing to wait with. */
static bool remember(hust_coord_t *coord)
{
    if (coord->seen[0] == NULL) {
        coord->seen[0] = calloc(2 * (size_t)HUST_READ2_SEEN_MAX, sizeof(hust_result_t));
        if (coord->seen[0] == NULL) {
            return false;
        }
        coord->seen[1] = coord->seen[0] + HUST_READ2_SEEN_MAX;
    }
    for (unsigned m = 0; m < 2; m++) {
        assert(coord->seen_count[m] < HUST_READ2_SEEN_MAX);
        coord->seen[m][coord->seen_count[m]++] = coord->master[m].result;
    }
    return true;
}

/* The masters differ and nothing explains it: wait for the write that must be on its way. */
static void settle(hust_coord_t *coord, uint64_t now_ms)
{
    const hust_result_t *a = &coord->master[0].result;
    const hust_result_t *b = &coord->master[1].result;
    bool out_of_time = !remember(coord) || coord->rounds > PAUSE_COUNT ||
                       now_ms >= coord->started_ms + HUST_READ2_WAIT_MS;
    if (find_common(coord, &a, &b) || out_of_time) {
        finish_settled(coord, a, b);
        return;
    }
    hust_coord_set_timer(coord, PAUSES_MS[coord->rounds - 1]);
}

void hust_coord_read2_step(hust_coord_t *coord, uint64_t now_ms)
{
    hust_seen_t seen[2] = {hust_coord_seen(coord, 0), hust_coord_seen(coord, 1)};
    if (seen[0] == HUST_SEEN_NONE || seen[1] == HUST_SEEN_NONE) {
        coord->outcome.unreachable = coord->in.address[seen[0] == HUST_SEEN_NONE ? 0 : 1];
        hust_coord_finish(coord, 503, "a master gives no answer\n");
        return;
    }
    bool one_present = seen[0] == HUST_SEEN_PRESENT || seen[1] == HUST_SEEN_PRESENT;
    if (!one_present && (seen[0] == HUST_SEEN_OTHER_TYPE || seen[1] == HUST_SEEN_OTHER_TYPE)) {
        hust_coord_finish_absent(coord, 412, "tb: is of another type\n");
        return;
    }
    const hust_result_t *a = &coord->master[0].result;
    const hust_result_t *b = &coord->master[1].result;
    if (!one_present || agree(a, b) || explained(coord)) {
        finish_settled(coord, a, b);
    } else {
        settle(coord, now_ms);
    }
}
