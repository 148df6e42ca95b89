#include "node/rank_find.h"

#include <assert.h>

#include "core/buf.h"
#include "node/log.h"

static hust_error_t contradiction(hust_slice_t tb)
{
    hust_log(HUST_LOG_ERROR, "store: the order of sorted set %.*s cannot be read", (int)tb.len,
             (const char *)tb.data);
    return HUST_ERR_MALFORMED;
}

/* The end of a level where there should have been more. */
static hust_error_t cut_short(const hust_scan_t *scan, hust_slice_t tb)
{
    hust_error_t err = hust_scan_error(scan);
    return err == HUST_OK ? contradiction(tb) : err;
}

bool hust_rank_on_level(const hust_scan_t *scan, hust_slice_t tb, unsigned level,
                        hust_slice_t *position)
{
    uint8_t prefix[HUST_RANK_PREFIX_BYTES_MAX];
    size_t len = hust_rank_prefix(tb, level, prefix);
    assert(len == tb.len + 2);
    if (!hust_scan_within(scan, hust_slice_of(prefix, len))) {
        return false;
    }
    hust_slice_t key = hust_scan_key(scan);
    *position = hust_slice_of(key.data + len, key.len - len);
    return true;
}

hust_error_t hust_rank_root(hust_scan_t *scan, hust_slice_t tb, unsigned *level,
                            hust_rank_count_t *root)
{
    uint8_t prefix[HUST_RANK_PREFIX_BYTES_MAX];
    size_t len = hust_rank_prefix(tb, 0, prefix) - 1; /* up to the level */
    *level = 0;
    *root = (hust_rank_count_t){0};
    hust_scan_seek(scan, hust_slice_of(prefix, len));
    if (!hust_scan_within(scan, hust_slice_of(prefix, len))) {
        return hust_scan_error(scan);
    }
    hust_slice_t key = hust_scan_key(scan);
    if (key.len != len + 1 || key.data[len] == 0xff ||
        key.data[len] < 0xff - HUST_RANK_LEVELS_MAX ||
        hust_rank_count_parse(hust_scan_value(scan), root) != HUST_OK) {
        return contradiction(tb);
    }
    *level = 0xffu - key.data[len];
    assert(*level >= 1 && *level <= HUST_RANK_LEVELS_MAX);
    return HUST_OK;
}

hust_error_t hust_rank_find_row(hust_scan_t *scan, hust_slice_t tb, unsigned level,
                                hust_slice_t position, bool *found)
{
    uint8_t key[HUST_RANK_KEY_BYTES_MAX];
    hust_slice_t there;
    size_t len = hust_rank_key(tb, level, position, key);
    assert(level > 0);
    hust_scan_seek_last(scan, hust_slice_of(key, len));
    *found = hust_rank_on_level(scan, tb, level, &there);
    if (!*found) {
        /* The first row also counts what is before it. */
        hust_scan_seek(scan, hust_slice_of(key, hust_rank_prefix(tb, level, key)));
        *found = hust_rank_on_level(scan, tb, level, &there);
    }
    return *found ? HUST_OK : hust_scan_error(scan);
}

/* Stand on the first row of a level from a position on; there is known to be one. */
static hust_error_t stand_on(hust_scan_t *scan, hust_slice_t tb, unsigned level,
                             const hust_buf_t *position)
{
    uint8_t key[HUST_RANK_KEY_BYTES_MAX];
    size_t len = hust_rank_key(tb, level, hust_buf_slice(position), key);
    hust_slice_t there;
    hust_scan_seek(scan, hust_slice_of(key, len));
    return hust_rank_on_level(scan, tb, level, &there) ? HUST_OK : cut_short(scan, tb);
}

static hust_error_t keep(hust_buf_t *position, hust_slice_t found)
{
    hust_buf_clear(position);
    return hust_buf_append_slice(position, found);
}

/*
 * Among the children at `level` from `position` on, find the one that has the entry `*rank` after
 * their first; `*rank` becomes its rank among that child's own. `position` becomes the child's,
 * except that the first child begins where its parent does.
 */
