#include "node/counters.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/wire.h"
#include "node/hash.h"
#include "node/log.h"

const hust_type_t HUST_TYPES[HUST_TYPE_COUNT] = {HUST_TYPE_KV, HUST_TYPE_HASH, HUST_TYPE_SET,
                                                 HUST_TYPE_ZSET};

/* Stored as "count/" | type | tb -> count, size, capacity, expiring (u64 each). */
static const char META_PREFIX[] = "count/";

enum {
    META_PREFIX_BYTES = sizeof(META_PREFIX) - 1,
    META_VALUE_BYTES = 32,
    CAPACITY_STEP_BYTES = 1024,
};

typedef struct table table_t;

typedef struct slot {
    table_t *table;
    hust_count_t now;
    hust_count_t committed;      /* valid while dirty */
    uint64_t uncommitted_expiry; /* 0 while not dirty */
    struct slot *next_dirty;
    bool dirty;
} slot_t;

struct table {
    UT_hash_handle hh;
    slot_t slots[HUST_TYPE_COUNT];
    size_t tb_len;
    uint8_t tb[]; /* empty: the KV pairs */
};

struct hust_counters {
    pthread_rwlock_t lock;
    table_t *tables; /* by tb, the KV pairs under the empty name */
    slot_t *dirty;
    hust_count_t totals[HUST_TYPE_COUNT];
};

static unsigned type_index(hust_type_t type)
{
    unsigned index = 0;
    while (HUST_TYPES[index] != type) {
        index++;
        assert(index < HUST_TYPE_COUNT);
    }
    return index;
}

hust_footprint_t hust_footprint(hust_slice_t key, const hust_record_t *record)
{
    hust_footprint_t none = {0};
    if (record->side_count == 0 || record->sides[0].deleted) {
        return none;
    }
    uint64_t size = key.len + record->sides[0].value.len;
    uint64_t steps = (size + CAPACITY_STEP_BYTES - 1) / CAPACITY_STEP_BYTES;
    uint64_t expire_at_ms = record->sides[0].expire_at_ms;
    assert(size > 0);
    return (hust_footprint_t){.count = {.count = 1,
                                        .size = size,
                                        .capacity = steps * CAPACITY_STEP_BYTES,
                                        .expiring = expire_at_ms != 0},
                              .expire_at_ms = expire_at_ms};
}

static void count_add(hust_count_t *to, const hust_count_t *what)
{
    to->count += what->count;
    to->size += what->size;
    to->capacity += what->capacity;
    to->expiring += what->expiring;
}

static void count_subtract(hust_count_t *from, const hust_count_t *what)
{
    assert(from->count >= what->count && from->size >= what->size);
    assert(from->capacity >= what->capacity && from->expiring >= what->expiring);
    from->count -= what->count;
    from->size -= what->size;
    from->capacity -= what->capacity;
    from->expiring -= what->expiring;
}

static table_t *find_table(const hust_counters_t *counters, hust_slice_t tb)
{
    table_t *table = NULL;
    HASH_FIND(hh, counters->tables, tb.data, tb.len, table);
    return table;
}

static table_t *add_table(hust_counters_t *counters, hust_slice_t tb)
{
    assert(tb.len <= HUST_TB_BYTES_MAX);
    assert(find_table(counters, tb) == NULL);
    table_t *table = calloc(1, sizeof(*table) + tb.len);
    if (table == NULL) {
        return NULL;
    }
    table->tb_len = tb.len;
    if (tb.len > 0) {
        memcpy(table->tb, tb.data, tb.len);
    }
    for (unsigned i = 0; i < HUST_TYPE_COUNT; i++) {
        table->slots[i].table = table;
    }
    HASH_ADD_KEYPTR(hh, counters->tables, table->tb, table->tb_len, table);
    if (table->hh.tbl == NULL) {
        free(table);
        return NULL;
    }
    return table;
}

static bool is_unused(const table_t *table)
{
    for (unsigned i = 0; i < HUST_TYPE_COUNT; i++) {
        if (table->slots[i].now.count != 0 || table->slots[i].dirty) {
            return false;
        }
    }
    return true;
}

static size_t meta_key(const slot_t *slot, uint8_t out[META_PREFIX_BYTES + 1 + HUST_TB_BYTES_MAX])
{
    const table_t *table = slot->table;
    assert(slot >= table->slots && slot < table->slots + HUST_TYPE_COUNT);
    memcpy(out, META_PREFIX, META_PREFIX_BYTES);
    out[META_PREFIX_BYTES] = (uint8_t)HUST_TYPES[slot - table->slots];
    memcpy(out + META_PREFIX_BYTES + 1, table->tb, table->tb_len);
    return META_PREFIX_BYTES + 1 + table->tb_len;
}

