#include "node/rank_balance.h"

#include <assert.h>

#include "core/buf.h"
#include "core/cursor.h"
#include "node/rank_find.h"

typedef struct {
    hust_buf_t position; /* its separator */
    hust_rank_count_t count;
    bool exists;
    bool is_first; /* of its level; only looked for where it matters */
} row_t;

/* A tree while one level of it is mended. */
typedef struct {
    hust_store_t *store;
    hust_slice_t tb;
    hust_write_t *write;
    hust_scan_t *scan;
    unsigned level;  /* of the row */
    unsigned height; /* the root's level */
    row_t row;
    row_t parent;
    row_t left; /* neighbours under the same parent */
    row_t right;
    hust_buf_t scratch;
} mend_t;

static void mend_free(mend_t *mend)
{
    hust_scan_end(mend->scan);
    hust_write_free(mend->write);
    hust_buf_free(&mend->row.position);
    hust_buf_free(&mend->parent.position);
    hust_buf_free(&mend->left.position);
    hust_buf_free(&mend->right.position);
    hust_buf_free(&mend->scratch);
}

/* --- rows --- */

/* Take the row on which the walk stands, if it is of this level. */
static hust_error_t take_row(mend_t *mend, unsigned level, row_t *row)
{
    hust_slice_t position;
    assert(level >= 1);
    hust_buf_clear(&row->position);
    row->exists = hust_rank_on_level(mend->scan, mend->tb, level, &position);
    if (!row->exists) {
        return hust_scan_error(mend->scan);
    }
    hust_error_t err = hust_rank_count_parse(hust_scan_value(mend->scan), &row->count);
    return err == HUST_OK ? hust_buf_append_slice(&row->position, position) : err;
}

static hust_slice_t make_key(mend_t *mend, unsigned level, hust_slice_t position,
                             uint8_t key[HUST_RANK_KEY_BYTES_MAX])
{
    return hust_slice_of(key, hust_rank_key(mend->tb, level, position, key));
}

/* The row of a level that counts a position. */
static hust_error_t find_row(mend_t *mend, unsigned level, hust_slice_t position, row_t *row)
{
    bool found;
    hust_error_t err = hust_rank_find_row(mend->scan, mend->tb, level, position, &found);
    return err == HUST_OK ? take_row(mend, level, row) : err;
}

/* Say whether a row is the first of its level. Moves the walk to the row before it. */
static hust_error_t look_before(mend_t *mend, unsigned level, row_t *row)
{
    uint8_t key[HUST_RANK_KEY_BYTES_MAX];
    hust_slice_t before;
    assert(row->exists);
    hust_scan_seek_before(mend->scan, make_key(mend, level, hust_buf_slice(&row->position), key));
    row->is_first = !hust_rank_on_level(mend->scan, mend->tb, level, &before);
    return hust_scan_error(mend->scan);
}

static void put_row(mend_t *mend, unsigned level, hust_slice_t position,
                    const hust_rank_count_t *count)
{
    uint8_t key[HUST_RANK_KEY_BYTES_MAX];
    uint8_t value[HUST_RANK_VALUE_BYTES];
    assert(level >= 1 && level <= HUST_RANK_LEVELS_MAX);
    hust_rank_count_value(count, value);
    hust_write_put(mend->write, HUST_CF_RANK, make_key(mend, level, position, key),
                   hust_slice_of(value, sizeof(value)));
}

static void delete_row(mend_t *mend, unsigned level, hust_slice_t position)
{
    uint8_t key[HUST_RANK_KEY_BYTES_MAX];
    assert(level >= 1 && level <= mend->height);
    hust_write_delete(mend->write, HUST_CF_RANK, make_key(mend, level, position, key));
}

