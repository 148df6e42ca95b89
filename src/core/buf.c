#include "core/buf.h"

#include <assert.h>
#include <stdlib.h>

enum { BUF_CAP_MIN = 256 };

hust_error_t hust_buf_reserve(hust_buf_t *buf, size_t extra)
{
    assert(buf->len <= buf->cap);
    if (extra <= buf->cap - buf->len) {
        return HUST_OK;
    }
    if (extra > SIZE_MAX / 2 - buf->len) {
        return HUST_ERR_NOMEM;
    }
    size_t need = buf->len + extra;
    size_t cap = buf->cap < BUF_CAP_MIN ? BUF_CAP_MIN : buf->cap;
    while (cap < need) {
        cap *= 2;
    }
    uint8_t *data = realloc(buf->data, cap);
    if (data == NULL) {
        return HUST_ERR_NOMEM;
    }
    buf->data = data;
    buf->cap = cap;
    assert(buf->cap - buf->len >= extra);
    return HUST_OK;
}

hust_error_t hust_buf_append(hust_buf_t *buf, const void *data, size_t len)
{
    if (len == 0) {
        return HUST_OK;
    }
    assert(data != NULL);
    hust_error_t err = hust_buf_reserve(buf, len);
    if (err != HUST_OK) {
        return err;
    }
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    return HUST_OK;
}

void hust_buf_free(hust_buf_t *buf)
{
    free(buf->data);
    *buf = (hust_buf_t){0};
}
