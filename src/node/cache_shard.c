#include "node/cache_shard.h"

#include <assert.h>
#include <stdlib.h>

enum {
    /*
     * glibc takes 8 bytes beside a chunk, rounds to 16, takes 32 at least, and gives away a rest of
     * 16 that it cannot use. From some size on (128 KiB, unless it learns better) it takes whole
     * pages for a chunk, and 16 bytes beside.
     */
    CHUNK_ALIGN = 16,
    CHUNK_EXTRA = 8 + CHUNK_ALIGN,
    CHUNK_MIN = 48,
    PAGE_BYTES = 4096,
    PAGES_EXTRA = 32,
    PAGES_FROM = 64 * 1024,
    /* A slot of 8 bytes for so many bytes of the share: chains stay short, the table stays small.
     */
    SHARE_BYTES_PER_SLOT = 256,
};

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) & ~(unit - 1);
}

size_t hust_cache_charge(size_t bytes)
{
    if (bytes >= PAGES_FROM) {
        return round_up(bytes + PAGES_EXTRA, PAGE_BYTES);
    }
    size_t chunk = round_up(bytes + CHUNK_EXTRA, CHUNK_ALIGN);
    assert(chunk >= bytes + 8);
    return chunk < CHUNK_MIN ? CHUNK_MIN : chunk;
}

size_t hust_cache_entry_charge(size_t key_len, size_t value_len)
{
    return hust_cache_charge(sizeof(hust_cache_entry_t) + key_len + value_len);
}

/* --- life --- */

hust_error_t hust_cache_shard_init(hust_cache_shard_t *shard, size_t capacity, size_t extra_bytes)
{
    size_t slot_count = 1;
    while (slot_count <= capacity / SHARE_BYTES_PER_SLOT / 2) {
        slot_count *= 2;
    }
    *shard = (hust_cache_shard_t){.slot_count = slot_count, .capacity = capacity};
    shard->slots = calloc(slot_count, sizeof(shard->slots[0]));
    if (shard->slots == NULL) {
        return HUST_ERR_NOMEM;
    }
    pthread_mutex_init(&shard->lock, NULL);
    shard->charged_empty = hust_cache_charge(slot_count * sizeof(shard->slots[0])) + extra_bytes;
    shard->charged = shard->charged_empty;
    assert(shard->charged < capacity);
    shard->item_bytes_max = (capacity - shard->charged) / 2;
    return HUST_OK;
}

void hust_cache_shard_deinit(hust_cache_shard_t *shard)
{
    while (shard->oldest != NULL) {
        hust_cache_shard_remove(shard, shard->oldest);
    }
    assert(shard->items == 0);
    assert(shard->charged == shard->charged_empty);
    pthread_mutex_destroy(&shard->lock);
    free(shard->slots);
}

/* --- the table --- */

static hust_cache_entry_t **slot_of(const hust_cache_shard_t *shard, uint64_t hash)
{
    return &shard->slots[hash & (shard->slot_count - 1)];
}

static void link_slot(hust_cache_shard_t *shard, hust_cache_entry_t *entry)
{
    hust_cache_entry_t **slot = slot_of(shard, entry->hash);
    assert(entry->chain == NULL);
    entry->chain = *slot;
    *slot = entry;
}

static void unlink_slot(hust_cache_shard_t *shard, hust_cache_entry_t *entry)
{
    hust_cache_entry_t **at = slot_of(shard, entry->hash);
    while (*at != entry) {
        assert(*at != NULL);
        at = &(*at)->chain;
    }
    *at = entry->chain;
    entry->chain = NULL;
}

/* --- the order of use --- */

static void link_newest(hust_cache_shard_t *shard, hust_cache_entry_t *entry)
{
    assert((shard->newest == NULL) == (shard->oldest == NULL));
    entry->newer = NULL;
    entry->older = shard->newest;
    if (shard->newest == NULL) {
        shard->oldest = entry;
    } else {
        shard->newest->newer = entry;
    }
    shard->newest = entry;
}

