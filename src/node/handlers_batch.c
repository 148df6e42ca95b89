/*
 * batch: many operations in one request. Reads alone are answered in the HTTP thread; with a write
 * among them all go through the committer, in order.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/apply.h"
#include "core/batch.h"
#include "node/handlers.h"
#include "node/reads.h"
#include "node/wall.h"

/* Records of which the reply to reconciliations carries one more, however large that is. */
enum { RECORDS_BYTES_MAX = 4 << 20 };

typedef struct {
    hust_job_t job;
    hust_node_t *node;
    hust_http_request_t *request;
    unsigned count;    /* operations in the request */
    unsigned answered; /* results in the reply so far, refused ones included */
    unsigned accepted; /* operations that may be carried out */
    bool has_write;
    hust_error_t err; /* of the reply: no memory */
    hust_buf_t reply;
    size_t head_bytes; /* of the reply, before the first result */
    hust_op_t *ops;    /* the accepted ones */
    uint16_t *places;  /* which operation of the request each of them is */
} batch_t;

static void batch_free(batch_t *batch)
{
    free(batch->ops);
    free(batch->places);
    hust_buf_free(&batch->reply);
    free(batch);
}

/* --- the request --- */

/* Only configured peers may be named as the target of a hint. */
static bool is_allowed(const hust_node_t *node, const hust_op_t *op)
{
    return (op->flags & HUST_OPF_HAS_TARGET) == 0 || hust_config_is_peer(node->config, op->target);
}

static hust_error_t read_ops(batch_t *batch, hust_batch_reader_t *reader)
{
    hust_op_t op;
    hust_error_t err;
    while ((err = hust_batch_request_next(reader, &op)) == HUST_OK) {
        assert(batch->accepted < batch->count);
        if (op.code == HUST_OP_PUT && op.value.len > batch->node->limits.value_bytes_max) {
            return HUST_ERR_RANGE;
        }
        if (is_allowed(batch->node, &op)) {
            batch->places[batch->accepted] = (uint16_t)(batch->count - reader->left - 1);
            batch->ops[batch->accepted++] = op;
            batch->has_write = batch->has_write || hust_op_is_write(&op);
        }
    }
    return err == HUST_ERR_END ? HUST_OK : err;
}

static hust_error_t read_request(batch_t *batch)
{
    hust_batch_request_head_t head;
    hust_batch_reader_t reader;
    hust_error_t err = hust_batch_request_open(hust_http_body(batch->request), &head, &reader);
    if (err != HUST_OK) {
        return err;
    }
    assert(head.count <= HUST_BATCH_OPS_MAX);
    batch->count = head.count;
    batch->ops = malloc((head.count + 1) * sizeof(*batch->ops));
    batch->places = malloc((head.count + 1) * sizeof(*batch->places));
    if (batch->ops == NULL || batch->places == NULL) {
        return HUST_ERR_NOMEM;
    }
    return read_ops(batch, &reader);
}

/* --- the reply --- */

static hust_error_t begin_reply(batch_t *batch)
{
    hust_batch_reply_head_t head = {.count = batch->count,
                                    .clock = hust_committer_clock(batch->node->committer)};
    head.backlog_count = hust_hints_backlogs(batch->node->hints, hust_wall_ms(), head.backlogs);
    hust_error_t err = hust_batch_reply_begin(&batch->reply, &head);
    assert(err != HUST_OK || batch->reply.len > 0);
    batch->head_bytes = batch->reply.len;
    return err;
}

static void add_result(batch_t *batch, const hust_result_t *result)
{
    assert(batch->answered < batch->count);
    batch->answered++;
    if (batch->err == HUST_OK) {
        batch->err = hust_batch_reply_add(&batch->reply, result);
    }
}

/* Results of refused operations, up to place `until` of the request. */
static void add_refused(batch_t *batch, unsigned until)
{
    const hust_result_t refused = {.status = 403};
    assert(until <= batch->count);
    while (batch->answered < until) {
        add_result(batch, &refused);
    }
}

/*
 * The largest value that the reply may carry for an operation: whole ones where that is asked for,
 * but never so much that the reply outgrows what a request may be. What is left out can be asked
 * for by itself.
 */
static size_t value_bytes_max(const batch_t *batch, const hust_op_t *op)
{
    size_t reply_max = batch->node->limits.value_bytes_max + HUST_BATCH_EXTRA_BYTES;
    size_t room = batch->reply.len < reply_max ? reply_max - batch->reply.len : 0;
    bool whole = (op->flags & HUST_OPF_WHOLE) != 0;
    return whole || room < HUST_LARGE_BYTES ? room : HUST_LARGE_BYTES;
}