static void meta_value(const hust_count_t *count, uint8_t out[META_VALUE_BYTES])
{
    assert(count->count > 0 && count->expiring <= count->count);
    assert(count->size >= count->count && count->capacity >= count->size);
    hust_put_u64(out, count->count);
    hust_put_u64(out + 8, count->size);
    hust_put_u64(out + 16, count->capacity);
    hust_put_u64(out + 24, count->expiring);
}

static hust_error_t load_one(hust_counters_t *counters, hust_slice_t key, hust_slice_t value)
{
    hust_slice_t tb =
        hust_slice_of(key.data + META_PREFIX_BYTES + 1, key.len - META_PREFIX_BYTES - 1);
    int letter = key.data[META_PREFIX_BYTES];
    bool named = letter == HUST_TYPE_KV ? tb.len == 0 : hust_tb_valid(tb);
    if (!hust_type_valid(letter) || !named || value.len != META_VALUE_BYTES) {
        return HUST_ERR_MALFORMED;
    }
    hust_count_t count = {.count = hust_get_u64(value.data),
                          .size = hust_get_u64(value.data + 8),
                          .capacity = hust_get_u64(value.data + 16),
                          .expiring = hust_get_u64(value.data + 24)};
    table_t *table = find_table(counters, tb);
    if (table == NULL) {
        table = add_table(counters, tb);
    }
    if (table == NULL) {
        return HUST_ERR_NOMEM;
    }
    unsigned index = type_index((hust_type_t)letter);
    table->slots[index].now = count;
    count_add(&counters->totals[index], &count);
    return HUST_OK;
}

static hust_error_t load_all(hust_counters_t *counters, hust_store_t *store)
{
    hust_error_t err = HUST_OK;
    hust_slice_t prefix = hust_slice_str(META_PREFIX);
    hust_scan_t *scan = hust_scan_begin(store, HUST_CF_META);
    if (scan == NULL) {
        return HUST_ERR_NOMEM;
    }
    hust_scan_seek(scan, prefix);
    while (err == HUST_OK && hust_scan_within(scan, prefix)) {
        hust_slice_t key = hust_scan_key(scan);
        err = key.len <= prefix.len ? HUST_ERR_MALFORMED
                                    : load_one(counters, key, hust_scan_value(scan));
        hust_scan_next(scan);
    }
    hust_scan_end(scan);
    return err;
}

hust_error_t hust_counters_load(hust_store_t *store, hust_counters_t **out)
{
    hust_counters_t *counters = calloc(1, sizeof(*counters));
    *out = NULL;
    if (counters == NULL) {
        return HUST_ERR_NOMEM;
    }
    pthread_rwlock_init(&counters->lock, NULL);
    hust_error_t err = load_all(counters, store);
    if (err != HUST_OK) {
        hust_log(HUST_LOG_ERROR, "store: cannot read the table counters: %s", hust_error_text(err));
        hust_counters_free(counters);
        return err;
    }
    *out = counters;
    return HUST_OK;
}

void hust_counters_free(hust_counters_t *counters)
{
    table_t *table;
    table_t *next;
    if (counters == NULL) {
        return;
    }
    HASH_ITER(hh, counters->tables, table, next)
    {
        HASH_DEL(counters->tables, table);
        free(table);
    }
    pthread_rwlock_destroy(&counters->lock);
    free(counters);
}

hust_count_t hust_counters_total(hust_counters_t *counters, hust_type_t type)
{
    pthread_rwlock_rdlock(&counters->lock);
    hust_count_t total = counters->totals[type_index(type)];
    pthread_rwlock_unlock(&counters->lock);
    return total;
}

bool hust_counters_table(hust_counters_t *counters, hust_slice_t tb, hust_table_counts_t *out)
{
    bool found = false;
    *out = (hust_table_counts_t){0};
    assert(tb.len > 0);
    pthread_rwlock_rdlock(&counters->lock);
    const table_t *table = find_table(counters, tb);
    for (unsigned i = 0; table != NULL && i < HUST_TYPE_COUNT; i++) {
        out->counts[i] = table->slots[i].now;
        out->uncommitted_expiry_ms[i] = table->slots[i].uncommitted_expiry;
        found = found || out->counts[i].count > 0;
    }
    pthread_rwlock_unlock(&counters->lock);
    return found;
}

hust_count_t hust_counters_of(hust_counters_t *counters, hust_slice_t tb, hust_type_t type)
{
    hust_table_counts_t table;
    (void)hust_counters_table(counters, tb, &table);
    return table.counts[type_index(type)];
}

static int compare_tables(const void *left, const void *right)
{
    const hust_table_t *a = left;
    const hust_table_t *b = right;
    int order = hust_slice_compare(a->tb, b->tb);
    return order != 0 ? order : (int)a->type - (int)b->type;
}

