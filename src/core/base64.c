#include "core/base64.h"

#include <assert.h>

static const char STANDARD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char QUERY[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Three bytes, or the one or two that are left, become `count + 1` characters. */
static void encode_group(const uint8_t *in, size_t count, const char *alphabet, uint8_t out[4])
{
    assert(count >= 1 && count <= 3);
    uint32_t bits = (uint32_t)in[0] << 16;
    bits |= count > 1 ? (uint32_t)in[1] << 8 : 0;
    bits |= count > 2 ? in[2] : 0;
    for (unsigned i = 0; i <= count; i++) {
        out[i] = (uint8_t)alphabet[bits >> (18 - 6 * i) & 63];
    }
}

static hust_error_t append(hust_buf_t *out, hust_slice_t in, const char *alphabet, bool padded)
{
    hust_error_t err = hust_buf_reserve(out, (in.len + 2) / 3 * 4);
    if (err != HUST_OK) {
        return err;
    }
    for (size_t at = 0; at < in.len; at += 3) {
        size_t count = in.len - at < 3 ? in.len - at : 3;
        uint8_t group[4] = {'=', '=', '=', '='};
        size_t len = padded ? 4 : count + 1;
        encode_group(in.data + at, count, alphabet, group);
        memcpy(out->data + out->len, group, len);
        out->len += len;
    }
    assert(out->len <= out->cap);
    return HUST_OK;
}

hust_error_t hust_base64_append(hust_buf_t *out, hust_slice_t in)
{
    return append(out, in, STANDARD, true);
}

hust_error_t hust_base64_append_query(hust_buf_t *out, hust_slice_t in)
{
    return append(out, in, QUERY, false);
}

/* The six bits of a character of the alphabet of queries, -1 if it is none. */
static int six_bits(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : (c == '_' ? 63 : -1);
}

/* Two to four characters become one to three bytes; false if that is not how they were made. */
static bool decode_group(const uint8_t *in, size_t count, uint8_t out[3])
{
    uint32_t bits = 0;
    assert(count >= 1 && count <= 4);
    for (unsigned i = 0; i < count; i++) {
        int six = six_bits(in[i]);
        if (six < 0) {
            return false;
        }
        bits |= (uint32_t)six << (18 - 6 * i);
    }
    for (unsigned i = 0; i < 3; i++) {
        out[i] = (uint8_t)(bits >> (16 - 8 * i));
    }
    /* The bits beyond the last byte are zero in what we write. */
    return count > 1 && (count == 4 || (bits & ((1u << (8 * (4 - count))) - 1)) == 0);
}

hust_error_t hust_base64_decode_query(hust_slice_t text, hust_buf_t *out)
{
    size_t before = out->len;
    if (hust_buf_reserve(out, text.len / 4 * 3 + 3) != HUST_OK) {
        return HUST_ERR_NOMEM;
    }
    for (size_t at = 0; at < text.len; at += 4) {
        size_t count = text.len - at < 4 ? text.len - at : 4;
        uint8_t group[3];
        if (!decode_group(text.data + at, count, group)) {
            out->len = before;
            return HUST_ERR_MALFORMED;
        }
        memcpy(out->data + out->len, group, count - 1);
        out->len += count - 1;
    }
    assert(out->len <= out->cap);
    return HUST_OK;
}
