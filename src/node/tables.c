#include "node/tables.h"

#include <assert.h>

#include "core/wire.h"
#include "node/keys.h"

typedef enum { TABLE_NONE, TABLE_SAME, TABLE_OTHER } table_state_t;

/* The latest instant at which a stored element of the table expires; 0 if none does. */
static uint64_t last_expiry(hust_store_t *store, hust_type_t type, hust_slice_t tb)
{
    uint8_t bound[1 + HUST_TABLE_PREFIX_BYTES_MAX + 8];
    size_t prefix = hust_table_expiry_prefix(type, tb, bound);
    uint64_t last = 0;
    hust_scan_t *scan = hust_scan_begin(store, HUST_CF_EXPIRY);
    if (scan == NULL) {
        return UINT64_MAX; /* unknown: the table is taken to exist */
    }
    memset(bound + prefix, 0xff, 8);
    hust_scan_seek_last(scan, hust_slice_of(bound, prefix + 8));
    if (hust_scan_within(scan, hust_slice_of(bound, prefix))) {
        hust_slice_t key = hust_scan_key(scan);
        last = key.len >= prefix + 8 ? hust_get_u64(key.data + prefix) : UINT64_MAX;
    }
    hust_scan_end(scan);
    return last;
}

/* True if the table holds an element of the type that has not expired. */
static bool holds(hust_store_t *store, const hust_table_counts_t *table, unsigned index,
                  hust_slice_t tb, uint64_t now_ms)
{
    assert(index > 0 && index < HUST_TYPE_COUNT);
    const hust_count_t *count = &table->counts[index];
    assert(count->expiring <= count->count);
    if (count->count != count->expiring) {
        return true; /* one of them is permanent */
    }
    return count->count > 0 && (table->uncommitted_expiry_ms[index] > now_ms ||
                                last_expiry(store, HUST_TYPES[index], tb) > now_ms);
}

static table_state_t look(hust_counters_t *counters, hust_store_t *store,
                          const hust_element_t *element, uint64_t now_ms)
{
    hust_table_counts_t table;
    table_state_t state = TABLE_NONE;
    assert(element->type != HUST_TYPE_KV);
    if (!hust_counters_table(counters, element->tb, &table)) {
        return TABLE_NONE;
    }
    for (unsigned i = 1; i < HUST_TYPE_COUNT; i++) {
        if (table.counts[i].count == 0 || !holds(store, &table, i, element->tb, now_ms)) {
            continue;
        }
        if (HUST_TYPES[i] == element->type) {
            return TABLE_SAME; /* after a race both types may be there: each call sees its own */
        }
        state = TABLE_OTHER;
    }
    return state;
}

/* True if no other type has anything counted under this name: then nothing forbids a put. */
static bool is_free_or_own(hust_counters_t *counters, const hust_element_t *element)
{
    hust_table_counts_t table;
    (void)hust_counters_table(counters, element->tb, &table);
    for (unsigned i = 1; i < HUST_TYPE_COUNT; i++) {
        if (table.counts[i].count > 0 && HUST_TYPES[i] != element->type) {
            return false;
        }
    }
    return true;
}

void hust_tables_judge_read(hust_counters_t *counters, hust_store_t *store, const hust_op_t *op,
                            hust_result_t *result)
{
    assert(result->status == 404);
    if (op->element.type == HUST_TYPE_KV) {
        return;
    }
    table_state_t state = look(counters, store, &op->element, op->now_ms);
    if (state != TABLE_SAME) {
        result->status = 412;
        result->flags |= state == TABLE_NONE ? HUST_RESULT_NO_TABLE : HUST_RESULT_OTHER_TYPE;
    }
}

bool hust_tables_allow_write(hust_counters_t *counters, hust_store_t *store, const hust_op_t *op,
                             hust_result_t *result)
{
    assert(hust_op_is_write(op));
    bool put_like = op->code == HUST_OP_PUT || op->code == HUST_OP_INCR;
    if (op->element.type == HUST_TYPE_KV || (!put_like && op->code != HUST_OP_DEL)) {
        return true;
    }
    if (put_like && is_free_or_own(counters, &op->element)) {
        return true;
    }
    table_state_t state = look(counters, store, &op->element, op->now_ms);
    bool missing =
        state == TABLE_NONE && op->code == HUST_OP_DEL && (op->flags & HUST_OPF_DIRECT) != 0;
    if (state != TABLE_OTHER && !missing) {
        return true;
    }
    *result = (hust_result_t){.status = 412,
                              .flags = missing ? HUST_RESULT_NO_TABLE : HUST_RESULT_OTHER_TYPE};
    return false;
}

bool hust_tables_type(hust_counters_t *counters, hust_store_t *store, hust_slice_t tb,
                      uint64_t now_ms, hust_type_t *type)
{
    hust_table_counts_t table;
    assert(tb.len > 0);
    (void)hust_counters_table(counters, tb, &table);
    for (unsigned i = 1; i < HUST_TYPE_COUNT; i++) {
        if (table.counts[i].count > 0 && holds(store, &table, i, tb, now_ms)) {
            *type = HUST_TYPES[i];
            return true;
        }
    }
    return false;
}
