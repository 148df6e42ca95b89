/*
 * The members of a sorted set by score and bytes, from either end.
 */
#include <assert.h>

#include "node/listing_walk.h"
#include "node/log.h"
#include "node/rank_find.h"

/* The wanted members are those at first <= position < end; `end` is empty if there is none. */
typedef struct {
    uint8_t min[HUST_RANK_SCORE_BYTES];
    uint8_t after_max[HUST_RANK_SCORE_BYTES];
    hust_slice_t first;
    hust_slice_t end;
} range_t;

/* A range of scores, cut by the position of a cursor on the side where the walk begins. */
static void make_range(const hust_listing_t *listing, range_t *range)
{
    hust_rank_score(listing->min, range->min);
    range->first = hust_slice_of(range->min, sizeof(range->min));
    range->end = (hust_slice_t){0};
    if (listing->max < INT64_MAX) {
        hust_rank_score(listing->max + 1, range->after_max);
        range->end = hust_slice_of(range->after_max, sizeof(range->after_max));
    }
    if (!listing->has_position) {
        return;
    }
    hust_slice_t position = listing->position;
    assert(position.len >= 1 && position.len <= HUST_CURSOR_BYTES_MAX);
    if (listing->kind == HUST_CURSOR_REVERSE) {
        if (range->end.len == 0 || hust_slice_compare(position, range->end) < 0) {
            range->end = position;
        }
    } else if (hust_slice_compare(position, range->first) > 0) {
        range->first = position;
    }
}

static bool is_before_end(hust_slice_t position, const range_t *range)
{
    return range->end.len == 0 || hust_slice_compare(position, range->end) < 0;
}

static hust_error_t take_entry(hust_walk_t *walk, const hust_scan_t *scan, hust_slice_t position)
{
    hust_rank_entry_t entry;
    hust_item_t item = {.position = position,
                        .type = HUST_TYPE_ZSET,
                        .has_value = walk->listing->with_values,
                        .is_score = true};
    if (hust_rank_entry_parse(hust_scan_value(scan), &entry) != HUST_OK ||
        hust_rank_position_parse(position, &item.score, &item.key) != HUST_OK) {
        hust_log(HUST_LOG_ERROR, "store: an entry of a sorted set cannot be read");
        return HUST_ERR_MALFORMED;
    }
    if (entry.expire_at_ms != 0 && entry.expire_at_ms <= walk->listing->now_ms) {
        return HUST_OK;
    }
    item.version = entry.version;
    item.expire_at_ms = entry.expire_at_ms;
    return hust_walk_take(walk, &item);
}

/* --- from the lowest score --- */

static hust_error_t begin_forward(hust_walk_t *walk, hust_scan_t *scan, const range_t *range,
                                  bool by_count)
{
    uint8_t key[HUST_RANK_KEY_BYTES_MAX];
    hust_slice_t tb = walk->listing->tb;
    if (!by_count) {
        size_t len = hust_rank_key(tb, 0, range->first, key);
        hust_scan_seek(scan, hust_slice_of(key, len));
        return HUST_OK;
    }
    uint64_t below;
    bool found;
    hust_error_t err = hust_rank_below(scan, tb, range->first, &below);
    if (err != HUST_OK || __builtin_add_overflow(below, walk->skip, &below)) {
        walk->full = true;
        return err;
    }
    walk->skip = 0;
    err = hust_rank_seek(scan, tb, below, &found);
    walk->full = !found;
    return err;
}

static hust_error_t walk_forward(hust_walk_t *walk, hust_scan_t *scan, const range_t *range)
{
    hust_slice_t position;
    hust_error_t err = HUST_OK;
    while (err == HUST_OK && !walk->full &&
           hust_rank_on_level(scan, walk->listing->tb, 0, &position) &&
           is_before_end(position, range)) {
        err = take_entry(walk, scan, position);
        hust_scan_next(scan);
    }
    return err;
}

/* --- from the highest score --- */

static void stand_before_end(hust_walk_t *walk, hust_scan_t *scan, const range_t *range)
{
    uint8_t key[HUST_RANK_KEY_BYTES_MAX];
    size_t len = hust_rank_key(walk->listing->tb, 0, range->end, key);
    if (range->end.len == 0) {
        key[--len - 1] = 1; /* tb | 0x01 is after every row of the table */
    }
    hust_scan_seek_before(scan, hust_slice_of(key, len));
}

static hust_error_t count_before_end(hust_walk_t *walk, hust_scan_t *scan, const range_t *range,
                                     uint64_t *count)
{
    unsigned level;
    hust_rank_count_t root;
    if (range->end.len > 0) {
        return hust_rank_below(scan, walk->listing->tb, range->end, count);
    }
    hust_error_t err = hust_rank_root(scan, walk->listing->tb, &level, &root);
    *count = root.entries;
    return err;
}

static hust_error_t begin_backward(hust_walk_t *walk, hust_scan_t *scan, const range_t *range,
                                   bool by_count)
{
    uint64_t count;
    bool found;
    if (!by_count) {
        stand_before_end(walk, scan, range);
        return HUST_OK;
    }
    hust_error_t err = count_before_end(walk, scan, range, &count);
    if (err != HUST_OK || count <= walk->skip) {
        walk->full = true;
        return err;
    }
    uint64_t rank = count - 1 - walk->skip;
    assert(rank < count);
    walk->skip = 0;
    err = hust_rank_seek(scan, walk->listing->tb, rank, &found);
    walk->full = !found;
    return err;
}

static hust_error_t walk_backward(hust_walk_t *walk, hust_scan_t *scan, const range_t *range)
{
    hust_slice_t position;
    hust_error_t err = HUST_OK;
    while (err == HUST_OK && !walk->full &&
           hust_rank_on_level(scan, walk->listing->tb, 0, &position) &&
           hust_slice_compare(position, range->first) >= 0) {
        err = take_entry(walk, scan, position);
        hust_scan_previous(scan);
    }
    return err;
}

hust_error_t hust_walk_rank(hust_walk_t *walk, hust_scan_t *scan, bool exact)
{
    range_t range;
    const hust_listing_t *listing = walk->listing;
    unsigned bucket = hust_bucket(listing->tb); /* a sorted set lives whole in it */
    bool by_count = exact && walk->skip > 0;
    assert(listing->type == HUST_TYPE_ZSET && walk->page->count == 0);
    assert(listing->min <= listing->max);
    if (bucket < listing->start || bucket >= listing->end) {
        return HUST_OK;
    }
    make_range(listing, &range);
    bool backward = listing->kind == HUST_CURSOR_REVERSE;
    hust_error_t err = backward ? begin_backward(walk, scan, &range, by_count)
                                : begin_forward(walk, scan, &range, by_count);
    if (err != HUST_OK || walk->full) {
        return err;
    }
    return backward ? walk_backward(walk, scan, &range) : walk_forward(walk, scan, &range);
}
