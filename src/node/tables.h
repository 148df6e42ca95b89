/*
 * Whether a table exists and of which type it is, and what follows for an operation
 * (docs/http-api.md: 412). A table exists while it holds an element that has not expired.
 */
#ifndef HUST_NODE_TABLES_H
#define HUST_NODE_TABLES_H

#include "core/op.h"
#include "node/counters.h"
#include "node/store.h"

/*
 * Finish the result of a read that found nothing live: 404 stays where the table is of the
 * element's type, otherwise the result becomes 412 with NO_TABLE or OTHER_TYPE. Any thread.
 */
void hust_tables_judge_read(hust_counters_t *counters, hust_store_t *store, const hust_op_t *op,
                            hust_result_t *result);

/*
 * False if the table's type (or its absence) forbids a write; then `result` is complete. Writes
 * that come from the other master (MERGE, HINT, UNHINT) are never forbidden.
 */
bool hust_tables_allow_write(hust_counters_t *counters, hust_store_t *store, const hust_op_t *op,
                             hust_result_t *result);

/* The type of a table that exists at `now_ms`; false if there is none. */
bool hust_tables_type(hust_counters_t *counters, hust_store_t *store, hust_slice_t tb,
                      uint64_t now_ms, hust_type_t *type);

#endif /* HUST_NODE_TABLES_H */
