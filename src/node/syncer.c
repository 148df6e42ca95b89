#include "node/syncer.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "node/log.h"

enum { PERIOD_S = 1 };

struct hust_syncer {
    hust_store_t *store;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
};

/* Sleep for a period; false when it is time to stop. */
static bool wait_period(hust_syncer_t *syncer)
{
    struct timespec until;
    int error = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PERIOD_S;
    pthread_mutex_lock(&syncer->lock);
    while (!syncer->stopping && error != ETIMEDOUT) {
        error = pthread_cond_timedwait(&syncer->wake, &syncer->lock, &until);
    }
    bool go_on = !syncer->stopping;
    pthread_mutex_unlock(&syncer->lock);
    return go_on;
}

static void *run(void *arg)
{
    hust_syncer_t *syncer = arg;
    while (wait_period(syncer)) {
        if (hust_store_failure(syncer->store) == 0) {
            hust_store_sync(syncer->store);
        }
    }
    return NULL;
}

static void destroy(hust_syncer_t *syncer)
{
    pthread_cond_destroy(&syncer->wake);
    pthread_mutex_destroy(&syncer->lock);
    free(syncer);
}

hust_error_t hust_syncer_start(hust_store_t *store, hust_syncer_t **out)
{
    pthread_condattr_t monotonic;
    hust_syncer_t *syncer = calloc(1, sizeof(*syncer));
    *out = NULL;
    if (syncer == NULL) {
        return HUST_ERR_NOMEM;
    }
    assert(store != NULL);
    syncer->store = store;
    pthread_mutex_init(&syncer->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&syncer->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&syncer->thread, NULL, run, syncer) != 0) {
        hust_log(HUST_LOG_ERROR, "syncer: cannot start its thread");
        destroy(syncer);
        return HUST_ERR_IO;
    }
    *out = syncer;
    return HUST_OK;
}

void hust_syncer_stop(hust_syncer_t *syncer)
{
    if (syncer == NULL) {
        return;
    }
    pthread_mutex_lock(&syncer->lock);
    syncer->stopping = true;
    pthread_cond_signal(&syncer->wake);
    pthread_mutex_unlock(&syncer->lock);
    pthread_join(syncer->thread, NULL);
    destroy(syncer);
}
