#include "node/store.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "core/wire.h"
#include "node/log.h"
#include "node/store_options.h"

enum {
    IDENTITY_BYTES = 16,
    RESERVE_MEMTABLES = 4, /* disk kept free for the engine, in memtables */
    RESERVE_PER_GROUP = 3, /* and per byte of the group to be written */
};

struct hust_store {
    hust_engine_options_t engine;
    rocksdb_t *db;
    rocksdb_column_family_handle_t *families[HUST_ENGINE_CF_COUNT];
    rocksdb_readoptions_t *read;
    rocksdb_writeoptions_t *write;
    rocksdb_writeoptions_t *write_lazily;
    hust_sync_t sync;
    unsigned format;
    atomic_uint failure;
    char *path;
    uint64_t reserve_bytes; /* of the disk, left to the engine itself */
};

struct hust_write {
    hust_store_t *store;
    rocksdb_writebatch_t *batch;
};

struct hust_snapshot {
    hust_store_t *store;
    const rocksdb_snapshot_t *snapshot;
};

struct hust_scan {
    rocksdb_iterator_t *iterator;
    rocksdb_readoptions_t *read;
};

static rocksdb_column_family_handle_t *family(const hust_store_t *store, hust_cf_t cf)
{
    assert(cf < HUST_CF_COUNT);
    return store->families[cf + 1];
}

static bool is_no_space(const char *error)
{
    return strstr(error, "No space left") != NULL || strstr(error, "Disk quota") != NULL;
}

/* A failed write or sync: loud, and for good. */
static unsigned fail(hust_store_t *store, const char *what, char *error)
{
    assert(error != NULL);
    unsigned status = is_no_space(error) ? 507 : 500;
    hust_log(HUST_LOG_ERROR, "store: %s failed, the node is read-only until it is restarted: %s",
             what, error);
    rocksdb_free(error);
    atomic_store(&store->failure, 507);
    return status;
}

unsigned hust_store_failure(hust_store_t *store)
{
    return atomic_load_explicit(&store->failure, memory_order_acquire);
}

