/*
 * The elements that one group of writes touches: as the store has them, and as the operations of
 * the group, applied in order, leave them. Several operations on one element chain.
 *
 *   hust_group_touch for every element; hust_group_load; then read and set `stored` of entries;
 *   hust_group_stage; after the write hust_group_clear.
 *
 * Memory taken with hust_group_alloc, and values that entries borrow, live until _clear.
 */
#ifndef HUST_NODE_GROUP_H
#define HUST_NODE_GROUP_H

#include "core/buf.h"
#include "core/record.h"
#include "node/counters.h"
#include "node/hash.h"
#include "node/store.h"

typedef struct hust_group_entry {
    UT_hash_handle hh;          /* by `key` */
    hust_slice_t key;           /* data key */
    hust_element_t element;     /* borrows from `key` */
    hust_pinned_t pinned;       /* the record as the store has it */
    hust_stored_t stored;       /* what is held after the operations so far */
    hust_footprint_t on_store;  /* of what the store has: its expiry entries */
    hust_footprint_t footprint; /* of `stored` */
    hust_error_t error;         /* the record cannot be read: nothing may be done with it */
    bool loaded;
    bool changed;
} hust_group_entry_t;

typedef struct hust_group hust_group_t;

/* NULL: no memory. */
hust_group_t *hust_group_new(hust_store_t *store);
void hust_group_free(hust_group_t *group);

/* Find or make the entry of a valid element. HUST_ERR_NOMEM. */
hust_error_t hust_group_touch(hust_group_t *group, const hust_element_t *element,
                              hust_group_entry_t **out);

/*
 * Read the records of all entries that are not loaded yet. HUST_ERR_IO or NOMEM if that failed as
 * a whole; one unreadable record (logged) is its entry's `error`.
 */
hust_error_t hust_group_load(hust_group_t *group);

/* What is held of the entry's element is `next` from now on; values are borrowed until _clear. */
void hust_group_set(hust_group_entry_t *entry, const hust_stored_t *next);

/* Take the expiry entries of an element for an instant out of the store. */
void hust_group_drop_expiry(const hust_group_entry_t *entry, uint64_t instant_ms,
                            hust_write_t *write);

/* Put the records of changed entries and their expiry entries into a write. HUST_ERR_NOMEM. */
hust_error_t hust_group_stage(hust_group_t *group, hust_write_t *write);

/* Memory that lives until _clear; NULL if there is none. */
void *hust_group_alloc(hust_group_t *group, size_t bytes);

/* Forget all entries. */
void hust_group_clear(hust_group_t *group);

#endif /* HUST_NODE_GROUP_H */