/* The parent has more or fewer children; a root that was split gets a parent. */
static void put_parent(mend_t *mend, int64_t children_added)
{
    if (mend->level == mend->height) {
        const hust_rank_count_t root = {.entries = mend->row.count.entries,
                                        .children = 1 + (uint64_t)children_added};
        put_row(mend, mend->level + 1, hust_slice_str(""), &root);
        return;
    }
    assert(mend->parent.exists);
    mend->parent.count.children += (uint64_t)children_added;
    put_row(mend, mend->level + 1, hust_buf_slice(&mend->parent.position), &mend->parent.count);
}

/* --- splitting --- */

typedef struct {
    hust_rank_count_t sum; /* of all children seen */
    hust_rank_count_t piece;
    hust_buf_t position; /* where the piece begins */
    uint64_t good;       /* children of a piece */
    int64_t pieces;      /* written */
} split_t;

static void end_piece(mend_t *mend, split_t *split)
{
    assert(split->piece.children > 0);
    put_row(mend, mend->level, hust_buf_slice(&split->position), &split->piece);
    split->pieces++;
    split->sum.entries += split->piece.entries;
    split->sum.children += split->piece.children;
    split->piece = (hust_rank_count_t){0};
}

/* A new piece begins at a child. Between entries a short separator does; a row keeps its own. */
static hust_error_t begin_piece(mend_t *mend, split_t *split, hust_slice_t child)
{
    hust_slice_t position =
        mend->level == 1 ? hust_cursor_separator(hust_buf_slice(&mend->scratch), child) : child;
    hust_buf_clear(&split->position);
    return hust_buf_append_slice(&split->position, position);
}

static hust_error_t add_child(mend_t *mend, split_t *split, hust_slice_t child)
{
    hust_rank_count_t count = {.entries = 1};
    hust_error_t err = HUST_OK;
    if (mend->level > 1) {
        err = hust_rank_count_parse(hust_scan_value(mend->scan), &count);
    }
    if (err == HUST_OK && split->piece.children == split->good) {
        end_piece(mend, split);
        err = begin_piece(mend, split, child);
    }
    split->piece.children++;
    split->piece.entries += count.entries;
    hust_buf_clear(&mend->scratch); /* the child before the next one */
    return err == HUST_OK ? hust_buf_append_slice(&mend->scratch, child) : err;
}

/*
 * Walk over the children of the row, which ends where its neighbour on the right begins. The first
 * row gets the empty separator: pieces of it may begin before its own.
 */
static hust_error_t split_children(mend_t *mend, split_t *split, const row_t *next)
{
    uint8_t key[HUST_RANK_KEY_BYTES_MAX];
    hust_slice_t child;
    hust_error_t err = HUST_OK;
    unsigned level = mend->level - 1;
    hust_scan_seek(mend->scan, make_key(mend, level, hust_buf_slice(&split->position), key));
    while (err == HUST_OK && hust_rank_on_level(mend->scan, mend->tb, level, &child) &&
           (!next->exists || hust_slice_compare(child, hust_buf_slice(&next->position)) < 0)) {
        err = add_child(mend, split, child);
        hust_scan_next(mend->scan);
    }
    err = err == HUST_OK ? hust_scan_error(mend->scan) : err;
    if (err == HUST_OK && split->piece.children > 0) {
        end_piece(mend, split);
    }
    return err;
}

static hust_error_t split(mend_t *mend)
{
    assert(mend->row.count.children > HUST_RANK_CHILDREN_MAX);
    row_t next = {0};
    uint64_t pieces =
        (mend->row.count.children + HUST_RANK_CHILDREN_GOOD - 1) / HUST_RANK_CHILDREN_GOOD;
    split_t split = {.good = (mend->row.count.children + pieces - 1) / pieces};
    hust_scan_next(mend->scan); /* off the row */
    hust_error_t err = take_row(mend, mend->level, &next);
    if (err == HUST_OK) {
        err = look_before(mend, mend->level, &mend->row);
    }
    if (err == HUST_OK && mend->row.is_first) {
        delete_row(mend, mend->level, hust_buf_slice(&mend->row.position));
    } else if (err == HUST_OK) {
        err = hust_buf_append_slice(&split.position, hust_buf_slice(&mend->row.position));
    }
    if (err == HUST_OK) {
        err = split_children(mend, &split, &next);
    }
    if (err == HUST_OK && (split.sum.entries != mend->row.count.entries ||
                           split.sum.children != mend->row.count.children)) {
        err = HUST_ERR_MALFORMED;
    }
    if (err == HUST_OK) {
        put_parent(mend, split.pieces - 1);
    }
    hust_buf_free(&split.position);
    hust_buf_free(&next.position);
    return err;
}

