/*
 * What the unit tests of records, operations and the coordinator share: cmocka, a seeded random
 * generator, short constructors, and a replica: one element as a node would keep it.
 */
#ifndef HUST_TEST_SUPPORT_H
#define HUST_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/apply.h"
#include "core/batch.h"
#include "core/record.h"

#define TEST_NOW_MS 1700000000000ULL

#define assert_slice(slice, text)                                                                  \
    do {                                                                                           \
        hust_slice_t checked_ = (slice);                                                           \
        assert_int_equal(checked_.len, strlen(text));                                              \
        assert_memory_equal(checked_.data, (text), checked_.len);                                  \
    } while (0)

#define assert_stamp(a, b) assert_int_equal(hust_stamp_compare((a), (b)), 0)

/* xorshift64*: deterministic, so that a failing seed can be run again. */
uint64_t test_random(uint64_t *state);
unsigned test_pick(uint64_t *state, unsigned count);

/* A stamp `ms` after TEST_NOW_MS by writer 1, or by `writer`. */
hust_stamp_t test_stamp(uint64_t ms);
hust_stamp_t test_stamp_by(uint64_t ms, uint32_t writer);

hust_element_t test_element(void);
hust_op_t test_put(hust_stamp_t stamp, const char *value);
hust_op_t test_del(hust_stamp_t stamp);
hust_op_t test_incr(hust_stamp_t stamp, int64_t delta);
hust_op_t test_get(void);

/* One element on one node; owns the bytes of what it holds. */
typedef struct {
    hust_buf_t bytes; /* the stored record */
    hust_stored_t held;
    hust_clock_t clock;
    bool replicated;
} replica_t;

void replica_init(replica_t *replica);
void replica_free(replica_t *replica);

/* Apply and keep; the result's value borrows from `reply`, which is filled for it. */
hust_result_t replica_apply(replica_t *replica, const hust_op_t *op, hust_buf_t *reply);

/* As replica_apply, for tests that do not look at the value. */
hust_result_t replica_do(replica_t *replica, hust_op_t op);

/* True if the two hold the same, hints aside. */
bool replicas_equal(const replica_t *a, const replica_t *b);

/* Merge what `from` holds into `to`. */
void replica_merge(replica_t *to, const replica_t *from);

#endif /* HUST_TEST_SUPPORT_H */
