#include "core/record.h"

#include <assert.h>

#include "core/wire.h"

enum {
    RECORD_FORMAT = 1,
    RECORD_HEAD_BYTES = 2, /* format, side count */
    SIDE_HEAD_BYTES = HUST_STAMP_BYTES + 8 + 8 + 1 + 4,
    SIDE_DELETED = 1,
    STORED_FORMAT = 1,
    STORED_HEAD_BYTES = 2, /* format, hint flags */
    HINT_BYTES = 3 * HUST_STAMP_BYTES + 8,
    HINT_PRESENT = 1,
    HINT_HAS_TARGET = 2,
};

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : (a > b ? 1 : 0);
}

/* On equal stamps a deletion wins; the rest only has to be some fixed rule over the bytes. */
static int side_compare_content(const hust_side_t *a, const hust_side_t *b)
{
    if (a->deleted != b->deleted) {
        return a->deleted ? 1 : -1;
    }
    int order = compare_u64(a->expire_at_ms, b->expire_at_ms);
    return order != 0 ? order : hust_slice_compare(a->value, b->value);
}

int hust_side_compare(const hust_side_t *a, const hust_side_t *b)
{
    int order = hust_stamp_compare(a->stamp, b->stamp);
    return order != 0 ? order : side_compare_content(a, b);
}

static hust_stamp_t other_stamp(const hust_record_t *record)
{
    assert(record->side_count <= 2);
    return record->side_count < 2 ? (hust_stamp_t){0, 0} : record->sides[1].stamp;
}

int hust_record_compare(const hust_record_t *a, const hust_record_t *b)
{
    assert(a->side_count <= 2);
    assert(b->side_count <= 2);
    int order = hust_stamp_compare(hust_record_stamp(a), hust_record_stamp(b));
    if (order != 0) {
        return order;
    }
    if (a->side_count == 0 || b->side_count == 0) {
        assert(a->side_count == b->side_count);
        return 0;
    }
    /* A swept tombstone keeps the stamp of the live side it came from, and must win over it
     * although its version is 0: deletion is looked at before the version. */
    if (a->sides[0].deleted != b->sides[0].deleted) {
        return a->sides[0].deleted ? 1 : -1;
    }
    order = hust_stamp_compare(other_stamp(a), other_stamp(b));
    for (unsigned i = 0; order == 0 && i < a->side_count && i < b->side_count; i++) {
        order = compare_u64(a->sides[i].version, b->sides[i].version);
    }
    for (unsigned i = 0; order == 0 && i < a->side_count && i < b->side_count; i++) {
        order = side_compare_content(&a->sides[i], &b->sides[i]);
    }
    return order;
}

hust_record_t hust_record_merge(const hust_record_t *a, const hust_record_t *b)
{
    return hust_record_compare(a, b) >= 0 ? *a : *b;
}

static hust_error_t side_encode_head(const hust_side_t *side, hust_buf_t *out)
{
    uint8_t head[SIDE_HEAD_BYTES];
    assert(side->value.len <= UINT32_MAX);
    assert(!side->deleted || (side->version == 0 && side->value.len == 0));
    hust_stamp_encode(side->stamp, head);
    hust_put_u64(head + 12, side->version);
    hust_put_u64(head + 20, side->expire_at_ms);
    head[28] = side->deleted ? SIDE_DELETED : 0;
    hust_put_u32(head + 29, (uint32_t)side->value.len);
    return hust_buf_append(out, head, sizeof(head));
}

static hust_error_t side_encode(const hust_side_t *side, hust_buf_t *out)
{
    hust_error_t err = side_encode_head(side, out);
    return err != HUST_OK ? err : hust_buf_append_slice(out, side->value);
}

hust_error_t hust_record_encode_head(const hust_side_t *side, hust_buf_t *out)
{
    const uint8_t head[RECORD_HEAD_BYTES] = {RECORD_FORMAT, 1};
    hust_error_t err = hust_buf_append(out, head, sizeof(head));
    return err != HUST_OK ? err : side_encode_head(side, out);
}

static hust_error_t side_decode(hust_slice_t *in, hust_side_t *side)
{
    assert(in->data != NULL);
    if (in->len < SIDE_HEAD_BYTES) {
        return HUST_ERR_TRUNCATED;
    }
    const uint8_t *head = in->data;
    size_t value_bytes = hust_get_u32(head + 29);
    if (in->len - SIDE_HEAD_BYTES < value_bytes) {
        return HUST_ERR_TRUNCATED;
    }
    *side = (hust_side_t){
        .stamp = hust_stamp_decode(head),
        .version = hust_get_u64(head + 12),
        .expire_at_ms = hust_get_u64(head + 20),
        .deleted = head[28] == SIDE_DELETED,
        .value = {head + SIDE_HEAD_BYTES, value_bytes},
    };
    in->data += SIDE_HEAD_BYTES + value_bytes;
    in->len -= SIDE_HEAD_BYTES + value_bytes;
    bool tombstone = side->version == 0 && value_bytes == 0;
    bool valid = side->deleted ? tombstone : (head[28] == 0 && side->version > 0);
    return valid && !hust_stamp_is_none(side->stamp) ? HUST_OK : HUST_ERR_MALFORMED;
}

