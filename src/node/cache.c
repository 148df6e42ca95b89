#include "node/cache.h"

#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

#include "core/params.h"
#include "node/cache_internal.h"

enum {
    SHARD_COUNT_MAX = 128,
    SHARD_HASH_SHIFT = 48, /* the slot is chosen by the low bits, the shard by the high ones */
    MS_PER_S = 1000,
};

/* No more shards than leave each this much: it bounds the largest item. */
static const size_t SHARE_BYTES_MIN = (size_t)4 << 20;

struct hust_cache {
    uint64_t seed;
    size_t bytes_max;
    size_t value_bytes_max;
    unsigned shard_count; /* a power of two */
    hust_cache_shard_t shards[];
};

/* --- life --- */

static unsigned choose_shard_count(size_t bytes_max)
{
    unsigned count = 1;
    while (count < SHARD_COUNT_MAX && bytes_max / (2 * count) >= SHARE_BYTES_MIN) {
        count *= 2;
    }
    return count;
}

static void free_shards(hust_cache_t *cache, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        hust_cache_shard_deinit(&cache->shards[i]);
    }
    free(cache);
}

hust_error_t hust_cache_open(const hust_cache_options_t *options, hust_cache_t **out)
{
    assert(options->bytes_max >= HUST_CACHE_BYTES_MIN);
    unsigned count = choose_shard_count(options->bytes_max);
    const size_t alignment = _Alignof(hust_cache_t);
    size_t bytes = sizeof(hust_cache_t) + count * sizeof(hust_cache_shard_t);
    bytes = (bytes + alignment - 1) / alignment * alignment;
    *out = NULL;
    hust_cache_t *cache = aligned_alloc(alignment, bytes);
    if (cache == NULL) {
        return HUST_ERR_NOMEM;
    }
    cache->seed = options->seed;
    cache->bytes_max = options->bytes_max;
    cache->value_bytes_max = options->value_bytes_max;
    cache->shard_count = count;
    size_t own = hust_cache_charge(bytes + 2 * alignment) / count + 1;
    for (unsigned i = 0; i < count; i++) {
        if (hust_cache_shard_init(&cache->shards[i], options->bytes_max / count, own) != HUST_OK) {
            free_shards(cache, i);
            return HUST_ERR_NOMEM;
        }
    }
    *out = cache;
    return HUST_OK;
}

void hust_cache_free(hust_cache_t *cache)
{
    if (cache != NULL) {
        free_shards(cache, cache->shard_count);
    }
}

void hust_cache_stat(hust_cache_t *cache, hust_cache_stat_t *out)
{
    *out = (hust_cache_stat_t){.bytes_max = cache->bytes_max,
                               .item_bytes_max = cache->shards[0].item_bytes_max,
                               .shard_count = cache->shard_count};
    for (unsigned i = 0; i < cache->shard_count; i++) {
        hust_cache_shard_t *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        out->bytes += shard->charged;
        out->items += shard->items;
        out->evicted += shard->evicted;
        pthread_mutex_unlock(&shard->lock);
    }
    assert(out->bytes <= out->bytes_max);
}

void hust_cache_check(hust_cache_t *cache)
{
    for (unsigned i = 0; i < cache->shard_count; i++) {
        hust_cache_shard_t *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        hust_cache_shard_check(shard);
        pthread_mutex_unlock(&shard->lock);
    }
}

/* --- shared --- */

uint64_t hust_cache_hash(const hust_cache_t *cache, hust_slice_t key)
{
    assert(key.len > 0);
    return XXH3_64bits_withSeed(key.data, key.len, cache->seed);
}

hust_cache_shard_t *hust_cache_lock(hust_cache_t *cache, uint64_t hash)
{
    hust_cache_shard_t *shard =
        &cache->shards[(hash >> SHARD_HASH_SHIFT) & (cache->shard_count - 1)];
    pthread_mutex_lock(&shard->lock);
    return shard;
}

void hust_cache_unlock(hust_cache_shard_t *shard)
{
    assert(shard->charged <= shard->capacity);
    pthread_mutex_unlock(&shard->lock);
}

unsigned hust_cache_copy_value(const hust_cache_entry_t *entry, hust_buf_t *out)
{
    assert(entry->kind != HUST_CACHE_HASH && out->len == 0);
    return hust_buf_append_slice(out, hust_cache_entry_value(entry)) == HUST_OK ? 200 : 500;
}

/* --- of a value or a hash --- */

/* What a call does with the entry it found; the shard is locked. */
typedef unsigned (*found_t)(hust_cache_shard_t *shard, hust_cache_entry_t *entry,
                            const hust_cache_request_t *request, hust_buf_t *out);

static unsigned on_found(hust_cache_t *cache, const hust_cache_request_t *request, hust_buf_t *out,
                         found_t act)
{
    uint64_t hash = hust_cache_hash(cache, request->key);
    hust_cache_shard_t *shard = hust_cache_lock(cache, hash);
    hust_cache_entry_t *entry = hust_cache_shard_find(shard, hash, request->key, request->now_ms);
    unsigned status = entry == NULL ? 404 : act(shard, entry, request, out);
    hust_cache_unlock(shard);
    return status;
}

static unsigned found_exist(hust_cache_shard_t *shard, hust_cache_entry_t *entry,
                            const hust_cache_request_t *request, hust_buf_t *out)
{
    (void)shard;
    (void)entry;
    (void)request;
    (void)out;
    return 200;
}

