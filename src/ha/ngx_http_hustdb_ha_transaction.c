/*
 * The coordinator of one request, driven by events: sends what it wants sent, feeds it results,
 * failures and the timer, and hands its outcome to the answer.
 *
 * A transaction does not care whether its client is still there: a write that has begun on one
 * master must be brought to an end on the other. Its time is bounded by the lanes' timeouts.
 */
#include "ngx_http_hustdb_ha.h"

enum { UNKNOWN_PAUSE_MS = 2 };

static void clean_up(void *data);
static void timer_handler(ngx_event_t *event);
static void op_handler(hust_ha_op_t *op, const hust_result_t *result, hust_failure_t failure);

hust_ha_transaction_t *hust_ha_transaction_create(ngx_http_request_t *r, const hust_call_t *call)
{
    hust_ha_main_conf_t *conf = ngx_http_get_module_main_conf(r, ngx_http_hustdb_ha_module);
    hust_ha_worker_t *worker = hust_ha_worker(conf);
    ngx_http_cleanup_t *cleanup = ngx_http_cleanup_add(r, 0);
    hust_ha_transaction_t *transaction = ngx_pcalloc(r->pool, sizeof(*transaction));
    if (worker == NULL || cleanup == NULL || transaction == NULL) {
        return NULL;
    }
    transaction->request = r;
    transaction->worker = worker;
    transaction->call = call;
    transaction->timer.handler = timer_handler;
    transaction->timer.data = transaction;
    transaction->timer.log = r->connection->log;
    cleanup->handler = clean_up;
    cleanup->data = transaction;
    ngx_http_set_ctx(r, transaction, ngx_http_hustdb_ha_module);
    return transaction;
}

/* Forget what is under way. */
static void abandon(hust_ha_transaction_t *transaction)
{
    for (unsigned m = 0; m < 2; m++) {
        hust_ha_op_t *op = transaction->ops[m];
        transaction->ops[m] = NULL;
        if (op != NULL) {
            hust_ha_op_abandon(op);
        }
    }
    if (transaction->timer.timer_set) {
        ngx_del_timer(&transaction->timer);
    }
    hust_coord_end(&transaction->coord);
}

static void clean_up(void *data)
{
    hust_ha_transaction_t *transaction = data;
    abandon(transaction);
    if (transaction->stream != NULL) {
        hust_ha_stream_cancel(transaction->stream);
        transaction->stream = NULL;
    }
    hust_buf_free(&transaction->scratch);
}

static hust_ha_peer_t *peer_of(const hust_ha_transaction_t *transaction, unsigned master)
{
    return transaction->masters[master];
}

/* A SEND of the coordinator. False: it will not leave. */
static bool send_action(hust_ha_transaction_t *transaction, const hust_action_t *action)
{
    hust_ha_op_t *op = hust_ha_op_create(peer_of(transaction, action->master));
    if (op == NULL) {
        return false;
    }
    op->op = action->op;
    op->master = action->master;
    if (action->body_follows) {
        op->body = transaction->body_file;
        op->body_bytes = transaction->body.len;
    }
    if (action->background) {
        /* Nobody waits for it, so if it cannot be kept, it is as if it had been lost on its way. */
        bool owned = op->body == NULL && hust_ha_op_own(op);
        if (owned) {
            hust_ha_op_send(op);
        } else {
            hust_ha_op_finish(op, NULL, HUST_FAILED_UNSENT);
        }
        return true;
    }
    op->handler = op_handler;
    op->data = transaction;
    transaction->ops[action->master] = op;
    hust_ha_op_send(op);
    return true;
}

static bool waits(const hust_ha_transaction_t *transaction)
{
    return transaction->ops[0] != NULL || transaction->ops[1] != NULL ||
           transaction->timer.timer_set;
}

/* The coordinator is done: remember who missed the write, and answer. */
static void finish(hust_ha_transaction_t *transaction)
{
    const hust_outcome_t *outcome = &transaction->coord.outcome;
    for (unsigned m = 0; m < 2; m++) {
        hust_ha_peer_t *peer = peer_of(transaction, m);
        if (outcome->sync.len > 0 &&
            hust_slice_equal(outcome->sync, hust_slice_str(peer->peer->address))) {
            hust_ha_health_missed(peer);
        }
    }
    hust_ha_answer_finish(transaction);
}

