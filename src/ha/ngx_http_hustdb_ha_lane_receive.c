/*
 * What comes back on a lane: the reply to a batch, a value that a stream takes, or a reply that is
 * passed on as it is.
 *
 * A reply is believed only as a whole: results are delivered when all of them have been read and
 * their number is right.
 */
#include "ngx_http_hustdb_ha_lane.h"

enum {
    IN_BYTES_MIN = 16 * 1024,
    RESULT_HEAD_BYTES_MAX = 256,
    REPLY_HEAD_BYTES_MAX = 64 * 1024,     /* of a batch reply: 64 backlogs */
    FORWARD_BYTES_MAX = 32 * 1024 * 1024, /* of a reply that is passed on as it is */
};

/* The results of a batch, in order. */
static bool deliver_batch(hust_ha_lane_t *lane, hust_slice_t body)
{
    hust_result_t results[HUST_HA_BATCH_OPS_MAX];
    hust_batch_reply_head_t head;
    hust_batch_reader_t reader;
    if (hust_batch_reply_open(body, &head, &reader) != HUST_OK || head.count != lane->op_count) {
        return false;
    }
    for (uint32_t i = 0; i < head.count; i++) {
        if (hust_batch_reply_next(&reader, &results[i]) != HUST_OK) {
            return false;
        }
    }
    hust_result_t none;
    if (hust_batch_reply_next(&reader, &none) != HUST_ERR_END) {
        return false;
    }
    hust_ha_worker_t *worker = lane->peer->worker;
    (void)hust_clock_see(&worker->clock, (hust_stamp_t){.time = head.clock}, hust_ha_wall_ms());
    hust_ha_health_see(lane->peer, &head);
    for (uint32_t i = 0; i < head.count; i++) {
        hust_ha_op_finish(hust_ha_lane_take_op(lane), &results[i], HUST_FAILED_UNKNOWN);
    }
    if (lane->kind == HUST_HA_LANE_PROBE) {
        hust_ha_health_probed(lane->peer, true);
    }
    return true;
}

/* Deliver what came to those who wait. False: the reply does not fit what was asked. */
static bool deliver(hust_ha_lane_t *lane, hust_slice_t body)
{
    if (hust_ha_lane_is_forward(lane)) {
        hust_result_t passed = {.status = lane->reply.status, .value = body};
        hust_ha_op_finish(hust_ha_lane_take_op(lane), &passed, HUST_FAILED_UNKNOWN);
        return true;
    }
    return deliver_batch(lane, body);
}

/* A stream waits for the value. */
static bool is_streamed(hust_ha_lane_t *lane)
{
    return lane->op_count == 1 && hust_ha_lane_first_op(lane)->stream != NULL;
}

/* How long the body of a reply may be that is gathered before it is read. */
static size_t body_bound(hust_ha_lane_t *lane)
{
    if (hust_ha_lane_is_forward(lane)) {
        return FORWARD_BYTES_MAX;
    }
    return REPLY_HEAD_BYTES_MAX +
           lane->op_count * (size_t)(HUST_LARGE_BYTES + RESULT_HEAD_BYTES_MAX);
}

/*
 * The node takes no body of that size. Said of a single operation this is its result; the node may
 * have said so before it had read everything, so the connection ends here.
 */
static bool take_too_large(hust_ha_lane_t *lane)
{
    if (lane->reply.status != NGX_HTTP_REQUEST_ENTITY_TOO_LARGE || lane->op_count != 1 ||
        hust_ha_lane_is_forward(lane)) {
        return false;
    }
    hust_result_t refused = {.status = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE};
    lane->reply.keep_alive = false;
    hust_ha_op_finish(hust_ha_lane_take_op(lane), &refused, HUST_FAILED_UNKNOWN);
    hust_ha_lane_finish(lane);
    return true;
}

/* The head of the HTTP reply is there: is it one that we can take? */
static bool accept_reply(hust_ha_lane_t *lane)
{
    const hust_http_reply_t *reply = &lane->reply;
    if (reply->status != NGX_HTTP_OK && !hust_ha_lane_is_forward(lane)) {
        ngx_log_error(NGX_LOG_INFO, lane->peer->worker->log, 0,
                      "hustdb node %s answered a batch with status %ui", lane->peer->peer->address,
                      (ngx_uint_t)reply->status);
        hust_ha_lane_fail(lane, HUST_HA_BAD_STATUS, 0);
        return false;
    }
    bool streams = is_streamed(lane);
    bool too_long = !streams && reply->body_bytes > body_bound(lane);
    bool too_early = lane->state != HUST_HA_LANE_RECEIVING;
    if (too_long || too_early) {
        hust_ha_lane_fail(lane, HUST_HA_GARBAGE, 0);
        return false;
    }
    if (!streams && hust_buf_reserve(&lane->in, (size_t)reply->body_bytes) != HUST_OK) {
        hust_ha_lane_fail(lane, HUST_HA_NO_RESOURCES, NGX_ENOMEM);
        return false;
    }
    return true;
}

/*
 * A value that a stream waits for: hand the lane over as soon as the value begins. True: done, or
 * failed; false: go on receiving, or it is no value but a refusal.
 */
static bool open_stream(hust_ha_lane_t *lane, hust_slice_t body)
{
    hust_result_t result;
    size_t value_at = 0;
    size_t value_bytes = 0;
    hust_error_t err = hust_batch_reply_peek_value(body, &result, &value_at, &value_bytes);
    if (err == HUST_ERR_TRUNCATED && body.len <= REPLY_HEAD_BYTES_MAX &&
        body.len < lane->reply.body_bytes) {
        return false;
    }
    if (err != HUST_OK || value_at + value_bytes != lane->reply.body_bytes) {
        hust_ha_lane_fail(lane, HUST_HA_GARBAGE, 0);
        return true;
    }
    if (result.status != NGX_HTTP_OK) {
        return false;
    }
    lane->stream = hust_ha_lane_first_op(lane)->stream;
    lane->streamed = value_at;
    hust_ha_stream_opened(lane->stream, lane, value_bytes);
    return true;
}