/* The result of accepted operation `index`. */
static void add_accepted(batch_t *batch, size_t index, const hust_result_t *result)
{
    const hust_op_t *op = &batch->ops[index];
    hust_result_t sent = *result;
    assert(index < batch->accepted);
    add_refused(batch, batch->places[index]);
    if (op->code == HUST_OP_GET) {
        hust_result_abridge(&sent, value_bytes_max(batch, op), (op->flags & HUST_OPF_OWN) != 0);
    }
    add_result(batch, &sent);
}

/* Everything that was accepted fails alike. */
static void fail_all(batch_t *batch, unsigned status)
{
    const hust_result_t failed = {.status = status};
    assert(status >= 500 && batch->reply.len >= batch->head_bytes);
    batch->reply.len = batch->head_bytes;
    batch->answered = 0;
    for (unsigned i = 0; i < batch->accepted; i++) {
        add_refused(batch, batch->places[i]);
        add_result(batch, &failed);
    }
}

static void answer(batch_t *batch)
{
    add_refused(batch, batch->count);
    assert(batch->answered == batch->count);
    hust_answer_buf(batch->request, "application/octet-stream", &batch->reply, batch->err);
    batch_free(batch);
}

/* --- carrying it out --- */

enum {
    READS_FIRST = 8,                /* operations read at once, as long as nothing is known */
    READS_MANY = 64,                /* and while values are small */
    READS_BYTES_SMALL = 256 * 1024, /* of one step */
};

/* Read `count` operations from `first` on at once. Adds the bytes read to `bytes`. */
static hust_error_t read_some(batch_t *batch, size_t first, size_t count, size_t *bytes)
{
    hust_pinned_t pinned[READS_MANY];
    hust_result_t results[READS_MANY];
    assert(count > 0 && count <= READS_MANY);
    hust_error_t err = hust_reads_many(batch->node->store, batch->node->counters,
                                       batch->ops + first, count, pinned, results);
    for (size_t i = 0; err == HUST_OK && i < count; i++) {
        *bytes += pinned[i].bytes.len;
        add_accepted(batch, first + i, &results[i]);
        hust_pin_release(pinned[i].pin);
    }
    return err;
}

/*
 * Read in steps, since whoever asks does not know how large the values are: many at once would be
 * gigabytes in memory if they are large, and one at a time would be slow if they are small.
 */
static void run_reads(batch_t *batch)
{
    size_t step = READS_FIRST;
    hust_error_t err = HUST_OK;
    assert(batch->accepted > 0 && !batch->has_write);
    for (size_t at = 0; err == HUST_OK && at < batch->accepted;) {
        size_t bytes = 0;
        size_t count = batch->accepted - at < step ? batch->accepted - at : step;
        err = read_some(batch, at, count, &bytes);
        at += count;
        step = bytes <= READS_BYTES_SMALL ? READS_MANY : 1;
    }
    if (err != HUST_OK) {
        fail_all(batch, 500);
    }
}

static void on_result(hust_job_t *job, size_t index, const hust_result_t *result)
{
    add_accepted((batch_t *)job, index, result);
}

static void on_done(hust_job_t *job, unsigned failure)
{
    batch_t *batch = (batch_t *)job;
    if (failure != 0) {
        fail_all(batch, failure);
    }
    answer(batch);
}

static void submit(batch_t *batch)
{
    assert(batch->accepted > 0 && batch->has_write);
    batch->job = (hust_job_t){.ops = batch->ops,
                              .op_count = batch->accepted,
                              .bytes = hust_http_body(batch->request).len,
                              .on_result = on_result,
                              .on_done = on_done};
    hust_http_hold(batch->request);
    hust_committer_submit(batch->node->committer, &batch->job);
}

static void refuse(hust_http_request_t *request, hust_error_t err)
{
    hust_http_answer_t refusal;
    char line[HUST_MESSAGE_BYTES];
    snprintf(line, sizeof(line), "batch: %s\n", hust_error_text(err));
    unsigned status = err == HUST_ERR_NOMEM ? 500 : (err == HUST_ERR_RANGE ? 413 : 400);
    hust_answer_text(&refusal, status, line);
    hust_http_answer(request, &refusal);
}

void hust_handle_batch(hust_node_t *node, hust_http_request_t *request, const hust_call_t *call)
{
    batch_t *batch = calloc(1, sizeof(*batch));
    hust_error_t err = HUST_ERR_NOMEM;
    (void)call;
    if (batch != NULL) {
        batch->node = node;
        batch->request = request;
        err = read_request(batch);
    }
    if (err == HUST_OK) {
        err = begin_reply(batch);
    }
    if (err != HUST_OK) {
        refuse(request, err);
        if (batch != NULL) {
            batch_free(batch);
        }
        return;
    }
    if (batch->has_write) {
        submit(batch);
        return;
    }
    if (batch->accepted > 0) {
        run_reads(batch);
    }
    answer(batch);
}
