#include "core/batch.h"

#include <assert.h>

#include "core/params.h"
#include "core/wire.h"

enum {
    MAGIC_REQUEST = 0x48425131, /* "HBQ1": the last byte is HUST_BATCH_VERSION in ASCII */
    MAGIC_REPLY = 0x48425231,   /* "HBR1" */
    MAGIC_KIND_MASK = ~0xff,
    OP_HEAD_BYTES = 18,     /* length, code, type, flags, now, tb length, spare byte */
    RESULT_HEAD_BYTES = 16, /* length, status, flags, version */
    REPLY_HEAD_BYTES = 20,  /* magic, count, clock, backlog count */
    STAMPED_BYTES = HUST_STAMP_BYTES + 8,
    LARGE_BYTES = 8 + HUST_VALUE_HASH_BYTES,
};

static const unsigned OP_FLAGS_ON_WIRE = 0xffffu;
static const unsigned RESULT_FLAGS_ON_WIRE = 0x1fffu;

/* A cursor over outside bytes; `failed` sticks, so that one check at the end is enough. */
typedef struct {
    hust_slice_t rest;
    bool failed;
} cursor_t;

static const uint8_t *take(cursor_t *cursor, size_t len)
{
    static const uint8_t zeros[32];
    if (cursor->failed || cursor->rest.len < len) {
        cursor->failed = true;
        return len <= sizeof(zeros) ? zeros : NULL;
    }
    const uint8_t *at = cursor->rest.data;
    cursor->rest.data += len;
    cursor->rest.len -= len;
    return at;
}

static hust_slice_t take_slice(cursor_t *cursor, size_t len)
{
    const uint8_t *at = take(cursor, len);
    return cursor->failed ? (hust_slice_t){NULL, 0} : hust_slice_of(at, len);
}

/* Check a magic: another version of the same format is told apart from garbage. */
static hust_error_t check_magic(uint32_t magic, uint32_t expected)
{
    if (magic == expected) {
        return HUST_OK;
    }
    bool same_kind = (magic & (uint32_t)MAGIC_KIND_MASK) == (expected & (uint32_t)MAGIC_KIND_MASK);
    return same_kind ? HUST_ERR_VERSION : HUST_ERR_MALFORMED;
}

hust_error_t hust_batch_request_begin(hust_buf_t *out, const hust_batch_request_head_t *head)
{
    uint8_t bytes[HUST_BATCH_REQUEST_HEAD_BYTES] = {0};
    hust_put_u32(bytes, MAGIC_REQUEST);
    hust_put_u32(bytes + 4, head->count);
    hust_put_u64(bytes + 8, head->epoch);
    return hust_buf_append(out, bytes, sizeof(bytes));
}

void hust_batch_request_set_count(uint8_t *at, uint32_t count)
{
    assert(hust_get_u32(at) == MAGIC_REQUEST);
    hust_put_u32(at + 4, count);
}

static size_t op_head_bytes(const hust_op_t *op)
{
    size_t bytes = OP_HEAD_BYTES + 2 + op->element.tb.len + op->element.key.len;
    bytes += (op->flags & HUST_OPF_HAS_STAMP) != 0 ? STAMPED_BYTES : 0;
    bytes += (op->flags & HUST_OPF_HAS_VER) != 0 ? 8 : 0;
    bytes += (op->flags & HUST_OPF_HAS_IF_MATCH) != 0 ? HUST_STAMP_BYTES : 0;
    bytes += (op->flags & HUST_OPF_HAS_DELTA) != 0 ? 8 : 0;
    bytes += (op->flags & HUST_OPF_HAS_BASE) != 0 ? HUST_STAMP_BYTES : 0;
    bytes += (op->flags & HUST_OPF_HAS_TARGET) != 0 ? 1 + op->target.len : 0;
    bytes += (op->flags & HUST_OPF_HAS_GEN) != 0 ? 8 : 0;
    return bytes;
}

