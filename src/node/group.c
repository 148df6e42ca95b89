#include "node/group.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>

#include "node/keys.h"
#include "node/log.h"

enum {
    CHUNK_BYTES = 64 * 1024,
    /* A scratch buffer that grew larger for one large value is given back. */
    SCRATCH_BYTES_KEPT = 1 << 20,
};

typedef struct chunk {
    struct chunk *next;
    size_t used;
    size_t size;
    alignas(max_align_t) uint8_t bytes[];
} chunk_t;

struct hust_group {
    hust_store_t *store;
    hust_group_entry_t *entries;
    chunk_t *chunks; /* the first one has room */
    hust_buf_t scratch;
};

hust_group_t *hust_group_new(hust_store_t *store)
{
    hust_group_t *group = calloc(1, sizeof(*group));
    if (group != NULL) {
        group->store = store;
    }
    return group;
}

void hust_group_free(hust_group_t *group)
{
    if (group == NULL) {
        return;
    }
    hust_group_clear(group);
    free(group->chunks);
    hust_buf_free(&group->scratch);
    free(group);
}

static bool add_chunk(hust_group_t *group, size_t bytes)
{
    size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    chunk_t *chunk = malloc(sizeof(*chunk) + size);
    if (chunk == NULL) {
        return false;
    }
    assert(size >= bytes);
    chunk->next = group->chunks;
    chunk->used = 0;
    chunk->size = size;
    group->chunks = chunk;
    return true;
}

void *hust_group_alloc(hust_group_t *group, size_t bytes)
{
    size_t step = alignof(max_align_t);
    assert(bytes > 0);
    bytes = (bytes + step - 1) / step * step;
    if (group->chunks == NULL || group->chunks->size - group->chunks->used < bytes) {
        if (!add_chunk(group, bytes)) {
            return NULL;
        }
    }
    void *out = group->chunks->bytes + group->chunks->used;
    group->chunks->used += bytes;
    assert(group->chunks->used <= group->chunks->size);
    return out;
}

/* Give all chunks back but one of ordinary size. */
static void clear_chunks(hust_group_t *group)
{
    chunk_t *keep = NULL;
    while (group->chunks != NULL) {
        chunk_t *chunk = group->chunks;
        group->chunks = chunk->next;
        if (keep == NULL && chunk->size == CHUNK_BYTES) {
            keep = chunk;
            keep->used = 0;
            keep->next = NULL;
        } else {
            free(chunk);
        }
    }
    assert(keep == NULL || keep->used == 0);
    group->chunks = keep;
}

static hust_group_entry_t *new_entry(hust_group_t *group, hust_slice_t key)
{
    hust_group_entry_t *entry = hust_group_alloc(group, sizeof(*entry));
    uint8_t *bytes = hust_group_alloc(group, key.len);
    if (entry == NULL || bytes == NULL) {
        return NULL;
    }
    memcpy(bytes, key.data, key.len);
    *entry = (hust_group_entry_t){.key = {bytes, key.len}};
    hust_error_t err = hust_data_key_parse(entry->key, &entry->element);
    assert(err == HUST_OK);
    (void)err;
    HASH_ADD_KEYPTR(hh, group->entries, bytes, key.len, entry);
    return entry->hh.tbl == NULL ? NULL : entry;
}

hust_error_t hust_group_touch(hust_group_t *group, const hust_element_t *element,
                              hust_group_entry_t **out)
{
    uint8_t bytes[HUST_DATA_KEY_BYTES_MAX];
    hust_slice_t key = hust_slice_of(bytes, hust_data_key(element, bytes));
    HASH_FIND(hh, group->entries, key.data, key.len, *out);
    if (*out == NULL) {
        *out = new_entry(group, key);
    }
    return *out == NULL ? HUST_ERR_NOMEM : HUST_OK;
}

static void decode(hust_group_entry_t *entry)
{
    assert(!entry->loaded && !entry->changed);
    entry->loaded = true;
    if (entry->pinned.pin == NULL) {
        return;
    }
    entry->error = hust_stored_decode(entry->pinned.bytes, &entry->stored);
    if (entry->error != HUST_OK) {
        hust_log(HUST_LOG_ERROR, "store: a record of %zu bytes cannot be read: %s",
                 entry->pinned.bytes.len, hust_error_text(entry->error));
        entry->stored = (hust_stored_t){0};
        return;
    }
    entry->footprint = hust_footprint(entry->element.key, &entry->stored.record);
    entry->on_store = entry->footprint;
}

