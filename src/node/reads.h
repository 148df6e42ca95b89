/*
 * Reading elements in the thread that asks: straight from the store, past the committer.
 */
#ifndef HUST_NODE_READS_H
#define HUST_NODE_READS_H

#include "core/op.h"
#include "node/counters.h"
#include "node/store.h"

/*
 * Carry out a GET. The result's value borrows from `pinned`, which the caller releases in any
 * case. An engine failure (logged) is status 500.
 */
void hust_reads_one(hust_store_t *store, hust_counters_t *counters, const hust_op_t *op,
                    hust_pinned_t *pinned, hust_result_t *result);

/* Carry out many GETs at once. HUST_ERR_NOMEM or IO: nothing is pinned and no result is there. */
hust_error_t hust_reads_many(hust_store_t *store, hust_counters_t *counters, const hust_op_t *ops,
                             size_t count, hust_pinned_t *pinned, hust_result_t *results);

#endif /* HUST_NODE_READS_H */
