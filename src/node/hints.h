/*
 * The list of hints: which elements have to be brought to which other node, and how many there are
 * for each. A hint itself is in the element's stored record; the list makes them findable.
 *
 * One thread (the committer) changes it: any number of _add and _drop, then _stage, then _commit
 * or _rollback. Counts may be read by any thread and show what is committed.
 */
#ifndef HUST_NODE_HINTS_H
#define HUST_NODE_HINTS_H

#include "core/batch.h"
#include "node/store.h"

/* Hints younger than this are writes on their way, not a backlog. */
enum { HUST_HINT_BACKLOG_MS = 2000 };

typedef struct hust_hints hust_hints_t;

/* Read the counts from the store. HUST_ERR_IO, NOMEM or MALFORMED (logged). */
hust_error_t hust_hints_load(hust_store_t *store, hust_hints_t **out);
void hust_hints_free(hust_hints_t *hints);

/* List the element for `target`; if it is listed already, only `gen` changes. IO or NOMEM. */
hust_error_t hust_hints_add(hust_hints_t *hints, hust_slice_t target, hust_slice_t data_key,
                            uint64_t gen, uint64_t now_ms);

/* Take the element off the list of `target`, if it is there. IO or NOMEM. */
hust_error_t hust_hints_drop(hust_hints_t *hints, hust_slice_t target, hust_slice_t data_key);

/* Put the changes and the new counts into a write. */
void hust_hints_stage(hust_hints_t *hints, hust_write_t *write);

void hust_hints_commit(hust_hints_t *hints);
void hust_hints_rollback(hust_hints_t *hints);

/* How many hints older than HUST_HINT_BACKLOG_MS wait for one target. Any thread. */
uint64_t hust_hints_old(hust_hints_t *hints, hust_slice_t target, uint64_t now_ms);

/*
 * How many hints older than HUST_HINT_BACKLOG_MS wait for each target that has any. Targets are
 * borrowed for the life of `hints`. Returns how many were written to `out`.
 */
unsigned hust_hints_backlogs(hust_hints_t *hints, uint64_t now_ms,
                             hust_backlog_t out[HUST_BATCH_BACKLOGS_MAX]);

#endif /* HUST_NODE_HINTS_H */
