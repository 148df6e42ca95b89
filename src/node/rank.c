#include "node/rank.h"

#include <assert.h>
#include <stdlib.h>

#include "node/hash.h"
#include "node/log.h"
#include "node/rank_balance.h"
#include "node/rank_find.h"

/* A count row that a group changes. */
typedef struct {
    UT_hash_handle hh; /* by its whole key */
    unsigned level;
    bool is_root;
    hust_rank_count_t stored;
    int64_t added; /* entries, since then */
    size_t tb_len; /* of the key */
    size_t key_len;
    uint8_t key[];
} row_t;

struct hust_rank {
    hust_store_t *store;
    hust_scan_t *scan; /* over what is stored; NULL between groups */
    row_t *rows;
    uint8_t key[HUST_RANK_KEY_BYTES_MAX];
};

hust_rank_t *hust_rank_new(hust_store_t *store)
{
    hust_rank_t *rank = calloc(1, sizeof(*rank));
    if (rank != NULL) {
        rank->store = store;
    }
    return rank;
}

void hust_rank_free(hust_rank_t *rank)
{
    if (rank != NULL) {
        hust_rank_forget(rank);
        free(rank);
    }
}

static row_t *add_row(hust_rank_t *rank, hust_slice_t key)
{
    row_t *row = calloc(1, sizeof(*row) + key.len);
    if (row == NULL) {
        return NULL;
    }
    assert(key.len >= 3);
    row->key_len = key.len;
    memcpy(row->key, key.data, key.len);
    HASH_ADD_KEYPTR(hh, rank->rows, row->key, row->key_len, row);
    if (row->hh.tbl == NULL) {
        free(row);
        return NULL;
    }
    return row;
}

/* The count row with this key changes. `stored` is what the store has of it. */
static hust_error_t count_in(hust_rank_t *rank, hust_slice_t key, const row_t *like, int added)
{
    row_t *row = NULL;
    HASH_FIND(hh, rank->rows, key.data, key.len, row);
    if (row == NULL) {
        row = add_row(rank, key);
        if (row == NULL) {
            return HUST_ERR_NOMEM;
        }
        row->level = like->level;
        row->is_root = like->is_root;
        row->stored = like->stored;
        row->tb_len = like->tb_len;
    }
    assert(row->level == like->level && row->is_root == like->is_root);
    row->added += added;
    return HUST_OK;
}

/* The row of a level below the root that counts a position. */
static hust_error_t count_below_root(hust_rank_t *rank, hust_slice_t tb, unsigned level,
                                     hust_slice_t position, int added)
{
    row_t like = {.level = level, .tb_len = tb.len};
    assert(level > 0 && (added == 1 || added == -1));
    bool found;
    hust_error_t err = hust_rank_find_row(rank->scan, tb, level, position, &found);
    if (err != HUST_OK) {
        return err;
    }
    if (!found || hust_rank_count_parse(hust_scan_value(rank->scan), &like.stored) != HUST_OK) {
        return HUST_ERR_MALFORMED;
    }
    return count_in(rank, hust_scan_key(rank->scan), &like, added);
}

/* One entry more or less at a position, on every level. */
static hust_error_t count(hust_rank_t *rank, hust_slice_t tb, hust_slice_t position, int added)
{
    row_t like = {.is_root = true, .tb_len = tb.len};
    hust_error_t err = hust_rank_root(rank->scan, tb, &like.level, &like.stored);
    if (err != HUST_OK) {
        return err;
    }
    if (like.level == 0) {
        assert(like.stored.entries == 0);
        like.level = 1; /* the first entry makes the root */
    }
    size_t len = hust_rank_prefix(tb, like.level, rank->key);
    err = count_in(rank, hust_slice_of(rank->key, len), &like, added);
    for (unsigned level = like.level - 1; err == HUST_OK && level > 0; level--) {
        err = count_below_root(rank, tb, level, position, added);
    }
    return err;
}

/* What is in the index of a record: its newest side, unless that is deleted. */
static const hust_side_t *indexed_side(const hust_record_t *record)
{
    return record->side_count > 0 && !record->sides[0].deleted ? &record->sides[0] : NULL;
}

static void put_entry(hust_rank_t *rank, hust_slice_t tb, hust_slice_t position,
                      const hust_side_t *side, hust_write_t *write)
{
    uint8_t value[HUST_RANK_VALUE_BYTES];
    const hust_rank_entry_t entry = {.version = side->version, .expire_at_ms = side->expire_at_ms};
    assert(!side->deleted);
    hust_rank_entry_value(&entry, value);
    size_t len = hust_rank_key(tb, 0, position, rank->key);
    hust_write_put(write, HUST_CF_RANK, hust_slice_of(rank->key, len),
                   hust_slice_of(value, sizeof(value)));
}

