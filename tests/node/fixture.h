/*
 * A node without HTTP in a temporary directory: the real store, counters, hints and committer, and
 * a way to run operations through them one group at a time.
 */
#ifndef HUST_TEST_NODE_FIXTURE_H
#define HUST_TEST_NODE_FIXTURE_H

#include "core/buf.h"
#include "node/committer.h"
#include "node/counters.h"
#include "node/hints.h"
#include "node/keys.h"
#include "node/store.h"
#include "node/sweeper.h"
#include "node/tables.h"
#include "node/wall.h"
#include "unit.h"

#define PEER "10.0.0.2:8085"

typedef struct {
    char directory[64];
    hust_store_options_t options;
    hust_store_t *store;
    hust_counters_t *counters;
    hust_hints_t *hints;
    hust_committer_t *committer;
} fixture_t;

/* Setup and teardown of a cmocka test: `*state` is a fixture with everything running. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Stop and start again on the same directory, as a restarted node would. */
void fixture_stop(fixture_t *fixture);
void fixture_start(fixture_t *fixture);
void fixture_restart(fixture_t *fixture);

/* A result with its value copied, to be freed with fixture_results_free. */
typedef struct {
    hust_result_t result;
    hust_buf_t value;
} answer_t;

/* Run operations as one job; returns what on_done was told. Results are in `answers`. */
unsigned fixture_run(fixture_t *fixture, const hust_op_t *ops, size_t count, answer_t *answers);
void answers_free(answer_t *answers, size_t count);

/* Run one operation that commits; its value is not kept. */
hust_result_t fixture_do(fixture_t *fixture, hust_op_t op);

/* Run a sweep's job of one element. */
unsigned fixture_expire(fixture_t *fixture, const hust_element_t *element, uint64_t instant_ms);

/* Short constructors: direct operations at the present. `tb` NULL: a KV pair. */
hust_element_t element(hust_type_t type, const char *tb, const char *key);
hust_op_t direct(hust_op_code_t code, hust_element_t element, const char *value);
hust_op_t expiring(hust_op_t op, uint64_t expire_at_ms);

/* A coordinated operation: stamped with `stamp_ms`, and for PEER if `solo`. */
hust_op_t coordinated(hust_op_code_t code, hust_element_t element, const char *value,
                      uint64_t stamp_ms, bool solo);

/* Keys in a column family that begin with `prefix`. */
size_t fixture_count_keys(const fixture_t *fixture, hust_cf_t cf, const char *prefix);

/*
 * Everything that is kept beside the records agrees with them: table counters, totals, both
 * kinds of expiry entries, and the list of hints.
 */
void fixture_check(const fixture_t *fixture);

#endif /* HUST_TEST_NODE_FIXTURE_H */
