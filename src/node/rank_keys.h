/*
 * The rows of the column family `rank`: every sorted set in order, and above its entries a counted
 * tree, so that the n-th entry is found without walking there.
 *
 *   entry   tb | 0x00 | 0xff | score, 8 bytes in order | member    ->  version u64 | expiry u64
 *   count   tb | 0x00 | 0xff - level | separator                   ->  entries u64 | children u64
 *
 * The entries are level 0. A count row of level n stands for the rows of level n - 1 from its
 * separator up to the next separator of its own level: its `children`, and how many entries there
 * are below them. The first row of a level also stands for everything before its separator. The one
 * row of the highest level is the root: its separator is empty, and it is the first row of its
 * table. Other rows than the first of their level have a child with the very same separator.
 *
 * Which rows go when the tree shrinks matters to the engine, which walks over what was deleted:
 * there must not be many deleted separators right before a position that is in use, also not in a
 * set whose lowest members are always taken away. Hence the rule for the first row.
 *
 * "Position" means the bytes after tb | 0x00 | level: of an entry its score and member.
 */
#ifndef HUST_NODE_RANK_KEYS_H
#define HUST_NODE_RANK_KEYS_H

#include "core/element.h"
#include "core/error.h"
#include "node/store.h"

enum {
    HUST_RANK_PREFIX_BYTES_MAX = HUST_TB_BYTES_MAX + 2,
    HUST_RANK_SCORE_BYTES = 8,
    HUST_RANK_POSITION_BYTES_MAX = HUST_RANK_SCORE_BYTES + HUST_KEY_BYTES_MAX,
    HUST_RANK_KEY_BYTES_MAX = HUST_RANK_PREFIX_BYTES_MAX + HUST_RANK_POSITION_BYTES_MAX,
    HUST_RANK_VALUE_BYTES = 16, /* of either kind of row */
    HUST_RANK_LEVELS_MAX = 32,  /* more than any tree can have */
};

/* What a row says. */
typedef struct {
    uint64_t entries;
    uint64_t children;
} hust_rank_count_t;

typedef struct {
    uint64_t version;
    uint64_t expire_at_ms; /* 0: for ever */
} hust_rank_entry_t;

/* First bytes of all rows of a level of a table; returns their length. */
size_t hust_rank_prefix(hust_slice_t tb, unsigned level, uint8_t out[HUST_RANK_PREFIX_BYTES_MAX]);

/* A whole key; returns its length. */
size_t hust_rank_key(hust_slice_t tb, unsigned level, hust_slice_t position,
                     uint8_t out[HUST_RANK_KEY_BYTES_MAX]);

/* Scores as bytes that order as the numbers do. */
void hust_rank_score(int64_t score, uint8_t out[HUST_RANK_SCORE_BYTES]);
int64_t hust_rank_score_of(const uint8_t bytes[HUST_RANK_SCORE_BYTES]);

/* The position of a member; returns its length. */
size_t hust_rank_position(int64_t score, hust_slice_t member,
                          uint8_t out[HUST_RANK_POSITION_BYTES_MAX]);

/* Take a position apart; `member` borrows from it. HUST_ERR_MALFORMED if it is none. */
hust_error_t hust_rank_position_parse(hust_slice_t position, int64_t *score, hust_slice_t *member);

/*
 * The score that a member's stored value stands for. A value that is no number, which only a batch
 * can have put there, counts as 0.
 */
int64_t hust_rank_score_in(hust_slice_t value);

void hust_rank_count_value(const hust_rank_count_t *count, uint8_t out[HUST_RANK_VALUE_BYTES]);
void hust_rank_entry_value(const hust_rank_entry_t *entry, uint8_t out[HUST_RANK_VALUE_BYTES]);

/* HUST_ERR_MALFORMED if the value is none. */
hust_error_t hust_rank_count_parse(hust_slice_t value, hust_rank_count_t *out);
hust_error_t hust_rank_entry_parse(hust_slice_t value, hust_rank_entry_t *out);

#endif /* HUST_NODE_RANK_KEYS_H */