static hust_error_t load(hust_group_t *group, hust_group_entry_t **entries, size_t count)
{
    hust_slice_t *keys = hust_group_alloc(group, count * sizeof(*keys));
    hust_pinned_t *found = hust_group_alloc(group, count * sizeof(*found));
    if (keys == NULL || found == NULL) {
        return HUST_ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        keys[i] = entries[i]->key;
    }
    hust_error_t err = hust_store_get_many(group->store, HUST_CF_DATA, keys, count, found);
    for (size_t i = 0; err == HUST_OK && i < count; i++) {
        entries[i]->pinned = found[i];
        decode(entries[i]);
    }
    return err;
}

hust_error_t hust_group_load(hust_group_t *group)
{
    size_t count = 0;
    size_t room = HASH_COUNT(group->entries);
    if (room == 0) {
        return HUST_OK;
    }
    hust_group_entry_t **wanted = hust_group_alloc(group, room * sizeof(hust_group_entry_t *));
    if (wanted == NULL) {
        return HUST_ERR_NOMEM;
    }
    for (hust_group_entry_t *entry = group->entries; entry != NULL; entry = entry->hh.next) {
        if (!entry->loaded) {
            wanted[count++] = entry;
        }
    }
    assert(count <= room);
    return count == 0 ? HUST_OK : load(group, wanted, count);
}

void hust_group_set(hust_group_entry_t *entry, const hust_stored_t *next)
{
    assert(entry->loaded && entry->error == HUST_OK);
    assert(next->record.side_count <= 2);
    entry->stored = *next;
    entry->footprint = hust_footprint(entry->element.key, &next->record);
    entry->changed = true;
}

static void stage_one(hust_slice_t key, bool add, hust_write_t *write)
{
    if (add) {
        hust_write_put(write, HUST_CF_EXPIRY, key, hust_slice_str(""));
    } else {
        hust_write_delete(write, HUST_CF_EXPIRY, key);
    }
}

/* The expiry entries of an element for one instant: by time and, except for KV, by table. */
static void stage_expiry(const hust_group_entry_t *entry, uint64_t instant_ms, bool add,
                         hust_write_t *write)
{
    uint8_t bytes[HUST_EXPIRY_KEY_BYTES_MAX];
    assert(instant_ms != 0);
    size_t len = hust_expiry_key(instant_ms, entry->key, bytes);
    stage_one(hust_slice_of(bytes, len), add, write);
    if (entry->element.type != HUST_TYPE_KV) {
        len = hust_table_expiry_key(instant_ms, &entry->element, bytes);
        stage_one(hust_slice_of(bytes, len), add, write);
    }
}

void hust_group_drop_expiry(const hust_group_entry_t *entry, uint64_t instant_ms,
                            hust_write_t *write)
{
    stage_expiry(entry, instant_ms, false, write);
}

static hust_error_t stage_record(hust_group_t *group, const hust_group_entry_t *entry,
                                 hust_write_t *write)
{
    assert(entry->stored.record.side_count <= 2);
    if (entry->stored.record.side_count == 0 && !entry->stored.hint.present) {
        hust_write_delete(write, HUST_CF_DATA, entry->key);
        return HUST_OK;
    }
    hust_buf_clear(&group->scratch);
    hust_error_t err = hust_stored_encode(&entry->stored, &group->scratch);
    if (err == HUST_OK) {
        hust_write_put(write, HUST_CF_DATA, entry->key, hust_buf_slice(&group->scratch));
    }
    return err;
}

static hust_error_t stage_entry(hust_group_t *group, const hust_group_entry_t *entry,
                                hust_write_t *write)
{
    uint64_t before = entry->on_store.expire_at_ms;
    uint64_t after = entry->footprint.expire_at_ms;
    if (before != after && before != 0) {
        stage_expiry(entry, before, false, write);
    }
    if (before != after && after != 0) {
        stage_expiry(entry, after, true, write);
    }
    return stage_record(group, entry, write);
}

hust_error_t hust_group_stage(hust_group_t *group, hust_write_t *write)
{
    hust_error_t err = HUST_OK;
    const hust_group_entry_t *entry = group->entries;
    for (; err == HUST_OK && entry != NULL; entry = entry->hh.next) {
        if (entry->changed) {
            assert(entry->loaded && entry->error == HUST_OK);
            err = stage_entry(group, entry, write);
        }
    }
    return err;
}

void hust_group_clear(hust_group_t *group)
{
    for (hust_group_entry_t *entry = group->entries; entry != NULL; entry = entry->hh.next) {
        hust_pin_release(entry->pinned.pin);
    }
    HASH_CLEAR(hh, group->entries);
    assert(group->entries == NULL);
    clear_chunks(group);
    if (group->scratch.cap > SCRATCH_BYTES_KEPT) {
        hust_buf_free(&group->scratch);
    }
}