/* --- merging --- */

static hust_error_t find_left(mend_t *mend)
{
    hust_error_t err = look_before(mend, mend->level + 1, &mend->parent);
    if (err == HUST_OK) {
        err = look_before(mend, mend->level, &mend->row);
    }
    if (err != HUST_OK || mend->row.is_first) {
        return err;
    }
    err = take_row(mend, mend->level, &mend->left);
    if (err == HUST_OK && !mend->parent.is_first) {
        mend->left.exists = hust_slice_compare(hust_buf_slice(&mend->left.position),
                                               hust_buf_slice(&mend->parent.position)) >= 0;
    }
    return err == HUST_OK && mend->left.exists ? look_before(mend, mend->level, &mend->left) : err;
}

/* The neighbours of the row, as far as they have the same parent. The walk stands on the row. */
static hust_error_t find_neighbours(mend_t *mend)
{
    row_t after = {0};
    assert(mend->level < mend->height && mend->parent.exists);
    hust_slice_t at = hust_buf_slice(&mend->row.position);
    hust_scan_next(mend->scan);
    hust_error_t err = take_row(mend, mend->level, &mend->right);
    if (err == HUST_OK) {
        err = find_row(mend, mend->level + 1, at, &after); /* the parent again, to look past it */
    }
    if (err == HUST_OK) {
        hust_scan_next(mend->scan);
        err = take_row(mend, mend->level + 1, &after);
    }
    if (err == HUST_OK && mend->right.exists && after.exists) {
        mend->right.exists = hust_slice_compare(hust_buf_slice(&mend->right.position),
                                                hust_buf_slice(&after.position)) < 0;
    }
    hust_buf_free(&after.position);
    return err == HUST_OK ? find_left(mend) : err;
}

static bool fit_together(const row_t *left, const row_t *right)
{
    return left->exists && right->exists &&
           (left->count.children + right->count.children <= HUST_RANK_CHILDREN_GOOD ||
            left->count.children == 0 || right->count.children == 0);
}

/*
 * Two rows become one. The one on the right goes, whose separator no row above can have; but if the
 * other is the first of its level, that one goes (rank_keys.h says why).
 */
static void join(mend_t *mend, const row_t *left, const row_t *right)
{
    assert(left->exists && right->exists);
    assert(hust_slice_compare(hust_buf_slice(&left->position), hust_buf_slice(&right->position)) <
           0);
    const row_t *stays = left->is_first ? right : left;
    const row_t *goes = left->is_first ? left : right;
    const hust_rank_count_t sum = {
        .entries = left->count.entries + right->count.entries,
        .children = left->count.children + right->count.children,
    };
    delete_row(mend, mend->level, hust_buf_slice(&goes->position));
    put_row(mend, mend->level, hust_buf_slice(&stays->position), &sum);
    put_parent(mend, -1);
}

static hust_error_t merge(mend_t *mend)
{
    hust_error_t err = find_neighbours(mend);
    if (err != HUST_OK) {
        return err;
    }
    /* Members that are always taken from the front stay behind the first separator. */
    if (mend->level == 1 && mend->row.is_first && mend->row.count.children > 0) {
        return HUST_OK;
    }
    if (fit_together(&mend->row, &mend->right)) {
        join(mend, &mend->row, &mend->right);
    } else if (fit_together(&mend->left, &mend->row)) {
        join(mend, &mend->left, &mend->row);
    }
    return HUST_OK;
}

/* --- a level, and all of them --- */

