/*
 * The replicated record of an element: its sides, their order, and merge.
 *
 * Merge takes the larger of two records in a total order, so it is commutative, associative and
 * idempotent: masters that have exchanged what they hold are equal, whatever came in what order.
 * (Shapiro et al., Conflict-free Replicated Data Types, 2011: a join semilattice.)
 *
 * Two layouts, both versioned, big-endian, described in docs/formats.md:
 *   wire record    what two masters exchange: the sides alone
 *   stored record  what a node keeps: the node's private hint, then the wire record
 */
#ifndef HUST_RECORD_H
#define HUST_RECORD_H

#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/slice.h"

/* One accepted write. A tombstone is deleted, with version 0 and an empty value. */
typedef struct {
    hust_stamp_t stamp;
    uint64_t version;      /* 1 for a new key, +1 with every write; 0 for a tombstone */
    uint64_t expire_at_ms; /* absolute wall time; 0 = for ever */
    bool deleted;
    hust_slice_t value; /* borrowed; sorted sets: the score in decimal */
} hust_side_t;

/* What is held of an element: nothing, one side, or in a conflict two, the newer one first. */
typedef struct {
    unsigned side_count; /* 0, 1 or 2 */
    hust_side_t sides[2];
} hust_record_t;

/*
 * Private to a node, never merged: this element must be compared with another master.
 * A hint with a target is a task; one without (a write made directly on the node) is a mark.
 */
typedef struct {
    bool present;
    bool has_target;
    hust_stamp_t base; /* what the other master may still hold: replaced by the first solo write */
    hust_stamp_t solo; /* the last write that only this master is known to have */
    hust_stamp_t own;  /* in a conflict: which side this node accepted itself */
    uint64_t gen;      /* grows with every change of the hint */
} hust_hint_t;

typedef struct {
    hust_hint_t hint;
    hust_record_t record;
} hust_stored_t;

/* Expired or deleted: absent for a reader whose time is `now_ms`. */
static inline bool hust_side_is_live(const hust_side_t *side, uint64_t now_ms)
{
    return !side->deleted && (side->expire_at_ms == 0 || side->expire_at_ms > now_ms);
}

/* The stamp of the newest side, or no stamp. */
static inline hust_stamp_t hust_record_stamp(const hust_record_t *record)
{
    return record->side_count == 0 ? (hust_stamp_t){0, 0} : record->sides[0].stamp;
}

/* The total order of sides: by stamp, then deleted wins, then expiry and bytes. */
int hust_side_compare(const hust_side_t *a, const hust_side_t *b);

/* The total order of records: top stamp, other side's stamp, version, then the bytes. */
int hust_record_compare(const hust_record_t *a, const hust_record_t *b);

/* The larger of the two; values stay borrowed from the winner. */
hust_record_t hust_record_merge(const hust_record_t *a, const hust_record_t *b);

/* Append the wire record. HUST_ERR_NOMEM. */
hust_error_t hust_record_encode(const hust_record_t *record, hust_buf_t *out);

/*
 * Append a wire record of one side up to its value, whose bytes the caller sends right after: for
 * values that are not in memory (only value.len is looked at). HUST_ERR_NOMEM.
 */
hust_error_t hust_record_encode_head(const hust_side_t *side, hust_buf_t *out);

/* Decode a whole wire record; values borrow from `in`. TRUNCATED, MALFORMED or VERSION. */
hust_error_t hust_record_decode(hust_slice_t in, hust_record_t *out);

/* Append the stored record. HUST_ERR_NOMEM. */
hust_error_t hust_stored_encode(const hust_stored_t *stored, hust_buf_t *out);

/* Decode a whole stored record; values borrow from `in`. TRUNCATED, MALFORMED or VERSION. */
hust_error_t hust_stored_decode(hust_slice_t in, hust_stored_t *out);

#endif /* HUST_RECORD_H */
