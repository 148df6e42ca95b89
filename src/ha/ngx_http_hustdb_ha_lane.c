/*
 * One connection to a node: carries one exchange after the other, never two at a time.
 *
 * An exchange is `POST /hustdb/batch` with some operations and the reply with exactly as many
 * results. Whatever else comes back fails all of them and closes the connection.
 */
#include "ngx_http_hustdb_ha.h"

enum {
    OUT_HEAD_BYTES = 512, /* room for the HTTP head before the batch; an address has 255 at most */
    IN_BYTES_MIN = 16 * 1024,
    RESULT_HEAD_BYTES_MAX = 256,
    REPLY_HEAD_BYTES_MAX = 64 * 1024, /* of a batch reply: 64 backlogs */
    FORWARD_BYTES_MAX = 32 * 1024 * 1024, /* of a reply that is passed on as it is */
};

static void read_handler(ngx_event_t *event);
static void write_handler(ngx_event_t *event);
static void start_exchange(hust_ha_lane_t *lane);
static void fail(hust_ha_lane_t *lane, hust_ha_cause_t cause, ngx_err_t err);

/* ---- the connection ---- */

hust_ha_lane_t *hust_ha_lane_get(hust_ha_peer_t *peer, hust_ha_lane_kind_t kind)
{
    hust_ha_lanes_t *lanes = &peer->lanes[kind];
    if (lanes->lanes == NULL) {
        lanes->lanes = ngx_pcalloc(peer->worker->pool, lanes->lane_count * sizeof(*lanes->lanes));
        for (ngx_uint_t i = 0; lanes->lanes != NULL && i < lanes->lane_count; i++) {
            hust_ha_lane_t *lane = &lanes->lanes[i];
            lane->peer = peer;
            lane->kind = kind;
            ngx_queue_init(&lane->ops);
        }
    }
    hust_ha_lane_t *closed = NULL;
    for (ngx_uint_t i = 0; lanes->lanes != NULL && i < lanes->lane_count; i++) {
        hust_ha_lane_t *lane = &lanes->lanes[i];
        if (lane->state == HUST_HA_LANE_IDLE) {
            return lane;
        }
        if (lane->state == HUST_HA_LANE_CLOSED && closed == NULL) {
            closed = lane;
        }
    }
    return closed;
}

static void close_connection(hust_ha_lane_t *lane)
{
    if (lane->connection != NULL) {
        ngx_close_connection(lane->connection);
        lane->connection = NULL;
    }
    lane->state = HUST_HA_LANE_CLOSED;
    lane->stream = NULL;
}

void hust_ha_lane_close_idle(hust_ha_lane_t *lane)
{
    if (lane->state == HUST_HA_LANE_IDLE) {
        close_connection(lane);
    }
}

/* The node has closed it already, or said more than it was asked: nobody will tell us again. */
static bool is_spent(ngx_connection_t *c)
{
    if (!c->read->ready) {
        return false;
    }
    char byte;
    ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK);
    if (n == -1 && ngx_socket_errno == NGX_EAGAIN) {
        c->read->ready = 0;
        return false;
    }
    return true;
}

static void go_idle(hust_ha_lane_t *lane)
{
    ngx_connection_t *c = lane->connection;
    if (is_spent(c)) {
        close_connection(lane);
        return;
    }
    lane->state = HUST_HA_LANE_IDLE;
    c->idle = 1; /* a worker that shuts down closes it through read_handler */
    c->read->cancelable = 1;
    ngx_add_timer(c->read, HUST_HA_LANE_IDLE_MS);
    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        close_connection(lane);
    }
}

static void connect_lane(hust_ha_lane_t *lane)
{
    hust_ha_peer_t *peer = lane->peer;
    ngx_peer_connection_t attempt;
    ngx_memzero(&attempt, sizeof(attempt));
    attempt.sockaddr = peer->address->sockaddr;
    attempt.socklen = peer->address->socklen;
    attempt.name = &peer->address->name;
    attempt.get = ngx_event_get_peer;
    attempt.log = &peer->worker->quiet_log;
    attempt.log_error = NGX_ERROR_ERR;
    ngx_int_t rc = ngx_event_connect_peer(&attempt);
    if (rc != NGX_OK && rc != NGX_AGAIN) {
        ngx_err_t err = rc == NGX_DECLINED ? ngx_socket_errno : 0;
        bool is_ours = rc != NGX_DECLINED || err == EADDRNOTAVAIL; /* not the node's fault */
        fail(lane, is_ours ? HUST_HA_NO_RESOURCES : HUST_HA_REFUSED, err);
        return;
    }
    ngx_connection_t *c = attempt.connection;
    c->data = lane;
    c->read->handler = read_handler;
    c->write->handler = write_handler;
    c->idle = lane->kind == HUST_HA_LANE_PROBE;
    c->read->cancelable = c->idle;
    c->write->cancelable = c->idle;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
    lane->connection = c;
    lane->reused = 0;
    if (rc == NGX_AGAIN) {
        lane->state = HUST_HA_LANE_CONNECTING;
        ngx_add_timer(c->write, peer->worker->conf->connect_timeout);
        return;
    }
    start_exchange(lane);
}

