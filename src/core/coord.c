#include "core/coord.h"

#include <assert.h>
#include <stdlib.h>

#include "core/coord_internal.h"

hust_seen_t hust_coord_seen(const hust_coord_t *coord, unsigned master)
{
    assert(master < 2);
    if (!coord->master[master].answered) {
        return HUST_SEEN_NONE;
    }
    const hust_result_t *result = &coord->master[master].result;
    switch (result->status) {
    case 200:
        return HUST_SEEN_PRESENT;
    case 404:
        return HUST_SEEN_ABSENT;
    case 412:
        return (result->flags & HUST_RESULT_OTHER_TYPE) != 0 ? HUST_SEEN_OTHER_TYPE
                                                             : HUST_SEEN_ABSENT;
    default:
        return HUST_SEEN_NONE;
    }
}

static hust_action_t *push_action(hust_coord_t *coord, hust_action_kind_t kind)
{
    assert(coord->action_count < HUST_COORD_ACTIONS_MAX);
    hust_action_t *action = &coord->actions[coord->action_count++];
    *action = (hust_action_t){.kind = kind};
    return action;
}

static void push_send(hust_coord_t *coord, unsigned master, const hust_op_t *op, bool background)
{
    hust_action_t *action = push_action(coord, HUST_ACTION_SEND);
    action->master = master;
    action->background = background;
    action->op = *op;
    bool not_in_memory = coord->in.op.value.data == NULL && coord->in.op.value.len > 0;
    if (not_in_memory && (op->code == HUST_OP_PUT || op->code == HUST_OP_MERGE)) {
        action->body_follows = true;
        if (op->code == HUST_OP_PUT) {
            action->op.value = (hust_slice_t){NULL, 0};
        }
    }
}

void hust_coord_send(hust_coord_t *coord, unsigned master, const hust_op_t *op)
{
    assert(master < 2);
    assert(!coord->master[master].pending);
    bool down = coord->in.state[master] == HUST_MASTER_DOWN;
    coord->master[master].answered = false;
    coord->master[master].failed = down;
    coord->master[master].failure = HUST_FAILED_UNSENT;
    coord->master[master].pending = !down;
    if (!down) {
        push_send(coord, master, op, false);
    }
}

void hust_coord_send_background(hust_coord_t *coord, unsigned master, const hust_op_t *op)
{
    push_send(coord, master, op, true);
}

void hust_coord_set_timer(hust_coord_t *coord, uint64_t delay_ms)
{
    push_action(coord, HUST_ACTION_TIMER)->delay_ms = delay_ms;
}

void hust_coord_finish(hust_coord_t *coord, unsigned status, const char *reason)
{
    assert(!coord->done);
    assert(status >= 200 && status <= 599);
    coord->outcome.status = status;
    coord->outcome.reason = reason;
    coord->done = true;
}

void hust_coord_finish_absent(hust_coord_t *coord, unsigned status, const char *reason)
{
    coord->outcome.has_version = true;
    hust_coord_finish(coord, status, reason);
}

/* Let the class's state machine go on once nothing is under way. */
static void step(hust_coord_t *coord, uint64_t now_ms)
{
    if (coord->done || coord->master[0].pending || coord->master[1].pending) {
        return;
    }
    switch (coord->in.call->class_) {
    case HUST_CLASS_READ:
        hust_coord_read_step(coord);
        break;
    case HUST_CLASS_READ2:
        hust_coord_read2_step(coord, now_ms);
        break;
    default:
        assert(coord->in.call->class_ == HUST_CLASS_WRITE);
        hust_coord_write_step(coord, now_ms);
        break;
    }
}

void hust_coord_begin(hust_coord_t *coord, const hust_coord_input_t *in, uint64_t now_ms)
{
    *coord = (hust_coord_t){.in = *in, .started_ms = now_ms};
    switch (in->call->class_) {
    case HUST_CLASS_READ:
        hust_coord_read_begin(coord);
        break;
    case HUST_CLASS_READ2:
        hust_coord_read2_begin(coord);
        break;
    default:
        assert(in->call->class_ == HUST_CLASS_WRITE);
        hust_coord_write_begin(coord, now_ms);
        break;
    }
    step(coord, now_ms);
}

bool hust_coord_next(hust_coord_t *coord, hust_action_t *action)
{
    assert(coord->action_count <= HUST_COORD_ACTIONS_MAX);
    if (coord->action_count == 0) {
        return false;
    }
    *action = coord->actions[0];
    coord->action_count--;
    memmove(coord->actions, coord->actions + 1, coord->action_count * sizeof(coord->actions[0]));
    return true;
}

void hust_coord_on_result(hust_coord_t *coord, unsigned master, const hust_result_t *result,
                          uint64_t now_ms)
{
    assert(master < 2);
    assert(coord->master[master].pending);
    coord->master[master].pending = false;
    coord->master[master].answered = true;
    coord->master[master].result = *result;
    if ((result->flags & HUST_RESULT_HAS_STAMP) != 0) {
        (void)hust_clock_see(coord->in.clock, result->stamp, now_ms);
    }
    step(coord, now_ms);
}

void hust_coord_on_failure(hust_coord_t *coord, unsigned master, hust_failure_t failure,
                           uint64_t now_ms)
{
    assert(master < 2);
    assert(coord->master[master].pending);
    coord->master[master].pending = false;
    coord->master[master].failed = true;
    coord->master[master].failure = failure;
    step(coord, now_ms);
}

void hust_coord_on_timer(hust_coord_t *coord, uint64_t now_ms)
{
    if (!coord->done && coord->in.call->class_ == HUST_CLASS_READ2) {
        hust_coord_read2_tick(coord);
        step(coord, now_ms);
    }
}

void hust_coord_end(hust_coord_t *coord)
{
    hust_buf_free(&coord->record);
    free(coord->seen[0]); /* both lie in one piece */
    coord->seen[0] = NULL;
    coord->seen[1] = NULL;
}
