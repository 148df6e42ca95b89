/*
 * A batch reply as HA receives it. A reply that is read to its end is, encoded again, the same
 * bytes; peeking at the first value agrees with reading it.
 */
#include "core/batch.h"
#include "fuzz.h"

static void check_peek(hust_slice_t in, const hust_result_t *first)
{
    hust_result_t peeked;
    size_t value_at;
    size_t value_bytes;
    hust_error_t err = hust_batch_reply_peek_value(in, &peeked, &value_at, &value_bytes);
    FUZZ_CHECK(err == HUST_OK || err == HUST_ERR_TRUNCATED || err == HUST_ERR_MALFORMED ||
               err == HUST_ERR_VERSION || err == HUST_ERR_LIMIT);
    if (err == HUST_OK && first != NULL) {
        FUZZ_CHECK(value_bytes == first->value.len);
        FUZZ_CHECK(value_bytes == 0 || in.data + value_at == first->value.data);
        FUZZ_CHECK(peeked.status == first->status && peeked.version == first->version);
    }
}

static hust_error_t read_results(hust_slice_t in, hust_batch_reader_t *reader,
                                 const hust_batch_reply_head_t *head, hust_buf_t *again)
{
    hust_result_t result;
    hust_error_t err;
    uint32_t count = 0;
    while ((err = hust_batch_reply_next(reader, &result)) == HUST_OK) {
        size_t before = again->len;
        FUZZ_CHECK(hust_batch_reply_add(again, &result) == HUST_OK);
        FUZZ_CHECK(again->len - before == hust_result_encoded_bytes(&result));
        check_peek(in, count == 0 ? &result : NULL);
        count++;
    }
    FUZZ_CHECK(count <= head->count);
    FUZZ_CHECK(err != HUST_ERR_END || count == head->count);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static hust_batch_reply_head_t head;
    hust_slice_t in = hust_slice_of(data, size);
    hust_batch_reader_t reader;
    hust_buf_t again = {0};
    hust_error_t err = hust_batch_reply_open(in, &head, &reader);
    if (err != HUST_OK) {
        FUZZ_CHECK(err == HUST_ERR_TRUNCATED || err == HUST_ERR_MALFORMED ||
                   err == HUST_ERR_VERSION || err == HUST_ERR_LIMIT);
        check_peek(in, NULL);
        return 0;
    }
    FUZZ_CHECK(head.count <= HUST_BATCH_OPS_MAX && head.backlog_count <= HUST_BATCH_BACKLOGS_MAX);
    FUZZ_CHECK(hust_batch_reply_begin(&again, &head) == HUST_OK);
    err = read_results(in, &reader, &head, &again);
    if (err == HUST_ERR_END) {
        FUZZ_CHECK(hust_slice_equal(hust_buf_slice(&again), in));
    } else {
        FUZZ_CHECK(err == HUST_ERR_TRUNCATED || err == HUST_ERR_MALFORMED);
        check_peek(in, NULL);
    }
    hust_buf_free(&again);
    return 0;
}