size_t hust_op_encoded_bytes(const hust_op_t *op)
{
    return op_head_bytes(op) + op->value.len;
}

static uint8_t *put_bytes(uint8_t *at, hust_slice_t slice)
{
    if (slice.len > 0) {
        memcpy(at, slice.data, slice.len);
    }
    return at + slice.len;
}

static uint8_t *put_stamp(uint8_t *at, hust_stamp_t stamp)
{
    hust_stamp_encode(stamp, at);
    return at + HUST_STAMP_BYTES;
}

static uint8_t *put_u64(uint8_t *at, uint64_t value)
{
    hust_put_u64(at, value);
    return at + 8;
}

static uint8_t *put_op_fields(uint8_t *at, const hust_op_t *op)
{
    assert((op->flags & HUST_OPF_HAS_TARGET) == 0 || op->target.len > 0);
    if ((op->flags & HUST_OPF_HAS_STAMP) != 0) {
        at = put_stamp(at, op->stamp);
        at = put_u64(at, op->expire_at_ms);
    }
    if ((op->flags & HUST_OPF_HAS_VER) != 0) {
        at = put_u64(at, op->ver);
    }
    if ((op->flags & HUST_OPF_HAS_IF_MATCH) != 0) {
        at = put_stamp(at, op->if_match);
    }
    if ((op->flags & HUST_OPF_HAS_DELTA) != 0) {
        at = put_u64(at, (uint64_t)op->delta);
    }
    if ((op->flags & HUST_OPF_HAS_BASE) != 0) {
        at = put_stamp(at, op->base);
    }
    if ((op->flags & HUST_OPF_HAS_TARGET) != 0) {
        *at++ = (uint8_t)op->target.len;
        at = put_bytes(at, op->target);
    }
    if ((op->flags & HUST_OPF_HAS_GEN) != 0) {
        at = put_u64(at, op->gen);
    }
    return at;
}

hust_error_t hust_batch_request_add_head(hust_buf_t *out, const hust_op_t *op, size_t value_bytes)
{
    assert(hust_element_valid(&op->element));
    size_t head_bytes = op_head_bytes(op);
    if (value_bytes > UINT32_MAX - head_bytes || op->target.len > HUST_TARGET_BYTES_MAX) {
        return HUST_ERR_RANGE;
    }
    hust_error_t err = hust_buf_reserve(out, head_bytes);
    if (err != HUST_OK) {
        return err;
    }
    uint8_t *at = out->data + out->len;
    hust_put_u32(at, (uint32_t)(head_bytes - 4 + value_bytes));
    at[4] = (uint8_t)op->code;
    at[5] = (uint8_t)op->element.type;
    hust_put_u16(at + 6, (uint16_t)(op->flags & OP_FLAGS_ON_WIRE));
    hust_put_u64(at + 8, op->now_ms);
    at[16] = (uint8_t)op->element.tb.len;
    at[17] = 0;
    hust_put_u16(at + OP_HEAD_BYTES, (uint16_t)op->element.key.len);
    at = put_bytes(at + OP_HEAD_BYTES + 2, op->element.tb);
    at = put_bytes(at, op->element.key);
    at = put_op_fields(at, op);
    assert((size_t)(at - (out->data + out->len)) == head_bytes);
    out->len += head_bytes;
    return HUST_OK;
}

hust_error_t hust_batch_request_add(hust_buf_t *out, const hust_op_t *op)
{
    size_t len = out->len;
    hust_error_t err = hust_batch_request_add_head(out, op, op->value.len);
    if (err == HUST_OK) {
        err = hust_buf_append_slice(out, op->value);
    }
    if (err != HUST_OK) {
        out->len = len;
    }
    return err;
}