/* Look at what has been received. True: wait for more; false: the exchange is in other hands. */
static bool parse(hust_ha_lane_t *lane)
{
    if (!lane->has_reply) {
        hust_error_t err = hust_http_reply_read(&lane->reply, hust_buf_slice(&lane->in));
        if (err == HUST_ERR_TRUNCATED) {
            return true;
        }
        if (err != HUST_OK) {
            hust_ha_lane_fail(lane, HUST_HA_GARBAGE, 0);
            return false;
        }
        lane->has_reply = 1;
        if (take_too_large(lane) || !accept_reply(lane)) {
            return false;
        }
    }
    size_t head_bytes = lane->reply.head_bytes;
    hust_slice_t body = {lane->in.data + head_bytes, lane->in.len - head_bytes};
    if (body.len > lane->reply.body_bytes) {
        hust_ha_lane_fail(lane, HUST_HA_GARBAGE, 0);
        return false;
    }
    if (is_streamed(lane) && open_stream(lane, body)) {
        return false;
    }
    if (body.len < lane->reply.body_bytes) {
        return true;
    }
    if (deliver(lane, body)) {
        hust_ha_lane_finish(lane);
    } else {
        hust_ha_lane_fail(lane, HUST_HA_GARBAGE, 0);
    }
    return false;
}

void hust_ha_lane_receive(hust_ha_lane_t *lane)
{
    ngx_connection_t *c = lane->connection;
    do {
        size_t room = lane->in.cap - lane->in.len;
        if (room == 0 || lane->in.cap == 0) {
            if (hust_buf_reserve(&lane->in, IN_BYTES_MIN) != HUST_OK) {
                hust_ha_lane_fail(lane, HUST_HA_NO_RESOURCES, NGX_ENOMEM);
                return;
            }
            room = lane->in.cap - lane->in.len;
        }
        ssize_t n = c->recv(c, lane->in.data + lane->in.len, room);
        if (n == NGX_AGAIN) {
            if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
                hust_ha_lane_fail(lane, HUST_HA_NO_RESOURCES, 0);
            }
            return;
        }
        if (n <= 0) {
            hust_ha_lane_fail(lane, HUST_HA_CLOSED, n == 0 ? 0 : ngx_socket_errno);
            return;
        }
        lane->in.len += (size_t)n;
        ngx_add_timer(c->read, lane->peer->worker->conf->timeout);
    } while (parse(lane));
}

void hust_ha_lane_read_handler(ngx_event_t *event)
{
    ngx_connection_t *c = event->data;
    hust_ha_lane_t *lane = c->data;
    if (lane->state == HUST_HA_LANE_IDLE) {
        hust_ha_lane_close(lane); /* idle for too long, closed by the node, or by our shutdown */
        return;
    }
    if (c->close) {
        if (lane->kind == HUST_HA_LANE_PROBE) {
            hust_ha_lane_abort(lane);
        } else {
            hust_ha_lane_fail(lane, HUST_HA_SHUTDOWN, 0);
        }
        return;
    }
    if (event->timedout) {
        hust_ha_lane_fail(lane, HUST_HA_TIMEOUT, NGX_ETIMEDOUT);
        return;
    }
    if (lane->state == HUST_HA_LANE_CONNECTING) {
        return; /* write_handler sees what became of it */
    }
    if (lane->stream != NULL) {
        hust_ha_stream_pump(lane->stream);
        return;
    }
    hust_ha_lane_receive(lane);
}

/* ---- streams ---- */

ssize_t hust_ha_lane_pull(hust_ha_lane_t *lane, u_char *to, size_t size)
{
    ngx_connection_t *c = lane->connection;
    uint64_t left = lane->reply.body_bytes - lane->streamed;
    size = size > left ? (size_t)left : size;
    size_t taken = lane->reply.head_bytes + (size_t)lane->streamed;
    if (taken < lane->in.len) {
        size = ngx_min(size, lane->in.len - taken);
        ngx_memcpy(to, lane->in.data + taken, size);
        lane->streamed += size;
        return (ssize_t)size;
    }
    ssize_t n = c->recv(c, to, size);
    if (n == 0 || n == NGX_ERROR) {
        hust_ha_lane_fail(lane, HUST_HA_CLOSED, n == 0 ? 0 : ngx_socket_errno);
        return NGX_ERROR;
    }
    ngx_add_timer(c->read, lane->peer->worker->conf->timeout);
    if (n == NGX_AGAIN) {
        if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
            hust_ha_lane_fail(lane, HUST_HA_NO_RESOURCES, 0);
            return NGX_ERROR;
        }
        return NGX_AGAIN;
    }
    hust_ha_lane_moved(lane);
    lane->streamed += (uint64_t)n;
    return n;
}

void hust_ha_lane_pause(hust_ha_lane_t *lane)
{
    if (lane->connection->read->timer_set) {
        ngx_del_timer(lane->connection->read);
    }
}

void hust_ha_lane_streamed(hust_ha_lane_t *lane)
{
    hust_ha_op_t *op = hust_ha_lane_take_op(lane);
    op->handler = NULL;
    hust_ha_op_finish(op, NULL, HUST_FAILED_UNKNOWN);
    hust_ha_lane_finish(lane);
}
