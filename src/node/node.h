/*
 * The node: its parts, put together in order and taken apart in reverse.
 */
#ifndef HUST_NODE_NODE_H
#define HUST_NODE_NODE_H

#include "core/params.h"
#include "node/cache.h"
#include "node/committer.h"
#include "node/config.h"
#include "node/counters.h"
#include "node/hints.h"
#include "node/http.h"
#include "node/store.h"
#include "node/sweeper.h"
#include "node/syncer.h"

typedef struct {
    const hust_config_t *config;
    hust_limits_t limits;
    hust_cache_t *cache; /* NULL: cache_size = 0 */
    hust_store_t *store;
    hust_counters_t *counters;
    hust_hints_t *hints;
    hust_committer_t *committer;
    hust_sweeper_t *sweeper;
    hust_syncer_t *syncer; /* NULL unless sync = everysec */
    hust_http_t *http;
} hust_node_t;

/*
 * Open the store and serve. `config` is borrowed until _stop. Any error is logged, and nothing is
 * left behind.
 */
hust_error_t hust_node_start(hust_node_t *node, const hust_config_t *config);

/* Let requests under way end, store what has been accepted, close. Takes seconds at most. */
void hust_node_stop(hust_node_t *node);

#endif /* HUST_NODE_NODE_H */
