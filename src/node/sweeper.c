#include "node/sweeper.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/wire.h"
#include "node/keys.h"
#include "node/log.h"
#include "node/wall.h"

enum {
    CHUNK_ELEMENTS = 256, /* marked in one job, so that other writes get their turn */
    PERIOD_S = 1,
};

/* What one chunk hands to the committer. */
typedef struct {
    hust_job_t job;
    hust_expired_t expired[CHUNK_ELEMENTS];
    hust_buf_t keys; /* data keys, one after another */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
    unsigned failure;
} chunk_t;

struct hust_sweeper {
    hust_store_t *store;
    hust_committer_t *committer;
    chunk_t chunk;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    hust_sweep_t *first;
    hust_sweep_t *last;
    bool stopping;
};

static void on_chunk_done(hust_job_t *job, unsigned failure)
{
    chunk_t *chunk = (chunk_t *)job;
    pthread_mutex_lock(&chunk->lock);
    assert(!chunk->done);
    chunk->done = true;
    chunk->failure = failure;
    pthread_cond_signal(&chunk->wake);
    pthread_mutex_unlock(&chunk->lock);
}

/* Have the chunk carried out; false if it was not. */
static bool run_chunk(hust_sweeper_t *sweeper)
{
    chunk_t *chunk = &sweeper->chunk;
    const uint8_t *at = chunk->keys.data;
    for (size_t i = 0; i < chunk->job.expired_count; i++) {
        chunk->expired[i].data_key.data = at; /* the buffer no longer moves */
        at += chunk->expired[i].data_key.len;
    }
    assert(at == chunk->keys.data + chunk->keys.len);
    assert(chunk->job.expired_count > 0 && chunk->job.op_count == 0);
    chunk->job.bytes = chunk->keys.len;
    chunk->done = false;
    hust_committer_submit(sweeper->committer, &chunk->job);
    pthread_mutex_lock(&chunk->lock);
    while (!chunk->done) {
        pthread_cond_wait(&chunk->wake, &chunk->lock);
    }
    pthread_mutex_unlock(&chunk->lock);
    return chunk->failure == 0;
}

typedef enum { ENTRY_TAKEN, ENTRY_SKIPPED, ENTRY_NOT_YET } entry_t;

/* Take the expiry entry the scan stands on into the chunk, if its time has come. */
static entry_t take_entry(chunk_t *chunk, const hust_scan_t *scan, uint64_t until_ms)
{
    uint8_t bytes[HUST_DATA_KEY_BYTES_MAX];
    uint64_t instant_ms;
    hust_slice_t data_key;
    hust_element_t element;
    if (hust_expiry_key_parse(hust_scan_key(scan), bytes, &instant_ms, &data_key) != HUST_OK ||
        hust_data_key_parse(data_key, &element) != HUST_OK) {
        hust_log(HUST_LOG_ERROR, "sweeper: an expiry entry cannot be read");
        return ENTRY_SKIPPED;
    }
    if (instant_ms > until_ms || hust_buf_append_slice(&chunk->keys, data_key) != HUST_OK) {
        return ENTRY_NOT_YET;
    }
    assert(chunk->job.expired_count < CHUNK_ELEMENTS);
    chunk->expired[chunk->job.expired_count++] =
        (hust_expired_t){.data_key = {NULL, data_key.len}, .instant_ms = instant_ms};
    return ENTRY_TAKEN;
}

/*
 * Fill the chunk with the earliest entries under `prefix` that come after `after`, which moves on.
 * What cannot be swept is thus passed by, not met again and again.
 */
static void fill_chunk(hust_sweeper_t *sweeper, hust_slice_t prefix, uint64_t until_ms,
                       hust_buf_t *after)
{
    chunk_t *chunk = &sweeper->chunk;
    entry_t entry = ENTRY_TAKEN;
    hust_buf_clear(&chunk->keys);
    chunk->job.expired_count = 0;
    hust_scan_t *scan = hust_scan_begin(sweeper->store, HUST_CF_EXPIRY);
    if (scan == NULL) {
        return;
    }
    assert(prefix.len > 0);
    hust_scan_seek(scan, after->len == 0 ? prefix : hust_buf_slice(after));
    while (chunk->job.expired_count < CHUNK_ELEMENTS && entry != ENTRY_NOT_YET &&
           hust_scan_within(scan, prefix)) {
        entry = take_entry(chunk, scan, until_ms);
        hust_buf_clear(after);
        if (hust_buf_append_slice(after, hust_scan_key(scan)) != HUST_OK ||
            hust_buf_append(after, "", 1) != HUST_OK) {
            break;
        }
        hust_scan_next(scan);
    }
    hust_scan_end(scan);
}

/* Sweep what is under a prefix of expiry keys. */
static void sweep_prefix(hust_sweeper_t *sweeper, hust_slice_t prefix, uint64_t until_ms)
{
    hust_buf_t after = {0};
    size_t taken = CHUNK_ELEMENTS;
    while (taken == CHUNK_ELEMENTS && hust_store_failure(sweeper->store) == 0) {
        fill_chunk(sweeper, prefix, until_ms, &after);
        taken = sweeper->chunk.job.expired_count;
        if (taken == 0 || !run_chunk(sweeper)) {
            break;
        }
    }
    hust_buf_free(&after);
}

