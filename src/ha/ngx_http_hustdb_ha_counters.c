/*
 * Counters of requests and of exchanges with nodes, in shared memory.
 *
 * Every worker has a place of its own in each array, so that no two of them write one cache line:
 * the atomic additions meet nobody. (Where there are more workers than places some share, which is
 * slower and as right.) A place outlives its worker, and so do its counts; what it had open is gone
 * with it, and is forgotten when the place is taken again.
 */
#include "ngx_http_hustdb_ha.h"

#include <signal.h>

const ngx_msec_t hust_ha_latency_bounds_ms[HUST_HA_LATENCY_BOUNDS] = {1,   2,   5,    10,   20,  50,
                                                                     100, 200, 500, 1000, 2000, 5000};

static bool is_alive(ngx_atomic_uint_t pid)
{
    return pid != 0 && (kill((ngx_pid_t)pid, 0) == 0 || ngx_errno != NGX_ESRCH);
}

ngx_uint_t hust_ha_counters_claim(hust_ha_shared_t *shared)
{
    for (ngx_uint_t i = 0; i < HUST_HA_PLACES; i++) {
        ngx_atomic_uint_t owner = shared->counters[i].owner;
        if (is_alive(owner) ||
            !ngx_atomic_cmp_set(&shared->counters[i].owner, owner, (ngx_atomic_uint_t)ngx_pid)) {
            continue;
        }
        for (hust_ha_health_t *health = shared->healths; health != NULL; health = health->next) {
            health->traffic[i].lanes_open = 0;
            health->traffic[i].lanes_busy = 0;
        }
        return i;
    }
    return (ngx_uint_t)ngx_pid % HUST_HA_PLACES;
}

void hust_ha_counters_release(hust_ha_shared_t *shared, ngx_uint_t place)
{
    (void)ngx_atomic_cmp_set(&shared->counters[place].owner, (ngx_atomic_uint_t)ngx_pid, 0);
}

void hust_ha_counters_request(hust_ha_worker_t *worker, const hust_call_t *call, ngx_uint_t status,
                              ngx_msec_t latency_ms)
{
    hust_ha_counters_t *counters = &worker->conf->shared->counters[worker->place];
    unsigned row = call == NULL ? HUST_CALL_COUNT : call->id;
    unsigned column = status < 100 || status > 599 ? 4 : (unsigned)(status / 100 - 1);
    (void)ngx_atomic_fetch_add(&counters->requests[row][column], 1);
    if (call == NULL) {
        return;
    }
    unsigned bound = 0;
    while (bound < HUST_HA_LATENCY_BOUNDS && latency_ms > hust_ha_latency_bounds_ms[bound]) {
        bound++;
    }
    (void)ngx_atomic_fetch_add(&counters->latency[call->class_][bound], 1);
    (void)ngx_atomic_fetch_add(&counters->latency_ms[call->class_], (ngx_atomic_int_t)latency_ms);
}

void hust_ha_counters_batch(hust_ha_peer_t *peer, ngx_uint_t op_count)
{
    hust_ha_traffic_t *traffic = &peer->health->traffic[peer->worker->place];
    unsigned bound = 0;
    while (bound < HUST_HA_BATCH_BOUNDS - 1 && op_count > (ngx_uint_t)1 << bound) {
        bound++;
    }
    (void)ngx_atomic_fetch_add(&traffic->batches[bound], 1);
    (void)ngx_atomic_fetch_add(&traffic->ops, (ngx_atomic_int_t)op_count);
}

void hust_ha_counters_lanes(hust_ha_peer_t *peer, ngx_atomic_int_t open, ngx_atomic_int_t busy)
{
    hust_ha_traffic_t *traffic = &peer->health->traffic[peer->worker->place];
    if (open != 0) {
        (void)ngx_atomic_fetch_add(&traffic->lanes_open, open);
    }
    if (busy != 0) {
        (void)ngx_atomic_fetch_add(&traffic->lanes_busy, busy);
    }
}
