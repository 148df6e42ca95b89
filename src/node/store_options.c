#include "node/store_options.h"

#include <assert.h>

enum {
    BLOOM_BITS_PER_KEY = 10,
    BLOCK_BYTES = 4096,
    BACKGROUND_JOBS = 2,
    OPEN_FILES_MAX = 4096,
    SMALL_MEMTABLE_BYTES = 8 << 20, /* of the families beside `data` */
    /* Large values stay out of the tree, so that compaction does not copy them again and again. */
    BLOB_BYTES_MIN = 64 * 1024,
    ENGINE_LOG_FILES_MAX = 4,
    ENGINE_LOG_BYTES_MAX = 8 << 20,
    SYNC_STEP_BYTES = 1 << 20,
};

/* Of a memtable's size. */
static const double MEMTABLE_FILTER_PART = 0.05;

static rocksdb_block_based_table_options_t *table_options(rocksdb_cache_t *cache)
{
    assert(cache != NULL);
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_block_size(table, BLOCK_BYTES);
    rocksdb_block_based_options_set_format_version(table, 5);
    rocksdb_filterpolicy_t *bloom = rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS_PER_KEY);
    rocksdb_block_based_options_set_filter_policy(table, bloom); /* which takes it over */
    /* Indexes and filters count in the cache, so that memory does not grow with the data. */
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
    return table;
}

static rocksdb_options_t *family_options(rocksdb_cache_t *cache, size_t memtable_bytes)
{
    rocksdb_options_t *family = rocksdb_options_create();
    rocksdb_block_based_table_options_t *table = table_options(cache);
    rocksdb_options_set_block_based_table_factory(family, table);
    rocksdb_block_based_options_destroy(table);
    rocksdb_options_set_compression(family, rocksdb_lz4_compression);
    rocksdb_options_set_bottommost_compression(family, rocksdb_zstd_compression);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(family, 1);
    rocksdb_options_set_write_buffer_size(family, memtable_bytes);
    return family;
}

/* Most keys that are looked up are not in the memtable, which is slow at saying so by itself. */
static void set_memtable_filter(rocksdb_options_t *data)
{
    rocksdb_options_set_memtable_whole_key_filtering(data, 1);
    rocksdb_options_set_memtable_prefix_bloom_size_ratio(data, MEMTABLE_FILTER_PART);
}

static void set_blobs(rocksdb_options_t *data)
{
    rocksdb_options_set_enable_blob_files(data, 1);
    rocksdb_options_set_min_blob_size(data, BLOB_BYTES_MIN);
    rocksdb_options_set_blob_compression_type(data, rocksdb_lz4_compression);
    rocksdb_options_set_enable_blob_gc(data, 1);
}

static void set_database(rocksdb_options_t *db, const hust_store_options_t *options)
{
    assert(options->wal_bytes_max > 0);
    rocksdb_options_set_create_if_missing(db, 1);
    rocksdb_options_set_create_missing_column_families(db, 1);
    rocksdb_options_set_max_background_jobs(db, BACKGROUND_JOBS);
    rocksdb_options_set_max_open_files(db, OPEN_FILES_MAX);
    rocksdb_options_set_db_write_buffer_size(db, 2 * options->memtable_bytes);
    /* Families that are hardly written would otherwise keep every old log file alive. */
    rocksdb_options_set_max_total_wal_size(db, options->wal_bytes_max);
    rocksdb_options_set_bytes_per_sync(db, SYNC_STEP_BYTES);
    rocksdb_options_set_keep_log_file_num(db, ENGINE_LOG_FILES_MAX);
    rocksdb_options_set_max_log_file_size(db, ENGINE_LOG_BYTES_MAX);
}

void hust_engine_options_init(hust_engine_options_t *engine, const hust_store_options_t *options)
{
    static const char *const names[] = {"default", "data", "expiry", "hints", "meta"};
    _Static_assert(sizeof(names) / sizeof(names[0]) == HUST_ENGINE_CF_COUNT, "one name each");
    assert(options->memtable_bytes > 0 && options->block_cache_bytes > 0);
    /* Not strict: a strict limit would turn reads into errors. */
    engine->block_cache = rocksdb_cache_create_lru(options->block_cache_bytes);
    engine->env = rocksdb_create_default_env();
    rocksdb_env_set_background_threads(engine->env, BACKGROUND_JOBS);
    for (unsigned i = 0; i < HUST_ENGINE_CF_COUNT; i++) {
        bool data = i == HUST_CF_DATA + 1;
        engine->names[i] = names[i];
        engine->families[i] = family_options(engine->block_cache,
                                             data ? options->memtable_bytes : SMALL_MEMTABLE_BYTES);
    }
    set_blobs(engine->families[HUST_CF_DATA + 1]);
    set_memtable_filter(engine->families[HUST_CF_DATA + 1]);
    engine->db = engine->families[0];
    rocksdb_options_set_env(engine->db, engine->env);
    set_database(engine->db, options);
}

void hust_engine_options_free(hust_engine_options_t *engine)
{
    for (unsigned i = 0; i < HUST_ENGINE_CF_COUNT; i++) {
        rocksdb_options_destroy(engine->families[i]);
    }
    rocksdb_cache_destroy(engine->block_cache);
    rocksdb_env_destroy(engine->env);
    *engine = (hust_engine_options_t){0};
}