/* Do what the coordinator says until there is nothing to do but wait. */
static void run(hust_ha_transaction_t *transaction)
{
    hust_coord_t *coord = &transaction->coord;
    hust_action_t action;
    while (hust_coord_next(coord, &action)) {
        if (action.kind == HUST_ACTION_TIMER) {
            ngx_add_timer(&transaction->timer, (ngx_msec_t)action.delay_ms);
        } else if (!send_action(transaction, &action) && !action.background) {
            hust_coord_on_failure(coord, action.master, HUST_FAILED_UNSENT, hust_ha_wall_ms());
        }
    }
    if (!hust_coord_done(coord) && !waits(transaction)) {
        ngx_log_error(NGX_LOG_ERR, transaction->request->connection->log, 0,
                      "hustdb: the coordinator of \"%s\" waits for nothing",
                      transaction->call->name);
        ngx_http_finalize_request(transaction->request, NGX_HTTP_INTERNAL_SERVER_ERROR);
    } else if (hust_coord_done(coord)) {
        finish(transaction);
    }
}

/*
 * Stamps count milliseconds first. A node may have acknowledged a write of its own earlier in this
 * very millisecond, and what begins now must win over it: so ours take the upper half of the
 * counter.
 */
static void advance_clock(hust_clock_t *clock, uint64_t now_ms)
{
    hust_stamp_t middle = {.time = now_ms << 16 | 0x7fff, .writer = 0};
    (void)hust_clock_see(clock, middle, now_ms);
}

/* Right after the start nobody knows yet which master is catching up; the nodes are being asked. */
static bool masters_are_known(const hust_ha_transaction_t *transaction)
{
    return hust_ha_health_is_known(peer_of(transaction, 0)) &&
           hust_ha_health_is_known(peer_of(transaction, 1));
}

void hust_ha_transaction_start(hust_ha_transaction_t *transaction)
{
    hust_ha_worker_t *worker = transaction->worker;
    uint64_t now_ms = hust_ha_wall_ms();
    unsigned bucket = hust_element_bucket(&transaction->op.element);
    unsigned masters[2];
    hust_routing_masters(worker->routing, bucket, masters);
    transaction->masters[0] = worker->peers[masters[0]];
    transaction->masters[1] = worker->peers[masters[1]];
    transaction->begun = masters_are_known(transaction);
    if (!transaction->begun) {
        ngx_add_timer(&transaction->timer, UNKNOWN_PAUSE_MS);
        return;
    }
    hust_coord_input_t input = {
        .call = transaction->call,
        .op = transaction->op,
        .clock = &worker->clock,
    };
    for (unsigned m = 0; m < 2; m++) {
        hust_ha_peer_t *peer = peer_of(transaction, m);
        input.state[m] = hust_ha_health_state(peer, peer_of(transaction, 1 - m));
        input.address[m] = hust_slice_str(peer->peer->address);
    }
    advance_clock(&worker->clock, now_ms);
    hust_coord_begin(&transaction->coord, &input, now_ms);
    run(transaction);
}

void hust_ha_transaction_restart(hust_ha_transaction_t *transaction)
{
    abandon(transaction);
    if (++transaction->restarts <= HUST_HA_RESTARTS_MAX) {
        transaction->op.now_ms = hust_ha_wall_ms();
        hust_ha_transaction_start(transaction);
        return;
    }
    ngx_http_request_t *r = transaction->request;
    ngx_http_finalize_request(
        r, hust_ha_respond_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "the value changed each time it was to be sent\n"));
}

/* Give a result's value to the request, which may need it long after the lane has moved on. */
static bool keep_result(hust_ha_transaction_t *transaction, const hust_result_t *result,
                        hust_result_t *kept)
{
    *kept = *result;
    if (result->value.len == 0) {
        return true;
    }
    u_char *copy = ngx_pnalloc(transaction->request->pool, result->value.len);
    if (copy == NULL) {
        return false;
    }
    ngx_memcpy(copy, result->value.data, result->value.len);
    kept->value.data = copy;
    return true;
}

static void op_handler(hust_ha_op_t *op, const hust_result_t *result, hust_failure_t failure)
{
    hust_ha_transaction_t *transaction = op->data;
    ngx_connection_t *c = transaction->request->connection;
    hust_result_t kept;
    uint64_t now_ms = hust_ha_wall_ms();
    transaction->ops[op->master] = NULL;
    ngx_http_set_log_request(c->log, transaction->request);
    if (result != NULL && keep_result(transaction, result, &kept)) {
        hust_coord_on_result(&transaction->coord, op->master, &kept, now_ms);
    } else {
        hust_coord_on_failure(&transaction->coord, op->master,
                              result != NULL ? HUST_FAILED_UNKNOWN : failure, now_ms);
    }
    run(transaction);
    ngx_http_run_posted_requests(c);
}

static void timer_handler(ngx_event_t *event)
{
    hust_ha_transaction_t *transaction = event->data;
    ngx_connection_t *c = transaction->request->connection;
    ngx_http_set_log_request(c->log, transaction->request);
    if (transaction->begun) {
        hust_coord_on_timer(&transaction->coord, hust_ha_wall_ms());
        run(transaction);
    } else {
        hust_ha_transaction_start(transaction);
    }
    ngx_http_run_posted_requests(c);
}
