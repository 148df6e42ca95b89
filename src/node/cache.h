/*
 * The cache: values and hashes in memory only, the least recently used ones evicted, everything
 * together strictly within a given size. Knows nothing of HTTP but its statuses, and no clock.
 *
 * It is cut into shards by the hash of the key or tb, each with a lock, a list of use and an equal
 * share of the size of its own, so threads seldom meet and eviction is exact within a shard. Every
 * byte asked from the allocator is charged at an estimate that is never below what glibc takes for
 * it (hust_cache_charge), room is made before memory is asked for, and the old and the new content
 * of a value that is being replaced count both. A single item may therefore take half of a share.
 *
 * All functions may be called from any thread.
 */
#ifndef HUST_NODE_CACHE_H
#define HUST_NODE_CACHE_H

#include "core/buf.h"
#include "core/error.h"
#include "core/slice.h"

typedef struct hust_cache hust_cache_t;

#define HUST_CACHE_BYTES_MIN ((size_t)1 << 20)

typedef struct {
    size_t bytes_max;       /* for everything, at least HUST_CACHE_BYTES_MIN */
    size_t value_bytes_max; /* of a value that grows by append */
    uint64_t seed;          /* of the hash function; random, so that clients cannot guess it */
} hust_cache_options_t;

/* HUST_ERR_NOMEM. */
hust_error_t hust_cache_open(const hust_cache_options_t *options, hust_cache_t **out);

/* NULL is no cache. */
void hust_cache_free(hust_cache_t *cache);

/* What a call is about; each call reads the fields it names. Borrowed during the call. */
typedef struct {
    hust_slice_t key; /* 1..65,535 bytes: the key, or the field of a hash */
    hust_slice_t tb;  /* 1..64 bytes: the name of a hash */
    hust_slice_t val;
    int64_t number;        /* what hincrby adds */
    long double decimal;   /* what hincrbyfloat adds */
    uint64_t expire_at_ms; /* 0 = for ever */
    uint64_t now_ms;       /* what has expired by then is absent */
} hust_cache_request_t;

/*
 * A call. `out` (empty before) receives the success body. Returns 200, or
 * 403 the field is no number, or the sum is out of range; 404 absent, or nothing to change;
 * 412 it is of the other type; 413 the value would be larger than value_bytes_max;
 * 500 no memory; 507 the item would be larger than half a shard's share.
 * Only 200 changes what is kept, but for others that were evicted to make room. Every call that
 * finds what it names makes that the most recently used.
 */
typedef unsigned (*hust_cache_call_t)(hust_cache_t *cache, const hust_cache_request_t *request,
                                      hust_buf_t *out);

/* Of a value or a hash as a whole: key. A hash goes by its tb as its key. */
unsigned hust_cache_exist(hust_cache_t *cache, const hust_cache_request_t *request,
                          hust_buf_t *out);
/* Body: seconds left, rounded up; -1 without expiry. */
unsigned hust_cache_ttl(hust_cache_t *cache, const hust_cache_request_t *request, hust_buf_t *out);
unsigned hust_cache_del(hust_cache_t *cache, const hust_cache_request_t *request, hust_buf_t *out);
unsigned hust_cache_persist(hust_cache_t *cache, const hust_cache_request_t *request,
                            hust_buf_t *out);
/* expire_at_ms; 0 is persist. */
unsigned hust_cache_expire(hust_cache_t *cache, const hust_cache_request_t *request,
                           hust_buf_t *out);

/* Of a value: key, val. */
unsigned hust_cache_get(hust_cache_t *cache, const hust_cache_request_t *request, hust_buf_t *out);
/* expire_at_ms. */
unsigned hust_cache_put(hust_cache_t *cache, const hust_cache_request_t *request, hust_buf_t *out);
/* Keeps the expiry; to an absent value: as put for ever. */
unsigned hust_cache_append(hust_cache_t *cache, const hust_cache_request_t *request,
                           hust_buf_t *out);

/* Of a field of a hash: tb, key, val. A hash comes with its first field and goes with its last. */
unsigned hust_cache_hexist(hust_cache_t *cache, const hust_cache_request_t *request,
                           hust_buf_t *out);
unsigned hust_cache_hget(hust_cache_t *cache, const hust_cache_request_t *request, hust_buf_t *out);
unsigned hust_cache_hdel(hust_cache_t *cache, const hust_cache_request_t *request, hust_buf_t *out);
unsigned hust_cache_hset(hust_cache_t *cache, const hust_cache_request_t *request, hust_buf_t *out);
/* number, decimal; an absent field counts as 0. Body: the sum. */
unsigned hust_cache_hincrby(hust_cache_t *cache, const hust_cache_request_t *request,
                            hust_buf_t *out);
unsigned hust_cache_hincrbyfloat(hust_cache_t *cache, const hust_cache_request_t *request,
                                 hust_buf_t *out);

/* What an allocation of `bytes` takes, the allocator's own share included: never too little. */
size_t hust_cache_charge(size_t bytes);

typedef struct {
    size_t bytes_max;      /* as given */
    size_t bytes;          /* charged at present, tables and the cache itself included */
    size_t item_bytes_max; /* the largest item, charged */
    unsigned shard_count;
    uint64_t items;   /* values and hashes, those included that have expired and not been met yet */
    uint64_t evicted; /* items, since the start */
} hust_cache_stat_t;

/* Shard after shard, so no one moment of all. */
void hust_cache_stat(hust_cache_t *cache, hust_cache_stat_t *out);

/* Assert everything that must hold of the charges, tables and lists. For tests: it is slow. */
void hust_cache_check(hust_cache_t *cache);

#endif /* HUST_NODE_CACHE_H */