/* The errno of a connection attempt, 0 if it is made. */
static ngx_err_t connect_error(ngx_connection_t *c)
{
    int err = 0;
    socklen_t len = sizeof(err);
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1) {
        err = ngx_socket_errno;
    }
    return err;
}

/* ---- making an exchange ---- */

bool hust_ha_lane_begin(hust_ha_lane_t *lane)
{
    hust_batch_request_head_t head = {
        .count = 0,
        .epoch = hust_routing_epoch(lane->peer->worker->conf->routing),
    };
    lane->op_count = 0;
    lane->writes = 0;
    hust_buf_clear(&lane->out);
    if (hust_buf_reserve(&lane->out, OUT_HEAD_BYTES) != HUST_OK) {
        return false;
    }
    lane->out.len = OUT_HEAD_BYTES;
    return hust_batch_request_begin(&lane->out, &head) == HUST_OK;
}

static hust_error_t encode(hust_ha_lane_t *lane, const hust_ha_op_t *op)
{
    hust_buf_t *out = &lane->out;
    if (op->is_forward) {
        out->len = OUT_HEAD_BYTES; /* all is in the HTTP head */
        return HUST_OK;
    }
    if (op->encoded.len > 0) {
        return hust_buf_append_slice(out, hust_buf_slice(&op->encoded));
    }
    if (lane->kind != HUST_HA_LANE_LARGE) {
        return hust_batch_request_add(out, &op->op);
    }
    /* A large value is sent from where it is. */
    hust_error_t err =
        hust_batch_request_add_head(out, &op->op, op->op.value.len + op->body_bytes);
    if (err == HUST_OK && op->body != NULL) {
        err = hust_buf_append_slice(out, op->op.value);
    }
    return err;
}

bool hust_ha_lane_add(hust_ha_lane_t *lane, hust_ha_op_t *op)
{
    size_t len = lane->out.len;
    if (encode(lane, op) != HUST_OK) {
        lane->out.len = len;
        return false;
    }
    op->lane = lane;
    lane->op_count++;
    lane->writes |= hust_op_is_write(&op->op) ? 1 : 0;
    ngx_queue_insert_tail(&lane->ops, &op->link);
    return true;
}

static hust_ha_op_t *first_op(hust_ha_lane_t *lane)
{
    ngx_queue_t *head = ngx_queue_head(&lane->ops);
    return ngx_queue_data(head, hust_ha_op_t, link);
}

static hust_ha_op_t *take_op(hust_ha_lane_t *lane)
{
    hust_ha_op_t *op = first_op(lane);
    ngx_queue_remove(&op->link);
    return op;
}

/* What follows the batch in `out`: the value of the one large operation. False: nothing. */
static bool fill_value(hust_ha_lane_t *lane, ngx_buf_t *value)
{
    ngx_memzero(value, sizeof(*value));
    if (lane->kind != HUST_HA_LANE_LARGE) {
        return false;
    }
    const hust_ha_op_t *op = first_op(lane);
    if (op->body != NULL) {
        *value = *op->body;
        return true;
    }
    if (op->encoded.len > 0 || op->op.value.len == 0) {
        return false;
    }
    value->pos = (u_char *)op->op.value.data;
    value->last = value->pos + op->op.value.len;
    value->memory = 1;
    return true;
}

static bool is_forward(hust_ha_lane_t *lane)
{
    return lane->op_count == 1 && first_op(lane)->is_forward;
}