/* Bytes that can still be written to the file system; UINT64_MAX if it does not say. */
static uint64_t free_bytes(const char *path)
{
    struct statvfs fs;
    return statvfs(path, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : UINT64_MAX;
}

hust_room_t hust_store_room(const hust_store_t *store, size_t group_bytes)
{
    uint64_t left = free_bytes(store->path);
    uint64_t needed = RESERVE_PER_GROUP * (uint64_t)group_bytes;
    assert(store->reserve_bytes > 0);
    if (left >= store->reserve_bytes + needed) {
        return HUST_ROOM_ALL;
    }
    return left >= store->reserve_bytes / 2 + needed ? HUST_ROOM_DELETES : HUST_ROOM_NONE;
}

/* A new store gets its format and identity; an old one must have a format that we know. */
static hust_error_t write_format(hust_store_t *store, char *message)
{
    uint8_t format[4];
    uint8_t identity[IDENTITY_BYTES];
    hust_write_t *write = hust_write_new(store);
    if (write == NULL || getrandom(identity, sizeof(identity), 0) != (ssize_t)sizeof(identity)) {
        snprintf(message, HUST_STORE_MESSAGE_BYTES, "cannot make an identity");
        hust_write_free(write);
        return HUST_ERR_NOMEM;
    }
    hust_put_u32(format, HUST_STORE_FORMAT);
    hust_write_put(write, HUST_CF_META, hust_slice_str("format"), hust_slice_of(format, 4));
    hust_write_put(write, HUST_CF_META, hust_slice_str("identity"),
                   hust_slice_of(identity, sizeof(identity)));
    unsigned status = hust_store_commit(store, write);
    hust_store_sync(store);
    hust_write_free(write);
    if (status != 0 || hust_store_failure(store) != 0) {
        snprintf(message, HUST_STORE_MESSAGE_BYTES, "cannot write (see the log)");
        return HUST_ERR_IO;
    }
    store->format = HUST_STORE_FORMAT;
    return HUST_OK;
}

static bool is_empty(hust_store_t *store, hust_cf_t cf)
{
    hust_scan_t *scan = hust_scan_begin(store, cf);
    if (scan == NULL) {
        return false;
    }
    hust_scan_seek(scan, hust_slice_str(""));
    bool empty = !hust_scan_valid(scan);
    hust_scan_end(scan);
    return empty;
}

static hust_error_t check_format(hust_store_t *store, char *message)
{
    hust_pinned_t found;
    hust_error_t err = hust_store_get(store, HUST_CF_META, hust_slice_str("format"), &found);
    if (err != HUST_OK) {
        snprintf(message, HUST_STORE_MESSAGE_BYTES, "cannot read the format version");
        return err;
    }
    if (found.pin == NULL && is_empty(store, HUST_CF_DATA) && is_empty(store, HUST_CF_META)) {
        return write_format(store, message);
    }
    uint32_t format = found.bytes.len == 4 ? hust_get_u32(found.bytes.data) : 0;
    hust_pin_release(found.pin);
    if (format != HUST_STORE_FORMAT && format != HUST_STORE_FORMAT_UNRANKED) {
        snprintf(message, HUST_STORE_MESSAGE_BYTES,
                 "format version %u is unknown, this release knows %d", format, HUST_STORE_FORMAT);
        return HUST_ERR_VERSION;
    }
    store->format = format;
    return HUST_OK;
}

unsigned hust_store_format(const hust_store_t *store)
{
    assert(store->format != 0);
    return store->format;
}

/* Close what is open of it; RocksDB insists that handles go before the database. */
static void destroy(hust_store_t *store)
{
    if (store->db != NULL) {
        for (unsigned i = 0; i < HUST_ENGINE_CF_COUNT; i++) {
            rocksdb_column_family_handle_destroy(store->families[i]);
        }
        rocksdb_close(store->db);
    }
    rocksdb_readoptions_destroy(store->read);
    rocksdb_writeoptions_destroy(store->write);
    rocksdb_writeoptions_destroy(store->write_lazily);
    hust_engine_options_free(&store->engine);
    free(store->path);
    free(store);
}

static hust_error_t open_engine(hust_store_t *store, const char *path, char *message)
{
    char *error = NULL;
    if (mkdir(path, 0750) != 0 && errno != EEXIST) {
        snprintf(message, HUST_STORE_MESSAGE_BYTES, "%s: %s", path, strerror(errno));
        return HUST_ERR_IO;
    }
    store->db = rocksdb_open_column_families(
        store->engine.db, path, HUST_ENGINE_CF_COUNT, store->engine.names,
        (const rocksdb_options_t *const *)store->engine.families, store->families, &error);
    if (error != NULL) {
        bool used = strstr(error, "lock") != NULL;
        snprintf(message, HUST_STORE_MESSAGE_BYTES, "%s: %s%s", path,
                 used ? "the directory is in use by another process: " : "", error);
        rocksdb_free(error);
        store->db = NULL;
        return HUST_ERR_IO;
    }
    return HUST_OK;
}

hust_error_t hust_store_open(const hust_store_options_t *options, hust_store_t **out,
                             char message[HUST_STORE_MESSAGE_BYTES])
{
    hust_store_t *store = calloc(1, sizeof(*store));
    *out = NULL;
    if (store == NULL) {
        snprintf(message, HUST_STORE_MESSAGE_BYTES, "%s", hust_error_text(HUST_ERR_NOMEM));
        return HUST_ERR_NOMEM;
    }
    assert(options->path[0] != '\0');
    hust_engine_options_init(&store->engine, options);
    store->read = rocksdb_readoptions_create();
    store->write = rocksdb_writeoptions_create();
    store->write_lazily = rocksdb_writeoptions_create();
    store->sync = options->sync;
    store->path = strdup(options->path);
    store->reserve_bytes = RESERVE_MEMTABLES * (uint64_t)options->memtable_bytes;
    rocksdb_writeoptions_set_sync(store->write, options->sync == HUST_SYNC_ALWAYS);
    hust_error_t err = HUST_ERR_NOMEM;
    if (store->path != NULL) {
        err = open_engine(store, options->path, message);
    } else {
        snprintf(message, HUST_STORE_MESSAGE_BYTES, "%s", hust_error_text(err));
    }
    if (err == HUST_OK) {
        err = check_format(store, message);
    }
    if (err != HUST_OK) {
        destroy(store);
        return err;
    }
    *out = store;
    return HUST_OK;
}

void hust_store_close(hust_store_t *store)
{
    if (store == NULL) {
        return;
    }
    if (hust_store_failure(store) == 0) {
        hust_store_sync(store);
    }
    destroy(store);
}

static hust_pinned_t pinned(rocksdb_pinnableslice_t *pin)
{
    hust_pinned_t out = {.pin = pin};
    if (pin != NULL) {
        out.bytes.data = (const uint8_t *)rocksdb_pinnableslice_value(pin, &out.bytes.len);
    }
    return out;
}

static hust_error_t read_failed(char *error)
{
    hust_log(HUST_LOG_ERROR, "store: a read failed: %s", error);
    rocksdb_free(error);
    return HUST_ERR_IO;
}

hust_error_t hust_store_get(hust_store_t *store, hust_cf_t cf, hust_slice_t key, hust_pinned_t *out)
{
    char *error = NULL;
    assert(key.len > 0);
    rocksdb_pinnableslice_t *pin = rocksdb_get_pinned_cf(store->db, store->read, family(store, cf),
                                                         (const char *)key.data, key.len, &error);
    *out = pinned(pin);
    assert(error == NULL || pin == NULL);
    return error == NULL ? HUST_OK : read_failed(error);
}

/* The arrays that RocksDB wants, in one allocation. */
typedef struct {
    const char **keys;
    size_t *lengths;
    rocksdb_pinnableslice_t **pins;
    char **errors;
} many_t;

static bool many_init(many_t *many, const hust_slice_t *keys, size_t count)
{
    _Static_assert(sizeof(size_t) == sizeof(void *), "one array of words");
    void **words = calloc(count * 4, sizeof(void *));
    if (words == NULL) {
        return false;
    }
    many->keys = (const char **)words;
    many->lengths = (size_t *)(words + count);
    many->pins = (rocksdb_pinnableslice_t **)(words + 2 * count);
    many->errors = (char **)(words + 3 * count);
    for (size_t i = 0; i < count; i++) {
        many->keys[i] = (const char *)keys[i].data;
        many->lengths[i] = keys[i].len;
    }
    return true;
}

hust_error_t hust_store_get_many(hust_store_t *store, hust_cf_t cf, const hust_slice_t *keys,
                                 size_t count, hust_pinned_t *out)
{
    many_t many;
    hust_error_t err = HUST_OK;
    assert(count > 0);
    if (count == 1) {
        return hust_store_get(store, cf, keys[0], out);
    }
    if (!many_init(&many, keys, count)) {
        return HUST_ERR_NOMEM;
    }
    rocksdb_batched_multi_get_cf(store->db, store->read, family(store, cf), count, many.keys,
                                 many.lengths, many.pins, many.errors, false);
    for (size_t i = 0; i < count; i++) {
        out[i] = pinned(many.pins[i]);
        if (many.errors[i] != NULL) {
            err = read_failed(many.errors[i]);
        }
    }
    for (size_t i = 0; err != HUST_OK && i < count; i++) {
        hust_pin_release(out[i].pin);
        out[i] = (hust_pinned_t){0};
    }
    free(many.keys);
    return err;
}

void hust_pin_release(void *pin)
{
    if (pin != NULL) {
        rocksdb_pinnableslice_destroy(pin);
    }
}

hust_write_t *hust_write_new(hust_store_t *store)
{
    hust_write_t *write = malloc(sizeof(*write));
    if (write != NULL) {
        *write = (hust_write_t){.store = store, .batch = rocksdb_writebatch_create()};
    }
    return write;
}

void hust_write_free(hust_write_t *write)
{
    if (write != NULL) {
        rocksdb_writebatch_destroy(write->batch);
        free(write);
    }
}

void hust_write_put(hust_write_t *write, hust_cf_t cf, hust_slice_t key, hust_slice_t value)
{
    assert(key.len > 0);
    rocksdb_writebatch_put_cf(write->batch, family(write->store, cf), (const char *)key.data,
                              key.len, (const char *)value.data, value.len);
}

void hust_write_delete(hust_write_t *write, hust_cf_t cf, hust_slice_t key)
{
    assert(key.len > 0);
    rocksdb_writebatch_delete_cf(write->batch, family(write->store, cf), (const char *)key.data,
                                 key.len);
}

void hust_write_clear(hust_write_t *write)
{
    rocksdb_writebatch_clear(write->batch);
    assert(hust_write_count(write) == 0);
}

unsigned hust_write_count(hust_write_t *write)
{
    int count = rocksdb_writebatch_count(write->batch);
    assert(count >= 0);
    return (unsigned)count;
}

static unsigned commit(hust_store_t *store, const rocksdb_writeoptions_t *options,
                       hust_write_t *write)
{
    char *error = NULL;
    assert(write->store == store);
    assert(hust_store_failure(store) == 0);
    rocksdb_write(store->db, options, write->batch, &error);
    return error == NULL ? 0 : fail(store, "a write", error);
}

unsigned hust_store_commit(hust_store_t *store, hust_write_t *write)
{
    return commit(store, store->write, write);
}

unsigned hust_store_commit_lazily(hust_store_t *store, hust_write_t *write)
{
    return commit(store, store->write_lazily, write);
}

void hust_store_sync(hust_store_t *store)
{
    char *error = NULL;
    assert(store->db != NULL);
    rocksdb_flush_wal(store->db, 1, &error);
    if (error != NULL) {
        fail(store, "making writes stable", error);
    }
}

hust_snapshot_t *hust_snapshot_take(hust_store_t *store)
{
    hust_snapshot_t *snapshot = malloc(sizeof(*snapshot));
    if (snapshot != NULL) {
        *snapshot =
            (hust_snapshot_t){.store = store, .snapshot = rocksdb_create_snapshot(store->db)};
    }
    return snapshot;
}

void hust_snapshot_release(hust_snapshot_t *snapshot)
{
    if (snapshot != NULL) {
        rocksdb_release_snapshot(snapshot->store->db, snapshot->snapshot);
        free(snapshot);
    }
}

static hust_scan_t *begin_scan(hust_store_t *store, hust_cf_t cf, const rocksdb_snapshot_t *at)
{
    hust_scan_t *scan = malloc(sizeof(*scan));
    if (scan != NULL) {
        scan->read = rocksdb_readoptions_create();
        rocksdb_readoptions_set_snapshot(scan->read, at);
        scan->iterator = rocksdb_create_iterator_cf(store->db, scan->read, family(store, cf));
    }
    return scan;
}

hust_scan_t *hust_scan_begin(hust_store_t *store, hust_cf_t cf)
{
    return begin_scan(store, cf, NULL);
}

hust_scan_t *hust_scan_begin_at(const hust_snapshot_t *snapshot, hust_cf_t cf)
{
    assert(snapshot->snapshot != NULL);
    return begin_scan(snapshot->store, cf, snapshot->snapshot);
}

void hust_scan_end(hust_scan_t *scan)
{
    if (scan != NULL) {
        rocksdb_iter_destroy(scan->iterator);
        rocksdb_readoptions_destroy(scan->read);
        free(scan);
    }
}

void hust_scan_seek(hust_scan_t *scan, hust_slice_t key)
{
    rocksdb_iter_seek(scan->iterator, (const char *)key.data, key.len);
}

void hust_scan_seek_last(hust_scan_t *scan, hust_slice_t key)
{
    rocksdb_iter_seek_for_prev(scan->iterator, (const char *)key.data, key.len);
}

void hust_scan_seek_before(hust_scan_t *scan, hust_slice_t key)
{
    hust_scan_seek_last(scan, key);
    if (hust_scan_valid(scan) && hust_slice_equal(hust_scan_key(scan), key)) {
        hust_scan_previous(scan);
    }
}

void hust_scan_next(hust_scan_t *scan)
{
    assert(rocksdb_iter_valid(scan->iterator));
    rocksdb_iter_next(scan->iterator);
}

void hust_scan_previous(hust_scan_t *scan)
{
    rocksdb_iter_prev(scan->iterator);
}

hust_error_t hust_scan_error(const hust_scan_t *scan)
{
    char *error = NULL;
    rocksdb_iter_get_error(scan->iterator, &error);
    return error == NULL ? HUST_OK : read_failed(error);
}

bool hust_scan_valid(const hust_scan_t *scan)
{
    if (rocksdb_iter_valid(scan->iterator)) {
        return true;
    }
    (void)hust_scan_error(scan); /* which logs it */
    return false;
}

hust_slice_t hust_scan_key(const hust_scan_t *scan)
{
    size_t len;
    assert(rocksdb_iter_valid(scan->iterator));
    const char *key = rocksdb_iter_key(scan->iterator, &len);
    return hust_slice_of(key, len);
}

hust_slice_t hust_scan_value(const hust_scan_t *scan)
{
    size_t len;
    assert(rocksdb_iter_valid(scan->iterator));
    const char *value = rocksdb_iter_value(scan->iterator, &len);
    return hust_slice_of(value, len);
}

bool hust_scan_within(const hust_scan_t *scan, hust_slice_t prefix)
{
    if (!hust_scan_valid(scan)) {
        return false;
    }
    hust_slice_t key = hust_scan_key(scan);
    return key.len >= prefix.len && memcmp(key.data, prefix.data, prefix.len) == 0;
}
