/*
 * How RocksDB is set up, apart from what is done with it.
 */
#ifndef HUST_NODE_STORE_OPTIONS_H
#define HUST_NODE_STORE_OPTIONS_H

#include <rocksdb/c.h>

#include "node/store.h"

/* "default" is RocksDB's own and must exist; nothing is kept in it. */
enum { HUST_ENGINE_CF_COUNT = HUST_CF_COUNT + 1 };

typedef struct {
    rocksdb_options_t *db;                   /* for the database, and "default" */
    const char *names[HUST_ENGINE_CF_COUNT]; /* [0] is "default", then hust_cf_t + 1 */
    rocksdb_options_t *families[HUST_ENGINE_CF_COUNT];
    rocksdb_cache_t *block_cache; /* shared by all families */
    rocksdb_env_t *env;
} hust_engine_options_t;

void hust_engine_options_init(hust_engine_options_t *engine, const hust_store_options_t *options);

/* After the database is closed. */
void hust_engine_options_free(hust_engine_options_t *engine);

#endif /* HUST_NODE_STORE_OPTIONS_H */
