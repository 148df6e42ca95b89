/*
 * uthash with the project's hash function, for maps whose keys come from clients. To be included
 * instead of uthash.h, and from .c files only.
 */
#ifndef HUST_NODE_HASH_H
#define HUST_NODE_HASH_H

#include <stdbool.h>
#include <xxhash.h>

/* Without memory an insertion leaves the item out (its hh.tbl is NULL) instead of exiting. */
#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(keyptr, keylen, hashv) (hashv) = (unsigned)XXH3_64bits(keyptr, keylen)

#include <uthash.h>

#endif /* HUST_NODE_HASH_H */