hust_error_t hust_batch_request_open(hust_slice_t in, hust_batch_request_head_t *head,
                                     hust_batch_reader_t *reader)
{
    if (in.len < HUST_BATCH_REQUEST_HEAD_BYTES) {
        return HUST_ERR_TRUNCATED;
    }
    hust_error_t err = check_magic(hust_get_u32(in.data), MAGIC_REQUEST);
    if (err != HUST_OK) {
        return err;
    }
    *head = (hust_batch_request_head_t){
        .count = hust_get_u32(in.data + 4),
        .epoch = hust_get_u64(in.data + 8),
    };
    if (head->count > HUST_BATCH_OPS_MAX) {
        return HUST_ERR_LIMIT;
    }
    if (hust_get_u32(in.data + 16) != 0) {
        return HUST_ERR_MALFORMED; /* spare bytes: whoever sets them means something we do not know
                                    */
    }
    *reader = (hust_batch_reader_t){
        .rest = {in.data + HUST_BATCH_REQUEST_HEAD_BYTES, in.len - HUST_BATCH_REQUEST_HEAD_BYTES},
        .left = head->count,
    };
    return reader->left == 0 && reader->rest.len != 0 ? HUST_ERR_MALFORMED : HUST_OK;
}

/* The bytes of the next item: what its length says. */
static hust_error_t next_item(hust_batch_reader_t *reader, size_t bytes_min, cursor_t *item)
{
    if (reader->left == 0) {
        return reader->rest.len == 0 ? HUST_ERR_END : HUST_ERR_MALFORMED;
    }
    if (reader->rest.len < 4) {
        return HUST_ERR_TRUNCATED;
    }
    size_t len = hust_get_u32(reader->rest.data);
    if (reader->rest.len - 4 < len) {
        return HUST_ERR_TRUNCATED;
    }
    if (len + 4 < bytes_min) {
        return HUST_ERR_MALFORMED;
    }
    *item = (cursor_t){.rest = {reader->rest.data + 4, len}};
    reader->rest.data += 4 + len;
    reader->rest.len -= 4 + len;
    reader->left--;
    bool last_and_more = reader->left == 0 && reader->rest.len != 0;
    return last_and_more ? HUST_ERR_MALFORMED : HUST_OK;
}

static void take_op_fields(cursor_t *item, hust_op_t *op)
{
    if ((op->flags & HUST_OPF_HAS_STAMP) != 0) {
        op->stamp = hust_stamp_decode(take(item, HUST_STAMP_BYTES));
        op->expire_at_ms = hust_get_u64(take(item, 8));
    }
    if ((op->flags & HUST_OPF_HAS_VER) != 0) {
        op->ver = hust_get_u64(take(item, 8));
    }
    if ((op->flags & HUST_OPF_HAS_IF_MATCH) != 0) {
        op->if_match = hust_stamp_decode(take(item, HUST_STAMP_BYTES));
    }
    if ((op->flags & HUST_OPF_HAS_DELTA) != 0) {
        op->delta = (int64_t)hust_get_u64(take(item, 8));
    }
    if ((op->flags & HUST_OPF_HAS_BASE) != 0) {
        op->base = hust_stamp_decode(take(item, HUST_STAMP_BYTES));
    }
    if ((op->flags & HUST_OPF_HAS_TARGET) != 0) {
        op->target = take_slice(item, *take(item, 1));
    }
    if ((op->flags & HUST_OPF_HAS_GEN) != 0) {
        op->gen = hust_get_u64(take(item, 8));
    }
    op->value = item->rest;
}

/* A score is stored as the one decimal text of an int64; a set's member has no value at all. */
static bool value_fits_type(const hust_op_t *op)
{
    int64_t score;
    char text[24];
    if (op->element.type == HUST_TYPE_SET) {
        return op->code != HUST_OP_INCR && op->value.len == 0;
    }
    if (op->element.type != HUST_TYPE_ZSET || op->code != HUST_OP_PUT) {
        return true;
    }
    return hust_parse_i64(op->value, &score) &&
           hust_slice_equal(op->value, hust_slice_of(text, hust_format_i64(score, text)));
}

