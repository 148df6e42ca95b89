/*
 * Finding one's way in a sorted set: reads of the counted tree (rank_keys.h). Each function moves
 * the walk it is given, which is over HUST_CF_RANK; any thread, best in a snapshot.
 *
 * Errors: HUST_ERR_IO (logged), and HUST_ERR_MALFORMED where the tree contradicts itself.
 */
#ifndef HUST_NODE_RANK_FIND_H
#define HUST_NODE_RANK_FIND_H

#include "node/rank_keys.h"

/* The root's level, 0 if the table has no entries; and what the root counts. */
hust_error_t hust_rank_root(hust_scan_t *scan, hust_slice_t tb, unsigned *level,
                            hust_rank_count_t *root);

/* Stand on the entry with `rank` entries before it; `*found` is false if there is none. */
hust_error_t hust_rank_seek(hust_scan_t *scan, hust_slice_t tb, uint64_t rank, bool *found);

/* How many entries there are before a position (of a member, or just of a score). */
hust_error_t hust_rank_below(hust_scan_t *scan, hust_slice_t tb, hust_slice_t position,
                             uint64_t *below);

/*
 * Stand on the row of a level above 0 that counts a position. `*found` is false if the level has
 * no row. HUST_ERR_IO.
 */
hust_error_t hust_rank_find_row(hust_scan_t *scan, hust_slice_t tb, unsigned level,
                                hust_slice_t position, bool *found);

/* True if the walk stands on a row of the level; its position is borrowed until it moves. */
bool hust_rank_on_level(const hust_scan_t *scan, hust_slice_t tb, unsigned level,
                        hust_slice_t *position);

#endif /* HUST_NODE_RANK_FIND_H */
