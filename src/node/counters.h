/*
 * How many elements each table holds, and how large they are: exact, also after a crash.
 *
 * An element counts while its newest side is not deleted; one that has expired counts until the
 * sweeper has marked it deleted. The counts live in memory; those that a group of writes changed
 * are stored, as absolute values, in the same write as the group.
 *
 * One thread (the committer) changes counts: any number of hust_counters_change, then _stage, then
 * _commit or _rollback. Any thread may read at any time and then sees changes not yet committed.
 */
#ifndef HUST_NODE_COUNTERS_H
#define HUST_NODE_COUNTERS_H

#include "core/element.h"
#include "core/error.h"
#include "core/record.h"
#include "node/store.h"

typedef struct {
    uint64_t count;    /* elements */
    uint64_t size;     /* bytes of keys and values */
    uint64_t capacity; /* the same with each element rounded up to 1024 */
    uint64_t expiring; /* elements that will expire */
} hust_count_t;

enum { HUST_TYPE_COUNT = 4 };

/* "KHSZ": the types in the order in which they are counted and listed. */
extern const hust_type_t HUST_TYPES[HUST_TYPE_COUNT];

/* The part of an element that counts: nothing (zero count) or one element. */
typedef struct {
    hust_count_t count;
    uint64_t expire_at_ms; /* 0 unless count.expiring */
} hust_footprint_t;

hust_footprint_t hust_footprint(hust_slice_t key, const hust_record_t *record);

typedef struct hust_counters hust_counters_t;

/* Read all counts from the store. HUST_ERR_IO, NOMEM or MALFORMED (logged). */
hust_error_t hust_counters_load(hust_store_t *store, hust_counters_t **out);
void hust_counters_free(hust_counters_t *counters);

/* The sum over all tables of a type (or of all KV pairs). */
hust_count_t hust_counters_total(hust_counters_t *counters, hust_type_t type);

/* What one table holds of each type, by the order of HUST_TYPES ([0], KV, stays zero). */
typedef struct {
    hust_count_t counts[HUST_TYPE_COUNT];
    /* Latest expiry among elements written by changes not committed yet; 0: none. */
    uint64_t uncommitted_expiry_ms[HUST_TYPE_COUNT];
} hust_table_counts_t;

/* False if the table holds nothing at all; then `out` is all zero. */
bool hust_counters_table(hust_counters_t *counters, hust_slice_t tb, hust_table_counts_t *out);

/* What a table holds of one type. */
hust_count_t hust_counters_of(hust_counters_t *counters, hust_slice_t tb, hust_type_t type);

/* A table that holds something. */
typedef struct {
    hust_slice_t tb;
    hust_type_t type;
    hust_count_t count;
} hust_table_t;

/*
 * All tables by name, once per type they hold. On success `*out` (NULL if there are none) is to be
 * freed with free(); names borrow from it. HUST_ERR_NOMEM.
 */
hust_error_t hust_counters_tables(hust_counters_t *counters, hust_table_t **out, size_t *count);

/*
 * The element's footprint goes from `before` to `after`. HUST_ERR_NOMEM: nothing was changed.
 */
hust_error_t hust_counters_change(hust_counters_t *counters, const hust_element_t *element,
                                  const hust_footprint_t *before, const hust_footprint_t *after);

/* Put the changed counts into a write. */
void hust_counters_stage(hust_counters_t *counters, hust_write_t *write);

/* The changes are stored; or they are not, and the counts go back to what they were. */
void hust_counters_commit(hust_counters_t *counters);
void hust_counters_rollback(hust_counters_t *counters);

#endif /* HUST_NODE_COUNTERS_H */