/* What each code needs to make sense; outside input, so an answer and not an assertion. */
static bool op_is_complete(const hust_op_t *op)
{
    const unsigned stamped = HUST_OPF_HAS_STAMP;
    const unsigned solo = HUST_OPF_SOLO | HUST_OPF_DECIDE;
    bool has_target = op->target.len > 0;
    bool target_fits = (op->flags & HUST_OPF_HAS_TARGET) == 0 || has_target;
    switch (op->code) {
    case HUST_OP_GET:
        return target_fits && op->value.len == 0;
    case HUST_OP_PUT:
    case HUST_OP_DEL:
    case HUST_OP_INCR:
        return (op->flags & stamped) != 0 && !hust_stamp_is_none(op->stamp) && target_fits &&
               ((op->flags & solo) == 0 || has_target) &&
               (op->code != HUST_OP_DEL || op->value.len == 0) && value_fits_type(op) &&
               ((op->code == HUST_OP_INCR) == ((op->flags & HUST_OPF_HAS_DELTA) != 0));
    case HUST_OP_MERGE:
    case HUST_OP_RECONCILE:
        return target_fits && op->value.len > 0;
    case HUST_OP_HINT:
        return has_target && op->value.len == 0;
    case HUST_OP_UNHINT:
        return has_target && (op->flags & stamped) != 0 && (op->flags & HUST_OPF_HAS_GEN) != 0 &&
               op->value.len == 0;
    }
    return false;
}

hust_error_t hust_batch_request_next(hust_batch_reader_t *reader, hust_op_t *op)
{
    cursor_t item;
    hust_error_t err = next_item(reader, OP_HEAD_BYTES + 2, &item);
    if (err != HUST_OK) {
        return err;
    }
    const uint8_t *head = take(&item, OP_HEAD_BYTES - 4);
    *op = (hust_op_t){
        .code = (hust_op_code_t)head[0],
        .flags = hust_get_u16(head + 2),
        .element = {.type = (hust_type_t)head[1]},
        .now_ms = hust_get_u64(head + 4),
    };
    size_t tb_bytes = head[12];
    size_t key_bytes = hust_get_u16(take(&item, 2));
    op->element.tb = take_slice(&item, tb_bytes);
    op->element.key = take_slice(&item, key_bytes);
    take_op_fields(&item, op);
    bool valid =
        !item.failed && head[13] == 0 && hust_element_valid(&op->element) && op_is_complete(op);
    return valid ? HUST_OK : HUST_ERR_MALFORMED;
}

hust_error_t hust_batch_reply_begin(hust_buf_t *out, const hust_batch_reply_head_t *head)
{
    uint8_t bytes[REPLY_HEAD_BYTES] = {0};
    size_t len = out->len;
    assert(head->backlog_count <= HUST_BATCH_BACKLOGS_MAX);
    hust_put_u32(bytes, MAGIC_REPLY);
    hust_put_u32(bytes + 4, head->count);
    hust_put_u64(bytes + 8, head->clock);
    hust_put_u32(bytes + 16, head->backlog_count);
    hust_error_t err = hust_buf_append(out, bytes, sizeof(bytes));
    for (unsigned i = 0; err == HUST_OK && i < head->backlog_count; i++) {
        const hust_backlog_t *backlog = &head->backlogs[i];
        uint8_t entry[9];
        assert(backlog->target.len >= 1 && backlog->target.len <= HUST_TARGET_BYTES_MAX);
        hust_put_u64(entry, backlog->hint_count);
        entry[8] = (uint8_t)backlog->target.len;
        err = hust_buf_append(out, entry, sizeof(entry));
        err = err == HUST_OK ? hust_buf_append_slice(out, backlog->target) : err;
    }
    if (err != HUST_OK) {
        out->len = len;
    }
    return err;
}

