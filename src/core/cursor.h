/*
 * Cursors: where the next page of a listing begins, as opaque text that fits a header and needs no
 * escape in a query.
 *
 * A cursor does not name the last element of its page, which may be gone or long, but the shortest
 * bytes that separate it from the next one. So it stays exact whatever is inserted or removed, and
 * it is short.
 */
#ifndef HUST_CURSOR_H
#define HUST_CURSOR_H

#include "core/buf.h"

/* Of the separator; its text has a third more. */
enum { HUST_CURSOR_BYTES_MAX = 2048 };

/* What a cursor belongs to: a listing of another kind or direction refuses it. */
typedef enum {
    HUST_CURSOR_FILE = 'f',    /* keys */
    HUST_CURSOR_TABLE = 't',   /* hkeys, smembers */
    HUST_CURSOR_SCORE = 's',   /* sorted sets, ascending */
    HUST_CURSOR_REVERSE = 'r', /* sorted sets, descending */
} hust_cursor_kind_t;

/*
 * The shortest separator s of two sequences, low < s <= high in byte order: a beginning of `high`,
 * borrowed from it.
 */
hust_slice_t hust_cursor_separator(hust_slice_t low, hust_slice_t high);

/* Append the text of a cursor. HUST_ERR_NOMEM. */
hust_error_t hust_cursor_encode(hust_cursor_kind_t kind, hust_slice_t separator, hust_buf_t *out);

/* Append the separator of a cursor. HUST_ERR_MALFORMED if it is not one of this kind; NOMEM. */
hust_error_t hust_cursor_decode(hust_cursor_kind_t kind, hust_slice_t text, hust_buf_t *out);

#endif /* HUST_CURSOR_H */
