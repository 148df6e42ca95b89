/*
 * Listings: pages of what a node holds, in an order that does not change: by type, table, bucket
 * and key, or a sorted set by score and member. (api.md, section 2, Listings.)
 *
 * A page is made in one snapshot of the store, so that it is consistent in itself. Any thread.
 */
#ifndef HUST_NODE_LISTING_H
#define HUST_NODE_LISTING_H

#include "core/buf.h"
#include "core/cursor.h"
#include "core/element.h"
#include "node/store.h"

enum {
    /* A page that has grown so large ends, however many elements were asked for. */
    HUST_PAGE_BYTES_MAX = 32 << 20,
    /*
     * A page must not end between keys that are the same for longer than a cursor; one that cannot
     * end for so long is refused.
     */
    HUST_PAGE_BYTES_REFUSED = 256 << 20,
};

/* What to list. The slices are borrowed. */
typedef struct {
    hust_cursor_kind_t kind;
    hust_type_t type;    /* of the table; not for HUST_CURSOR_FILE */
    hust_slice_t tb;     /* the same */
    unsigned start, end; /* buckets start <= b < end */
    int64_t min, max;    /* scores of a sorted set, both included */
    uint64_t offset;     /* live elements to pass over; 0 with a position */
    bool has_position;
    hust_slice_t position; /* of a cursor */
    unsigned size;
    bool with_values;
    uint64_t now_ms; /* what has expired by then is not there */
    bool swept;      /* a sorted set: what has expired has been swept, as far as it can be */
} hust_listing_t;

/* Owned by the caller, who frees both buffers. */
typedef struct {
    hust_buf_t body;   /* JSON */
    hust_buf_t cursor; /* text of the cursor; empty if nothing follows */
    unsigned count;    /* elements */
} hust_page_t;

typedef enum {
    HUST_LISTING_DONE,
    /* The offset cannot be counted yet: sweep the table, set `swept` and try again. */
    HUST_LISTING_SWEEP,
} hust_listing_outcome_t;

/*
 * Make a page. HUST_ERR_NOMEM, IO, MALFORMED (what is stored cannot be read) or LIMIT (larger than
 * HUST_PAGE_BYTES_REFUSED); then the page is not to be used.
 */
hust_error_t hust_listing_page(hust_store_t *store, const hust_listing_t *listing,
                               hust_page_t *page, hust_listing_outcome_t *outcome);

void hust_page_free(hust_page_t *page);

#endif /* HUST_NODE_LISTING_H */