static void unlink_use(hust_cache_shard_t *shard, hust_cache_entry_t *entry)
{
    if (entry->newer == NULL) {
        assert(shard->newest == entry);
        shard->newest = entry->older;
    } else {
        entry->newer->older = entry->older;
    }
    if (entry->older == NULL) {
        assert(shard->oldest == entry);
        shard->oldest = entry->newer;
    } else {
        entry->older->newer = entry->newer;
    }
}

/* --- entries --- */

static void discard(hust_cache_shard_t *shard, hust_cache_entry_t *entry, size_t bytes)
{
    assert(shard->charged >= shard->charged_empty + bytes);
    shard->charged -= bytes;
    free(entry);
}

static void remove_field(hust_cache_shard_t *shard, hust_cache_entry_t *field)
{
    hust_cache_entry_t *owner = field->owner;
    assert(owner->kind == HUST_CACHE_HASH && owner->charged > field->charged);
    unlink_slot(shard, field);
    if (field->newer == NULL) {
        assert(owner->fields == field);
        owner->fields = field->older;
    } else {
        field->newer->older = field->older;
    }
    if (field->older != NULL) {
        field->older->newer = field->newer;
    }
    owner->charged -= field->charged;
    discard(shard, field, field->charged);
}

void hust_cache_shard_remove(hust_cache_shard_t *shard, hust_cache_entry_t *entry)
{
    if (entry->kind == HUST_CACHE_FIELD) {
        remove_field(shard, entry);
        return;
    }
    while (entry->kind == HUST_CACHE_HASH && entry->fields != NULL) {
        remove_field(shard, entry->fields);
    }
    unlink_slot(shard, entry);
    unlink_use(shard, entry);
    assert(shard->items > 0);
    shard->items--;
    discard(shard, entry, entry->charged);
}

/*
 * Evict until `bytes` more fit. The newest one always stays, as two items of the largest size fit:
 * what a call has found, and is about to replace or to add to, is safe.
 */
static void make_room(hust_cache_shard_t *shard, size_t bytes)
{
    assert(bytes <= shard->item_bytes_max);
    while (shard->charged + bytes > shard->capacity) {
        assert(shard->oldest != shard->newest);
        hust_cache_shard_remove(shard, shard->oldest);
        shard->evicted++;
    }
}

hust_cache_entry_t *hust_cache_entry_make(hust_cache_shard_t *shard, hust_cache_kind_t kind,
                                          uint64_t hash, hust_slice_t key, size_t value_len,
                                          unsigned *status)
{
    assert(key.len > 0 && key.len <= UINT16_MAX);
    size_t charge = hust_cache_entry_charge(key.len, value_len);
    if (charge > shard->item_bytes_max || value_len > UINT32_MAX) {
        *status = 507;
        return NULL;
    }
    make_room(shard, charge);
    hust_cache_entry_t *entry = malloc(sizeof(*entry) + key.len + value_len);
    if (entry == NULL) {
        *status = 500;
        return NULL;
    }
    *entry = (hust_cache_entry_t){.hash = hash,
                                  .charged = charge,
                                  .value_len = (uint32_t)value_len,
                                  .key_len = (uint16_t)key.len,
                                  .kind = (uint8_t)kind};
    memcpy(entry->bytes, key.data, key.len);
    shard->charged += charge;
    assert(shard->charged <= shard->capacity);
    return entry;
}

void hust_cache_shard_add(hust_cache_shard_t *shard, hust_cache_entry_t *entry)
{
    assert(entry->kind != HUST_CACHE_FIELD);
    link_slot(shard, entry);
    link_newest(shard, entry);
    shard->items++;
}

void hust_cache_shard_add_field(hust_cache_shard_t *shard, hust_cache_entry_t *owner,
                                hust_cache_entry_t *field)
{
    assert(owner->kind == HUST_CACHE_HASH && field->kind == HUST_CACHE_FIELD);
    assert(owner->charged + field->charged <= shard->item_bytes_max);
    link_slot(shard, field);
    field->owner = owner;
    field->newer = NULL;
    field->older = owner->fields;
    if (owner->fields != NULL) {
        owner->fields->newer = field;
    }
    owner->fields = field;
    owner->charged += field->charged;
}

