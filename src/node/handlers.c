#include "node/handlers.h"

#include <assert.h>
#include <stdlib.h>

void hust_answer_text(hust_http_answer_t *answer, unsigned status, const char *text)
{
    assert(text != NULL);
    hust_http_answer_init(answer, status);
    /* 404 has no body, whatever there would be to say. */
    if (text[0] != '\0' && status != 404) {
        answer->body = hust_slice_str(text);
        hust_http_add(answer, "Content-Type", "text/plain");
    }
    if (status == 503) {
        hust_http_add(answer, "Retry-After", "1");
    }
}

void hust_answer_buf(hust_http_request_t *request, const char *content_type, hust_buf_t *buf,
                     hust_error_t err)
{
    hust_http_answer_t answer;
    if (err != HUST_OK) {
        hust_buf_free(buf);
        hust_answer_text(&answer, 500, "out of memory\n");
    } else {
        assert(buf->data != NULL);
        hust_http_answer_init(&answer, 200);
        hust_http_add(&answer, "Content-Type", content_type);
        answer.body = hust_buf_slice(buf);
        answer.release = free;
        answer.owner = buf->data;
        *buf = (hust_buf_t){0};
    }
    hust_http_answer(request, &answer);
}

void hust_answer_add_version(hust_http_answer_t *answer, uint64_t version)
{
    char text[24];
    size_t len = hust_format_u64(version, text);
    assert(len < sizeof(text));
    text[len] = '\0';
    hust_http_add(answer, "Version", text);
}

void hust_answer_add_etag(hust_http_answer_t *answer, hust_stamp_t stamp)
{
    char text[HUST_STAMP_HEX_CHARS + 3];
    hust_stamp_to_hex(stamp, text + 1);
    text[0] = '"';
    text[HUST_STAMP_HEX_CHARS + 1] = '"';
    text[HUST_STAMP_HEX_CHARS + 2] = '\0';
    hust_http_add(answer, "ETag", text);
}

unsigned hust_end_line(unsigned status, char message[HUST_MESSAGE_BYTES])
{
    size_t len = status == 0 ? 0 : strlen(message);
    assert(len < HUST_MESSAGE_BYTES);
    if (len > 0 && message[len - 1] != '\n') {
        len -= len == HUST_MESSAGE_BYTES - 1 ? 1 : 0;
        memcpy(message + len, "\n", 2);
    }
    return status;
}

unsigned hust_handler_params(const hust_node_t *node, const hust_http_request_t *request,
                             const hust_call_t *call, hust_buf_t *scratch, hust_params_t *out,
                             char message[HUST_MESSAGE_BYTES])
{
    hust_slice_t body = hust_http_body(request);
    const hust_request_t raw = {.where = HUST_AT_NODE,
                                .method = hust_method_bit(hust_http_method(request)),
                                .query = hust_http_query(request),
                                .body_bytes = body.len,
                                .body = body};
    assert((raw.method & call->methods) != 0);
    if (raw.query.len > 0 && memchr(raw.query.data, '#', raw.query.len) != NULL) {
        memcpy(message, HUST_MESSAGE_FRAGMENT, sizeof(HUST_MESSAGE_FRAGMENT));
        return hust_end_line(400, message);
    }
    return hust_end_line(hust_params_parse(call, &raw, &node->limits, scratch, out, message),
                         message);
}

/* What a refusal is about, in one line; empty where the status says it all. */
static const char *reason(const hust_call_t *call, const hust_result_t *result)
{
    if ((result->flags & HUST_RESULT_IF_FAILED) != 0) {
        return "If-Match or If-None-Match: does not hold\n";
    }
    if ((result->flags & HUST_RESULT_NO_TABLE) != 0) {
        return "tb: does not exist\n";
    }
    if ((result->flags & HUST_RESULT_OTHER_TYPE) != 0) {
        return "tb: is of another type\n";
    }
    switch (result->status) {
    case 401:
        return "ver: is not the current version\n";
    case 403:
        return call->id == HUST_CALL_ZADD ? "score: the sum is out of range\n"
                                          : "val: not added to a number, or out of range\n";
    case 500:
        return "the storage engine failed, see the node's log\n";
    case 503:
        return "the write's time stamp is too far ahead of the node's clock\n";
    case 507:
        return "the node is read-only or its disk is full, see its log\n";
    default:
        return "";
    }
}

static void add_ver_error(const hust_call_t *call, unsigned status, hust_http_answer_t *answer)
{
    if (call->class_ == HUST_CLASS_WRITE) {
        hust_http_add(answer, "VerError", status == 401 ? "true" : "false");
    }
}

void hust_answer_element(const hust_call_t *call, const hust_result_t *result,
                         hust_http_answer_t *answer)
{
    assert(result->status != 0 && result->status != 304);
    bool engine = result->status == 500 || result->status == 507;
    hust_answer_text(answer, result->status, result->status == 200 ? "" : reason(call, result));
    if (!engine) {
        hust_answer_add_version(answer, result->version);
    }
    add_ver_error(call, result->status, answer);
    bool write_of_value = call->class_ == HUST_CLASS_WRITE && call->code != HUST_OP_DEL;
    if (result->status == 200 && (call->reply == HUST_REPLY_VALUE || write_of_value)) {
        hust_answer_add_etag(answer, result->stamp);
    }
}

void hust_answer_element_error(const hust_call_t *call, unsigned status, const char *message,
                               hust_http_answer_t *answer)
{
    assert(status >= 400);
    hust_answer_text(answer, status, message);
    add_ver_error(call, status, answer);
}
