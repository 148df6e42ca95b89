#include "node/keys.h"

#include <assert.h>

#include "core/wire.h"

static const uint8_t BY_INSTANT = 'I';
static const uint8_t BY_TABLE = 'T';

/* type | tb | 0x00; a tb holds no NUL, so no table's prefix is a prefix of another's. */
static size_t put_table_prefix(hust_type_t type, hust_slice_t tb, uint8_t *out)
{
    assert(hust_type_valid(type));
    assert(tb.len <= HUST_TB_BYTES_MAX);
    out[0] = (uint8_t)type;
    if (tb.len > 0) {
        memcpy(out + 1, tb.data, tb.len);
    }
    out[1 + tb.len] = 0;
    return tb.len + 2;
}

static size_t put_bucket_and_key(const hust_element_t *element, uint8_t *out)
{
    hust_put_u16(out, (uint16_t)hust_element_bucket(element));
    memcpy(out + 2, element->key.data, element->key.len);
    return 2 + element->key.len;
}

size_t hust_data_key_bytes(const hust_element_t *element)
{
    return 1 + element->tb.len + 1 + 2 + element->key.len;
}

size_t hust_data_key(const hust_element_t *element, uint8_t out[HUST_DATA_KEY_BYTES_MAX])
{
    assert(hust_element_valid(element));
    size_t len = put_table_prefix(element->type, element->tb, out);
    len += put_bucket_and_key(element, out + len);
    assert(len == hust_data_key_bytes(element));
    return len;
}

/* Length of type | tb | 0x00 at the start of `bytes`, 0 if there is no such thing. */
static size_t table_prefix_bytes(hust_slice_t bytes)
{
    const uint8_t *end = bytes.len < 2 ? NULL : memchr(bytes.data + 1, 0, bytes.len - 1);
    return end == NULL ? 0 : (size_t)(end - bytes.data) + 1;
}

hust_error_t hust_data_key_parse(hust_slice_t data_key, hust_element_t *out)
{
    size_t prefix = table_prefix_bytes(data_key);
    if (prefix == 0 || data_key.len < prefix + 2) {
        return HUST_ERR_MALFORMED;
    }
    out->type = (hust_type_t)data_key.data[0];
    out->tb = hust_slice_of(data_key.data + 1, prefix - 2);
    out->key = hust_slice_of(data_key.data + prefix + 2, data_key.len - prefix - 2);
    if (!hust_element_valid(out) ||
        hust_get_u16(data_key.data + prefix) != hust_element_bucket(out)) {
        return HUST_ERR_MALFORMED;
    }
    return HUST_OK;
}

size_t hust_expiry_key(uint64_t instant_ms, hust_slice_t data_key,
                       uint8_t out[HUST_EXPIRY_KEY_BYTES_MAX])
{
    assert(instant_ms != 0);
    assert(data_key.len > 0 && data_key.len <= HUST_DATA_KEY_BYTES_MAX);
    out[0] = BY_INSTANT;
    hust_put_u64(out + 1, instant_ms);
    memcpy(out + 9, data_key.data, data_key.len);
    return 9 + data_key.len;
}

size_t hust_table_expiry_prefix(hust_type_t type, hust_slice_t tb,
                                uint8_t out[1 + HUST_TABLE_PREFIX_BYTES_MAX])
{
    assert(type != HUST_TYPE_KV && tb.len > 0);
    out[0] = BY_TABLE;
    return 1 + put_table_prefix(type, tb, out + 1);
}

size_t hust_table_expiry_key(uint64_t instant_ms, const hust_element_t *element,
                             uint8_t out[HUST_EXPIRY_KEY_BYTES_MAX])
{
    assert(instant_ms != 0);
    size_t len = hust_table_expiry_prefix(element->type, element->tb, out);
    hust_put_u64(out + len, instant_ms);
    return len + 8 + put_bucket_and_key(element, out + len + 8);
}

static hust_error_t parse_by_table(hust_slice_t rest, uint8_t *data_key_out, uint64_t *instant_ms,
                                   hust_slice_t *data_key)
{
    size_t prefix = table_prefix_bytes(rest);
    if (prefix == 0 || rest.len < prefix + 8 || rest.len - 8 > HUST_DATA_KEY_BYTES_MAX) {
        return HUST_ERR_MALFORMED;
    }
    *instant_ms = hust_get_u64(rest.data + prefix);
    memcpy(data_key_out, rest.data, prefix);
    memcpy(data_key_out + prefix, rest.data + prefix + 8, rest.len - prefix - 8);
    *data_key = hust_slice_of(data_key_out, rest.len - 8);
    return HUST_OK;
}

static hust_error_t parse_by_instant(hust_slice_t rest, uint8_t *data_key_out, uint64_t *instant_ms,
                                     hust_slice_t *data_key)
{
    if (rest.len <= 8 || rest.len - 8 > HUST_DATA_KEY_BYTES_MAX) {
        return HUST_ERR_MALFORMED;
    }
    *instant_ms = hust_get_u64(rest.data);
    memcpy(data_key_out, rest.data + 8, rest.len - 8);
    *data_key = hust_slice_of(data_key_out, rest.len - 8);
    return HUST_OK;
}

hust_error_t hust_expiry_key_parse(hust_slice_t expiry_key,
                                   uint8_t data_key_out[HUST_DATA_KEY_BYTES_MAX],
                                   uint64_t *instant_ms, hust_slice_t *data_key)
{
    if (expiry_key.len < 1) {
        return HUST_ERR_MALFORMED;
    }
    hust_slice_t rest = hust_slice_of(expiry_key.data + 1, expiry_key.len - 1);
    if (expiry_key.data[0] == BY_TABLE) {
        return parse_by_table(rest, data_key_out, instant_ms, data_key);
    }
    if (expiry_key.data[0] == BY_INSTANT) {
        return parse_by_instant(rest, data_key_out, instant_ms, data_key);
    }
    return HUST_ERR_MALFORMED;
}

size_t hust_hint_key(hust_slice_t target, hust_slice_t data_key,
                     uint8_t out[HUST_HINT_KEY_BYTES_MAX])
{
    assert(target.len >= 1 && target.len <= HUST_TARGET_BYTES_MAX);
    assert(data_key.len <= HUST_DATA_KEY_BYTES_MAX);
    out[0] = (uint8_t)target.len;
    memcpy(out + 1, target.data, target.len);
    memcpy(out + 1 + target.len, data_key.data, data_key.len);
    return 1 + target.len + data_key.len;
}

hust_error_t hust_hint_key_parse(hust_slice_t hint_key, hust_slice_t *target,
                                 hust_slice_t *data_key)
{
    if (hint_key.len < 1 || hint_key.data[0] == 0 || hint_key.len - 1 <= hint_key.data[0]) {
        return HUST_ERR_MALFORMED;
    }
    *target = hust_slice_of(hint_key.data + 1, hint_key.data[0]);
    *data_key = hust_slice_of(target->data + target->len, hint_key.len - 1 - target->len);
    return HUST_OK;
}

void hust_hint_value(uint64_t gen, uint64_t since_ms, uint8_t out[HUST_HINT_VALUE_BYTES])
{
    hust_put_u64(out, gen);
    hust_put_u64(out + 8, since_ms);
}

hust_error_t hust_hint_value_parse(hust_slice_t value, uint64_t *gen, uint64_t *since_ms)
{
    if (value.len != HUST_HINT_VALUE_BYTES) {
        return HUST_ERR_MALFORMED;
    }
    *gen = hust_get_u64(value.data);
    *since_ms = hust_get_u64(value.data + 8);
    return HUST_OK;
}
