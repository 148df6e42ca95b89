/*
 * Keeping the order of sorted sets, in the committer's thread: the entries and counts that belong
 * to a group of writes go into the group's own write, so that they are exact whenever the power
 * fails. The shape of the counted tree is mended after the group, in writes of its own that change
 * no count: if the power fails before, the next change there mends it.
 *
 *   hust_rank_change for every changed member; hust_rank_stage; after the group's write
 *   hust_rank_settle, or hust_rank_forget if it failed.
 *
 * (Bayer and McCreight, Organization and Maintenance of Large Ordered Indices, 1972.)
 */
#ifndef HUST_NODE_RANK_H
#define HUST_NODE_RANK_H

#include "core/record.h"
#include "node/rank_keys.h"

typedef struct hust_rank hust_rank_t;

/* NULL: no memory. */
hust_rank_t *hust_rank_new(hust_store_t *store);
void hust_rank_free(hust_rank_t *rank);

/*
 * What is held of a member goes from `before`, which the store has, to `after`. Puts its entry into
 * `write` and remembers what becomes of the counts. HUST_ERR_NOMEM, IO or MALFORMED.
 */
hust_error_t hust_rank_change(hust_rank_t *rank, const hust_element_t *element,
                              const hust_record_t *before, const hust_record_t *after,
                              hust_write_t *write);

/* Put the counts that changed into the same write. */
void hust_rank_stage(hust_rank_t *rank, hust_write_t *write);

/* The write is stored: mend what has become too large or too small. Errors are logged. */
void hust_rank_settle(hust_rank_t *rank);

/* The write is not stored. */
void hust_rank_forget(hust_rank_t *rank);

#endif /* HUST_NODE_RANK_H */