/* Write the HTTP head in front of the batch. */
static void put_head(hust_ha_lane_t *lane, size_t content_bytes)
{
    const char *address = lane->peer->peer->address;
    u_char head[OUT_HEAD_BYTES];
    u_char *end;
    if (is_forward(lane)) {
        ngx_str_t uri = {first_op(lane)->encoded.len, first_op(lane)->encoded.data};
        end = ngx_snprintf(head, sizeof(head), "GET %V HTTP/1.1\r\nHost: %s\r\n\r\n", &uri, address);
    } else {
        end = ngx_snprintf(head, sizeof(head),
                           "POST /hustdb/batch HTTP/1.1\r\nHost: %s\r\nContent-Length: %uz\r\n\r\n",
                           address, content_bytes);
        hust_batch_request_set_count(lane->out.data + OUT_HEAD_BYTES, (uint32_t)lane->op_count);
    }
    size_t head_bytes = (size_t)(end - head);
    lane->out_from = OUT_HEAD_BYTES - head_bytes;
    ngx_memcpy(lane->out.data + lane->out_from, head, head_bytes);
}

/* Complete the request and chain up what is to be sent. */
static void prepare(hust_ha_lane_t *lane)
{
    bool has_value = fill_value(lane, &lane->bufs[1]);
    size_t content_bytes = lane->out.len - OUT_HEAD_BYTES;
    if (has_value) {
        content_bytes += (size_t)ngx_buf_size(&lane->bufs[1]);
    }
    put_head(lane, content_bytes);
    ngx_memzero(&lane->bufs[0], sizeof(lane->bufs[0]));
    lane->bufs[0].pos = lane->out.data + lane->out_from;
    lane->bufs[0].last = lane->out.data + lane->out.len;
    lane->bufs[0].memory = 1;
    lane->links[0].buf = &lane->bufs[0];
    lane->links[0].next = has_value ? &lane->links[1] : NULL;
    lane->links[1].buf = &lane->bufs[1];
    lane->links[1].next = NULL;
    lane->unsent = &lane->links[0];
    hust_buf_clear(&lane->in);
    lane->reply = (hust_http_reply_t){0};
    lane->has_reply = 0;
    lane->stream = NULL;
    lane->streamed = 0;
}

void hust_ha_lane_send(hust_ha_lane_t *lane)
{
    prepare(lane);
    if (lane->state == HUST_HA_LANE_IDLE) {
        lane->reused = 1;
        start_exchange(lane);
    } else {
        connect_lane(lane);
    }
}

/* ---- the end of an exchange ---- */

static void shrink(hust_buf_t *buf)
{
    hust_buf_clear(buf);
    if (buf->cap > HUST_HA_LANE_KEEP_BYTES) {
        hust_buf_free(buf);
    }
}

/* The reply is taken and the operations are gone: on to the next ones. */
static void finish_exchange(hust_ha_lane_t *lane)
{
    ngx_connection_t *c = lane->connection;
    lane->op_count = 0;
    lane->stream = NULL;
    shrink(&lane->in);
    shrink(&lane->out);
    if (!lane->reply.keep_alive || ngx_exiting || c->close || lane->kind == HUST_HA_LANE_PROBE) {
        close_connection(lane);
    } else {
        go_idle(lane);
    }
    if (!ngx_queue_empty(&lane->peer->lanes[lane->kind].waiting)) {
        hust_ha_peer_touch(lane->peer);
    }
}

/*
 * The node may close a connection just when we use it again. Then nobody is at fault, and what
 * surely was not executed, or may be executed twice, is sent once more.
 */
static bool may_repeat(const hust_ha_lane_t *lane, hust_ha_cause_t cause, bool nothing_sent)
{
    return cause == HUST_HA_CLOSED && lane->reused && lane->in.len == 0 &&
           (nothing_sent || !lane->writes);
}

static void fail(hust_ha_lane_t *lane, hust_ha_cause_t cause, ngx_err_t err)
{
    ngx_connection_t *c = lane->connection;
    bool nothing_sent =
        c == NULL || lane->state == HUST_HA_LANE_CONNECTING || c->sent == lane->sent_before;
    bool repeat = may_repeat(lane, cause, nothing_sent);
    close_connection(lane);
    if (repeat) {
        prepare(lane);
        connect_lane(lane);
        return;
    }
    if (lane->kind == HUST_HA_LANE_PROBE) {
        hust_ha_health_probed(lane->peer, false);
        return;
    }
    hust_ha_health_failed(lane->peer, cause, err);
    lane->op_count = 0;
    shrink(&lane->in);
    /* The lane may be used again from within a handler's consequences, so empty it first. */
    ngx_queue_t failed;
    ngx_queue_init(&failed);
    if (!ngx_queue_empty(&lane->ops)) {
        ngx_queue_add(&failed, &lane->ops);
        ngx_queue_init(&lane->ops);
    }
    while (!ngx_queue_empty(&failed)) {
        ngx_queue_t *head = ngx_queue_head(&failed);
        ngx_queue_remove(head);
        hust_ha_op_finish(ngx_queue_data(head, hust_ha_op_t, link), NULL,
                          nothing_sent ? HUST_FAILED_UNSENT : HUST_FAILED_UNKNOWN);
    }
    hust_ha_peer_touch(lane->peer);
}

