#include "node/deliver.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/handoff.h"
#include "node/log.h"
#include "node/wall.h"

enum {
    /* How often a thread without work looks whether there is some. */
    IDLE_MS = 250,
    /* Between attempts that brought nothing: from the one to the other, doubling. */
    RETRY_MIN_MS = 100,
    RETRY_MAX_MS = 1000,
    /* Foreground first. A batch is held back while so many operations wait to be committed, but not
     * for ever; and after a batch that met foreground writes there is a pause of several times its
     * own duration. */
    QUEUE_OPS_MAX = 256,
    QUEUE_PAUSE_MS = 5,
    QUEUE_PAUSES_MAX = 20,
    FOREGROUND_OPS_MIN = 32,
    FOREGROUND_PAUSE_FACTOR = 3,
    FOREGROUND_PAUSE_MAX_MS = 250,
};

typedef struct {
    hust_deliver_t *deliver;
    const char *target;
    hust_http_client_t *client;
    hust_handoff_t *handoff;
    hust_hint_page_t page;
    unsigned retry_ms; /* 0: the last attempt brought something */
    bool away;         /* told so in the log */
    bool refusing;     /* so was that: it does not take everything */
    uint64_t ops_seen; /* committed by anybody, as of the last batch */
    atomic_uint_least64_t processed;
    atomic_uint_least64_t synced;
    atomic_uint_least64_t oldest_ms; /* of the hints seen; 0: none waits */
    bool running;
    pthread_t thread;
} peer_t;

struct hust_deliver {
    hust_deliver_env_t env;
    unsigned peer_count;
    peer_t peers[HUST_CONFIG_PEERS_MAX];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool stopping;
};

static bool is_stopping(void *user)
{
    const hust_deliver_t *deliver = user;
    return atomic_load_explicit(&deliver->stopping, memory_order_relaxed);
}

/* Sleep, unless it is time to stop. */
static void pause_ms(hust_deliver_t *deliver, unsigned duration_ms)
{
    struct timespec until;
    int error = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(duration_ms % 1000) * 1000000;
    until.tv_sec += duration_ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&deliver->lock);
    while (!is_stopping(deliver) && error != ETIMEDOUT) {
        error = pthread_cond_timedwait(&deliver->wake, &deliver->lock, &until);
    }
    pthread_mutex_unlock(&deliver->lock);
}

static uint64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- pace --- */

static void wait_for_queue(peer_t *peer)
{
    hust_deliver_t *deliver = peer->deliver;
    for (unsigned i = 0; i < QUEUE_PAUSES_MAX && !is_stopping(deliver); i++) {
        if (hust_committer_load(deliver->env.committer).waiting <= QUEUE_OPS_MAX) {
            return;
        }
        pause_ms(deliver, QUEUE_PAUSE_MS);
    }
}

static void give_way(peer_t *peer, uint64_t began_ms, size_t own_ops)
{
    hust_deliver_t *deliver = peer->deliver;
    uint64_t done = hust_committer_load(deliver->env.committer).done;
    assert(done >= peer->ops_seen);
    uint64_t others = done - peer->ops_seen > own_ops ? done - peer->ops_seen - own_ops : 0;
    if (others >= FOREGROUND_OPS_MIN) {
        uint64_t pause = (monotonic_ms() - began_ms) * FOREGROUND_PAUSE_FACTOR;
        pause_ms(deliver,
                 pause > FOREGROUND_PAUSE_MAX_MS ? FOREGROUND_PAUSE_MAX_MS : (unsigned)pause);
    }
}

static void retry_later(peer_t *peer)
{
    assert(peer->retry_ms <= RETRY_MAX_MS);
    unsigned next = peer->retry_ms == 0 ? RETRY_MIN_MS : peer->retry_ms * 2;
    peer->retry_ms = next > RETRY_MAX_MS ? RETRY_MAX_MS : next;
    pause_ms(peer->deliver, peer->retry_ms);
}

/* --- what is told --- */

static void note_away(peer_t *peer, const char *message)
{
    if (!peer->away && !is_stopping(peer->deliver)) {
        hust_log(HUST_LOG_INFO, "deliver: %s is away: %s", peer->target, message);
    }
    peer->away = true;
}

