/*
 * write: both masters get every write (docs/http-api.md, "Writes").
 *
 * A plain write goes to both at the same time with one stamp. A deciding one (ver, If-Match,
 * additions) is executed by one master, which keeps a hint until its record has been merged into
 * the other. What is unknown is never sent again.
 */
#include <assert.h>

#include "core/coord_internal.h"

enum {
    PHASE_BOTH,   /* a plain write is at the masters */
    PHASE_HINT,   /* one master missed it: the other is making that durable */
    PHASE_DECIDE, /* a deciding write is at its master */
    PHASE_MERGE,  /* its result is being merged into the other one */
};

static bool stored(const hust_coord_t *coord, unsigned master)
{
    return coord->master[master].answered &&
           (coord->master[master].result.flags & HUST_RESULT_STORED) != 0;
}

/* Refused for a reason that the client can understand: surely nothing was changed. */
static bool refused(const hust_coord_t *coord, unsigned master)
{
    if (!coord->master[master].answered || stored(coord, master)) {
        return false;
    }
    unsigned status = coord->master[master].result.status;
    return (status >= 400 && status < 500) || status == 507;
}

/* It may have been executed, for all we know. */
static bool fate_unknown(const hust_coord_t *coord, unsigned master)
{
    if (coord->master[master].failed) {
        return coord->master[master].failure == HUST_FAILED_UNKNOWN;
    }
    return !stored(coord, master) && coord->master[master].result.status == 500;
}

static bool superseded(const hust_coord_t *coord, unsigned master)
{
    return stored(coord, master) &&
           hust_stamp_compare(coord->master[master].result.stamp, coord->op.stamp) > 0;
}

static void finish_unknown(hust_coord_t *coord)
{
    hust_coord_finish(coord, 503, "the write may or may not have taken effect\n");
}

static void finish_refused(hust_coord_t *coord, const hust_result_t *result)
{
    assert((result->flags & HUST_RESULT_STORED) == 0);
    hust_outcome_t *outcome = &coord->outcome;
    const char *reason = "the write is refused\n";
    bool other_type = (result->flags & HUST_RESULT_OTHER_TYPE) != 0;
    if (result->status == 401) {
        reason = "ver: is not the current version\n";
    } else if (result->status == 403) {
        reason = "the number would overflow, or the value is no number\n";
    } else if (result->status == 412) {
        reason =
            other_type ? "tb: is of another type\n" : "the condition on the ETag does not hold\n";
    } else if (result->status == 507) {
        reason = "the masters have no room for writes\n";
    }
    outcome->version = result->version;
    outcome->has_version = true;
    outcome->ver_error = result->status == 401;
    hust_coord_finish(coord, result->status, reason);
}

/* The number a call answers with: what was stored. */
static void fill_number(hust_coord_t *coord, hust_slice_t text)
{
    if (coord->in.call->reply == HUST_REPLY_NUMBER) {
        coord->outcome.value_count = 1;
        coord->outcome.values[0] = (hust_result_t){.status = 200, .value = text};
    }
}

/* The write is stored on one master at least; `missed` is the other one's address, or empty. */
static void finish_stored(hust_coord_t *coord, unsigned status, uint64_t version,
                          hust_slice_t missed)
{
    hust_outcome_t *outcome = &coord->outcome;
    bool is_delete = coord->op.code == HUST_OP_DEL;
    assert(status == 200 || (is_delete && status == 404));
    outcome->version = !is_delete && version == 0 ? 1 : version;
    outcome->has_version = true;
    outcome->sync = missed;
    outcome->etag = coord->op.stamp;
    outcome->has_etag = !is_delete;
    hust_coord_finish(coord, status, NULL);
}

/* ---- plain writes ---- */

static void send_to_both(hust_coord_t *coord)
{
    assert(!hust_op_is_deciding(&coord->op));
    coord->phase = PHASE_BOTH;
    for (unsigned m = 0; m < 2; m++) {
        hust_op_t op = coord->op;
        if (coord->in.state[1 - m] == HUST_MASTER_DOWN) {
            op.flags |= HUST_OPF_SOLO | HUST_OPF_HAS_TARGET;
            op.target = coord->in.address[1 - m];
        }
        hust_coord_send(coord, m, &op);
    }
}

