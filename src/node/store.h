/*
 * The storage engine behind a small interface: RocksDB with one column family per kind of thing.
 *
 * Reads may come from any thread. Writes come from one thread (the committer); what belongs to one
 * write is in one hust_write_t, which takes effect whole or not at all, whenever the power fails.
 *
 * Caveats: after a failed write or sync the store is read-only for good (hust_store_failure):
 * what RocksDB has in its log is then unknown. Pinned values and scans must be released before the
 * store is closed.
 */
#ifndef HUST_NODE_STORE_H
#define HUST_NODE_STORE_H

#include "core/error.h"
#include "core/slice.h"

typedef enum {
    HUST_CF_DATA,   /* data key -> stored record */
    HUST_CF_EXPIRY, /* expiry keys, no values */
    HUST_CF_HINTS,  /* hint key -> generation, since */
    HUST_CF_META,   /* format, identity, clock, table counters, hint counts */
    HUST_CF_RANK,   /* sorted sets in order, and how many there are where (rank_keys.h) */
    HUST_CF_COUNT,
} hust_cf_t;

/* When a write counts as stored. */
typedef enum {
    HUST_SYNC_ALWAYS,   /* on stable storage before it is acknowledged */
    HUST_SYNC_EVERYSEC, /* in the log file; made stable once a second */
    HUST_SYNC_OS,       /* in the log file; the kernel decides */
} hust_sync_t;

typedef struct {
    const char *path; /* directory; created if missing */
    hust_sync_t sync;
    size_t block_cache_bytes;
    size_t memtable_bytes;
    size_t wal_bytes_max; /* bounds the log and so the time to start after a crash */
} hust_store_options_t;

enum {
    HUST_STORE_FORMAT = 2,          /* of keys and records; another one is refused */
    HUST_STORE_FORMAT_UNRANKED = 1, /* the one before: hust_rank_build brings it up to date */
    HUST_STORE_MESSAGE_BYTES = 512,
};

/* What the disk has room for. */
typedef enum {
    HUST_ROOM_NONE,
    HUST_ROOM_DELETES, /* what makes room */
    HUST_ROOM_ALL,
} hust_room_t;

typedef struct hust_store hust_store_t;

/*
 * Open or create. HUST_ERR_IO (also: the directory is in use), VERSION (unknown format) or NOMEM,
 * with one line in `message`.
 */
hust_error_t hust_store_open(const hust_store_options_t *options, hust_store_t **out,
                             char message[HUST_STORE_MESSAGE_BYTES]);

/* The format of an open store: HUST_STORE_FORMAT, or the one to be brought up to date. */
unsigned hust_store_format(const hust_store_t *store);

/* Make stable what was written, and close. */
void hust_store_close(hust_store_t *store);

/* 0 while writes work; then the status that writes get: 507. */
unsigned hust_store_failure(hust_store_t *store);

/*
 * What may be written before the disk is full, for a group of `group_bytes`. The engine needs room
 * of its own (log, flushing, compaction) and stops the process when its log meets a full disk, so
 * that must never happen: a reserve of four memtables is kept, half of it for deletes.
 */
hust_room_t hust_store_room(const hust_store_t *store, size_t group_bytes);

/* A value read without a copy. Absent: `pin` is NULL and `bytes` empty. */
typedef struct {
    hust_slice_t bytes; /* good until the pin is released */
    void *pin;
} hust_pinned_t;

/* HUST_OK, also when absent; HUST_ERR_IO, which is logged. */
hust_error_t hust_store_get(hust_store_t *store, hust_cf_t cf, hust_slice_t key,
                            hust_pinned_t *out);

/* Many of one family at once. On an error nothing is pinned. HUST_ERR_IO or NOMEM. */
hust_error_t hust_store_get_many(hust_store_t *store, hust_cf_t cf, const hust_slice_t *keys,
                                 size_t count, hust_pinned_t *out);

/* Release `pin` of a hust_pinned_t; NULL is allowed. */
void hust_pin_release(void *pin);

/* Changes that take effect together. Owned by the caller. */
typedef struct hust_write hust_write_t;

hust_write_t *hust_write_new(hust_store_t *store);
void hust_write_free(hust_write_t *write);
void hust_write_put(hust_write_t *write, hust_cf_t cf, hust_slice_t key, hust_slice_t value);
void hust_write_delete(hust_write_t *write, hust_cf_t cf, hust_slice_t key);
void hust_write_clear(hust_write_t *write);

/* How many changes there are. */
unsigned hust_write_count(hust_write_t *write);

/*
 * Store the changes, as safely as the `sync` option says. Returns 0, or the status for everything
 * that was in it: 507 (no space) or 500; the store is read-only then.
 */
unsigned hust_store_commit(hust_store_t *store, hust_write_t *write);

/*
 * The same, but made stable only with a later write: for changes that mean the same before and
 * after, and would be made again.
 */
unsigned hust_store_commit_lazily(hust_store_t *store, hust_write_t *write);

/* Make stable what has been written (HUST_SYNC_EVERYSEC). A failure makes the store read-only. */
void hust_store_sync(hust_store_t *store);

/* A walk over keys in order, seeing the store as it was when the walk began. */
typedef struct hust_scan hust_scan_t;

/* The store as it is at one moment, for walks that must agree with each other. */
typedef struct hust_snapshot hust_snapshot_t;

/* To be released before the store is closed. NULL: no memory. */
hust_snapshot_t *hust_snapshot_take(hust_store_t *store);
void hust_snapshot_release(hust_snapshot_t *snapshot);

/* Begin a walk; it stands nowhere until it is put somewhere. NULL: no memory. */
hust_scan_t *hust_scan_begin(hust_store_t *store, hust_cf_t cf);

/* The same in a snapshot, which must outlive the walk. */
hust_scan_t *hust_scan_begin_at(const hust_snapshot_t *snapshot, hust_cf_t cf);
void hust_scan_end(hust_scan_t *scan);
void hust_scan_seek(hust_scan_t *scan, hust_slice_t key);        /* first key >= `key` */
void hust_scan_seek_last(hust_scan_t *scan, hust_slice_t key);   /* last key <= `key` */
void hust_scan_seek_before(hust_scan_t *scan, hust_slice_t key); /* last key < `key` */
void hust_scan_next(hust_scan_t *scan);
void hust_scan_previous(hust_scan_t *scan);

/* False at the end, or after an error (logged). */
bool hust_scan_valid(const hust_scan_t *scan);

/* HUST_ERR_IO after an error: what looks like the end is not. */
hust_error_t hust_scan_error(const hust_scan_t *scan);

/* Where it stands; borrowed until it moves. */
hust_slice_t hust_scan_key(const hust_scan_t *scan);
hust_slice_t hust_scan_value(const hust_scan_t *scan);

/* True if it stands on a key that begins with `prefix`. */
bool hust_scan_within(const hust_scan_t *scan, hust_slice_t prefix);

#endif /* HUST_NODE_STORE_H */