/* --- finding --- */

static bool has_expired(const hust_cache_entry_t *entry, uint64_t now_ms)
{
    return entry->expire_at_ms != 0 && entry->expire_at_ms <= now_ms;
}

static bool is_named(const hust_cache_entry_t *entry, uint64_t hash, hust_slice_t key)
{
    return entry->hash == hash && hust_slice_equal(hust_cache_entry_key(entry), key);
}

hust_cache_entry_t *hust_cache_shard_find(hust_cache_shard_t *shard, uint64_t hash,
                                          hust_slice_t key, uint64_t now_ms)
{
    hust_cache_entry_t *entry = *slot_of(shard, hash);
    while (entry != NULL && (entry->kind == HUST_CACHE_FIELD || !is_named(entry, hash, key))) {
        entry = entry->chain;
    }
    if (entry == NULL) {
        return NULL;
    }
    if (has_expired(entry, now_ms)) {
        hust_cache_shard_remove(shard, entry);
        return NULL;
    }
    unlink_use(shard, entry);
    link_newest(shard, entry);
    return entry;
}

hust_cache_entry_t *hust_cache_shard_find_field(const hust_cache_shard_t *shard,
                                                const hust_cache_entry_t *owner, uint64_t hash,
                                                hust_slice_t field)
{
    assert(owner->kind == HUST_CACHE_HASH);
    hust_cache_entry_t *entry = *slot_of(shard, hash);
    while (entry != NULL && (entry->kind != HUST_CACHE_FIELD || entry->owner != owner ||
                             !is_named(entry, hash, field))) {
        entry = entry->chain;
    }
    return entry;
}

/* --- the check --- */

/* What a hash is charged, from its parts. */
static size_t sum_hash(const hust_cache_entry_t *hash, size_t *fields)
{
    size_t sum = hust_cache_entry_charge(hash->key_len, 0);
    const hust_cache_entry_t *newer = NULL;
    assert(hash->value_len == 0 && hash->fields != NULL);
    for (const hust_cache_entry_t *field = hash->fields; field != NULL; field = field->older) {
        assert(field->kind == HUST_CACHE_FIELD && field->owner == hash);
        assert(field->newer == newer);
        assert(field->charged == hust_cache_entry_charge(field->key_len, field->value_len));
        sum += field->charged;
        newer = field;
        ++*fields;
    }
    return sum;
}

static size_t count_table(const hust_cache_shard_t *shard)
{
    size_t count = 0;
    for (size_t i = 0; i < shard->slot_count; i++) {
        for (const hust_cache_entry_t *entry = shard->slots[i]; entry != NULL;
             entry = entry->chain) {
            assert(slot_of(shard, entry->hash) == &shard->slots[i]);
            count++;
        }
    }
    return count;
}

void hust_cache_shard_check(const hust_cache_shard_t *shard)
{
    size_t sum = shard->charged_empty;
    size_t items = 0;
    size_t fields = 0;
    const hust_cache_entry_t *newer = NULL;
    for (const hust_cache_entry_t *entry = shard->newest; entry != NULL; entry = entry->older) {
        assert(entry->newer == newer);
        bool value = entry->kind == HUST_CACHE_VALUE;
        size_t expected = value ? hust_cache_entry_charge(entry->key_len, entry->value_len)
                                : sum_hash(entry, &fields);
        assert(entry->charged == expected && expected <= shard->item_bytes_max);
        sum += entry->charged;
        newer = entry;
        items++;
    }
    assert(shard->oldest == newer);
    assert(shard->items == items && count_table(shard) == items + fields);
    assert(shard->charged == sum && sum <= shard->capacity);
    (void)sum;
    (void)fields;
}
