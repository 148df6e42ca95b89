/*
 * A reply's head: [stride][bytes]. However it comes in pieces, the verdict is the same, and a
 * head that is accepted ends in an empty line.
 */
#include "core/http_reply.h"
#include "fuzz.h"

enum { HEAD_BYTES_MIN = sizeof("HTTP/1.1 204 \r\n\r\n") - 1 };

static hust_error_t read_whole(hust_slice_t in, hust_http_reply_t *reply)
{
    *reply = (hust_http_reply_t){0};
    return hust_http_reply_read(reply, in);
}

/* In pieces of `stride` bytes, each time from other memory. */
static hust_error_t read_in_pieces(hust_slice_t in, size_t stride, hust_http_reply_t *reply)
{
    hust_error_t err = HUST_ERR_TRUNCATED;
    *reply = (hust_http_reply_t){0};
    for (size_t len = 0; err == HUST_ERR_TRUNCATED;) {
        uint8_t *copy = malloc(len + 1);
        FUZZ_CHECK(copy != NULL);
        if (len > 0) {
            memcpy(copy, in.data, len);
        }
        err = hust_http_reply_read(reply, hust_slice_of(copy, len));
        free(copy);
        if (len == in.len) {
            break;
        }
        len = in.len - len < stride ? in.len : len + stride;
    }
    return err;
}

static void check_head(const hust_http_reply_t *reply, hust_slice_t in)
{
    FUZZ_CHECK(reply->head_bytes >= HEAD_BYTES_MIN && reply->head_bytes <= in.len);
    FUZZ_CHECK(reply->head_bytes <= HUST_HTTP_HEAD_BYTES_MAX);
    FUZZ_CHECK(memcmp(in.data + reply->head_bytes - 4, "\r\n\r\n", 4) == 0);
    FUZZ_CHECK(reply->status >= 200 && reply->status <= 599);
    /* Nothing before its end was taken for an end. */
    hust_http_reply_t shorter;
    hust_slice_t all_but_one = hust_slice_of(in.data, reply->head_bytes - 1);
    FUZZ_CHECK(read_whole(all_but_one, &shorter) == HUST_ERR_TRUNCATED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hust_slice_t in = hust_slice_of(data, size);
    size_t stride = 1 + (size_t)fuzz_take_byte(&in);
    hust_http_reply_t whole;
    hust_http_reply_t pieces;
    hust_error_t err = read_whole(in, &whole);
    FUZZ_CHECK(err == HUST_OK || err == HUST_ERR_TRUNCATED || err == HUST_ERR_MALFORMED ||
               err == HUST_ERR_LIMIT);
    FUZZ_CHECK(read_in_pieces(in, stride, &pieces) == err);
    if (err == HUST_OK) {
        FUZZ_CHECK(pieces.status == whole.status && pieces.keep_alive == whole.keep_alive);
        FUZZ_CHECK(pieces.head_bytes == whole.head_bytes);
        FUZZ_CHECK(pieces.body_bytes == whole.body_bytes);
        check_head(&whole, in);
    }
    return 0;
}
