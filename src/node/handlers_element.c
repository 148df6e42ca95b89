/*
 * The calls of a single element: reads are answered in the HTTP thread, writes by the committer.
 */
#include <assert.h>
#include <stdlib.h>

#include "core/apply.h"
#include "node/handlers.h"
#include "node/reads.h"
#include "node/wall.h"

/* --- reads --- */

/* If-Match and If-None-Match of a read that found a value (RFC 9110, 13.2.2). */
static unsigned conditional_status(const hust_http_request_t *request, hust_stamp_t stamp)
{
    hust_slice_t if_match = hust_http_header(request, "If-Match");
    hust_slice_t if_none_match = hust_http_header(request, "If-None-Match");
    if (if_match.len > 0 && !hust_etag_match(if_match, stamp)) {
        return 412;
    }
    return if_none_match.len > 0 && hust_etag_match(if_none_match, stamp) ? 304 : 200;
}

static void answer_read(const hust_call_t *call, hust_http_request_t *request,
                        hust_result_t *result, hust_pinned_t *pinned)
{
    hust_http_answer_t answer;
    bool value = result->status == 200 && call->reply == HUST_REPLY_VALUE;
    unsigned status = value ? conditional_status(request, result->stamp) : result->status;
    if (status == 412 && value) {
        result->status = 412;
        result->flags |= HUST_RESULT_IF_FAILED;
    }
    assert(value || status == result->status);
    hust_answer_element(call, result, &answer);
    answer.status = status;
    if (value && status != 412) { /* a 304 sends no body, and the length that a 200 would have */
        hust_http_add(&answer, "Content-Type", "text/plain");
        answer.body = result->value;
        answer.release = hust_pin_release;
        answer.owner = pinned->pin;
        pinned->pin = NULL;
    }
    hust_pin_release(pinned->pin);
    hust_http_answer(request, &answer);
}

static void answer_error(const hust_call_t *call, hust_http_request_t *request, unsigned status,
                         const char *message)
{
    hust_http_answer_t answer;
    hust_answer_element_error(call, status, message, &answer);
    hust_http_answer(request, &answer);
}

void hust_handle_element_read(hust_node_t *node, hust_http_request_t *request,
                              const hust_call_t *call)
{
    char message[HUST_MESSAGE_BYTES];
    char number[24];
    hust_buf_t scratch = {0};
    hust_params_t params;
    hust_op_t op;
    const hust_conditions_t none = {0};
    assert(call->class_ == HUST_CLASS_READ);
    unsigned status = hust_handler_params(node, request, call, &scratch, &params, message);
    if (status == 0) {
        status = hust_params_to_op(call, &params, &none, hust_wall_ms(), number, &op, message);
        hust_end_line(status, message);
    }
    if (status != 0) {
        answer_error(call, request, status, message);
    } else {
        hust_pinned_t pinned = {0};
        hust_result_t result;
        hust_reads_one(node->store, node->counters, &op, &pinned, &result);
        answer_read(call, request, &result, &pinned);
    }
    hust_buf_free(&scratch);
}

/* --- writes --- */

/* A write on its way through the committer. */
typedef struct {
    hust_job_t job;
    hust_http_request_t *request;
    const hust_call_t *call;
    hust_op_t op;
    hust_buf_t scratch; /* decoded parameters */
    char number[24];    /* text of a score: the operation's value */
    hust_result_t result;
    size_t text_len;
    uint8_t text[HUST_NUMBER_CHARS_MAX]; /* resulting number, the answer's body */
} write_t;

static void write_free(write_t *write)
{
    hust_buf_free(&write->scratch);
    free(write);
}

static void on_result(hust_job_t *job, size_t index, const hust_result_t *result)
{
    write_t *write = (write_t *)job;
    assert(index == 0);
    (void)index;
    write->result = *result;
    write->result.value = (hust_slice_t){NULL, 0};
    if (write->call->reply != HUST_REPLY_NUMBER || result->status != 200) {
        return;
    }
    hust_slice_t number = write->op.code == HUST_OP_INCR ? result->value : write->op.value;
    assert(number.len <= sizeof(write->text));
    memcpy(write->text, number.data, number.len);
    write->text_len = number.len;
}

static void on_done(hust_job_t *job, unsigned failure)
{
    write_t *write = (write_t *)job;
    hust_http_answer_t answer;
    assert(failure != 0 || write->result.status != 0);
    if (failure != 0) {
        write->result = (hust_result_t){.status = failure};
    }
    hust_answer_element(write->call, &write->result, &answer);
    if (write->result.status == 200 && write->text_len > 0) {
        answer.body = hust_slice_of(write->text, write->text_len);
        hust_http_add(&answer, "Content-Type", "text/plain");
    }
    hust_http_answer(write->request, &answer);
    write_free(write);
}

/* Make the operation. Returns 0 or the status of an error, with `message`. */
static unsigned prepare_write(hust_node_t *node, write_t *write, char *message)
{
    hust_params_t params;
    const hust_conditions_t conditions = {
        .if_match = hust_http_header(write->request, "If-Match"),
        .if_none_match = hust_http_header(write->request, "If-None-Match"),
    };
    unsigned status =
        hust_handler_params(node, write->request, write->call, &write->scratch, &params, message);
    if (status == 0) {
        status = hust_params_to_op(write->call, &params, &conditions, hust_wall_ms(), write->number,
                                   &write->op, message);
    }
    write->op.flags |= HUST_OPF_DIRECT;
    return hust_end_line(status, message);
}

static void submit_write(hust_node_t *node, write_t *write)
{
    assert(hust_op_is_write(&write->op));
    assert(write->op.code == write->call->code || write->call->id == HUST_CALL_ZADD);
    write->job = (hust_job_t){.ops = &write->op,
                              .op_count = 1,
                              .bytes = write->op.value.len + write->op.element.key.len,
                              .on_result = on_result,
                              .on_done = on_done};
    hust_http_hold(write->request);
    hust_committer_submit(node->committer, &write->job);
}

void hust_handle_element_write(hust_node_t *node, hust_http_request_t *request,
                               const hust_call_t *call)
{
    char message[HUST_MESSAGE_BYTES];
    assert(call->class_ == HUST_CLASS_WRITE);
    write_t *write = calloc(1, sizeof(*write));
    if (write == NULL) {
        answer_error(call, request, 500, "out of memory\n");
        return;
    }
    write->request = request;
    write->call = call;
    unsigned status = prepare_write(node, write, message);
    if (status != 0) {
        answer_error(call, request, status, message);
        write_free(write);
        return;
    }
    submit_write(node, write);
}
