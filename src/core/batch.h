/*
 * The batch format: many operations in one request, their results in order. Public, versioned,
 * length-prefixed, big-endian; docs/formats.md has the layout byte by byte.
 *
 * Caveats: a reader borrows from its input; operations and results are good while it lives.
 * Everything here is outside input: readers check every length, and every element's validity.
 */
#ifndef HUST_BATCH_H
#define HUST_BATCH_H

#include "core/buf.h"
#include "core/op.h"

enum {
    HUST_BATCH_VERSION = 1,
    HUST_BATCH_OPS_MAX = 1024,          /* operations in one batch; more: HUST_ERR_LIMIT */
    HUST_BATCH_REQUEST_HEAD_BYTES = 20, /* before the first operation */
    HUST_TARGET_BYTES_MAX = 255,
    HUST_BATCH_BACKLOGS_MAX = 64,
};

typedef struct {
    uint32_t count; /* operations that follow */
    uint64_t epoch; /* of the sender's routing table; 0 = none */
} hust_batch_request_head_t;

/* How many hints the node holds for another one, those older than the timeout. */
typedef struct {
    hust_slice_t target; /* host:port */
    uint64_t hint_count;
} hust_backlog_t;

typedef struct {
    uint32_t count; /* results that follow */
    uint64_t clock; /* time part of the node's clock */
    unsigned backlog_count;
    hust_backlog_t backlogs[HUST_BATCH_BACKLOGS_MAX];
} hust_batch_reply_head_t;

typedef struct {
    hust_slice_t rest;
    uint32_t left; /* items not read yet */
} hust_batch_reader_t;

/* Append the head of a request; `count` can be set later with hust_batch_request_set_count. */
hust_error_t hust_batch_request_begin(hust_buf_t *out, const hust_batch_request_head_t *head);

/* Set the number of operations in a request whose head begins at `at`. */
void hust_batch_request_set_count(uint8_t *at, uint32_t count);

/* Append one operation. DIRECT is never written. HUST_ERR_NOMEM or HUST_ERR_RANGE. */
hust_error_t hust_batch_request_add(hust_buf_t *out, const hust_op_t *op);

/*
 * Append one operation without its value, whose `value_bytes` the caller sends right after: for
 * values that live in a file. `op->value` is ignored.
 */
hust_error_t hust_batch_request_add_head(hust_buf_t *out, const hust_op_t *op, size_t value_bytes);

/* Bytes that hust_batch_request_add would append. */
size_t hust_op_encoded_bytes(const hust_op_t *op);

/* Start reading a whole request. TRUNCATED, MALFORMED, VERSION or LIMIT. */
hust_error_t hust_batch_request_open(hust_slice_t in, hust_batch_request_head_t *head,
                                     hust_batch_reader_t *reader);

/* The next operation; HUST_ERR_END after the last. TRUNCATED or MALFORMED (also: bytes left over).
 */
hust_error_t hust_batch_request_next(hust_batch_reader_t *reader, hust_op_t *op);

hust_error_t hust_batch_reply_begin(hust_buf_t *out, const hust_batch_reply_head_t *head);
hust_error_t hust_batch_reply_add(hust_buf_t *out, const hust_result_t *result);
/* Append one result without its value, whose `value_bytes` the caller sends right after. */
hust_error_t hust_batch_reply_add_head(hust_buf_t *out, const hust_result_t *result,
                                       size_t value_bytes);
size_t hust_result_encoded_bytes(const hust_result_t *result);
hust_error_t hust_batch_reply_open(hust_slice_t in, hust_batch_reply_head_t *head,
                                   hust_batch_reader_t *reader);
hust_error_t hust_batch_reply_next(hust_batch_reader_t *reader, hust_result_t *result);

/*
 * For values streamed from a reply of one WHOLE read: parse reply head and the result up to its
 * value from the first bytes received. OK: `value_at` is the offset of the value in the reply and
 * `value_bytes` its length, `result->value` empty. TRUNCATED: more bytes are needed.
 */
hust_error_t hust_batch_reply_peek_value(hust_slice_t in, hust_result_t *result, size_t *value_at,
                                         size_t *value_bytes);

#endif /* HUST_BATCH_H */