/* One allocation: the rows, then the names they point to. */
static hust_table_t *copy_tables(const hust_counters_t *counters, size_t *count)
{
    size_t rows_max = HASH_COUNT(counters->tables) * (size_t)(HUST_TYPE_COUNT - 1);
    hust_table_t *rows = malloc(rows_max * (sizeof(*rows) + HUST_TB_BYTES_MAX) + 1);
    if (rows == NULL) {
        return NULL;
    }
    uint8_t *names = (uint8_t *)(rows + rows_max);
    *count = 0;
    for (const table_t *table = counters->tables; table != NULL; table = table->hh.next) {
        for (unsigned i = 1; i < HUST_TYPE_COUNT; i++) {
            if (table->slots[i].now.count > 0) {
                memcpy(names, table->tb, table->tb_len);
                rows[(*count)++] = (hust_table_t){.tb = {names, table->tb_len},
                                                  .type = HUST_TYPES[i],
                                                  .count = table->slots[i].now};
                names += table->tb_len;
            }
        }
    }
    assert(*count <= rows_max);
    return rows;
}

hust_error_t hust_counters_tables(hust_counters_t *counters, hust_table_t **out, size_t *count)
{
    pthread_rwlock_rdlock(&counters->lock);
    *out = copy_tables(counters, count);
    pthread_rwlock_unlock(&counters->lock);
    if (*out == NULL) {
        return HUST_ERR_NOMEM;
    }
    qsort(*out, *count, sizeof(**out), compare_tables);
    return HUST_OK;
}

static void mark_dirty(hust_counters_t *counters, slot_t *slot)
{
    if (!slot->dirty) {
        slot->dirty = true;
        slot->committed = slot->now;
        slot->next_dirty = counters->dirty;
        counters->dirty = slot;
    }
}

static hust_error_t change(hust_counters_t *counters, const hust_element_t *element,
                           const hust_footprint_t *before, const hust_footprint_t *after)
{
    unsigned index = type_index(element->type);
    table_t *table = find_table(counters, element->tb);
    if (table == NULL) {
        table = add_table(counters, element->tb);
    }
    if (table == NULL) {
        return HUST_ERR_NOMEM;
    }
    slot_t *slot = &table->slots[index];
    assert(slot->table == table);
    mark_dirty(counters, slot);
    count_subtract(&slot->now, &before->count);
    count_subtract(&counters->totals[index], &before->count);
    count_add(&slot->now, &after->count);
    count_add(&counters->totals[index], &after->count);
    assert(counters->totals[index].count >= slot->now.count);
    if (after->expire_at_ms > slot->uncommitted_expiry) {
        slot->uncommitted_expiry = after->expire_at_ms;
    }
    return HUST_OK;
}

hust_error_t hust_counters_change(hust_counters_t *counters, const hust_element_t *element,
                                  const hust_footprint_t *before, const hust_footprint_t *after)
{
    assert(before->count.count <= 1 && after->count.count <= 1);
    assert((after->expire_at_ms != 0) == (after->count.expiring != 0));
    if (before->count.count == 0 && after->count.count == 0) {
        return HUST_OK;
    }
    pthread_rwlock_wrlock(&counters->lock);
    hust_error_t err = change(counters, element, before, after);
    pthread_rwlock_unlock(&counters->lock);
    return err;
}

void hust_counters_stage(hust_counters_t *counters, hust_write_t *write)
{
    /* No lock: only this thread changes what is read here. */
    for (const slot_t *slot = counters->dirty; slot != NULL; slot = slot->next_dirty) {
        uint8_t key[META_PREFIX_BYTES + 1 + HUST_TB_BYTES_MAX];
        uint8_t value[META_VALUE_BYTES];
        hust_slice_t key_slice = hust_slice_of(key, meta_key(slot, key));
        assert(slot->dirty);
        if (slot->now.count == 0) {
            hust_write_delete(write, HUST_CF_META, key_slice);
        } else {
            meta_value(&slot->now, value);
            hust_write_put(write, HUST_CF_META, key_slice, hust_slice_of(value, sizeof(value)));
        }
    }
}

/* Take all slots off the dirty list, and forget tables that hold nothing any more. */
static void settle(hust_counters_t *counters, bool keep)
{
    while (counters->dirty != NULL) {
        slot_t *slot = counters->dirty;
        counters->dirty = slot->next_dirty;
        assert(slot->dirty);
        if (!keep) {
            hust_count_t *total = &counters->totals[slot - slot->table->slots];
            count_subtract(total, &slot->now);
            count_add(total, &slot->committed);
            slot->now = slot->committed;
        }
        slot->dirty = false;
        slot->uncommitted_expiry = 0;
        if (is_unused(slot->table)) {
            table_t *table = slot->table;
            HASH_DEL(counters->tables, table);
            free(table);
        }
    }
}

void hust_counters_commit(hust_counters_t *counters)
{
    if (counters->dirty != NULL) {
        pthread_rwlock_wrlock(&counters->lock);
        settle(counters, true);
        pthread_rwlock_unlock(&counters->lock);
    }
}

void hust_counters_rollback(hust_counters_t *counters)
{
    pthread_rwlock_wrlock(&counters->lock);
    settle(counters, false);
    pthread_rwlock_unlock(&counters->lock);
}
