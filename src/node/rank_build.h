/*
 * Bringing a store of format 1, which kept no order of sorted sets, up to date.
 */
#ifndef HUST_NODE_RANK_BUILD_H
#define HUST_NODE_RANK_BUILD_H

#include "node/store.h"

/*
 * Make the rows of HUST_CF_RANK from the data, then set the store's format. To be called before
 * anything is written; interrupted, it begins again. HUST_ERR_IO, NOMEM or MALFORMED (logged).
 */
hust_error_t hust_rank_build(hust_store_t *store);

#endif /* HUST_NODE_RANK_BUILD_H */
