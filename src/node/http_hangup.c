#define _GNU_SOURCE /* POLLRDHUP */
#include "node/http_hangup.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum {
    PERIOD_S = 1,
    ROOM_MIN = 64,
};

typedef struct {
    size_t index; /* in both arrays */
} watched_t;

struct hust_hangup {
    pthread_t thread;
    pthread_mutex_t lock; /* of all below; held while a socket is looked at, so none is closed */
    pthread_cond_t wake;
    bool stopping;
    size_t count;
    size_t room;
    struct pollfd *sockets;
    watched_t **owners;
};

/* An end of stream that is told again is an edge again; to those who know it, nothing happens. */
static void look(hust_hangup_t *hangup)
{
    if (hangup->count == 0 || poll(hangup->sockets, hangup->count, 0) <= 0) {
        return;
    }
    assert(hangup->count <= hangup->room);
    for (size_t i = 0; i < hangup->count; i++) {
        if ((hangup->sockets[i].revents & POLLRDHUP) != 0) {
            (void)shutdown(hangup->sockets[i].fd, SHUT_RD);
        }
    }
}

static void *run(void *arg)
{
    hust_hangup_t *hangup = arg;
    pthread_mutex_lock(&hangup->lock);
    while (!hangup->stopping) {
        struct timespec until;
        int error = 0;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += PERIOD_S;
        while (!hangup->stopping && error != ETIMEDOUT) {
            error = pthread_cond_timedwait(&hangup->wake, &hangup->lock, &until);
        }
        look(hangup);
    }
    pthread_mutex_unlock(&hangup->lock);
    return NULL;
}

static bool make_room(hust_hangup_t *hangup)
{
    if (hangup->count < hangup->room) {
        return true;
    }
    size_t room = hangup->room == 0 ? ROOM_MIN : 2 * hangup->room;
    struct pollfd *sockets = realloc(hangup->sockets, room * sizeof(*sockets));
    if (sockets == NULL) {
        return false;
    }
    hangup->sockets = sockets;
    watched_t **owners = realloc(hangup->owners, room * sizeof(*owners));
    if (owners == NULL) {
        return false;
    }
    hangup->owners = owners;
    hangup->room = room;
    assert(hangup->count < hangup->room);
    return true;
}

void *hust_hangup_watch(hust_hangup_t *hangup, int fd)
{
    assert(fd >= 0);
    watched_t *watched = malloc(sizeof(*watched));
    if (watched == NULL) {
        return NULL;
    }
    pthread_mutex_lock(&hangup->lock);
    bool room = make_room(hangup);
    if (room) {
        watched->index = hangup->count++;
        hangup->sockets[watched->index] = (struct pollfd){.fd = fd, .events = POLLRDHUP};
        hangup->owners[watched->index] = watched;
    }
    pthread_mutex_unlock(&hangup->lock);
    if (!room) {
        free(watched);
        return NULL;
    }
    return watched;
}

void hust_hangup_forget(hust_hangup_t *hangup, void *watched)
{
    if (watched == NULL) {
        return;
    }
    pthread_mutex_lock(&hangup->lock);
    size_t index = ((watched_t *)watched)->index;
    assert(index < hangup->count);
    assert(hangup->owners[index] == watched);
    hangup->count--;
    hangup->sockets[index] = hangup->sockets[hangup->count];
    hangup->owners[index] = hangup->owners[hangup->count];
    hangup->owners[index]->index = index;
    pthread_mutex_unlock(&hangup->lock);
    free(watched);
}

static void destroy(hust_hangup_t *hangup)
{
    free(hangup->sockets);
    free(hangup->owners);
    pthread_cond_destroy(&hangup->wake);
    pthread_mutex_destroy(&hangup->lock);
    free(hangup);
}

hust_error_t hust_hangup_start(hust_hangup_t **out)
{
    pthread_condattr_t monotonic;
    hust_hangup_t *hangup = calloc(1, sizeof(*hangup));
    *out = NULL;
    if (hangup == NULL) {
        return HUST_ERR_NOMEM;
    }
    pthread_mutex_init(&hangup->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&hangup->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&hangup->thread, NULL, run, hangup) != 0) {
        destroy(hangup);
        return HUST_ERR_IO;
    }
    *out = hangup;
    return HUST_OK;
}

void hust_hangup_stop(hust_hangup_t *hangup)
{
    pthread_mutex_lock(&hangup->lock);
    hangup->stopping = true;
    pthread_cond_signal(&hangup->wake);
    pthread_mutex_unlock(&hangup->lock);
    pthread_join(hangup->thread, NULL);
    assert(hangup->count == 0);
    destroy(hangup);
}
