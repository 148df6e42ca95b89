/*
 * One connection to a node: carries one exchange after the other, never two at a time.
 *
 * An exchange is `POST /hustdb/batch` with some operations and the reply with exactly as many
 * results. Whatever else comes back fails all of them and closes the connection.
 */
#include "ngx_http_hustdb_ha_lane.h"

enum {
    OUT_HEAD_BYTES = 512, /* room for the HTTP head before the batch; an address has 255 at most */
};

static void write_handler(ngx_event_t *event);
static void start_exchange(hust_ha_lane_t *lane);

/* ---- the connection ---- */

static bool is_busy(hust_ha_lane_state_t state)
{
    return state != HUST_HA_LANE_CLOSED && state != HUST_HA_LANE_IDLE;
}

static void set_state(hust_ha_lane_t *lane, hust_ha_lane_state_t state)
{
    int open = (state != HUST_HA_LANE_CLOSED) - (lane->state != HUST_HA_LANE_CLOSED);
    int busy = is_busy(state) - is_busy(lane->state);
    lane->state = state;
    hust_ha_counters_lanes(lane->peer, open, busy);
}

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

void hust_ha_lane_close(hust_ha_lane_t *lane)
{
    if (lane->connection != NULL) {
        ngx_close_connection(lane->connection);
        lane->connection = NULL;
    }
    set_state(lane, HUST_HA_LANE_CLOSED);
    lane->stream = NULL;
}

void hust_ha_lane_close_idle(hust_ha_lane_t *lane)
{
    if (lane->state == HUST_HA_LANE_IDLE) {
        hust_ha_lane_close(lane);
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
        hust_ha_lane_close(lane);
        return;
    }
    set_state(lane, HUST_HA_LANE_IDLE);
    c->idle = 1; /* a worker that shuts down closes it through hust_ha_lane_read_handler */
    c->read->cancelable = 1;
    ngx_add_timer(c->read, HUST_HA_LANE_IDLE_MS);
    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        hust_ha_lane_close(lane);
    }
}

static void connect_lane(hust_ha_lane_t *lane)
{
    hust_ha_peer_t *peer = lane->peer;
    ngx_peer_connection_t attempt;
    ngx_memzero(&attempt, sizeof(attempt));
    attempt.sockaddr = &peer->sockaddr.sockaddr;
    attempt.socklen = peer->socklen;
    attempt.name = &peer->name;
    attempt.get = ngx_event_get_peer;
    attempt.log = &peer->worker->quiet_log;
    attempt.log_error = NGX_ERROR_ERR;
    ngx_int_t rc = ngx_event_connect_peer(&attempt);
    if (rc != NGX_OK && rc != NGX_AGAIN) {
        ngx_err_t err = rc == NGX_DECLINED ? ngx_socket_errno : 0;
        bool is_ours = rc != NGX_DECLINED || err == EADDRNOTAVAIL; /* not the node's fault */
        hust_ha_lane_fail(lane, is_ours ? HUST_HA_NO_RESOURCES : HUST_HA_REFUSED, err);
        return;
    }
    ngx_connection_t *c = attempt.connection;
    c->data = lane;
    c->read->handler = hust_ha_lane_read_handler;
    c->write->handler = write_handler;
    c->idle = lane->kind == HUST_HA_LANE_PROBE;
    c->read->cancelable = c->idle;
    c->write->cancelable = c->idle;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
    lane->connection = c;
    lane->reused = 0;
    if (rc == NGX_AGAIN) {
        set_state(lane, HUST_HA_LANE_CONNECTING);
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
        .epoch = hust_routing_epoch(lane->peer->worker->routing),
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
    if (!hust_ha_lane_is_single(lane->kind)) {
        return hust_batch_request_add(out, &op->op);
    }
    /* A large value is sent from where it is. */
    hust_error_t err = hust_batch_request_add_head(out, &op->op, op->op.value.len + op->body_bytes);
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

/* What follows the batch in `out`: the value of the one large operation. False: nothing. */
static bool fill_value(hust_ha_lane_t *lane, ngx_buf_t *value)
{
    ngx_memzero(value, sizeof(*value));
    if (!hust_ha_lane_is_single(lane->kind)) {
        return false;
    }
    const hust_ha_op_t *op = hust_ha_lane_first_op(lane);
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

/* Write the HTTP head in front of the batch. */
static void put_head(hust_ha_lane_t *lane, size_t content_bytes)
{
    const char *address = lane->peer->peer->address;
    u_char head[OUT_HEAD_BYTES];
    u_char *end;
    if (hust_ha_lane_is_forward(lane)) {
        const hust_buf_t *target = &hust_ha_lane_first_op(lane)->encoded;
        ngx_str_t uri = {target->len, target->data};
        end =
            ngx_snprintf(head, sizeof(head), "GET %V HTTP/1.1\r\nHost: %s\r\n\r\n", &uri, address);
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
    if (lane->kind != HUST_HA_LANE_PROBE && !hust_ha_lane_is_forward(lane)) {
        hust_ha_counters_batch(lane->peer, lane->op_count);
    }
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
void hust_ha_lane_finish(hust_ha_lane_t *lane)
{
    ngx_connection_t *c = lane->connection;
    lane->op_count = 0;
    lane->stream = NULL;
    shrink(&lane->in);
    shrink(&lane->out);
    if (!lane->reply.keep_alive || ngx_exiting || c->close || lane->kind == HUST_HA_LANE_PROBE ||
        lane->peer->retired) {
        hust_ha_lane_close(lane);
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

void hust_ha_lane_fail(hust_ha_lane_t *lane, hust_ha_cause_t cause, ngx_err_t err)
{
    ngx_connection_t *c = lane->connection;
    bool nothing_sent =
        c == NULL || lane->state == HUST_HA_LANE_CONNECTING || c->sent == lane->sent_before;
    bool repeat = may_repeat(lane, cause, nothing_sent);
    hust_ha_lane_close(lane);
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
    hust_ha_lane_close(lane);
    lane->op_count = 0;
    while (!ngx_queue_empty(&lane->ops)) {
        hust_ha_op_t *op = hust_ha_lane_take_op(lane);
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
            c->write->ready = 0;
            lane->unsent = NULL;
            hust_ha_lane_receive(lane); /* the node may have said why before it closed */
            return;
        }
        lane->unsent = rest;
    }
    if (c->sent != sent) {
        hust_ha_lane_moved(lane);
        ngx_add_timer(c->read, lane->peer->worker->conf->timeout);
    }
    if (lane->unsent == NULL) {
        set_state(lane, HUST_HA_LANE_RECEIVING);
    }
    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        hust_ha_lane_fail(lane, HUST_HA_NO_RESOURCES, 0);
    }
}

static void start_exchange(hust_ha_lane_t *lane)
{
    ngx_connection_t *c = lane->connection;
    set_state(lane, HUST_HA_LANE_SENDING);
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
        hust_ha_lane_fail(lane, HUST_HA_CONNECT_TIMEOUT, NGX_ETIMEDOUT);
        return;
    }
    ngx_err_t err = connect_error(c);
    if (err != 0) {
        hust_ha_lane_fail(lane, HUST_HA_REFUSED, err);
        return;
    }
    if (event->timer_set) {
        ngx_del_timer(event);
    }
    start_exchange(lane);
}