static hust_error_t begin(mend_t *mend)
{
    hust_rank_count_t root;
    hust_scan_end(mend->scan);
    mend->scan = hust_scan_begin(mend->store, HUST_CF_RANK);
    hust_write_clear(mend->write);
    mend->left.exists = mend->right.exists = mend->parent.exists = false;
    return mend->scan == NULL ? HUST_ERR_NOMEM
                              : hust_rank_root(mend->scan, mend->tb, &mend->height, &root);
}

/* Store what was decided; `*changed` is false if it was nothing. */
static hust_error_t end(mend_t *mend, bool *changed)
{
    *changed = hust_write_count(mend->write) > 0;
    if (!*changed) {
        return HUST_OK;
    }
    if (hust_store_failure(mend->store) != 0) {
        return HUST_ERR_IO;
    }
    return hust_store_commit_lazily(mend->store, mend->write) == 0 ? HUST_OK : HUST_ERR_IO;
}

static hust_error_t mend_row(mend_t *mend, hust_slice_t position)
{
    hust_error_t err = HUST_OK;
    if (mend->level < mend->height) {
        err = find_row(mend, mend->level + 1, position, &mend->parent);
    }
    if (err == HUST_OK) {
        err = find_row(mend, mend->level, position, &mend->row);
    }
    if (err != HUST_OK) {
        return err;
    }
    if (!mend->row.exists || mend->parent.exists != (mend->level < mend->height)) {
        return HUST_ERR_MALFORMED;
    }
    if (mend->row.count.children > HUST_RANK_CHILDREN_MAX) {
        return split(mend);
    }
    bool few = mend->row.count.children < HUST_RANK_CHILDREN_MIN;
    return few && mend->level < mend->height ? merge(mend) : HUST_OK;
}

/* The only child of a root becomes the root itself. */
static hust_error_t raise_child(mend_t *mend)
{
    assert(mend->height >= 2);
    unsigned level = mend->height - 1;
    hust_error_t err = find_row(mend, level, hust_slice_str(""), &mend->row);
    if (err == HUST_OK && !mend->row.exists) {
        return HUST_ERR_MALFORMED;
    }
    if (err == HUST_OK) {
        delete_row(mend, level, hust_buf_slice(&mend->row.position));
        put_row(mend, level, hust_slice_str(""), &mend->row.count);
    }
    return err;
}

/* A root with one child makes way for it; one that counts nothing goes. */
static hust_error_t lower_root(mend_t *mend, bool *changed)
{
    hust_error_t err = begin(mend);
    *changed = false;
    if (err != HUST_OK || mend->height == 0) {
        return err;
    }
    err = find_row(mend, mend->height, hust_slice_str(""), &mend->row);
    if (err == HUST_OK && mend->row.count.children == (mend->height == 1 ? 0u : 1u)) {
        delete_row(mend, mend->height, hust_slice_str(""));
        err = mend->height == 1 ? HUST_OK : raise_child(mend);
    }
    return err == HUST_OK ? end(mend, changed) : err;
}

static hust_error_t mend_levels(mend_t *mend, hust_slice_t position)
{
    bool changed = true;
    hust_error_t err = HUST_OK;
    for (mend->level = 1; err == HUST_OK && changed; mend->level++) {
        err = begin(mend);
        if (err != HUST_OK || mend->level > mend->height) {
            break;
        }
        err = mend_row(mend, position);
        err = err == HUST_OK ? end(mend, &changed) : err;
    }
    for (changed = true; err == HUST_OK && changed;) {
        err = lower_root(mend, &changed);
    }
    return err;
}

hust_error_t hust_rank_balance(hust_store_t *store, hust_slice_t tb, hust_slice_t position)
{
    mend_t mend = {.store = store, .tb = tb, .write = hust_write_new(store)};
    hust_error_t err = mend.write == NULL ? HUST_ERR_NOMEM : mend_levels(&mend, position);
    mend_free(&mend);
    return err;
}