static size_t result_head_bytes(const hust_result_t *result)
{
    size_t bytes = RESULT_HEAD_BYTES;
    bytes += (result->flags & HUST_RESULT_HAS_STAMP) != 0 ? STAMPED_BYTES : 0;
    bytes += (result->flags & HUST_RESULT_HAS_REPLACED) != 0 ? HUST_STAMP_BYTES : 0;
    bytes += (result->flags & HUST_RESULT_HAS_GEN) != 0 ? 8 : 0;
    bytes += (result->flags & HUST_RESULT_LARGE) != 0 ? LARGE_BYTES : 0;
    return bytes;
}

size_t hust_result_encoded_bytes(const hust_result_t *result)
{
    return result_head_bytes(result) + result->value.len;
}

hust_error_t hust_batch_reply_add_head(hust_buf_t *out, const hust_result_t *result,
                                       size_t value_bytes)
{
    size_t head_bytes = result_head_bytes(result);
    assert(result->status >= 200 && result->status <= 599);
    assert((result->flags & HUST_RESULT_LARGE) == 0 || value_bytes == 0);
    if (value_bytes > UINT32_MAX - head_bytes) {
        return HUST_ERR_RANGE;
    }
    hust_error_t err = hust_buf_reserve(out, head_bytes);
    if (err != HUST_OK) {
        return err;
    }
    uint8_t *at = out->data + out->len;
    hust_put_u32(at, (uint32_t)(head_bytes - 4 + value_bytes));
    hust_put_u16(at + 4, (uint16_t)result->status);
    hust_put_u16(at + 6, (uint16_t)(result->flags & RESULT_FLAGS_ON_WIRE));
    hust_put_u64(at + 8, result->version);
    at += RESULT_HEAD_BYTES;
    if ((result->flags & HUST_RESULT_HAS_STAMP) != 0) {
        at = put_stamp(at, result->stamp);
        at = put_u64(at, result->expire_at_ms);
    }
    if ((result->flags & HUST_RESULT_HAS_REPLACED) != 0) {
        at = put_stamp(at, result->replaced);
    }
    if ((result->flags & HUST_RESULT_HAS_GEN) != 0) {
        at = put_u64(at, result->gen);
    }
    if ((result->flags & HUST_RESULT_LARGE) != 0) {
        at = put_u64(at, result->value_bytes);
        at = put_bytes(at, hust_slice_of(result->value_hash, HUST_VALUE_HASH_BYTES));
    }
    assert((size_t)(at - (out->data + out->len)) == head_bytes);
    out->len += head_bytes;
    return HUST_OK;
}

hust_error_t hust_batch_reply_add(hust_buf_t *out, const hust_result_t *result)
{
    size_t len = out->len;
    hust_error_t err = hust_batch_reply_add_head(out, result, result->value.len);
    if (err == HUST_OK) {
        err = hust_buf_append_slice(out, result->value);
    }
    if (err != HUST_OK) {
        out->len = len;
    }
    return err;
}

hust_error_t hust_batch_reply_open(hust_slice_t in, hust_batch_reply_head_t *head,
                                   hust_batch_reader_t *reader)
{
    if (in.len < REPLY_HEAD_BYTES) {
        return HUST_ERR_TRUNCATED;
    }
    hust_error_t err = check_magic(hust_get_u32(in.data), MAGIC_REPLY);
    if (err != HUST_OK) {
        return err;
    }
    head->count = hust_get_u32(in.data + 4);
    head->clock = hust_get_u64(in.data + 8);
    head->backlog_count = hust_get_u32(in.data + 16);
    if (head->count > HUST_BATCH_OPS_MAX || head->backlog_count > HUST_BATCH_BACKLOGS_MAX) {
        return HUST_ERR_LIMIT;
    }
    cursor_t cursor = {.rest = {in.data + REPLY_HEAD_BYTES, in.len - REPLY_HEAD_BYTES}};
    for (unsigned i = 0; i < head->backlog_count; i++) {
        head->backlogs[i].hint_count = hust_get_u64(take(&cursor, 8));
        head->backlogs[i].target = take_slice(&cursor, *take(&cursor, 1));
        if (cursor.failed) {
            return HUST_ERR_TRUNCATED;
        }
        if (head->backlogs[i].target.len == 0) {
            return HUST_ERR_MALFORMED;
        }
    }
    *reader = (hust_batch_reader_t){.rest = cursor.rest, .left = head->count};
    return HUST_OK;
}

