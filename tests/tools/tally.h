/*
 * Counts what came of many exchanges and writes it as JSON. Memory does not grow with them.
 */
#ifndef HUST_TEST_TALLY_H
#define HUST_TEST_TALLY_H

#include <jansson.h>

#include "exchange.h"

enum {
    TALLY_REPORTS_MAX = 20, /* faults described in full */
    TALLY_SYNC_MAX = 8,     /* different Sync targets */
    /* Latency: 32 steps per power of two of microseconds, so within 3 percent. */
    TALLY_LATENCY_STEPS = 32,
    TALLY_LATENCY_BUCKETS = 40 * TALLY_LATENCY_STEPS,
};

typedef struct {
    uint64_t id;
    unsigned client;
    fault_t fault;
    unsigned status;
    char detail[EXCHANGE_DETAIL_BYTES];
} tally_report_t;

typedef struct {
    char target[64];
    uint64_t count;
} tally_sync_t;

typedef struct {
    uint64_t exchanges;
    uint64_t faults[FAULT_COUNT]; /* of exchanges, by how they ended */
    uint64_t statuses[600];
    uint64_t repeated; /* exchanges that were sent more than once */
    uint64_t sends;    /* attempts in all */
    uint64_t sync_count;
    tally_sync_t sync[TALLY_SYNC_MAX];
    unsigned sync_targets;

    uint64_t connections;
    uint64_t lost_connections[FAULT_COUNT]; /* by how, first request in line */
    uint64_t lost_requests;                 /* that were under way on them */

    uint64_t latency[TALLY_LATENCY_BUCKETS];
    uint64_t latency_max_us;
    tally_report_t reports[TALLY_REPORTS_MAX];
    unsigned report_count;
} tally_t;

void tally_exchange(tally_t *tally, unsigned client, const exchange_t *exchange,
                    const exchange_result_t *result);
void tally_lost(tally_t *tally, fault_t fault, unsigned requests);
void tally_connected(tally_t *tally);

/* Add everything of `from`. */
void tally_add(tally_t *tally, const tally_t *from);

/* True if there was no wrong answer, no extra byte, and every exchange got its answer. */
bool tally_is_clean(const tally_t *tally);

/* A new JSON object, owned by the caller; `seconds` is the wall time of it all. */
json_t *tally_json(const tally_t *tally, double seconds);

/* Print a JSON object and a newline to standard output, and drop the reference. 0 or -1. */
int tally_print(json_t *object);

#endif /* HUST_TEST_TALLY_H */
