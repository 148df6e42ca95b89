/*
 * What the walks of listing_data.c and listing_rank.c share: they find elements in order and hand
 * them to the page, which skips, writes and knows when it is full.
 */
#ifndef HUST_NODE_LISTING_WALK_H
#define HUST_NODE_LISTING_WALK_H

#include "node/listing.h"

/* A page in the making. */
typedef struct {
    const hust_listing_t *listing;
    hust_page_t *page;
    uint64_t skip;   /* live elements to pass over yet */
    hust_buf_t last; /* position of the last element written */
    bool full;
} hust_walk_t;

/* A live element. */
typedef struct {
    hust_slice_t position; /* where it stands in the listing */
    hust_slice_t key;
    hust_slice_t tb; /* empty unless it is to be told, together with `type` */
    hust_type_t type;
    bool has_value;
    bool is_score; /* the value is `score`, not `value` */
    hust_slice_t value;
    int64_t score;
    uint64_t version;
    uint64_t expire_at_ms;
} hust_item_t;

/*
 * The next element: it is passed over, written, or the page is full and its cursor is made.
 * HUST_ERR_NOMEM or LIMIT.
 */
hust_error_t hust_walk_take(hust_walk_t *walk, const hust_item_t *item);

/* Elements of hashes, sets, or everything in a part of the node: over HUST_CF_DATA. */
hust_error_t hust_walk_data(hust_walk_t *walk, hust_scan_t *scan);

/*
 * Members of a sorted set: over HUST_CF_RANK. `exact`: everything in the order is live, so that an
 * offset need not be walked.
 */
hust_error_t hust_walk_rank(hust_walk_t *walk, hust_scan_t *scan, bool exact);

#endif /* HUST_NODE_LISTING_WALK_H */