hust_error_t hust_rank_change(hust_rank_t *rank, const hust_element_t *element,
                              const hust_record_t *before, const hust_record_t *after,
                              hust_write_t *write)
{
    uint8_t position[HUST_RANK_POSITION_BYTES_MAX];
    const hust_side_t *old = indexed_side(before);
    const hust_side_t *new = indexed_side(after);
    int64_t old_score = old == NULL ? 0 : hust_rank_score_in(old->value);
    int64_t new_score = new == NULL ? 0 : hust_rank_score_in(new->value);
    bool stays = old != NULL && new != NULL &&old_score == new_score;
    hust_error_t err = HUST_OK;
    assert(element->type == HUST_TYPE_ZSET);
    if (rank->scan == NULL) {
        rank->scan = hust_scan_begin(rank->store, HUST_CF_RANK);
    }
    if (rank->scan == NULL) {
        return HUST_ERR_NOMEM;
    }
    if (old != NULL && !stays) {
        size_t len = hust_rank_position(old_score, element->key, position);
        size_t key_len = hust_rank_key(element->tb, 0, hust_slice_of(position, len), rank->key);
        hust_write_delete(write, HUST_CF_RANK, hust_slice_of(rank->key, key_len));
        err = count(rank, element->tb, hust_slice_of(position, len), -1);
    }
    if (err == HUST_OK && new != NULL) {
        size_t len = hust_rank_position(new_score, element->key, position);
        put_entry(rank, element->tb, hust_slice_of(position, len), new, write);
        err = stays ? HUST_OK : count(rank, element->tb, hust_slice_of(position, len), 1);
    }
    return err;
}

/* What a row will say. Entries are the children of level 1; above, children change in settling. */
static hust_rank_count_t count_after(const row_t *row)
{
    hust_rank_count_t after = row->stored;
    after.entries += (uint64_t)row->added;
    after.children += row->level == 1 ? (uint64_t)row->added : 0;
    return after;
}

void hust_rank_stage(hust_rank_t *rank, hust_write_t *write)
{
    for (const row_t *row = rank->rows; row != NULL; row = row->hh.next) {
        uint8_t value[HUST_RANK_VALUE_BYTES];
        hust_rank_count_t after = count_after(row);
        if (row->added == 0) {
            continue;
        }
        if (row->is_root && row->level == 1 && after.entries == 0) {
            hust_write_delete(write, HUST_CF_RANK, hust_slice_of(row->key, row->key_len));
        } else {
            hust_rank_count_value(&after, value);
            hust_write_put(write, HUST_CF_RANK, hust_slice_of(row->key, row->key_len),
                           hust_slice_of(value, sizeof(value)));
        }
    }
}

void hust_rank_forget(hust_rank_t *rank)
{
    row_t *row;
    row_t *next;
    HASH_ITER(hh, rank->rows, row, next)
    {
        HASH_DEL(rank->rows, row);
        free(row);
    }
    assert(rank->rows == NULL);
    hust_scan_end(rank->scan);
    rank->scan = NULL;
}

/*
 * True if a changed row of the lowest counts is not of a good size any more. One that stays small,
 * as its neighbours are full, is not tried again with every change.
 */
static bool needs_mending(const row_t *row)
{
    enum { STEP = 16 };
    uint64_t before = row->stored.children;
    uint64_t after = count_after(row).children;
    if (row->level > 1 || row->added == 0) {
        return false;
    }
    bool few = after < HUST_RANK_CHILDREN_MIN && (after == 0 || after / STEP != before / STEP);
    return after > HUST_RANK_CHILDREN_MAX || (few && !row->is_root);
}

void hust_rank_settle(hust_rank_t *rank)
{
    hust_scan_end(rank->scan); /* it does not see the write */
    rank->scan = NULL;
    for (const row_t *row = rank->rows; row != NULL; row = row->hh.next) {
        if (!needs_mending(row)) {
            continue;
        }
        hust_slice_t tb = hust_slice_of(row->key, row->tb_len);
        size_t prefix = row->tb_len + 2;
        assert(row->key_len >= prefix);
        hust_error_t err = hust_rank_balance(
            rank->store, tb, hust_slice_of(row->key + prefix, row->key_len - prefix));
        if (err != HUST_OK) {
            hust_log(HUST_LOG_ERROR, "store: the order of sorted set %.*s is left unbalanced: %s",
                     (int)tb.len, (const char *)tb.data, hust_error_text(err));
            break;
        }
    }
    hust_rank_forget(rank);
}
