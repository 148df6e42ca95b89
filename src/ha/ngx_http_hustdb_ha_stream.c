/*
 * Large values: the node has told stamp, length and hash, and the status is decided from those.
 * The bytes are then read over a connection of their own, conditional on the stamp, and passed
 * through with bounded memory: while the client is slow, the node is not read from.
 *
 * Nothing is sent to the client before the first large value has begun to come; until then a value
 * that has changed meanwhile just starts the transaction again, later it cuts the answer short.
 */
#include "ngx_http_hustdb_ha.h"

enum {
    BUF_BYTES = 64 * 1024,
    BUFS_MAX = 2,
};

struct hust_ha_stream_s {
    hust_ha_transaction_t *transaction;
    hust_answer_t answer;
    unsigned index;       /* of the value under way */
    hust_ha_op_t *op;     /* asks for it; NULL: none does */
    hust_ha_lane_t *lane; /* it comes from there; NULL: not yet */
    uint64_t left;        /* bytes of it that have not come */
    ngx_chain_t *free;
    ngx_chain_t *busy;
    unsigned buf_count;
    unsigned header_sent : 1;
};

static void op_handler(hust_ha_op_t *op, const hust_result_t *result, hust_failure_t failure);
static void write_handler(ngx_http_request_t *r);
static void transfer(hust_ha_stream_t *stream);

static const hust_result_t *value_at(const hust_ha_stream_t *stream, unsigned index)
{
    return &stream->transaction->coord.outcome.values[index];
}

static bool is_large(const hust_ha_stream_t *stream, unsigned index)
{
    return (value_at(stream, index)->flags & HUST_RESULT_LARGE) != 0;
}

void hust_ha_stream_cancel(hust_ha_stream_t *stream)
{
    hust_ha_op_t *op = stream->op;
    stream->op = NULL;
    stream->lane = NULL;
    if (op != NULL) {
        hust_ha_op_abandon(op);
    }
}

/* The stream is over, well or badly: finalize its request. */
static void finish(hust_ha_stream_t *stream, ngx_int_t rc)
{
    ngx_http_request_t *r = stream->transaction->request;
    hust_ha_stream_cancel(stream);
    stream->transaction->stream = NULL;
    if (rc == NGX_ERROR) {
        r->keepalive = 0;
    }
    ngx_http_finalize_request(r, rc);
}

/* It cannot go on: start again if the client has seen nothing yet, else cut the answer short. */
static void give_up(hust_ha_stream_t *stream)
{
    hust_ha_transaction_t *transaction = stream->transaction;
    if (stream->header_sent) {
        ngx_log_error(NGX_LOG_ERR, transaction->request->connection->log, 0,
                      "hustdb: the value ended early, the answer is cut short");
        finish(stream, NGX_ERROR);
        return;
    }
    hust_ha_stream_cancel(stream);
    transaction->stream = NULL;
    hust_ha_transaction_restart(transaction);
}

/* Ask for the value at `index`. */
static bool open_value(hust_ha_stream_t *stream)
{
    hust_ha_transaction_t *transaction = stream->transaction;
    const hust_outcome_t *outcome = &transaction->coord.outcome;
    unsigned master = outcome->value_master[stream->index];
    hust_ha_op_t *op = hust_ha_op_create(transaction->masters[master]);
    if (op == NULL) {
        return false;
    }
    op->op = transaction->op;
    op->op.flags &= HUST_OPF_OWN;
    op->op.flags |= HUST_OPF_WHOLE | HUST_OPF_HAS_IF_MATCH;
    op->op.if_match = outcome->values[stream->index].stamp;
    op->handler = op_handler;
    op->data = stream;
    op->stream = stream;
    stream->op = op;
    hust_ha_op_send(op);
    return true;
}