static hust_error_t step_by_rank(hust_scan_t *scan, hust_slice_t tb, unsigned level, uint64_t *rank,
                                 hust_buf_t *position)
{
    assert(level >= 1);
    bool first = true;
    hust_rank_count_t count;
    hust_slice_t there;
    hust_error_t err = stand_on(scan, tb, level, position);
    while (err == HUST_OK && hust_rank_on_level(scan, tb, level, &there)) {
        if (hust_rank_count_parse(hust_scan_value(scan), &count) != HUST_OK) {
            return contradiction(tb);
        }
        if (*rank < count.entries) {
            return first ? HUST_OK : keep(position, there);
        }
        first = false;
        *rank -= count.entries;
        hust_scan_next(scan);
    }
    return err == HUST_OK ? cut_short(scan, tb) : err;
}

static hust_error_t walk_entries(hust_scan_t *scan, hust_slice_t tb, uint64_t count,
                                 const hust_buf_t *position)
{
    hust_slice_t there;
    hust_error_t err = stand_on(scan, tb, 0, position);
    while (err == HUST_OK && count > 0) {
        count--;
        hust_scan_next(scan);
        err = hust_rank_on_level(scan, tb, 0, &there) ? HUST_OK : cut_short(scan, tb);
    }
    return err;
}

hust_error_t hust_rank_seek(hust_scan_t *scan, hust_slice_t tb, uint64_t rank, bool *found)
{
    unsigned level;
    hust_rank_count_t root;
    hust_buf_t position = {0}; /* the first separator of every level is empty */
    hust_error_t err = hust_rank_root(scan, tb, &level, &root);
    *found = err == HUST_OK && rank < root.entries;
    if (!*found) {
        return err;
    }
    assert(level > 0);
    while (err == HUST_OK && --level > 0) {
        err = step_by_rank(scan, tb, level, &rank, &position);
    }
    if (err == HUST_OK) {
        err = walk_entries(scan, tb, rank, &position);
    }
    hust_buf_free(&position);
    return err;
}

/*
 * The last child at `level` from `position` on that is not after `target`, or the first one; adds
 * the entries of those before it. `position` as above.
 */
static hust_error_t step_by_position(hust_scan_t *scan, hust_slice_t tb, unsigned level,
                                     hust_slice_t target, hust_buf_t *position, uint64_t *below)
{
    assert(level >= 1);
    bool first = true;
    hust_rank_count_t count = {0};
    hust_slice_t there;
    hust_error_t err = stand_on(scan, tb, level, position);
    while (err == HUST_OK && hust_rank_on_level(scan, tb, level, &there) &&
           hust_slice_compare(there, target) <= 0) {
        *below += count.entries;
        if (hust_rank_count_parse(hust_scan_value(scan), &count) != HUST_OK) {
            return contradiction(tb);
        }
        err = first ? HUST_OK : keep(position, there);
        first = false;
        hust_scan_next(scan);
    }
    return err == HUST_OK ? hust_scan_error(scan) : err;
}

static hust_error_t count_entries(hust_scan_t *scan, hust_slice_t tb, hust_slice_t target,
                                  const hust_buf_t *position, uint64_t *below)
{
    uint8_t key[HUST_RANK_KEY_BYTES_MAX];
    size_t len = hust_rank_key(tb, 0, hust_buf_slice(position), key);
    hust_slice_t there;
    hust_scan_seek(scan, hust_slice_of(key, len));
    while (hust_rank_on_level(scan, tb, 0, &there) && hust_slice_compare(there, target) < 0) {
        (*below)++;
        hust_scan_next(scan);
    }
    return hust_scan_error(scan);
}

hust_error_t hust_rank_below(hust_scan_t *scan, hust_slice_t tb, hust_slice_t position,
                             uint64_t *below)
{
    unsigned level;
    hust_rank_count_t root;
    hust_buf_t at = {0};
    *below = 0;
    hust_error_t err = hust_rank_root(scan, tb, &level, &root);
    if (err != HUST_OK || level == 0) {
        return err;
    }
    while (err == HUST_OK && --level > 0) {
        err = step_by_position(scan, tb, level, position, &at, below);
    }
    if (err == HUST_OK) {
        err = count_entries(scan, tb, position, &at, below);
    }
    hust_buf_free(&at);
    return err == HUST_OK && *below > root.entries ? contradiction(tb) : err;
}
