/*
 * The elements of a hash, a set, or of a part of the node, by type, table, bucket and key. Only
 * the wanted buckets of each table are visited.
 */
#include <assert.h>

#include "core/record.h"
#include "core/wire.h"
#include "node/keys.h"
#include "node/listing_walk.h"
#include "node/log.h"
#include "node/rank_keys.h"

/* Length of type | tb | 0x00 | bucket at the start of a data key; 0 if that is not there. */
static size_t bucket_end(hust_slice_t data_key)
{
    const uint8_t *zero = data_key.len < 2 ? NULL : memchr(data_key.data + 1, 0, data_key.len - 1);
    size_t len = zero == NULL ? 0 : (size_t)(zero - data_key.data) + 1 + 2;
    return len <= data_key.len && len <= HUST_TABLE_PREFIX_BYTES_MAX + 2 ? len : 0;
}

static hust_error_t malformed(void)
{
    hust_log(HUST_LOG_ERROR, "store: a row cannot be read while listing");
    return HUST_ERR_MALFORMED;
}

/* The element on which the walk stands, if it is live. */
static hust_error_t take_row(hust_walk_t *walk, const hust_scan_t *scan, size_t base_bytes)
{
    assert(!walk->full);
    const hust_listing_t *listing = walk->listing;
    hust_slice_t data_key = hust_scan_key(scan);
    hust_element_t element;
    hust_stored_t held;
    if (hust_data_key_parse(data_key, &element) != HUST_OK ||
        hust_stored_decode(hust_scan_value(scan), &held) != HUST_OK) {
        return malformed();
    }
    const hust_side_t *side = &held.record.sides[0];
    if (held.record.side_count == 0 || !hust_side_is_live(side, listing->now_ms)) {
        return HUST_OK;
    }
    const hust_item_t item = {
        .position = hust_slice_of(data_key.data + base_bytes, data_key.len - base_bytes),
        .key = element.key,
        .tb = listing->kind == HUST_CURSOR_FILE ? element.tb : (hust_slice_t){0},
        .type = element.type,
        .has_value = listing->with_values,
        .is_score = element.type == HUST_TYPE_ZSET,
        .value = side->value,
        .score = element.type == HUST_TYPE_ZSET ? hust_rank_score_in(side->value) : 0,
        .version = side->version,
        .expire_at_ms = side->expire_at_ms,
    };
    return hust_walk_take(walk, &item);
}

/*
 * Go on from a row outside the wanted buckets: to the first wanted one of its table, or past the
 * table. `len` is bucket_end of the row.
 */
static void jump(const hust_listing_t *listing, hust_scan_t *scan, hust_slice_t data_key,
                 size_t len)
{
    uint8_t target[HUST_TABLE_PREFIX_BYTES_MAX + 2];
    assert(len >= 4 && len <= sizeof(target));
    memcpy(target, data_key.data, len);
    if (hust_get_u16(target + len - 2) < listing->start) {
        hust_put_u16(target + len - 2, (uint16_t)listing->start);
        hust_scan_seek(scan, hust_slice_of(target, len));
    } else {
        target[len - 3] = 1; /* after the 0x00 that ends the tb */
        hust_scan_seek(scan, hust_slice_of(target, len - 2));
    }
}

static hust_error_t visit_row(hust_walk_t *walk, hust_scan_t *scan, size_t base_bytes)
{
    hust_slice_t data_key = hust_scan_key(scan);
    size_t len = bucket_end(data_key);
    if (len == 0) {
        return malformed();
    }
    unsigned bucket = hust_get_u16(data_key.data + len - 2);
    if (bucket < walk->listing->start || bucket >= walk->listing->end) {
        jump(walk->listing, scan, data_key, len);
        return HUST_OK;
    }
    hust_error_t err = take_row(walk, scan, base_bytes);
    if (err == HUST_OK && !walk->full) {
        hust_scan_next(scan);
    }
    return err;
}

/* First bytes of everything that is listed: of the table, or nothing. */
static size_t base_prefix(const hust_listing_t *listing, uint8_t out[HUST_TABLE_PREFIX_BYTES_MAX])
{
    uint8_t expiry[1 + HUST_TABLE_PREFIX_BYTES_MAX];
    if (listing->kind == HUST_CURSOR_FILE) {
        return 0;
    }
    /* An expiry key by table goes on, after its letter, as a data key begins. */
    size_t len = hust_table_expiry_prefix(listing->type, listing->tb, expiry) - 1;
    assert(len <= HUST_TABLE_PREFIX_BYTES_MAX);
    memcpy(out, expiry + 1, len);
    return len;
}

hust_error_t hust_walk_data(hust_walk_t *walk, hust_scan_t *scan)
{
    uint8_t first[HUST_TABLE_PREFIX_BYTES_MAX + HUST_CURSOR_BYTES_MAX];
    hust_error_t err = HUST_OK;
    size_t base_bytes = base_prefix(walk->listing, first);
    hust_slice_t position = walk->listing->position;
    assert(position.len <= HUST_CURSOR_BYTES_MAX);
    assert(walk->listing->has_position || position.len == 0);
    if (position.len > 0) {
        memcpy(first + base_bytes, position.data, position.len);
    }
    hust_scan_seek(scan, hust_slice_of(first, base_bytes + position.len));
    while (err == HUST_OK && !walk->full &&
           hust_scan_within(scan, hust_slice_of(first, base_bytes))) {
        err = visit_row(walk, scan, base_bytes);
    }
    return err;
}
