/*
 * What the calls on values and those on hashes share.
 */
#ifndef HUST_NODE_CACHE_INTERNAL_H
#define HUST_NODE_CACHE_INTERNAL_H

#include "node/cache_shard.h"

/* The hash of a key or tb. */
uint64_t hust_cache_hash(const hust_cache_t *cache, hust_slice_t key);

/* The shard that a key or tb of this hash lives in, locked. */
hust_cache_shard_t *hust_cache_lock(hust_cache_t *cache, uint64_t hash);
void hust_cache_unlock(hust_cache_shard_t *shard);

/* Copy an entry's value into `out`: 200, or 500. */
unsigned hust_cache_copy_value(const hust_cache_entry_t *entry, hust_buf_t *out);

#endif /* HUST_NODE_CACHE_INTERNAL_H */
