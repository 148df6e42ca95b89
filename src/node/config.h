/*
 * The node's configuration file: INI, sections [server], [store] and [cachedb]. Strict: an unknown
 * key, a value out of range or a key given twice refuses the whole file and names the line.
 */
#ifndef HUST_NODE_CONFIG_H
#define HUST_NODE_CONFIG_H

#include "core/error.h"
#include "core/routing.h"
#include "node/log.h"
#include "node/store.h"

enum {
    HUST_CONFIG_PEERS_MAX = 16,
    HUST_CONFIG_PATH_BYTES = 1024,
    HUST_CONFIG_MESSAGE_BYTES = 512,
};

typedef struct {
    hust_peer_t listen;
    unsigned worker_count; /* HTTP threads */
    size_t body_bytes_max; /* max_body_size: the largest value */
    unsigned connection_limit;
    unsigned idle_timeout_s;
    bool replicated; /* one of a pair: direct writes leave a mark */
    unsigned peer_count;
    hust_peer_t peers[HUST_CONFIG_PEERS_MAX];
    char log_file[HUST_CONFIG_PATH_BYTES]; /* empty: stderr */
    hust_log_level_t log_level;

    char store_path[HUST_CONFIG_PATH_BYTES];
    hust_sync_t sync;
    uint64_t ttl_max_s; /* ttl_maximum */
    size_t block_cache_bytes;
    size_t memtable_bytes;
    size_t wal_bytes_max; /* wal_maximum */

    size_t cache_bytes_max; /* cache_size; 0 = no cache */
} hust_config_t;

/*
 * Read a file. Relative paths in it are seen from the file's own directory. HUST_ERR_IO or
 * MALFORMED, with `file:line: reason` in `message`.
 */
hust_error_t hust_config_read(const char *path, hust_config_t *out,
                              char message[HUST_CONFIG_MESSAGE_BYTES]);

/* True if `address` is one of the configured peers, as written there. */
bool hust_config_is_peer(const hust_config_t *config, hust_slice_t address);

#endif /* HUST_NODE_CONFIG_H */