void hust_ha_stream_start(hust_ha_transaction_t *transaction, const hust_answer_t *answer)
{
    ngx_http_request_t *r = transaction->request;
    hust_ha_stream_t *stream = ngx_pcalloc(r->pool, sizeof(*stream));
    if (stream == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }
    stream->transaction = transaction;
    stream->answer = *answer;
    transaction->stream = stream;
    while (!is_large(stream, stream->index)) {
        stream->index++;
    }
    if (!open_value(stream)) {
        finish(stream, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
}

/* The node refused, since the value has changed, or it failed. */
static void op_handler(hust_ha_op_t *op, const hust_result_t *result, hust_failure_t failure)
{
    (void)result;
    (void)failure;
    hust_ha_stream_t *stream = op->data;
    ngx_connection_t *c = stream->transaction->request->connection;
    stream->op = NULL;
    stream->lane = NULL;
    give_up(stream);
    ngx_http_run_posted_requests(c);
}

/* ---- towards the client ---- */

static ngx_int_t send_inline(hust_ha_stream_t *stream, unsigned index)
{
    ngx_http_request_t *r = stream->transaction->request;
    hust_slice_t value = value_at(stream, index)->value;
    if (value.len == 0) {
        return NGX_OK;
    }
    ngx_chain_t link = {.buf = ngx_calloc_buf(r->pool), .next = NULL};
    if (link.buf == NULL) {
        return NGX_ERROR;
    }
    link.buf->pos = (u_char *)value.data;
    link.buf->last = link.buf->pos + value.len;
    link.buf->memory = 1;
    return ngx_http_output_filter(r, &link);
}

/* Send the head and what comes before the first large value. */
static ngx_int_t send_head(hust_ha_stream_t *stream)
{
    ngx_http_request_t *r = stream->transaction->request;
    stream->header_sent = 1;
    ngx_int_t rc = hust_ha_answer_send_header(r, &stream->answer);
    for (unsigned i = 0; i < stream->index && rc != NGX_ERROR; i++) {
        rc = send_inline(stream, i);
    }
    if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }
    r->write_event_handler = write_handler;
    return rc;
}

void hust_ha_stream_opened(hust_ha_stream_t *stream, hust_ha_lane_t *lane, uint64_t value_bytes)
{
    ngx_http_request_t *r = stream->transaction->request;
    ngx_connection_t *c = r->connection;
    ngx_http_set_log_request(c->log, r);
    stream->lane = lane;
    stream->left = value_bytes;
    if (value_bytes != hust_result_value_bytes(value_at(stream, stream->index))) {
        give_up(stream);
    } else if (!stream->header_sent && send_head(stream) == NGX_ERROR) {
        finish(stream, NGX_ERROR);
    } else {
        transfer(stream);
    }
    ngx_http_run_posted_requests(c);
}

/* A value is complete: on to the next one, or to the end. False: the stream is over. */
static bool next_value(hust_ha_stream_t *stream)
{
    ngx_http_request_t *r = stream->transaction->request;
    for (stream->index++; stream->index < stream->answer.value_count; stream->index++) {
        if (is_large(stream, stream->index)) {
            if (!open_value(stream)) {
                give_up(stream);
                return false;
            }
            return true;
        }
        if (send_inline(stream, stream->index) == NGX_ERROR) {
            finish(stream, NGX_ERROR);
            return false;
        }
    }
    finish(stream, ngx_http_send_special(r, NGX_HTTP_LAST));
    return false;
}

/* An empty buffer on a link of its own; NULL: all are on their way to the client. */
static ngx_chain_t *get_buf(hust_ha_stream_t *stream)
{
    ngx_http_request_t *r = stream->transaction->request;
    ngx_chain_t *link = stream->free;
    if (link != NULL) {
        stream->free = link->next;
        link->next = NULL;
        return link;
    }
    if (stream->buf_count == BUFS_MAX) {
        return NULL;
    }
    link = ngx_alloc_chain_link(r->pool);
    if (link == NULL) {
        return NULL;
    }
    link->next = NULL;
    link->buf = ngx_create_temp_buf(r->pool, BUF_BYTES);
    if (link->buf == NULL) {
        return NULL;
    }
    link->buf->tag = (ngx_buf_tag_t)&ngx_http_hustdb_ha_module;
    link->buf->flush = 1; /* or the filters might keep both buffers, and we would wait for ever */
    stream->buf_count++;
    return link;
}

static ngx_int_t output(hust_ha_stream_t *stream, ngx_chain_t *out)
{
    ngx_http_request_t *r = stream->transaction->request;
    ngx_int_t rc = ngx_http_output_filter(r, out);
    if (rc != NGX_ERROR) {
        ngx_chain_update_chains(r->pool, &stream->free, &stream->busy, &out,
                                (ngx_buf_tag_t)&ngx_http_hustdb_ha_module);
    }
    return rc;
}

/* All buffers are with the client: go on when it has taken one. */
static void wait_for_client(hust_ha_stream_t *stream)
{
    ngx_http_request_t *r = stream->transaction->request;
    ngx_event_t *write = r->connection->write;
    ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    if (stream->buf_count == 0) {
        finish(stream, NGX_ERROR); /* no memory for even one */
        return;
    }
    hust_ha_lane_pause(stream->lane);
    if (!write->delayed) {
        ngx_add_timer(write, core->send_timeout);
    }
    if (ngx_handle_write_event(write, core->send_lowat) != NGX_OK) {
        finish(stream, NGX_ERROR);
    }
}

/* Bring one buffer over. False: wait for more, for the client, or the stream is over. */
static bool transfer_buf(hust_ha_stream_t *stream)
{
    ngx_chain_t *link = get_buf(stream);
    if (link == NULL) {
        wait_for_client(stream);
        return false;
    }
    ngx_buf_t *buf = link->buf;
    size_t room = ngx_min((size_t)(buf->end - buf->last), stream->left);
    ssize_t n = hust_ha_lane_pull(stream->lane, buf->last, room);
    if (n == NGX_ERROR) {
        return false; /* op_handler has seen to it; the stream may be gone */
    }
    if (n == NGX_AGAIN) {
        link->next = stream->free;
        stream->free = link;
        return false;
    }
    buf->last += n;
    stream->left -= (uint64_t)n;
    if (output(stream, link) == NGX_ERROR) {
        finish(stream, NGX_ERROR);
        return false;
    }
    return true;
}

static void transfer(hust_ha_stream_t *stream)
{
    for (;;) {
        while (stream->lane != NULL && stream->left > 0) {
            if (!transfer_buf(stream)) {
                return;
            }
        }
        if (stream->lane == NULL) {
            return;
        }
        hust_ha_lane_t *lane = stream->lane;
        stream->lane = NULL;
        stream->op = NULL;
        hust_ha_lane_streamed(lane);
        if (!next_value(stream)) {
            return;
        }
    }
}

void hust_ha_stream_pump(hust_ha_stream_t *stream)
{
    ngx_http_request_t *r = stream->transaction->request;
    ngx_connection_t *c = r->connection;
    ngx_http_set_log_request(c->log, r);
    transfer(stream);
    ngx_http_run_posted_requests(c);
}

static void write_handler(ngx_http_request_t *r)
{
    hust_ha_transaction_t *transaction = ngx_http_get_module_ctx(r, ngx_http_hustdb_ha_module);
    hust_ha_stream_t *stream = transaction->stream;
    ngx_event_t *write = r->connection->write;
    if (stream == NULL) {
        return;
    }
    if (write->timedout) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, NGX_ETIMEDOUT, "client timed out");
        r->connection->timedout = 1;
        finish(stream, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }
    if (!write->delayed) {
        if (output(stream, NULL) == NGX_ERROR) {
            finish(stream, NGX_ERROR);
            return;
        }
        if (write->timer_set && !write->delayed) {
            ngx_del_timer(write);
        }
        transfer(stream);
        return;
    }
    ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    if (ngx_handle_write_event(write, core->send_lowat) != NGX_OK) {
        finish(stream, NGX_ERROR);
    }
}
