/*
 * The sweeper: a thread that marks deleted, through the committer, what has expired. On its own
 * once a second, what has been expired for a while; on request at once, for whoever counts.
 */
#ifndef HUST_NODE_SWEEPER_H
#define HUST_NODE_SWEEPER_H

#include "node/committer.h"
#include "node/store.h"

/* Masters' clocks differ; until then expiry is judged by each operation's own time. */
enum { HUST_SWEEP_DELAY_MS = 120 * 1000 };

typedef struct hust_sweep hust_sweep_t;

/* A request. The requester owns it until `on_done`, which runs in the sweeper's thread. */
struct hust_sweep {
    hust_sweep_t *next; /* the sweeper's */
    hust_slice_t tb;    /* only this table; empty: everything */
    void (*on_done)(hust_sweep_t *sweep);
};

typedef struct hust_sweeper hust_sweeper_t;

/* Start the thread. HUST_ERR_NOMEM or IO (logged). */
hust_error_t hust_sweeper_start(hust_store_t *store, hust_committer_t *committer,
                                hust_sweeper_t **out);

/* Sweep what has expired by now, then call `on_done`. Any thread, until _stop. */
void hust_sweeper_submit(hust_sweeper_t *sweeper, hust_sweep_t *sweep);

/* Carry out what was requested, end the thread and free. The committer must be running still. */
void hust_sweeper_stop(hust_sweeper_t *sweeper);

#endif /* HUST_NODE_SWEEPER_H */
