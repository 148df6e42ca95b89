/*
 * The keys of the store's column families. They order as bytes do, so that a table, a bucket of it
 * and a range of instants are each one contiguous range.
 *
 *   data key      type | tb | 0x00 | bucket u16 | key
 *   expiry key    'I' | instant u64 | data key             every element that will expire, by time
 *                 'T' | type | tb | 0x00 | instant u64 | bucket u16 | key
 *                                                          the same again by table, not for KV
 *   hint key      target length u8 | target | data key     value: generation u64, since_ms u64
 *
 * Numbers are big-endian. Keys read back from the store are checked like outside input.
 */
#ifndef HUST_NODE_KEYS_H
#define HUST_NODE_KEYS_H

#include "core/batch.h"
#include "core/element.h"
#include "core/error.h"
#include "core/slice.h"

enum {
    HUST_TABLE_PREFIX_BYTES_MAX = 1 + HUST_TB_BYTES_MAX + 1, /* type | tb | 0x00 */
    HUST_DATA_KEY_BYTES_MAX = HUST_TABLE_PREFIX_BYTES_MAX + 2 + HUST_KEY_BYTES_MAX,
    HUST_EXPIRY_KEY_BYTES_MAX = 1 + 8 + HUST_DATA_KEY_BYTES_MAX,
    HUST_HINT_KEY_BYTES_MAX = 1 + HUST_TARGET_BYTES_MAX + HUST_DATA_KEY_BYTES_MAX,
    HUST_HINT_VALUE_BYTES = 16,
};

/* Write the data key of a valid element; returns its length in bytes. */
size_t hust_data_key(const hust_element_t *element, uint8_t out[HUST_DATA_KEY_BYTES_MAX]);

/* Length in bytes of the data key of an element. */
size_t hust_data_key_bytes(const hust_element_t *element);

/* Take a data key apart; the slices borrow from it. HUST_ERR_MALFORMED if it is none. */
hust_error_t hust_data_key_parse(hust_slice_t data_key, hust_element_t *out);

/* The expiry key by time; returns its length. `instant_ms` is never 0. */
size_t hust_expiry_key(uint64_t instant_ms, hust_slice_t data_key,
                       uint8_t out[HUST_EXPIRY_KEY_BYTES_MAX]);

/* The expiry key by table of an element that is not KV; returns its length. */
size_t hust_table_expiry_key(uint64_t instant_ms, const hust_element_t *element,
                             uint8_t out[HUST_EXPIRY_KEY_BYTES_MAX]);

/* First bytes of all expiry keys of a table: 'T' | type | tb | 0x00; returns their length. */
size_t hust_table_expiry_prefix(hust_type_t type, hust_slice_t tb,
                                uint8_t out[1 + HUST_TABLE_PREFIX_BYTES_MAX]);

/*
 * Take an expiry key of either kind apart. `data_key_out` receives the element's data key and
 * `*data_key` borrows from it. HUST_ERR_MALFORMED if it is none.
 */
hust_error_t hust_expiry_key_parse(hust_slice_t expiry_key,
                                   uint8_t data_key_out[HUST_DATA_KEY_BYTES_MAX],
                                   uint64_t *instant_ms, hust_slice_t *data_key);

/* The hint key; `target` has 1..255 bytes. Returns its length. */
size_t hust_hint_key(hust_slice_t target, hust_slice_t data_key,
                     uint8_t out[HUST_HINT_KEY_BYTES_MAX]);

/* Take a hint key apart; the slices borrow from it. HUST_ERR_MALFORMED if it is none. */
hust_error_t hust_hint_key_parse(hust_slice_t hint_key, hust_slice_t *target,
                                 hust_slice_t *data_key);

void hust_hint_value(uint64_t gen, uint64_t since_ms, uint8_t out[HUST_HINT_VALUE_BYTES]);

/* HUST_ERR_MALFORMED if it is none. */
hust_error_t hust_hint_value_parse(hust_slice_t value, uint64_t *gen, uint64_t *since_ms);

#endif /* HUST_NODE_KEYS_H */
