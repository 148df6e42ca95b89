#include "node/listing.h"

#include <assert.h>

#include "core/base64.h"
#include "core/params.h"
#include "core/wire.h"
#include "node/keys.h"
#include "node/listing_walk.h"

/* --- the page --- */

static hust_error_t put_text(hust_buf_t *out, const char *text)
{
    return hust_buf_append(out, text, strlen(text));
}

static hust_error_t put_number(hust_buf_t *out, const char *lead, uint64_t number)
{
    char text[24];
    hust_error_t err = put_text(out, lead);
    size_t len = hust_format_u64(number, text);
    return err == HUST_OK ? hust_buf_append(out, text, len) : err;
}

static hust_error_t put_base64(hust_buf_t *out, const char *lead, hust_slice_t bytes)
{
    hust_error_t err = put_text(out, lead);
    err = err == HUST_OK ? hust_base64_append(out, bytes) : err;
    return err == HUST_OK ? put_text(out, "\"") : err;
}

static hust_error_t put_table(hust_buf_t *out, const hust_item_t *item)
{
    const char type[] = {(char)item->type, '"', '\0'};
    assert(hust_tb_valid(item->tb) && hust_type_valid((int)item->type));
    hust_error_t err = put_text(out, ",\"tb\":\"");
    err = err == HUST_OK ? hust_buf_append_slice(out, item->tb) : err; /* needs no escape */
    err = err == HUST_OK ? put_text(out, "\",\"ty\":\"") : err;
    return err == HUST_OK ? put_text(out, type) : err;
}

static hust_error_t put_value(hust_buf_t *out, const hust_item_t *item)
{
    char score[24];
    assert(item->is_score == (item->type == HUST_TYPE_ZSET));
    if (!item->is_score) {
        return put_base64(out, ",\"val\":\"", item->value);
    }
    size_t len = hust_format_i64(item->score, score);
    hust_error_t err = put_text(out, ",\"val\":\"");
    err = err == HUST_OK ? hust_buf_append(out, score, len) : err;
    return err == HUST_OK ? put_text(out, "\"") : err;
}

/* Whole seconds left, at least 1; 0: for ever. */
static uint64_t seconds_left(uint64_t expire_at_ms, uint64_t now_ms)
{
    assert(expire_at_ms == 0 || expire_at_ms > now_ms);
    return expire_at_ms == 0 ? 0 : (expire_at_ms - now_ms + 999) / 1000;
}

static hust_error_t put_item(const hust_walk_t *walk, const hust_item_t *item)
{
    hust_buf_t *out = &walk->page->body;
    bool first = walk->page->count == 0;
    hust_error_t err = put_base64(out, first ? "{\"key\":\"" : ",{\"key\":\"", item->key);
    if (err == HUST_OK && item->tb.len > 0) {
        err = put_table(out, item);
    }
    if (err == HUST_OK && item->has_value) {
        err = put_value(out, item);
    }
    if (err == HUST_OK) {
        err = put_number(out, ",\"ver\":", item->version);
    }
    if (err == HUST_OK) {
        err = put_number(out, ",\"ttl\":", seconds_left(item->expire_at_ms, walk->listing->now_ms));
    }
    return err == HUST_OK ? put_text(out, "}") : err;
}

/* End the page before an element, if what separates the two fits a cursor. */
static hust_error_t end_page(hust_walk_t *walk, const hust_item_t *next)
{
    hust_cursor_kind_t kind = walk->listing->kind;
    hust_slice_t last = hust_buf_slice(&walk->last);
    if (walk->page->count == 0) {
        walk->full = true; /* nothing was asked for */
        return HUST_OK;
    }
    hust_slice_t separator = kind == HUST_CURSOR_REVERSE
                                 ? hust_cursor_separator(next->position, last)
                                 : hust_cursor_separator(last, next->position);
    if (separator.len > HUST_CURSOR_BYTES_MAX) {
        return HUST_OK;
    }
    walk->full = true;
    return hust_cursor_encode(kind, separator, &walk->page->cursor);
}