static unsigned found_ttl(hust_cache_shard_t *shard, hust_cache_entry_t *entry,
                          const hust_cache_request_t *request, hust_buf_t *out)
{
    char text[24];
    int64_t left_s = -1;
    (void)shard;
    if (entry->expire_at_ms != 0) {
        assert(entry->expire_at_ms > request->now_ms);
        uint64_t left_ms = entry->expire_at_ms - request->now_ms;
        left_s = (int64_t)(left_ms / MS_PER_S + (left_ms % MS_PER_S != 0 ? 1 : 0));
    }
    return hust_buf_append(out, text, hust_format_i64(left_s, text)) == HUST_OK ? 200 : 500;
}

static unsigned found_del(hust_cache_shard_t *shard, hust_cache_entry_t *entry,
                          const hust_cache_request_t *request, hust_buf_t *out)
{
    (void)request;
    (void)out;
    hust_cache_shard_remove(shard, entry);
    return 200;
}

static unsigned found_persist(hust_cache_shard_t *shard, hust_cache_entry_t *entry,
                              const hust_cache_request_t *request, hust_buf_t *out)
{
    (void)shard;
    (void)request;
    (void)out;
    unsigned status = entry->expire_at_ms == 0 ? 404 : 200;
    entry->expire_at_ms = 0;
    return status;
}

static unsigned found_expire(hust_cache_shard_t *shard, hust_cache_entry_t *entry,
                             const hust_cache_request_t *request, hust_buf_t *out)
{
    if (request->expire_at_ms == 0) {
        return found_persist(shard, entry, request, out);
    }
    entry->expire_at_ms = request->expire_at_ms;
    return 200;
}

static unsigned found_get(hust_cache_shard_t *shard, hust_cache_entry_t *entry,
                          const hust_cache_request_t *request, hust_buf_t *out)
{
    (void)shard;
    (void)request;
    return entry->kind == HUST_CACHE_VALUE ? hust_cache_copy_value(entry, out) : 412;
}

unsigned hust_cache_exist(hust_cache_t *cache, const hust_cache_request_t *request, hust_buf_t *out)
{
    return on_found(cache, request, out, found_exist);
}

unsigned hust_cache_ttl(hust_cache_t *cache, const hust_cache_request_t *request, hust_buf_t *out)
{
    return on_found(cache, request, out, found_ttl);
}

unsigned hust_cache_del(hust_cache_t *cache, const hust_cache_request_t *request, hust_buf_t *out)
{
    return on_found(cache, request, out, found_del);
}

unsigned hust_cache_persist(hust_cache_t *cache, const hust_cache_request_t *request,
                            hust_buf_t *out)
{
    return on_found(cache, request, out, found_persist);
}

unsigned hust_cache_expire(hust_cache_t *cache, const hust_cache_request_t *request,
                           hust_buf_t *out)
{
    return on_found(cache, request, out, found_expire);
}

unsigned hust_cache_get(hust_cache_t *cache, const hust_cache_request_t *request, hust_buf_t *out)
{
    return on_found(cache, request, out, found_get);
}

/* --- writes of a value --- */

/* Store `head` followed by the request's value in place of `old` (NULL: there is none). */
static unsigned store_value(hust_cache_shard_t *shard, uint64_t hash, hust_cache_entry_t *old,
                            hust_slice_t head, const hust_cache_request_t *request,
                            uint64_t expire_at_ms)
{
    unsigned status = 200;
    hust_slice_t tail = request->val;
    hust_cache_entry_t *entry = hust_cache_entry_make(shard, HUST_CACHE_VALUE, hash, request->key,
                                                      head.len + tail.len, &status);
    if (entry == NULL) {
        assert(status != 200);
        return status;
    }
    uint8_t *room = hust_cache_entry_room(entry);
    if (head.len > 0) {
        memcpy(room, head.data, head.len);
    }
    if (tail.len > 0) {
        memcpy(room + head.len, tail.data, tail.len);
    }
    entry->expire_at_ms = expire_at_ms;
    if (old != NULL) {
        hust_cache_shard_remove(shard, old);
    }
    hust_cache_shard_add(shard, entry);
    return 200;
}

unsigned hust_cache_put(hust_cache_t *cache, const hust_cache_request_t *request, hust_buf_t *out)
{
    (void)out;
    uint64_t hash = hust_cache_hash(cache, request->key);
    hust_cache_shard_t *shard = hust_cache_lock(cache, hash);
    hust_cache_entry_t *old = hust_cache_shard_find(shard, hash, request->key, request->now_ms);
    unsigned status = 412;
    if (old == NULL || old->kind == HUST_CACHE_VALUE) {
        status = store_value(shard, hash, old, (hust_slice_t){0}, request, request->expire_at_ms);
    }
    hust_cache_unlock(shard);
    return status;
}

static unsigned append_to(hust_cache_t *cache, hust_cache_shard_t *shard, uint64_t hash,
                          const hust_cache_request_t *request)
{
    hust_cache_entry_t *old = hust_cache_shard_find(shard, hash, request->key, request->now_ms);
    if (old == NULL) {
        return store_value(shard, hash, NULL, (hust_slice_t){0}, request, 0);
    }
    if (old->kind != HUST_CACHE_VALUE) {
        return 412;
    }
    hust_slice_t head = hust_cache_entry_value(old);
    assert(head.len <= cache->value_bytes_max);
    if (request->val.len > cache->value_bytes_max - head.len) {
        return 413;
    }
    return store_value(shard, hash, old, head, request, old->expire_at_ms);
}

unsigned hust_cache_append(hust_cache_t *cache, const hust_cache_request_t *request,
                           hust_buf_t *out)
{
    (void)out;
    uint64_t hash = hust_cache_hash(cache, request->key);
    hust_cache_shard_t *shard = hust_cache_lock(cache, hash);
    unsigned status = append_to(cache, shard, hash, request);
    hust_cache_unlock(shard);
    return status;
}
