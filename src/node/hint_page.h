/*
 * Reading the list of hints a page at a time: which elements have to be brought to a node. Any
 * thread; a page shows the list as it was when it was read.
 */
#ifndef HUST_NODE_HINT_PAGE_H
#define HUST_NODE_HINT_PAGE_H

#include "core/buf.h"
#include "node/store.h"

enum { HUST_HINT_PAGE_ELEMENTS = 512 };

typedef struct {
    size_t count;
    size_t ends[HUST_HINT_PAGE_ELEMENTS]; /* of the data keys in `keys` */
    hust_buf_t keys;                      /* one after another; owned */
    uint64_t oldest_ms; /* since when the oldest of them waits; 0: there is none */
    bool last;          /* the list ends with this page */
    hust_buf_t cursor;  /* the last entry looked at; owned */
} hust_hint_page_t;

/*
 * Read the next elements for `target` whose hints were made before `until_ms`, from behind the
 * page's cursor (empty: from the start). HUST_ERR_NOMEM: the page is empty.
 */
hust_error_t hust_hint_page_read(hust_store_t *store, hust_slice_t target, uint64_t until_ms,
                                 hust_hint_page_t *page);

/* The data key of an element of the page, borrowed. */
hust_slice_t hust_hint_page_key(const hust_hint_page_t *page, size_t index);

void hust_hint_page_free(hust_hint_page_t *page);

#endif /* HUST_NODE_HINT_PAGE_H */
