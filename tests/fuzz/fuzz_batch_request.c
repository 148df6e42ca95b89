/*
 * A batch request as a node receives it. Every operation that is read is valid, and a batch that
 * is read to its end is, encoded again, the same bytes.
 */
#include "core/batch.h"
#include "core/record.h"
#include "fuzz.h"

/* The length word of an operation counts what follows it. */
static void check_op(const hust_op_t *op, hust_buf_t *again)
{
    size_t before = again->len;
    FUZZ_CHECK(hust_element_valid(&op->element));
    FUZZ_CHECK((op->flags & HUST_OPF_DIRECT) == 0);
    FUZZ_CHECK(op->code >= HUST_OP_GET && op->code <= HUST_OP_RECONCILE);
    FUZZ_CHECK(hust_batch_request_add(again, op) == HUST_OK);
    FUZZ_CHECK(again->len - before == hust_op_encoded_bytes(op));
    if (op->code == HUST_OP_MERGE) {
        hust_record_t record;
        (void)hust_record_decode(op->value, &record);
    }
    if (op->code == HUST_OP_RECONCILE) {
        hust_stored_t stored;
        (void)hust_stored_decode(op->value, &stored);
    }
}

static hust_error_t read_ops(hust_batch_reader_t *reader, const hust_batch_request_head_t *head,
                             hust_buf_t *again)
{
    hust_op_t op;
    hust_error_t err;
    uint32_t count = 0;
    while ((err = hust_batch_request_next(reader, &op)) == HUST_OK) {
        check_op(&op, again);
        count++;
    }
    FUZZ_CHECK(count <= head->count);
    FUZZ_CHECK(err != HUST_ERR_END || count == head->count);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hust_slice_t in = hust_slice_of(data, size);
    hust_batch_request_head_t head;
    hust_batch_reader_t reader;
    hust_buf_t again = {0};
    hust_error_t err = hust_batch_request_open(in, &head, &reader);
    if (err != HUST_OK) {
        FUZZ_CHECK(err == HUST_ERR_TRUNCATED || err == HUST_ERR_MALFORMED ||
                   err == HUST_ERR_VERSION || err == HUST_ERR_LIMIT);
        return 0;
    }
    FUZZ_CHECK(head.count <= HUST_BATCH_OPS_MAX);
    FUZZ_CHECK(hust_batch_request_begin(&again, &head) == HUST_OK);
    err = read_ops(&reader, &head, &again);
    if (err == HUST_ERR_END) {
        /* The head has spare bytes, so only what follows it must be the same. */
        const size_t at = HUST_BATCH_REQUEST_HEAD_BYTES;
        FUZZ_CHECK(again.len == size);
        FUZZ_CHECK(memcmp(again.data + at, data + at, size - at) == 0);
    } else {
        FUZZ_CHECK(err == HUST_ERR_TRUNCATED || err == HUST_ERR_MALFORMED);
    }
    hust_buf_free(&again);
    return 0;
}