static void note_batch(peer_t *peer, const hust_handoff_outcome_t *outcome)
{
    if (peer->away) {
        hust_log(HUST_LOG_INFO, "deliver: %s is there again", peer->target);
        peer->away = false;
    }
    assert(outcome->refused <= outcome->handled);
    assert(outcome->synced + outcome->changed <= outcome->handled);
    if (outcome->refused > 0 && !peer->refusing) {
        hust_log(HUST_LOG_WARN, "deliver: %s: %zu of %zu elements must wait: %s", peer->target,
                 outcome->refused, outcome->handled, outcome->message);
    }
    peer->refusing = outcome->refused > 0;
    atomic_fetch_add(&peer->processed, outcome->handled - outcome->refused);
    atomic_fetch_add(&peer->synced, outcome->synced);
}

static void note_oldest(peer_t *peer)
{
    uint64_t oldest = atomic_load(&peer->oldest_ms);
    if (peer->page.oldest_ms != 0 && (oldest == 0 || peer->page.oldest_ms < oldest)) {
        atomic_store(&peer->oldest_ms, peer->page.oldest_ms);
    }
}

/* --- delivery --- */

/* One batch of the page from `*at` on; false: this pass is over. */
static bool deliver_batch(peer_t *peer, size_t *at, size_t *useful)
{
    hust_deliver_t *deliver = peer->deliver;
    hust_handoff_outcome_t outcome;
    wait_for_queue(peer);
    uint64_t began_ms = monotonic_ms();
    peer->ops_seen = hust_committer_load(deliver->env.committer).done;
    hust_error_t err = hust_handoff_run(peer->handoff, &peer->page, *at, &outcome);
    if (err != HUST_OK) {
        hust_log(HUST_LOG_ERROR, "deliver: %s: %s", peer->target, hust_error_text(err));
        return false;
    }
    if (!outcome.reached) {
        note_away(peer, outcome.message);
        return false;
    }
    note_batch(peer, &outcome);
    *useful += outcome.synced + outcome.changed;
    *at += outcome.handled;
    assert(*at <= peer->page.count);
    give_way(peer, began_ms, outcome.committed);
    /* A peer that takes nothing (its disk may be full) is left alone for a while. */
    bool in_vain = outcome.handled > 1 && outcome.refused == outcome.handled;
    return !in_vain && !is_stopping(deliver);
}

/* Deliver a page; false: this pass is over. */
static bool deliver_page(peer_t *peer, size_t *useful)
{
    hust_deliver_t *deliver = peer->deliver;
    uint64_t now_ms = hust_wall_ms();
    hust_error_t err = hust_hint_page_read(
        deliver->env.store, hust_slice_str(peer->target),
        now_ms < HUST_HINT_BACKLOG_MS ? 0 : now_ms - HUST_HINT_BACKLOG_MS, &peer->page);
    if (err != HUST_OK) {
        hust_log(HUST_LOG_ERROR, "deliver: %s: %s", peer->target, hust_error_text(err));
        return false;
    }
    note_oldest(peer);
    for (size_t at = 0; at < peer->page.count;) {
        if (!deliver_batch(peer, &at, useful)) {
            return false;
        }
    }
    return !peer->page.last;
}

/* Walk over the list once. */
static void deliver_pass(peer_t *peer)
{
    size_t useful = 0;
    hust_buf_clear(&peer->page.cursor);
    atomic_store(&peer->oldest_ms, 0);
    while (!is_stopping(peer->deliver) && deliver_page(peer, &useful)) {
    }
    if (useful > 0) {
        peer->retry_ms = 0;
    }
}

static void *run(void *arg)
{
    peer_t *peer = arg;
    hust_deliver_t *deliver = peer->deliver;
    hust_slice_t target = hust_slice_str(peer->target);
    while (!is_stopping(deliver)) {
        bool work = hust_store_failure(deliver->env.store) == 0 &&
                    hust_hints_old(deliver->env.hints, target, hust_wall_ms()) > 0;
        if (!work) {
            hust_http_client_rest(peer->client);
            atomic_store(&peer->oldest_ms, 0);
            peer->retry_ms = 0;
            pause_ms(deliver, IDLE_MS);
            continue;
        }
        deliver_pass(peer);
        if (hust_hints_old(deliver->env.hints, target, hust_wall_ms()) > 0) {
            retry_later(peer);
        }
    }
    hust_http_client_rest(peer->client);
    return NULL;
}

