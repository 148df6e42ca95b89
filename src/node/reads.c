#include "node/reads.h"

#include <assert.h>
#include <stdlib.h>

#include "core/apply.h"
#include "node/keys.h"
#include "node/log.h"
#include "node/tables.h"

static void read_record(hust_store_t *store, hust_counters_t *counters, const hust_op_t *op,
                        const hust_pinned_t *pinned, hust_result_t *result)
{
    hust_stored_t held = {0};
    if (pinned->pin != NULL) {
        hust_error_t err = hust_stored_decode(pinned->bytes, &held);
        if (err != HUST_OK) {
            hust_log(HUST_LOG_ERROR, "store: a record of %zu bytes cannot be read: %s",
                     pinned->bytes.len, hust_error_text(err));
            *result = (hust_result_t){.status = 500};
            return;
        }
    }
    hust_read(&held, op, result);
    assert(result->status == 200 || result->status == 404 || result->status == 412);
    if (result->status == 404) {
        hust_tables_judge_read(counters, store, op, result);
    }
}

void hust_reads_one(hust_store_t *store, hust_counters_t *counters, const hust_op_t *op,
                    hust_pinned_t *pinned, hust_result_t *result)
{
    uint8_t key[HUST_DATA_KEY_BYTES_MAX];
    assert(op->code == HUST_OP_GET);
    size_t len = hust_data_key(&op->element, key);
    if (hust_store_get(store, HUST_CF_DATA, hust_slice_of(key, len), pinned) != HUST_OK) {
        *result = (hust_result_t){.status = 500};
        return;
    }
    read_record(store, counters, op, pinned, result);
}

/* The data keys of the operations, in one allocation that starts with the slices. */
static hust_slice_t *make_keys(const hust_op_t *ops, size_t count)
{
    size_t bytes = count * sizeof(hust_slice_t);
    for (size_t i = 0; i < count; i++) {
        bytes += hust_data_key_bytes(&ops[i].element);
    }
    hust_slice_t *keys = calloc(1, bytes);
    if (keys == NULL) {
        return NULL;
    }
    uint8_t *at = (uint8_t *)(keys + count);
    for (size_t i = 0; i < count; i++) {
        keys[i] = hust_slice_of(at, hust_data_key(&ops[i].element, at));
        at += keys[i].len;
    }
    assert(at == (uint8_t *)keys + bytes);
    return keys;
}

hust_error_t hust_reads_many(hust_store_t *store, hust_counters_t *counters, const hust_op_t *ops,
                             size_t count, hust_pinned_t *pinned, hust_result_t *results)
{
    assert(count > 0);
    hust_slice_t *keys = make_keys(ops, count);
    if (keys == NULL) {
        return HUST_ERR_NOMEM;
    }
    hust_error_t err = hust_store_get_many(store, HUST_CF_DATA, keys, count, pinned);
    for (size_t i = 0; err == HUST_OK && i < count; i++) {
        assert(ops[i].code == HUST_OP_GET);
        read_record(store, counters, &ops[i], &pinned[i], &results[i]);
    }
    free(keys);
    return err;
}
