#include "core/cursor.h"

#include <assert.h>

#include "core/base64.h"

hust_slice_t hust_cursor_separator(hust_slice_t low, hust_slice_t high)
{
    size_t same = 0;
    assert(hust_slice_compare(low, high) < 0);
    while (same < low.len && low.data[same] == high.data[same]) {
        same++;
    }
    assert(same < high.len);
    return hust_slice_of(high.data, same + 1);
}

hust_error_t hust_cursor_encode(hust_cursor_kind_t kind, hust_slice_t separator, hust_buf_t *out)
{
    const char letter = (char)kind;
    assert(separator.len >= 1 && separator.len <= HUST_CURSOR_BYTES_MAX);
    hust_error_t err = hust_buf_append(out, &letter, 1);
    return err == HUST_OK ? hust_base64_append_query(out, separator) : err;
}

hust_error_t hust_cursor_decode(hust_cursor_kind_t kind, hust_slice_t text, hust_buf_t *out)
{
    if (text.len < 2 || text.data[0] != (uint8_t)kind ||
        text.len > 1 + (HUST_CURSOR_BYTES_MAX + 2) / 3 * 4) {
        return HUST_ERR_MALFORMED;
    }
    hust_error_t err = hust_base64_decode_query(hust_slice_of(text.data + 1, text.len - 1), out);
    assert(err != HUST_OK || out->len > 0);
    return err;
}