/*
 * Every master that answered holds something newer. If that came from another worker, whose clock
 * may simply be ahead of ours, the write is issued once more with a stamp after it; if it came
 * from this worker, the two were concurrent and the later one has rightly won.
 */
static bool issue_again(hust_coord_t *coord, uint64_t now_ms)
{
    if ((coord->op.flags & HUST_OPF_AGAIN) != 0) {
        return false;
    }
    for (unsigned m = 0; m < 2; m++) {
        if (stored(coord, m) && (!superseded(coord, m) ||
                                 coord->master[m].result.stamp.writer == coord->in.clock->writer)) {
            return false;
        }
    }
    /* What the first try found is what a delete answers. */
    for (unsigned m = 0; m < 2; m++) {
        if (stored(coord, m) && coord->master[m].result.status == 200) {
            coord->decision = coord->master[m].result;
            coord->decided = true;
        }
        if (coord->master[m].failed) {
            coord->in.state[m] = HUST_MASTER_DOWN;
        }
    }
    coord->op.flags |= HUST_OPF_AGAIN;
    coord->op.stamp = hust_clock_next(coord->in.clock, now_ms);
    send_to_both(coord);
    return true;
}

static void finish_both(hust_coord_t *coord, hust_slice_t missed)
{
    assert(stored(coord, 0) || stored(coord, 1));
    assert(missed.len > 0 || (stored(coord, 0) && stored(coord, 1)));
    unsigned status = coord->op.code == HUST_OP_DEL ? 404 : 200;
    uint64_t version = 0;
    for (unsigned m = 0; m < 2; m++) {
        if (!stored(coord, m)) {
            continue;
        }
        const hust_result_t *result = &coord->master[m].result;
        status = result->status == 200 ? 200 : status;
        version = result->version > version ? result->version : version;
    }
    if (coord->decided && status == 404) {
        status = 200;
        version = coord->decision.version;
    }
    if (stored(coord, 0) && stored(coord, 1)) {
        const hust_result_t *a = &coord->master[0].result;
        const hust_result_t *b = &coord->master[1].result;
        bool same_version = a->version == b->version || coord->op.code == HUST_OP_DEL;
        coord->outcome.diverged = hust_stamp_compare(a->stamp, b->stamp) != 0 || !same_version;
    }
    fill_number(coord, coord->op.value);
    finish_stored(coord, status, version, missed);
}

/* The master that stored the write must remember, durably, that the other one missed it. */
static void ask_for_hint(hust_coord_t *coord, unsigned survivor)
{
    assert(stored(coord, survivor));
    assert(!stored(coord, 1 - survivor));
    hust_op_t hint = {
        .code = HUST_OP_HINT,
        .flags = HUST_OPF_HAS_STAMP | HUST_OPF_HAS_BASE | HUST_OPF_HAS_TARGET,
        .element = coord->op.element,
        .now_ms = coord->op.now_ms,
        .stamp = coord->op.stamp,
        .base = coord->master[survivor].result.replaced,
        .target = coord->in.address[1 - survivor],
    };
    coord->decider = survivor;
    coord->stored_result = coord->master[survivor].result;
    coord->phase = PHASE_HINT;
    hust_coord_send(coord, survivor, &hint);
}

static void finish_nowhere(hust_coord_t *coord)
{
    if (fate_unknown(coord, 0) || fate_unknown(coord, 1)) {
        finish_unknown(coord);
        return;
    }
    for (unsigned m = 0; m < 2; m++) {
        if (!refused(coord, m)) {
            continue;
        }
        if (coord->master[m].result.status == 403 && coord->op.code != HUST_OP_INCR) {
            hust_coord_finish(coord, 503, "a master does not know the other one as its peer\n");
        } else {
            finish_refused(coord, &coord->master[m].result);
        }
        return;
    }
    hust_coord_finish(coord, 503, "no master could take the write\n");
}