static void sweep_all(hust_sweeper_t *sweeper, uint64_t until_ms)
{
    sweep_prefix(sweeper, hust_slice_str("I"), until_ms);
}

static void carry_out(hust_sweeper_t *sweeper, hust_sweep_t *sweep)
{
    uint8_t prefix[1 + HUST_TABLE_PREFIX_BYTES_MAX];
    uint64_t now_ms = hust_wall_ms();
    if (sweep->tb.len == 0) {
        sweep_all(sweeper, now_ms);
    } else {
        for (unsigned i = 1; i < HUST_TYPE_COUNT; i++) {
            size_t len = hust_table_expiry_prefix(HUST_TYPES[i], sweep->tb, prefix);
            sweep_prefix(sweeper, hust_slice_of(prefix, len), now_ms);
        }
    }
    sweep->on_done(sweep);
}

static struct timespec next_round(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += PERIOD_S;
    return at;
}

/* The next request; NULL when it is time for a round or to stop. */
static hust_sweep_t *wait_for_sweep(hust_sweeper_t *sweeper, const struct timespec *until,
                                    bool *stopping)
{
    int error = 0;
    pthread_mutex_lock(&sweeper->lock);
    while (sweeper->first == NULL && !sweeper->stopping && error != ETIMEDOUT) {
        error = pthread_cond_timedwait(&sweeper->wake, &sweeper->lock, until);
    }
    hust_sweep_t *sweep = sweeper->first;
    if (sweep != NULL) {
        sweeper->first = sweep->next;
    }
    *stopping = sweeper->stopping;
    pthread_mutex_unlock(&sweeper->lock);
    return sweep;
}

static void *run(void *arg)
{
    hust_sweeper_t *sweeper = arg;
    bool stopping = false;
    struct timespec until = next_round();
    for (;;) {
        hust_sweep_t *sweep = wait_for_sweep(sweeper, &until, &stopping);
        if (sweep != NULL) {
            carry_out(sweeper, sweep);
        } else if (stopping) {
            return NULL;
        } else {
            uint64_t now_ms = hust_wall_ms();
            sweep_all(sweeper, now_ms < HUST_SWEEP_DELAY_MS ? 0 : now_ms - HUST_SWEEP_DELAY_MS);
            until = next_round();
        }
    }
}

void hust_sweeper_submit(hust_sweeper_t *sweeper, hust_sweep_t *sweep)
{
    assert(sweep->on_done != NULL);
    sweep->next = NULL;
    pthread_mutex_lock(&sweeper->lock);
    assert(!sweeper->stopping);
    if (sweeper->first == NULL) {
        sweeper->first = sweep;
    } else {
        sweeper->last->next = sweep;
    }
    sweeper->last = sweep;
    pthread_cond_signal(&sweeper->wake);
    pthread_mutex_unlock(&sweeper->lock);
}

static void destroy(hust_sweeper_t *sweeper)
{
    hust_buf_free(&sweeper->chunk.keys);
    pthread_cond_destroy(&sweeper->chunk.wake);
    pthread_mutex_destroy(&sweeper->chunk.lock);
    pthread_cond_destroy(&sweeper->wake);
    pthread_mutex_destroy(&sweeper->lock);
    free(sweeper);
}

hust_error_t hust_sweeper_start(hust_store_t *store, hust_committer_t *committer,
                                hust_sweeper_t **out)
{
    pthread_condattr_t monotonic;
    hust_sweeper_t *sweeper = calloc(1, sizeof(*sweeper));
    *out = NULL;
    if (sweeper == NULL) {
        return HUST_ERR_NOMEM;
    }
    assert(store != NULL && committer != NULL);
    sweeper->store = store;
    sweeper->committer = committer;
    sweeper->chunk.job.expired = sweeper->chunk.expired;
    sweeper->chunk.job.on_done = on_chunk_done;
    pthread_mutex_init(&sweeper->chunk.lock, NULL);
    pthread_cond_init(&sweeper->chunk.wake, NULL);
    pthread_mutex_init(&sweeper->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&sweeper->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&sweeper->thread, NULL, run, sweeper) != 0) {
        hust_log(HUST_LOG_ERROR, "sweeper: cannot start its thread");
        destroy(sweeper);
        return HUST_ERR_IO;
    }
    *out = sweeper;
    return HUST_OK;
}

void hust_sweeper_stop(hust_sweeper_t *sweeper)
{
    pthread_mutex_lock(&sweeper->lock);
    sweeper->stopping = true;
    pthread_cond_signal(&sweeper->wake);
    pthread_mutex_unlock(&sweeper->lock);
    pthread_join(sweeper->thread, NULL);
    assert(sweeper->first == NULL);
    destroy(sweeper);
}
