/*
 * Applying an operation to what is held of its element: pure, so that the node, the tests and the
 * simulator run the same code.
 *
 * What it does not know: other elements (table types and counters are the caller's), memory or
 * disk limits, time (it comes with the operation).
 */
#ifndef HUST_APPLY_H
#define HUST_APPLY_H

#include "core/op.h"
#include "core/record.h"

enum { HUST_NUMBER_CHARS_MAX = 21 };

typedef struct {
    uint64_t wall_ms;    /* the node's own wall clock, to refuse stamps far in the future */
    hust_clock_t *clock; /* the node's clock: moves past what it sees, stamps DIRECT writes */
    bool replicated;     /* a DIRECT write leaves a mark */
} hust_apply_env_t;

typedef struct {
    bool changed;         /* `next` differs from what was held and must be stored */
    hust_stored_t next;   /* values borrow from the old record, the operation or `number` */
    hust_result_t result; /* likewise */
    char number[HUST_NUMBER_CHARS_MAX];
    bool hint_added;   /* a hint for op->target must be listed (gen as in next.hint) */
    bool hint_dropped; /* the hint for op->target must be taken off the list */
    bool
        answer_held; /* RECONCILE: `held` encoded is to be the result's value (the caller's part) */
} hust_applied_t;

/*
 * Read: fills `result` from what is held (side_count 0: nothing). Values borrow from `held`.
 * Large values are not abridged here: that is a matter of the wire (hust_result_abridge).
 */
void hust_read(const hust_stored_t *held, const hust_op_t *op, hust_result_t *result);

/*
 * Any operation, reads included. `out` must not be copied while borrowed (number). Statuses:
 *   200 done; 404 nothing live there (a DEL is STORED all the same); 401 ver; 403 not a number or
 *   overflow; 412 IF_FAILED; 503 the stamp is too far ahead; 200 + BEHIND nothing done.
 */
void hust_apply(const hust_apply_env_t *env, const hust_stored_t *held, const hust_op_t *op,
                hust_applied_t *out);

/*
 * Replace a value of more than `bytes_max` by its length and, where it is to be compared with
 * another master's, its hash: hashing megabytes for a reader who compares nothing would be wasted.
 */
void hust_result_abridge(hust_result_t *result, size_t bytes_max, bool compared);

#endif /* HUST_APPLY_H */
