/*
 * Hint delivery (hinted handoff): for each configured peer a thread that brings it the elements
 * for which this node holds hints, as soon as the peer is there.
 *
 * Hints younger than HUST_HINT_BACKLOG_MS are left alone: most are deciding writes on their way,
 * which clear their own. What a peer does not take is tried again later.
 */
#ifndef HUST_NODE_DELIVER_H
#define HUST_NODE_DELIVER_H

#include "node/committer.h"
#include "node/config.h"
#include "node/hints.h"
#include "node/store.h"

typedef struct {
    const char *target;        /* host:port, borrowed for the life of the delivery */
    uint64_t processed;        /* elements exchanged since the start, repeats included */
    uint64_t synced;           /* hints dropped because both hold the same */
    uint64_t pending;          /* hints that wait */
    uint64_t oldest_pending_s; /* for how long the oldest that was seen waits */
} hust_deliver_status_t;

typedef struct hust_deliver hust_deliver_t;

/* All are borrowed until _stop. */
typedef struct {
    const hust_config_t *config;
    hust_store_t *store;
    hust_hints_t *hints;
    hust_committer_t *committer;
} hust_deliver_env_t;

/* Start a thread for each configured peer. HUST_ERR_NOMEM or IO (logged). */
hust_error_t hust_deliver_start(const hust_deliver_env_t *env, hust_deliver_t **out);

/* End the threads, in about a second at most, and free. The committer must be running still. */
void hust_deliver_stop(hust_deliver_t *deliver);

/* How it stands with each peer. Any thread. Returns how many were written to `out`. */
unsigned hust_deliver_status(hust_deliver_t *deliver,
                             hust_deliver_status_t out[HUST_CONFIG_PEERS_MAX]);

#endif /* HUST_NODE_DELIVER_H */
