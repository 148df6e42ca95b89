#include "world.h"

static const char *const ADDRESSES[2] = {"10.0.0.1:8085", "10.0.0.2:8085"};

void world_init(world_t *world)
{
    memset(world, 0, sizeof(*world));
    for (unsigned m = 0; m < 2; m++) {
        replica_init(&world->master[m]);
        world->master[m].replicated = true;
        world->master[m].clock.writer = 100 + m; /* stamps of two nodes never meet */
    }
    world->clock.writer = 7;
    world->now_ms = TEST_NOW_MS;
}

static void forget_replies(world_t *world)
{
    for (unsigned i = 0; i < world->reply_count; i++) {
        hust_buf_free(&world->replies[i]);
    }
    world->reply_count = 0;
}

void world_free(world_t *world)
{
    forget_replies(world);
    hust_coord_end(&world->coord);
    replica_free(&world->master[0]);
    replica_free(&world->master[1]);
}

/* Over the wire and back, so that what the format loses is lost here as well. */
static hust_op_t through_the_wire(const hust_action_t *action, hust_buf_t *bytes)
{
    hust_batch_request_head_t head = {.count = 1};
    hust_batch_reader_t reader;
    hust_op_t op;
    assert_false(action->body_follows);
    assert_int_equal(hust_batch_request_begin(bytes, &head), HUST_OK);
    assert_int_equal(hust_batch_request_add(bytes, &action->op), HUST_OK);
    assert_int_equal(hust_batch_request_open(hust_buf_slice(bytes), &head, &reader), HUST_OK);
    assert_int_equal(hust_batch_request_next(&reader, &op), HUST_OK);
    return op;
}

static hust_result_t execute(world_t *world, const hust_action_t *action)
{
    assert_true(world->reply_count < 64);
    hust_buf_t *reply = &world->replies[world->reply_count++];
    hust_buf_t bytes = {0};
    *reply = (hust_buf_t){0};
    hust_op_t op = through_the_wire(action, &bytes);
    hust_result_t result = replica_apply(&world->master[action->master], &op, reply);
    hust_buf_free(&bytes);
    return result;
}

static void deliver(world_t *world, const hust_action_t *action)
{
    unsigned m = action->master;
    world->sent[m]++;
    if (action->background) {
        world->background++;
        if (world->link[m] == LINK_OK) {
            execute(world, action);
        }
        return;
    }
    hust_result_t result = {.status = world->refuse_status[m], .flags = world->refuse_flags[m]};
    switch (world->link[m]) {
    case LINK_REFUSES:
        hust_coord_on_failure(&world->coord, m, HUST_FAILED_UNSENT, world->now_ms);
        return;
    case LINK_LOSES_REPLY:
        execute(world, action);
        hust_coord_on_failure(&world->coord, m, HUST_FAILED_UNKNOWN, world->now_ms);
        return;
    case LINK_LOSES:
        hust_coord_on_failure(&world->coord, m, HUST_FAILED_UNKNOWN, world->now_ms);
        return;
    case LINK_OK:
        result = execute(world, action);
        break;
    case LINK_STATUS:
        break;
    }
    hust_coord_on_result(&world->coord, m, &result, world->now_ms);
}

void world_run(world_t *world, hust_call_id_t call, hust_op_t op)
{
    hust_coord_input_t in = {
        .call = hust_call(call),
        .op = op,
        .clock = &world->clock,
        .state = {world->state[0], world->state[1]},
        .address = {hust_slice_str(ADDRESSES[0]), hust_slice_str(ADDRESSES[1])}};
    hust_action_t action;
    forget_replies(world);
    hust_coord_end(&world->coord);
    in.op.now_ms = world->now_ms;
    world->now_ms++;
    world->sent[0] = world->sent[1] = world->background = 0;
    hust_coord_begin(&world->coord, &in, world->now_ms);
    while (hust_coord_next(&world->coord, &action)) {
        if (action.kind == HUST_ACTION_SEND) {
            deliver(world, &action);
            continue;
        }
        world->now_ms += action.delay_ms;
        if (world->on_timer != NULL) {
            world->on_timer(world->context);
        }
        hust_coord_on_timer(&world->coord, world->now_ms);
    }
    assert_true(hust_coord_done(&world->coord));
    hust_answer_make(in.call, &world->coord.outcome, NULL, &world->answer);
}

static hust_op_t plain(hust_op_code_t code, unsigned flags)
{
    return (hust_op_t){.code = code, .flags = flags, .element = test_element()};
}

void world_put(world_t *world, const char *value)
{
    hust_op_t op = plain(HUST_OP_PUT, 0);
    op.value = hust_slice_str(value);
    world_run(world, HUST_CALL_PUT, op);
}

void world_del(world_t *world)
{
    world_run(world, HUST_CALL_DEL, plain(HUST_OP_DEL, 0));
}

void world_get(world_t *world)
{
    world_run(world, HUST_CALL_GET, plain(HUST_OP_GET, 0));
}

void world_get2(world_t *world)
{
    world_run(world, HUST_CALL_GET2, plain(HUST_OP_GET, 0));
}

const char *world_header(world_t *world, const char *name)
{
    for (unsigned i = 0; i < world->answer.header_count; i++) {
        hust_answer_header_t *header = &world->answer.headers[i];
        if (strcmp(header->name, name) == 0) {
            header->value[header->value_len] = '\0';
            return header->value;
        }
    }
    return NULL;
}

const char *world_body(world_t *world)
{
    static char body[4096];
    size_t len = 0;
    if (world->answer.text != NULL) {
        return world->answer.text;
    }
    for (unsigned i = 0; i < world->answer.value_count; i++) {
        hust_slice_t value = world->coord.outcome.values[i].value;
        assert_true(len + value.len < sizeof(body));
        memcpy(body + len, value.data, value.len);
        len += value.len;
    }
    body[len] = '\0';
    assert_int_equal(len, world->answer.body_bytes);
    return body;
}

bool world_is_settled(const world_t *world)
{
    return replicas_equal(&world->master[0], &world->master[1]) &&
           !world->master[0].held.hint.present && !world->master[1].held.hint.present;
}