static void take_result_fields(cursor_t *item, hust_result_t *result)
{
    if ((result->flags & HUST_RESULT_HAS_STAMP) != 0) {
        result->stamp = hust_stamp_decode(take(item, HUST_STAMP_BYTES));
        result->expire_at_ms = hust_get_u64(take(item, 8));
    }
    if ((result->flags & HUST_RESULT_HAS_REPLACED) != 0) {
        result->replaced = hust_stamp_decode(take(item, HUST_STAMP_BYTES));
    }
    if ((result->flags & HUST_RESULT_HAS_GEN) != 0) {
        result->gen = hust_get_u64(take(item, 8));
    }
    if ((result->flags & HUST_RESULT_LARGE) != 0) {
        result->value_bytes = hust_get_u64(take(item, 8));
        memcpy(result->value_hash, take(item, HUST_VALUE_HASH_BYTES), HUST_VALUE_HASH_BYTES);
    }
    result->value = item->rest;
}

static bool result_is_sane(const hust_result_t *result)
{
    return result->status >= 200 && result->status <= 599 &&
           (result->flags & ~RESULT_FLAGS_ON_WIRE) == 0 &&
           ((result->flags & HUST_RESULT_LARGE) == 0 || result->value.len == 0);
}

static void result_take(cursor_t *item, hust_result_t *result)
{
    const uint8_t *head = take(item, RESULT_HEAD_BYTES - 4);
    *result = (hust_result_t){
        .status = hust_get_u16(head),
        .flags = hust_get_u16(head + 2),
        .version = hust_get_u64(head + 4),
    };
    take_result_fields(item, result);
}

hust_error_t hust_batch_reply_next(hust_batch_reader_t *reader, hust_result_t *result)
{
    cursor_t item;
    hust_error_t err = next_item(reader, RESULT_HEAD_BYTES, &item);
    if (err != HUST_OK) {
        return err;
    }
    result_take(&item, result);
    return !item.failed && result_is_sane(result) ? HUST_OK : HUST_ERR_MALFORMED;
}

hust_error_t hust_batch_reply_peek_value(hust_slice_t in, hust_result_t *result, size_t *value_at,
                                         size_t *value_bytes)
{
    hust_batch_reply_head_t head;
    hust_batch_reader_t reader;
    hust_error_t err = hust_batch_reply_open(in, &head, &reader);
    if (err != HUST_OK) {
        return err;
    }
    if (head.count != 1) {
        return HUST_ERR_MALFORMED;
    }
    if (reader.rest.len < RESULT_HEAD_BYTES) {
        return HUST_ERR_TRUNCATED;
    }
    size_t item_bytes = 4 + (size_t)hust_get_u32(reader.rest.data);
    cursor_t item = {.rest = {reader.rest.data + 4, reader.rest.len - 4}};
    result_take(&item, result);
    if (item.failed) {
        return HUST_ERR_TRUNCATED;
    }
    result->value = (hust_slice_t){NULL, 0};
    size_t head_bytes = result_head_bytes(result);
    if (item_bytes < head_bytes || !result_is_sane(result)) {
        return HUST_ERR_MALFORMED;
    }
    *value_at = (size_t)(reader.rest.data - in.data) + head_bytes;
    *value_bytes = item_bytes - head_bytes;
    return HUST_OK;
}
