/*
 * The syncer (sync = everysec): a thread that makes stable once a second what has been written.
 */
#ifndef HUST_NODE_SYNCER_H
#define HUST_NODE_SYNCER_H

#include "node/store.h"

typedef struct hust_syncer hust_syncer_t;

/* Start the thread. HUST_ERR_NOMEM or IO (logged). */
hust_error_t hust_syncer_start(hust_store_t *store, hust_syncer_t **out);

/* End the thread and free; NULL is allowed. */
void hust_syncer_stop(hust_syncer_t *syncer);

#endif /* HUST_NODE_SYNCER_H */
