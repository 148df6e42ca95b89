/*
 * The committer: one thread that carries out all writes. It takes everything that waits, reads the
 * old records, applies the operations in order, stores the outcome in one write made stable once
 * (group commit), and only then tells the jobs. (DeWitt et al., Implementation Techniques for Main
 * Memory Database Systems, 1984.)
 */
#ifndef HUST_NODE_COMMITTER_H
#define HUST_NODE_COMMITTER_H

#include "core/op.h"
#include "node/counters.h"
#include "node/hints.h"
#include "node/store.h"

/* An element to be marked deleted because it has expired. */
typedef struct {
    hust_slice_t data_key;
    uint64_t instant_ms; /* only if it still expires then */
} hust_expired_t;

typedef struct hust_job hust_job_t;

/*
 * Operations that commit together. The submitter owns the job and everything it points to until
 * `on_done` is called. Both callbacks run in the committer's thread and must not block.
 */
struct hust_job {
    hust_job_t *next;     /* the committer's */
    const hust_op_t *ops; /* valid elements; reads see what the operations before them did */
    size_t op_count;
    const hust_expired_t *expired; /* a sweep's; a job has either operations or these */
    size_t expired_count;
    size_t bytes; /* memory that the job keeps alive; bounds the size of a group */
    /*
     * An operation has been applied, but is not stored yet. The result's slices are borrowed: they
     * are good during the call. May be NULL.
     */
    void (*on_result)(hust_job_t *job, size_t index, const hust_result_t *result);
    /* 0: stored. Otherwise nothing of it is, and all results are this status: 500 or 507. */
    void (*on_done)(hust_job_t *job, unsigned failure);
};

typedef struct {
    hust_store_t *store;
    hust_counters_t *counters;
    hust_hints_t *hints;
    bool replicated; /* direct writes leave a mark */
} hust_committer_env_t;

typedef struct hust_committer hust_committer_t;

/* Start the thread. HUST_ERR_NOMEM or IO (logged). */
hust_error_t hust_committer_start(const hust_committer_env_t *env, hust_committer_t **out);

/* Hand over a job; never blocks for long. Any thread, until _stop. */
void hust_committer_submit(hust_committer_t *committer, hust_job_t *job);

/* Carry out what has been submitted, then end the thread and free. */
void hust_committer_stop(hust_committer_t *committer);

/* How busy the committer is. Any thread. */
typedef struct {
    uint64_t done;    /* operations carried out since the start */
    uint64_t waiting; /* operations that wait for their turn */
} hust_committer_load_t;

hust_committer_load_t hust_committer_load(hust_committer_t *committer);

/* Time part of the node's clock, as of the last commit. Any thread. */
uint64_t hust_committer_clock(hust_committer_t *committer);

#endif /* HUST_NODE_COMMITTER_H */
