/*
 * A byte slice: a pointer and a length, owning nothing.
 *
 * Keys and values are any bytes, so nothing in HustDB is NUL-terminated unless its name says so.
 */
#ifndef HUST_SLICE_H
#define HUST_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const uint8_t *data; /* may be NULL only when len is 0 */
    size_t len;          /* bytes */
} hust_slice_t;

/* A slice over a string literal or any NUL-terminated string; the string is borrowed. */
static inline hust_slice_t hust_slice_str(const char *text)
{
    return (hust_slice_t){(const uint8_t *)text, strlen(text)};
}

/* A slice over `len` bytes at `data`, borrowed. */
static inline hust_slice_t hust_slice_of(const void *data, size_t len)
{
    return (hust_slice_t){(const uint8_t *)data, len};
}

/* Byte order, shorter first among equal prefixes: negative, 0 or positive as with memcmp. */
static inline int hust_slice_compare(hust_slice_t a, hust_slice_t b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0) {
        return order;
    }
    return a.len < b.len ? -1 : (a.len > b.len ? 1 : 0);
}

static inline bool hust_slice_equal(hust_slice_t a, hust_slice_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

#endif /* HUST_SLICE_H */