void hust_ha_lane_abort(hust_ha_lane_t *lane)
{
    if (lane->state == HUST_HA_LANE_CLOSED) {
        return;
    }
    close_connection(lane);
    lane->op_count = 0;
    while (!ngx_queue_empty(&lane->ops)) {
        hust_ha_op_t *op = take_op(lane);
        op->handler = NULL;
        hust_ha_op_finish(op, NULL, HUST_FAILED_UNKNOWN);
    }
    shrink(&lane->in);
    shrink(&lane->out);
    hust_ha_peer_touch(lane->peer);
}

/* ---- sending ---- */

static void send_rest(hust_ha_lane_t *lane)
{
    ngx_connection_t *c = lane->connection;
    off_t sent = c->sent;
    while (lane->unsent != NULL && c->write->ready) {
        ngx_chain_t *rest = c->send_chain(c, lane->unsent, 0);
        if (rest == NGX_CHAIN_ERROR) {
            fail(lane, HUST_HA_CLOSED, ngx_socket_errno);
            return;
        }
        lane->unsent = rest;
    }
    if (c->sent != sent) {
        ngx_add_timer(c->read, lane->peer->worker->conf->timeout);
    }
    if (lane->unsent == NULL) {
        lane->state = HUST_HA_LANE_RECEIVING;
    }
    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        fail(lane, HUST_HA_NO_RESOURCES, 0);
    }
}

static void start_exchange(hust_ha_lane_t *lane)
{
    ngx_connection_t *c = lane->connection;
    lane->state = HUST_HA_LANE_SENDING;
    lane->sent_before = c->sent;
    if (lane->kind != HUST_HA_LANE_PROBE) {
        c->idle = 0;
        c->read->cancelable = 0;
    }
    if (c->tcp_nodelay == NGX_TCP_NODELAY_UNSET) {
        (void)ngx_tcp_nodelay(c);
    }
    ngx_add_timer(c->read, lane->peer->worker->conf->timeout);
    send_rest(lane);
}

static void write_handler(ngx_event_t *event)
{
    ngx_connection_t *c = event->data;
    hust_ha_lane_t *lane = c->data;
    if (lane->state == HUST_HA_LANE_SENDING) {
        send_rest(lane);
        return;
    }
    if (lane->state != HUST_HA_LANE_CONNECTING) {
        return;
    }
    if (event->timedout) {
        fail(lane, HUST_HA_CONNECT_TIMEOUT, NGX_ETIMEDOUT);
        return;
    }
    ngx_err_t err = connect_error(c);
    if (err != 0) {
        fail(lane, HUST_HA_REFUSED, err);
        return;
    }
    if (event->timer_set) {
        ngx_del_timer(event);
    }
    start_exchange(lane);
}

/* ---- receiving ---- */

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
        hust_ha_op_finish(take_op(lane), &results[i], HUST_FAILED_UNKNOWN);
    }
    if (lane->kind == HUST_HA_LANE_PROBE) {
        hust_ha_health_probed(lane->peer, true);
    }
    return true;
}

/* Deliver what came to those who wait. False: the reply does not fit what was asked. */
static bool deliver(hust_ha_lane_t *lane, hust_slice_t body)
{
    if (is_forward(lane)) {
        hust_result_t passed = {.status = lane->reply.status, .value = body};
        hust_ha_op_finish(take_op(lane), &passed, HUST_FAILED_UNKNOWN);
        return true;
    }
    return deliver_batch(lane, body);
}

static size_t body_bound(hust_ha_lane_t *lane)
{
    if (is_forward(lane)) {
        return FORWARD_BYTES_MAX;
    }
    return REPLY_HEAD_BYTES_MAX +
           lane->op_count * (size_t)(HUST_LARGE_BYTES + RESULT_HEAD_BYTES_MAX);
}