hust_error_t hust_walk_take(hust_walk_t *walk, const hust_item_t *item)
{
    hust_page_t *page = walk->page;
    hust_error_t err = HUST_OK;
    assert(!walk->full);
    assert(item->position.len > 0 && item->key.len > 0);
    if (walk->skip > 0) {
        walk->skip--;
        return HUST_OK;
    }
    if (page->count >= walk->listing->size || page->body.len >= HUST_PAGE_BYTES_MAX) {
        err = end_page(walk, item);
    }
    if (err != HUST_OK || walk->full) {
        return err;
    }
    assert(page->cursor.len == 0);
    if (page->body.len >= HUST_PAGE_BYTES_REFUSED) {
        return HUST_ERR_LIMIT;
    }
    err = put_item(walk, item);
    page->count++;
    hust_buf_clear(&walk->last);
    return err == HUST_OK ? hust_buf_append_slice(&walk->last, item->position) : err;
}

void hust_page_free(hust_page_t *page)
{
    hust_buf_free(&page->body);
    hust_buf_free(&page->cursor);
}

/* --- the store --- */

/* True if a member of the table has expired and is in the order still. */
static hust_error_t holds_expired(const hust_snapshot_t *snapshot, const hust_listing_t *listing,
                                  bool *expired)
{
    uint8_t prefix[1 + HUST_TABLE_PREFIX_BYTES_MAX];
    size_t len = hust_table_expiry_prefix(listing->type, listing->tb, prefix);
    hust_scan_t *scan = hust_scan_begin_at(snapshot, HUST_CF_EXPIRY);
    if (scan == NULL) {
        return HUST_ERR_NOMEM;
    }
    hust_scan_seek(scan, hust_slice_of(prefix, len));
    *expired = false;
    if (hust_scan_within(scan, hust_slice_of(prefix, len))) {
        hust_slice_t key = hust_scan_key(scan); /* the earliest */
        *expired = key.len < len + 8 || hust_get_u64(key.data + len) <= listing->now_ms;
    }
    hust_error_t err = hust_scan_error(scan);
    hust_scan_end(scan);
    return err;
}

static bool is_sorted_set(const hust_listing_t *listing)
{
    return listing->kind == HUST_CURSOR_SCORE || listing->kind == HUST_CURSOR_REVERSE;
}

static hust_error_t walk_snapshot(const hust_snapshot_t *snapshot, hust_walk_t *walk,
                                  hust_listing_outcome_t *outcome)
{
    const hust_listing_t *listing = walk->listing;
    bool sorted = is_sorted_set(listing);
    bool expired = false;
    hust_error_t err = HUST_OK;
    if (sorted && listing->offset > 0) {
        err = holds_expired(snapshot, listing, &expired);
    }
    if (err == HUST_OK && expired && !listing->swept) {
        *outcome = HUST_LISTING_SWEEP;
        return HUST_OK;
    }
    hust_scan_t *scan = hust_scan_begin_at(snapshot, sorted ? HUST_CF_RANK : HUST_CF_DATA);
    if (scan == NULL) {
        return HUST_ERR_NOMEM;
    }
    if (err == HUST_OK) {
        err = sorted ? hust_walk_rank(walk, scan, !expired) : hust_walk_data(walk, scan);
    }
    err = err == HUST_OK ? hust_scan_error(scan) : err;
    hust_scan_end(scan);
    return err;
}

hust_error_t hust_listing_page(hust_store_t *store, const hust_listing_t *listing,
                               hust_page_t *page, hust_listing_outcome_t *outcome)
{
    hust_walk_t walk = {.listing = listing, .page = page, .skip = listing->offset};
    assert(!listing->has_position || listing->offset == 0);
    assert(listing->start <= HUST_BUCKET_COUNT && listing->end <= HUST_BUCKET_COUNT);
    *page = (hust_page_t){0};
    *outcome = HUST_LISTING_DONE;
    hust_snapshot_t *snapshot = hust_snapshot_take(store);
    if (snapshot == NULL) {
        return HUST_ERR_NOMEM;
    }
    hust_error_t err = put_text(&page->body, "[");
    if (err == HUST_OK && listing->start < listing->end) {
        err = walk_snapshot(snapshot, &walk, outcome);
    }
    err = err == HUST_OK ? put_text(&page->body, "]") : err;
    hust_snapshot_release(snapshot);
    hust_buf_free(&walk.last);
    return err;
}
