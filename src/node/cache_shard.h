/*
 * One shard of the cache: its entries in a table and in the order of their use, and their charges.
 * Internal to cache*.c. The caller holds the shard's lock around everything here.
 */
#ifndef HUST_NODE_CACHE_SHARD_H
#define HUST_NODE_CACHE_SHARD_H

#include <pthread.h>

#include "node/cache.h"

typedef enum {
    HUST_CACHE_VALUE = 1,
    HUST_CACHE_HASH, /* has fields and no value */
    HUST_CACHE_FIELD,
} hust_cache_kind_t;

typedef struct hust_cache_entry hust_cache_entry_t;

struct hust_cache_entry {
    hust_cache_entry_t *chain; /* the next one in its slot of the table */
    /* Neighbours in the order of use; of a field: the others of its hash, in no order. */
    hust_cache_entry_t *newer;
    hust_cache_entry_t *older;
    union {
        hust_cache_entry_t *fields; /* of a hash: any one of them, through `older` the others */
        hust_cache_entry_t *owner;  /* of a field: its hash */
    };
    uint64_t hash;
    uint64_t expire_at_ms; /* 0 = for ever; of a field: unused */
    size_t charged;        /* of a hash: with its fields */
    uint32_t value_len;
    uint16_t key_len;
    uint8_t kind;    /* hust_cache_kind_t */
    uint8_t bytes[]; /* key, then value */
};

typedef struct {
    pthread_mutex_t lock;
    hust_cache_entry_t **slots;
    size_t slot_count;     /* a power of two, for good: the table never has to grow */
    size_t capacity;       /* bytes: this shard's share of the whole */
    size_t charged;        /* bytes at present, never above capacity */
    size_t charged_empty;  /* of them, those of the shard and its table */
    size_t item_bytes_max; /* the largest `charged` of a value or a hash */
    hust_cache_entry_t *newest;
    hust_cache_entry_t *oldest;
    uint64_t items;
    uint64_t evicted;
} __attribute__((aligned(64))) hust_cache_shard_t;

/* `extra_bytes` of the share are spent elsewhere. HUST_ERR_NOMEM. */
hust_error_t hust_cache_shard_init(hust_cache_shard_t *shard, size_t capacity, size_t extra_bytes);
void hust_cache_shard_deinit(hust_cache_shard_t *shard);

/* The value or hash of this name, made the most recently used; NULL: absent, or has expired. */
hust_cache_entry_t *hust_cache_shard_find(hust_cache_shard_t *shard, uint64_t hash,
                                          hust_slice_t key, uint64_t now_ms);

/* The field of a hash; NULL: absent. */
hust_cache_entry_t *hust_cache_shard_find_field(const hust_cache_shard_t *shard,
                                                const hust_cache_entry_t *owner, uint64_t hash,
                                                hust_slice_t field);

/*
 * Make an entry with its key set and its value not, charged and in neither table nor list yet. The
 * least recently used are evicted as far as is needed, but never the newest: what has just been
 * found stays. The caller fills the value and adds it. NULL, with the status: 507, 500.
 */
hust_cache_entry_t *hust_cache_entry_make(hust_cache_shard_t *shard, hust_cache_kind_t kind,
                                          uint64_t hash, hust_slice_t key, size_t value_len,
                                          unsigned *status);

/* Add a value or a hash, as the most recently used. */
void hust_cache_shard_add(hust_cache_shard_t *shard, hust_cache_entry_t *entry);

/* Add a field to its hash. */
void hust_cache_shard_add_field(hust_cache_shard_t *shard, hust_cache_entry_t *owner,
                                hust_cache_entry_t *field);

/* Remove and free an entry that has been added, a hash with all its fields. */
void hust_cache_shard_remove(hust_cache_shard_t *shard, hust_cache_entry_t *entry);

/* What an entry is charged alone. */
size_t hust_cache_entry_charge(size_t key_len, size_t value_len);

static inline hust_slice_t hust_cache_entry_key(const hust_cache_entry_t *entry)
{
    return hust_slice_of(entry->bytes, entry->key_len);
}

static inline hust_slice_t hust_cache_entry_value(const hust_cache_entry_t *entry)
{
    return hust_slice_of(entry->bytes + entry->key_len, entry->value_len);
}

/* Where the value of an entry that has just been made is written. */
static inline uint8_t *hust_cache_entry_room(hust_cache_entry_t *entry)
{
    return entry->bytes + entry->key_len;
}

/* As hust_cache_check. */
void hust_cache_shard_check(const hust_cache_shard_t *shard);

#endif /* HUST_NODE_CACHE_SHARD_H */
