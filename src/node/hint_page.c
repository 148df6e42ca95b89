#include "node/hint_page.h"

#include <assert.h>

#include "node/keys.h"
#include "node/log.h"

/* Young hints may stand in front of old ones; a page does not look at more than this. */
enum { LOOK_AT_MAX = 8192 };

hust_slice_t hust_hint_page_key(const hust_hint_page_t *page, size_t index)
{
    assert(index < page->count);
    size_t begin = index == 0 ? 0 : page->ends[index - 1];
    return hust_slice_of(page->keys.data + begin, page->ends[index] - begin);
}

void hust_hint_page_free(hust_hint_page_t *page)
{
    hust_buf_free(&page->keys);
    hust_buf_free(&page->cursor);
}

static hust_error_t take_entry(hust_hint_page_t *page, hust_slice_t key, hust_slice_t value,
                               uint64_t until_ms)
{
    hust_slice_t target;
    hust_slice_t data_key;
    uint64_t gen;
    uint64_t since_ms;
    if (hust_hint_key_parse(key, &target, &data_key) != HUST_OK ||
        hust_hint_value_parse(value, &gen, &since_ms) != HUST_OK) {
        hust_log(HUST_LOG_ERROR, "store: a hint of %zu bytes cannot be read", key.len);
        return HUST_OK;
    }
    if (since_ms >= until_ms) {
        return HUST_OK;
    }
    hust_error_t err = hust_buf_append_slice(&page->keys, data_key);
    if (err == HUST_OK) {
        page->ends[page->count++] = page->keys.len;
        page->oldest_ms =
            page->oldest_ms == 0 || since_ms < page->oldest_ms ? since_ms : page->oldest_ms;
    }
    return err;
}

/* Put the scan on the first entry that has not been looked at yet. */
static void seek(hust_scan_t *scan, hust_slice_t prefix, const hust_hint_page_t *page)
{
    hust_slice_t cursor = hust_buf_slice(&page->cursor);
    hust_scan_seek(scan, cursor.len == 0 ? prefix : cursor);
    if (cursor.len > 0 && hust_scan_valid(scan) && hust_slice_equal(hust_scan_key(scan), cursor)) {
        hust_scan_next(scan);
    }
}

static hust_error_t walk(hust_scan_t *scan, hust_slice_t prefix, uint64_t until_ms,
                         hust_hint_page_t *page)
{
    hust_error_t err = HUST_OK;
    seek(scan, prefix, page);
    for (unsigned looked_at = 0; err == HUST_OK && looked_at < LOOK_AT_MAX; looked_at++) {
        if (!hust_scan_within(scan, prefix)) {
            page->last = true;
            return HUST_OK;
        }
        if (page->count == HUST_HINT_PAGE_ELEMENTS) {
            return HUST_OK;
        }
        err = take_entry(page, hust_scan_key(scan), hust_scan_value(scan), until_ms);
        if (err == HUST_OK) {
            hust_buf_clear(&page->cursor);
            err = hust_buf_append_slice(&page->cursor, hust_scan_key(scan));
        }
        hust_scan_next(scan);
    }
    return err;
}

hust_error_t hust_hint_page_read(hust_store_t *store, hust_slice_t target, uint64_t until_ms,
                                 hust_hint_page_t *page)
{
    uint8_t prefix[1 + HUST_TARGET_BYTES_MAX];
    assert(target.len >= 1 && target.len <= HUST_TARGET_BYTES_MAX);
    prefix[0] = (uint8_t)target.len;
    memcpy(prefix + 1, target.data, target.len);
    page->count = 0;
    page->oldest_ms = 0;
    page->last = false;
    hust_buf_clear(&page->keys);
    hust_scan_t *scan = hust_scan_begin(store, HUST_CF_HINTS);
    if (scan == NULL) {
        return HUST_ERR_NOMEM;
    }
    hust_error_t err = walk(scan, hust_slice_of(prefix, 1 + target.len), until_ms, page);
    hust_scan_end(scan);
    if (err != HUST_OK) {
        page->count = 0;
    }
    return err;
}