hust_error_t hust_record_encode(const hust_record_t *record, hust_buf_t *out)
{
    assert(record->side_count <= 2);
    const uint8_t head[RECORD_HEAD_BYTES] = {RECORD_FORMAT, (uint8_t)record->side_count};
    size_t len = out->len;
    hust_error_t err = hust_buf_append(out, head, sizeof(head));
    for (unsigned i = 0; err == HUST_OK && i < record->side_count; i++) {
        err = side_encode(&record->sides[i], out);
    }
    if (err != HUST_OK) {
        out->len = len;
    }
    return err;
}

hust_error_t hust_record_decode(hust_slice_t in, hust_record_t *out)
{
    *out = (hust_record_t){0};
    if (in.len < RECORD_HEAD_BYTES) {
        return HUST_ERR_TRUNCATED;
    }
    if (in.data[0] != RECORD_FORMAT) {
        return HUST_ERR_VERSION;
    }
    unsigned side_count = in.data[1];
    if (side_count > 2) {
        return HUST_ERR_MALFORMED;
    }
    hust_slice_t rest = {in.data + RECORD_HEAD_BYTES, in.len - RECORD_HEAD_BYTES};
    for (unsigned i = 0; i < side_count; i++) {
        hust_error_t err = side_decode(&rest, &out->sides[i]);
        if (err != HUST_OK) {
            return err;
        }
    }
    bool ordered =
        side_count < 2 || hust_stamp_compare(out->sides[0].stamp, out->sides[1].stamp) > 0;
    if (!ordered || rest.len != 0) {
        return HUST_ERR_MALFORMED;
    }
    out->side_count = side_count;
    return HUST_OK;
}

static hust_error_t hint_encode(const hust_hint_t *hint, hust_buf_t *out)
{
    assert(hint->present || !hint->has_target);
    assert(!hint->present || hint->gen > 0);
    uint8_t bytes[STORED_HEAD_BYTES + HINT_BYTES] = {STORED_FORMAT};
    if (!hint->present) {
        return hust_buf_append(out, bytes, STORED_HEAD_BYTES);
    }
    bytes[1] = HINT_PRESENT | (hint->has_target ? HINT_HAS_TARGET : 0);
    hust_stamp_encode(hint->base, bytes + STORED_HEAD_BYTES);
    hust_stamp_encode(hint->solo, bytes + STORED_HEAD_BYTES + 12);
    hust_stamp_encode(hint->own, bytes + STORED_HEAD_BYTES + 24);
    hust_put_u64(bytes + STORED_HEAD_BYTES + 36, hint->gen);
    return hust_buf_append(out, bytes, sizeof(bytes));
}

static void hint_decode(const uint8_t *bytes, uint8_t flags, hust_hint_t *hint)
{
    *hint = (hust_hint_t){
        .present = true,
        .has_target = (flags & HINT_HAS_TARGET) != 0,
        .base = hust_stamp_decode(bytes),
        .solo = hust_stamp_decode(bytes + 12),
        .own = hust_stamp_decode(bytes + 24),
        .gen = hust_get_u64(bytes + 36),
    };
}

hust_error_t hust_stored_encode(const hust_stored_t *stored, hust_buf_t *out)
{
    size_t len = out->len;
    hust_error_t err = hint_encode(&stored->hint, out);
    if (err == HUST_OK) {
        err = hust_record_encode(&stored->record, out);
    }
    if (err != HUST_OK) {
        out->len = len;
    }
    return err;
}

hust_error_t hust_stored_decode(hust_slice_t in, hust_stored_t *out)
{
    *out = (hust_stored_t){0};
    if (in.len < STORED_HEAD_BYTES) {
        return HUST_ERR_TRUNCATED;
    }
    if (in.data[0] != STORED_FORMAT) {
        return HUST_ERR_VERSION;
    }
    uint8_t flags = in.data[1];
    size_t head_bytes = STORED_HEAD_BYTES;
    if (flags != 0) {
        if ((flags & HINT_PRESENT) == 0 || flags > (HINT_PRESENT | HINT_HAS_TARGET)) {
            return HUST_ERR_MALFORMED;
        }
        if (in.len < STORED_HEAD_BYTES + HINT_BYTES) {
            return HUST_ERR_TRUNCATED;
        }
        hint_decode(in.data + STORED_HEAD_BYTES, flags, &out->hint);
        if (out->hint.gen == 0) {
            return HUST_ERR_MALFORMED;
        }
        head_bytes += HINT_BYTES;
    }
    return hust_record_decode((hust_slice_t){in.data + head_bytes, in.len - head_bytes},
                              &out->record);
}