/* --- start and stop --- */

static hust_error_t start_peer(hust_deliver_t *deliver, const char *address)
{
    char url[HUST_TARGET_BYTES_MAX + 32];
    assert(deliver->peer_count < HUST_CONFIG_PEERS_MAX);
    peer_t *peer = &deliver->peers[deliver->peer_count++];
    peer->deliver = deliver;
    peer->target = address;
    snprintf(url, sizeof(url), "http://%s/hustdb/batch", address);
    peer->client = hust_http_client_new(url, is_stopping, deliver);
    const hust_handoff_env_t env = {.store = deliver->env.store,
                                    .committer = deliver->env.committer,
                                    .client = peer->client,
                                    .target = hust_slice_str(address)};
    peer->handoff = peer->client == NULL ? NULL : hust_handoff_new(&env);
    if (peer->handoff == NULL) {
        return HUST_ERR_NOMEM;
    }
    peer->running = pthread_create(&peer->thread, NULL, run, peer) == 0;
    return peer->running ? HUST_OK : HUST_ERR_IO;
}

hust_error_t hust_deliver_start(const hust_deliver_env_t *env, hust_deliver_t **out)
{
    pthread_condattr_t monotonic;
    hust_deliver_t *deliver = calloc(1, sizeof(*deliver));
    *out = NULL;
    if (deliver == NULL) {
        return HUST_ERR_NOMEM;
    }
    deliver->env = *env;
    pthread_mutex_init(&deliver->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&deliver->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    hust_error_t err = hust_http_client_setup();
    for (unsigned i = 0; err == HUST_OK && i < env->config->peer_count; i++) {
        err = start_peer(deliver, env->config->peers[i].address);
    }
    if (err != HUST_OK) {
        hust_log(HUST_LOG_ERROR, "deliver: cannot start: %s", hust_error_text(err));
        hust_deliver_stop(deliver);
        return err;
    }
    *out = deliver;
    return HUST_OK;
}

static void stop_peer(peer_t *peer)
{
    assert(is_stopping(peer->deliver));
    if (peer->running) {
        pthread_join(peer->thread, NULL);
    }
    hust_handoff_free(peer->handoff);
    hust_http_client_free(peer->client);
    hust_hint_page_free(&peer->page);
}

void hust_deliver_stop(hust_deliver_t *deliver)
{
    if (deliver == NULL) {
        return;
    }
    pthread_mutex_lock(&deliver->lock);
    atomic_store(&deliver->stopping, true);
    pthread_cond_broadcast(&deliver->wake);
    pthread_mutex_unlock(&deliver->lock);
    for (unsigned i = 0; i < deliver->peer_count; i++) {
        stop_peer(&deliver->peers[i]);
    }
    hust_http_client_cleanup();
    pthread_cond_destroy(&deliver->wake);
    pthread_mutex_destroy(&deliver->lock);
    free(deliver);
}

static uint64_t age_s(uint64_t since_ms, uint64_t now_ms)
{
    return since_ms == 0 || since_ms > now_ms ? 0 : (now_ms - since_ms) / 1000;
}

unsigned hust_deliver_status(hust_deliver_t *deliver,
                             hust_deliver_status_t out[HUST_CONFIG_PEERS_MAX])
{
    uint64_t now_ms = hust_wall_ms();
    assert(deliver->peer_count <= HUST_CONFIG_PEERS_MAX);
    for (unsigned i = 0; i < deliver->peer_count; i++) {
        peer_t *peer = &deliver->peers[i];
        out[i] = (hust_deliver_status_t){
            .target = peer->target,
            .processed = atomic_load(&peer->processed),
            .synced = atomic_load(&peer->synced),
            .pending = hust_hints_old(deliver->env.hints, hust_slice_str(peer->target), now_ms),
            .oldest_pending_s = age_s(atomic_load(&peer->oldest_ms), now_ms),
        };
    }
    return deliver->peer_count;
}