static void step_both(hust_coord_t *coord, uint64_t now_ms)
{
    bool on_first = stored(coord, 0);
    bool on_second = stored(coord, 1);
    if (!on_first && !on_second) {
        finish_nowhere(coord);
        return;
    }
    if (issue_again(coord, now_ms)) {
        return;
    }
    if (on_first && on_second) {
        finish_both(coord, (hust_slice_t){NULL, 0});
        return;
    }
    unsigned survivor = on_first ? 0 : 1;
    if (coord->in.state[1 - survivor] == HUST_MASTER_DOWN) {
        finish_both(coord, coord->in.address[1 - survivor]); /* the hint went with the write */
    } else {
        ask_for_hint(coord, survivor);
    }
}

static void step_hint(hust_coord_t *coord)
{
    unsigned survivor = coord->decider;
    if (!stored(coord, survivor)) {
        hust_coord_finish(coord, 503, "one master has the write, and no hint could be stored\n");
        return;
    }
    coord->master[survivor].result = coord->stored_result; /* the write's own reply again */
    finish_both(coord, coord->in.address[1 - survivor]);
}

/* ---- deciding writes ---- */

static void send_to_decider(hust_coord_t *coord)
{
    assert(hust_op_is_deciding(&coord->op));
    assert(coord->decider < 2);
    hust_op_t op = coord->op;
    op.flags |= HUST_OPF_DECIDE | HUST_OPF_HAS_TARGET;
    op.target = coord->in.address[1 - coord->decider];
    coord->phase = PHASE_DECIDE;
    hust_coord_send(coord, coord->decider, &op);
}

/*
 * master1 decides unless it is down or catching up. If both are catching up, each has writes that
 * the other lacks; master1 then decides, so that at least there is only one.
 */
static bool choose_decider(hust_coord_t *coord)
{
    const hust_master_state_t *state = coord->in.state;
    bool both_behind = state[0] == HUST_MASTER_CATCHING_UP && state[1] == HUST_MASTER_CATCHING_UP;
    if (state[0] == HUST_MASTER_UP || both_behind) {
        coord->decider = 0;
        return true;
    }
    coord->decider = 1;
    return state[1] == HUST_MASTER_UP;
}

/* The decider holds a newer stamp than ours: our clock has moved past it, or we step over it. */
static void decide_again(hust_coord_t *coord, const hust_result_t *result, uint64_t now_ms)
{
    if (++coord->retries > HUST_COORD_RETRIES_MAX) {
        hust_coord_finish(coord, 503, "too many concurrent writers of this key\n");
        return;
    }
    /* A little further ahead each time: writers who race would else overtake each other by one
     * tick of the counter again and again. */
    hust_stamp_t leap = {.time = result->stamp.time + ((uint64_t)coord->retries << 16)};
    (void)hust_clock_see(coord->in.clock, leap, now_ms);
    coord->op.stamp = hust_clock_next(coord->in.clock, now_ms);
    if (hust_stamp_compare(coord->op.stamp, result->stamp) <= 0) {
        coord->op.stamp = hust_stamp_successor(result->stamp, coord->in.clock->writer);
    }
    assert(hust_stamp_compare(coord->op.stamp, result->stamp) > 0);
    send_to_decider(coord);
}

/* Make the MERGE that brings the decider's record to the other master. */
static hust_error_t make_merge(hust_coord_t *coord, hust_op_t *merge)
{
    const hust_result_t *decision = &coord->decision;
    bool is_delete = coord->op.code == HUST_OP_DEL;
    assert(coord->decided);
    assert(coord->record.len == 0);
    hust_side_t side = {
        .stamp = decision->stamp,
        .version = is_delete ? 0 : decision->version,
        .expire_at_ms = decision->expire_at_ms,
        .deleted = is_delete,
        .value = coord->op.code == HUST_OP_INCR ? decision->value : coord->op.value,
    };
    hust_record_t record = {.side_count = 1, .sides = {side}};
    bool in_memory = side.value.len == 0 || side.value.data != NULL;
    hust_error_t err = in_memory ? hust_record_encode(&record, &coord->record)
                                 : hust_record_encode_head(&side, &coord->record);
    *merge = (hust_op_t){
        .code = HUST_OP_MERGE,
        .flags = HUST_OPF_HAS_BASE,
        .element = coord->op.element,
        .now_ms = coord->op.now_ms,
        .base = decision->replaced,
        .value = hust_buf_slice(&coord->record),
    };
    return err;
}

