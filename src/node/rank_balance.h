/*
 * Mending the shape of a sorted set's counted tree (rank_keys.h): rows with too many children are
 * split, those with few are merged with a neighbour, up to the root. Only the committer's thread.
 */
#ifndef HUST_NODE_RANK_BALANCE_H
#define HUST_NODE_RANK_BALANCE_H

#include "node/rank_keys.h"

enum {
    HUST_RANK_CHILDREN_MAX = 256,  /* more: split */
    HUST_RANK_CHILDREN_GOOD = 192, /* at most as many after splitting or merging */
    HUST_RANK_CHILDREN_MIN = 64,   /* fewer: merged, if the outcome is no more than _GOOD */
};

/*
 * Mend the lowest count row that counts `position`, and what is above it. Every write leaves the
 * counts as they are, and the tree whole. HUST_ERR_IO, NOMEM or MALFORMED.
 */
hust_error_t hust_rank_balance(hust_store_t *store, hust_slice_t tb, hust_slice_t position);

#endif /* HUST_NODE_RANK_BALANCE_H */