/* The head of the HTTP reply is there: is it one that we can take? */
static bool accept_reply(hust_ha_lane_t *lane)
{
    const hust_http_reply_t *reply = &lane->reply;
    if (reply->status != NGX_HTTP_OK && !is_forward(lane)) {
        ngx_log_error(NGX_LOG_INFO, lane->peer->worker->log, 0,
                      "hustdb node %s answered a batch with status %ui",
                      lane->peer->peer->address, (ngx_uint_t)reply->status);
        fail(lane, HUST_HA_BAD_STATUS, 0);
        return false;
    }
    bool streams = lane->op_count == 1 && first_op(lane)->stream != NULL;
    bool too_long = !streams && reply->body_bytes > body_bound(lane);
    bool too_early = lane->state != HUST_HA_LANE_RECEIVING;
    if (too_long || too_early) {
        fail(lane, HUST_HA_GARBAGE, 0);
        return false;
    }
    if (!streams && hust_buf_reserve(&lane->in, (size_t)reply->body_bytes) != HUST_OK) {
        fail(lane, HUST_HA_NO_RESOURCES, NGX_ENOMEM);
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
        fail(lane, HUST_HA_GARBAGE, 0);
        return true;
    }
    if (result.status != NGX_HTTP_OK) {
        return false;
    }
    lane->stream = first_op(lane)->stream;
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
            fail(lane, HUST_HA_GARBAGE, 0);
            return false;
        }
        lane->has_reply = 1;
        if (!accept_reply(lane)) {
            return false;
        }
    }
    size_t head_bytes = lane->reply.head_bytes;
    hust_slice_t body = {lane->in.data + head_bytes, lane->in.len - head_bytes};
    if (body.len > lane->reply.body_bytes) {
        fail(lane, HUST_HA_GARBAGE, 0);
        return false;
    }
    if (lane->op_count == 1 && first_op(lane)->stream != NULL && open_stream(lane, body)) {
        return false;
    }
    if (body.len < lane->reply.body_bytes) {
        return true;
    }
    if (deliver(lane, body)) {
        finish_exchange(lane);
    } else {
        fail(lane, HUST_HA_GARBAGE, 0);
    }
    return false;
}

static void receive(hust_ha_lane_t *lane)
{
    ngx_connection_t *c = lane->connection;
    do {
        size_t room = lane->in.cap - lane->in.len;
        if (room == 0 || lane->in.cap == 0) {
            if (hust_buf_reserve(&lane->in, IN_BYTES_MIN) != HUST_OK) {
                fail(lane, HUST_HA_NO_RESOURCES, NGX_ENOMEM);
                return;
            }
            room = lane->in.cap - lane->in.len;
        }
        ssize_t n = c->recv(c, lane->in.data + lane->in.len, room);
        if (n == NGX_AGAIN) {
            if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
                fail(lane, HUST_HA_NO_RESOURCES, 0);
            }
            return;
        }
        if (n <= 0) {
            fail(lane, HUST_HA_CLOSED, n == 0 ? 0 : ngx_socket_errno);
            return;
        }
        lane->in.len += (size_t)n;
        ngx_add_timer(c->read, lane->peer->worker->conf->timeout);
    } while (parse(lane));
}

static void read_handler(ngx_event_t *event)
{
    ngx_connection_t *c = event->data;
    hust_ha_lane_t *lane = c->data;
    if (lane->state == HUST_HA_LANE_IDLE) {
        close_connection(lane); /* idle for too long, closed by the node, or by our shutdown */
        return;
    }
    if (c->close) {
        if (lane->kind == HUST_HA_LANE_PROBE) {
            hust_ha_lane_abort(lane);
        } else {
            fail(lane, HUST_HA_SHUTDOWN, 0);
        }
        return;
    }
    if (event->timedout) {
        fail(lane, HUST_HA_TIMEOUT, NGX_ETIMEDOUT);
        return;
    }
    if (lane->state == HUST_HA_LANE_CONNECTING) {
        return; /* write_handler sees what became of it */
    }
    if (lane->stream != NULL) {
        hust_ha_stream_pump(lane->stream);
        return;
    }
    receive(lane);
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
        fail(lane, HUST_HA_CLOSED, n == 0 ? 0 : ngx_socket_errno);
        return NGX_ERROR;
    }
    ngx_add_timer(c->read, lane->peer->worker->conf->timeout);
    if (n == NGX_AGAIN) {
        if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
            fail(lane, HUST_HA_NO_RESOURCES, 0);
            return NGX_ERROR;
        }
        return NGX_AGAIN;
    }
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
    hust_ha_op_t *op = take_op(lane);
    op->handler = NULL;
    hust_ha_op_finish(op, NULL, HUST_FAILED_UNKNOWN);
    finish_exchange(lane);
}
