/*
 * A growable byte buffer: the one owner of variable-length memory in src/core.
 *
 * Zero-initialised it is valid and empty. Appending may move `data`, so slices into a buffer are
 * good only until the next append. Allocation failure leaves the content as it was.
 */
#ifndef HUST_BUF_H
#define HUST_BUF_H

#include "core/error.h"
#include "core/slice.h"

typedef struct {
    uint8_t *data; /* owned; NULL while nothing was appended */
    size_t len;    /* bytes in use */
    size_t cap;    /* bytes allocated */
} hust_buf_t;

/* Make room for `extra` more bytes. HUST_ERR_NOMEM if there is none. */
hust_error_t hust_buf_reserve(hust_buf_t *buf, size_t extra);

/* Append `len` bytes. HUST_ERR_NOMEM if there is no room. */
hust_error_t hust_buf_append(hust_buf_t *buf, const void *data, size_t len);

static inline hust_error_t hust_buf_append_slice(hust_buf_t *buf, hust_slice_t slice)
{
    return hust_buf_append(buf, slice.data, slice.len);
}

/* Forget the content and keep the memory. */
static inline void hust_buf_clear(hust_buf_t *buf)
{
    buf->len = 0;
}

/* Free the memory; the buffer is empty and usable again. */
void hust_buf_free(hust_buf_t *buf);

/* The content, borrowed until the next change. */
static inline hust_slice_t hust_buf_slice(const hust_buf_t *buf)
{
    return (hust_slice_t){buf->data, buf->len};
}

#endif /* HUST_BUF_H */