static void finish_decided(hust_coord_t *coord, hust_slice_t missed)
{
    const hust_result_t *decision = &coord->decision;
    bool is_incr = coord->op.code == HUST_OP_INCR;
    fill_number(coord, is_incr ? decision->value : coord->op.value);
    finish_stored(coord, decision->status, decision->version, missed);
}

static void step_decide(hust_coord_t *coord, uint64_t now_ms)
{
    unsigned decider = coord->decider;
    unsigned other = 1 - decider;
    const hust_result_t *result = &coord->master[decider].result;
    if (coord->master[decider].failed) {
        bool other_may = coord->master[decider].failure == HUST_FAILED_UNSENT && !coord->decided &&
                         decider == 0 && coord->in.state[1] == HUST_MASTER_UP;
        if (other_may) {
            coord->in.state[0] = HUST_MASTER_DOWN;
            coord->decider = 1;
            send_to_decider(coord);
        } else if (fate_unknown(coord, decider)) {
            finish_unknown(coord);
        } else {
            hust_coord_finish(coord, 503, "no master could take the write\n");
        }
        return;
    }
    if ((result->flags & HUST_RESULT_BEHIND) != 0) {
        decide_again(coord, result, now_ms);
        return;
    }
    if (!stored(coord, decider)) {
        finish_nowhere(coord);
        return;
    }
    coord->decision = *result;
    coord->decided = true;
    hust_op_t merge;
    if (make_merge(coord, &merge) != HUST_OK) {
        finish_decided(coord, coord->in.address[other]); /* the hint will bring it there */
        return;
    }
    coord->phase = PHASE_MERGE;
    hust_coord_send(coord, other, &merge);
    if (!coord->master[other].pending) {
        finish_decided(coord, coord->in.address[other]);
    }
}

static void step_merge(hust_coord_t *coord)
{
    unsigned other = 1 - coord->decider;
    assert(coord->decided);
    if (!stored(coord, other)) {
        finish_decided(coord, coord->in.address[other]);
        return;
    }
    const hust_result_t *merged = &coord->master[other].result;
    bool equal = hust_stamp_compare(merged->stamp, coord->decision.stamp) == 0 &&
                 (merged->flags & HUST_RESULT_CONFLICT) == 0;
    coord->outcome.diverged = !equal;
    if (equal) {
        hust_op_t unhint = {
            .code = HUST_OP_UNHINT,
            .flags = HUST_OPF_HAS_STAMP | HUST_OPF_HAS_GEN | HUST_OPF_HAS_TARGET,
            .element = coord->op.element,
            .now_ms = coord->op.now_ms,
            .stamp = coord->decision.stamp,
            .gen = coord->decision.gen,
            .target = coord->in.address[other],
        };
        hust_coord_send_background(coord, coord->decider, &unhint);
    }
    finish_decided(coord, (hust_slice_t){NULL, 0});
}

/* ---- both kinds ---- */

void hust_coord_write_begin(hust_coord_t *coord, uint64_t now_ms)
{
    coord->op = coord->in.op;
    coord->op.flags |= HUST_OPF_HAS_STAMP;
    coord->op.stamp = hust_clock_next(coord->in.clock, now_ms);
    if (!hust_op_is_deciding(&coord->op)) {
        send_to_both(coord);
    } else if (choose_decider(coord)) {
        send_to_decider(coord);
    } else {
        hust_coord_finish(coord, 503, "no master that could decide the write is up\n");
    }
}

void hust_coord_write_step(hust_coord_t *coord, uint64_t now_ms)
{
    switch (coord->phase) {
    case PHASE_BOTH:
        step_both(coord, now_ms);
        break;
    case PHASE_HINT:
        step_hint(coord);
        break;
    case PHASE_DECIDE:
        step_decide(coord, now_ms);
        break;
    default:
        assert(coord->phase == PHASE_MERGE);
        step_merge(coord);
        break;
    }
}
