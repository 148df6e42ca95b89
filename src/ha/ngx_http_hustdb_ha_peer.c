/*
 * A node as seen by one worker: operations wait here until a lane takes a batch of them.
 *
 * Everything that requests want of a node during one turn of the event loop is looked at once, at
 * the turn's end: it leaves at once if a lane is idle, and otherwise gathers until one is.
 */
#include "ngx_http_hustdb_ha.h"

#include <sys/random.h>

enum { WAIT_TIMEOUTS = 5 }; /* how many timeouts an operation waits for a lane at most */

static void flush_handler(ngx_event_t *event);
static void flush_peer(hust_ha_peer_t *peer);

/* ---- the worker ---- */

static hust_ha_peer_t *make_peer(hust_ha_worker_t *worker, const hust_peer_t *named,
                                 hust_ha_health_t *health)
{
    const hust_ha_main_conf_t *conf = worker->conf;
    hust_ha_peer_t *peer = ngx_pcalloc(worker->pool, sizeof(*peer));
    hust_peer_t *copy = ngx_palloc(worker->pool, sizeof(*copy));
    if (peer == NULL || copy == NULL) {
        return NULL;
    }
    *copy = *named;
    peer->worker = worker;
    peer->peer = copy;
    peer->name.data = (u_char *)copy->address;
    peer->name.len = ngx_strlen(copy->address);
    peer->health = health;
    peer->address_hash = hust_ha_health_hash(hust_slice_str(copy->address));
    for (unsigned kind = 0; kind < HUST_HA_LANE_KINDS; kind++) {
        ngx_queue_init(&peer->lanes[kind].waiting);
    }
    peer->lanes[HUST_HA_LANE_READ].lane_count = (ngx_uint_t)conf->read_lanes;
    peer->lanes[HUST_HA_LANE_WRITE].lane_count = (ngx_uint_t)conf->write_lanes;
    peer->lanes[HUST_HA_LANE_LARGE].lane_count = HUST_HA_LARGE_LANES;
    peer->lanes[HUST_HA_LANE_STREAM].lane_count = HUST_HA_STREAM_LANES;
    peer->lanes[HUST_HA_LANE_PROBE].lane_count = 1;
    ngx_queue_insert_tail(&worker->known, &peer->known);
    return peer;
}

static hust_ha_peer_t *find_peer(hust_ha_worker_t *worker, const hust_ha_health_t *health)
{
    for (ngx_queue_t *at = ngx_queue_head(&worker->known); at != ngx_queue_sentinel(&worker->known);
         at = ngx_queue_next(at)) {
        hust_ha_peer_t *peer = ngx_queue_data(at, hust_ha_peer_t, known);
        if (peer->health == health) {
            return peer;
        }
    }
    return NULL;
}

hust_ha_peer_t *hust_ha_peer_get(hust_ha_worker_t *worker, const hust_peer_t *named)
{
    hust_ha_main_conf_t *conf = worker->conf;
    ngx_sockaddr_t sockaddr;
    socklen_t socklen = 0;
    ngx_shmtx_lock(&conf->zone->mutex);
    hust_ha_health_t *health = hust_ha_health_find(conf->shared, named->address);
    if (health != NULL) {
        sockaddr = health->sockaddr;
        socklen = health->socklen;
    }
    ngx_shmtx_unlock(&conf->zone->mutex);
    if (health == NULL) {
        return NULL;
    }
    hust_ha_peer_t *peer = find_peer(worker, health);
    if (peer == NULL) {
        peer = make_peer(worker, named, health);
    }
    if (peer != NULL) {
        peer->sockaddr = sockaddr;
        peer->socklen = socklen;
    }
    return peer;
}

void hust_ha_peer_retire(hust_ha_peer_t *peer)
{
    peer->retired = 1;
    for (unsigned kind = 0; kind < HUST_HA_LANE_KINDS; kind++) {
        hust_ha_lanes_t *lanes = &peer->lanes[kind];
        for (ngx_uint_t i = 0; lanes->lanes != NULL && i < lanes->lane_count; i++) {
            hust_ha_lane_close_idle(&lanes->lanes[i]);
        }
    }
}

static ngx_int_t init_worker(hust_ha_worker_t *worker, hust_ha_main_conf_t *conf)
{
    worker->conf = conf;
    worker->log = ngx_cycle->log;
    worker->quiet_log = *ngx_cycle->log;
    worker->quiet_log.log_level = NGX_LOG_ALERT;
    if (getrandom(&worker->clock.writer, sizeof(worker->clock.writer), 0) !=
        (ssize_t)sizeof(worker->clock.writer)) {
        ngx_log_error(NGX_LOG_EMERG, worker->log, ngx_errno, "getrandom() failed");
        return NGX_ERROR;
    }
    ngx_queue_init(&worker->known);
    ngx_queue_init(&worker->dirty);
    ngx_queue_init(&worker->free_ops);
    worker->place = hust_ha_counters_claim(conf->shared);
    worker->flush.handler = flush_handler;
    worker->flush.data = worker;
    worker->flush.log = worker->log;
    worker->probe.handler = hust_ha_health_probe_handler;
    worker->probe.data = worker;
    worker->probe.log = worker->log;
    worker->probe.cancelable = 1;
    return hust_ha_table_adopt(worker);
}

hust_ha_worker_t *hust_ha_worker(hust_ha_main_conf_t *conf)
{
    if (conf->worker != NULL) {
        if (conf->worker->generation != conf->shared->generation) {
            (void)hust_ha_table_adopt(conf->worker);
        }
        return conf->worker;
    }
    ngx_pool_t *pool = ngx_create_pool(16384, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }
    hust_ha_worker_t *worker = ngx_pcalloc(pool, sizeof(*worker));
    if (worker == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }
    worker->pool = pool;
    if (init_worker(worker, conf) != NGX_OK) {
        ngx_destroy_pool(pool);
        return NULL;
    }
    conf->worker = worker;
    return worker;
}

static void free_lanes(hust_ha_lanes_t *lanes)
{
    for (ngx_uint_t i = 0; lanes->lanes != NULL && i < lanes->lane_count; i++) {
        hust_ha_lane_abort(&lanes->lanes[i]);
        hust_buf_free(&lanes->lanes[i].out);
        hust_buf_free(&lanes->lanes[i].in);
    }
}

static void free_peer(hust_ha_peer_t *peer)
{
    for (unsigned kind = 0; kind < HUST_HA_LANE_KINDS; kind++) {
        hust_ha_lanes_t *lanes = &peer->lanes[kind];
        free_lanes(lanes);
        while (!ngx_queue_empty(&lanes->waiting)) {
            ngx_queue_t *head = ngx_queue_head(&lanes->waiting);
            hust_ha_op_abandon(ngx_queue_data(head, hust_ha_op_t, link));
        }
    }
}

void hust_ha_worker_free(hust_ha_worker_t *worker)
{
    while (!ngx_queue_empty(&worker->known)) {
        ngx_queue_t *head = ngx_queue_head(&worker->known);
        ngx_queue_remove(head);
        free_peer(ngx_queue_data(head, hust_ha_peer_t, known));
    }
    hust_ha_counters_release(worker->conf->shared, worker->place);
    hust_routing_free(worker->routing);
    ngx_free(worker->peers);
    if (worker->probe.timer_set) {
        ngx_del_timer(&worker->probe);
    }
    if (worker->flush.posted) {
        ngx_delete_posted_event(&worker->flush);
    }
    ngx_destroy_pool(worker->pool);
}

/* ---- operations ---- */

hust_ha_op_t *hust_ha_op_create(hust_ha_peer_t *peer)
{
    hust_ha_worker_t *worker = peer->worker;
    hust_ha_op_t *op;
    if (ngx_queue_empty(&worker->free_ops)) {
        op = ngx_palloc(worker->pool, sizeof(*op));
        if (op == NULL) {
            return NULL;
        }
    } else {
        ngx_queue_t *head = ngx_queue_head(&worker->free_ops);
        ngx_queue_remove(head);
        op = ngx_queue_data(head, hust_ha_op_t, link);
    }
    *op = (hust_ha_op_t){.peer = peer};
    return op;
}

static void free_op(hust_ha_op_t *op)
{
    hust_buf_free(&op->encoded);
    ngx_queue_insert_head(&op->peer->worker->free_ops, &op->link);
}

static hust_ha_lane_kind_t lane_kind(const hust_ha_op_t *op)
{
    if ((op->op.flags & HUST_OPF_WHOLE) != 0) {
        return HUST_HA_LANE_STREAM;
    }
    if (op->bytes > HUST_HA_BATCH_BYTES_MAX || op->is_forward) {
        return HUST_HA_LANE_LARGE;
    }
    return hust_op_is_write(&op->op) ? HUST_HA_LANE_WRITE : HUST_HA_LANE_READ;
}

void hust_ha_op_send(hust_ha_op_t *op)
{
    op->since = ngx_current_msec;
    op->bytes = hust_op_encoded_bytes(&op->op) + op->body_bytes;
    ngx_queue_insert_tail(&op->peer->lanes[lane_kind(op)].waiting, &op->link);
    hust_ha_peer_touch(op->peer);
}

bool hust_ha_op_own(hust_ha_op_t *op)
{
    op->handler = NULL;
    op->data = NULL;
    return hust_batch_request_add(&op->encoded, &op->op) == HUST_OK;
}

void hust_ha_op_abandon(hust_ha_op_t *op)
{
    op->handler = NULL;
    op->data = NULL;
    if (op->lane == NULL) {
        ngx_queue_remove(&op->link);
        free_op(op);
    } else if (hust_ha_lane_is_single(op->lane->kind)) {
        hust_ha_lane_abort(op->lane); /* it may still be sending what is about to be freed */
    }
}

void hust_ha_op_finish(hust_ha_op_t *op, const hust_result_t *result, hust_failure_t failure)
{
    if (op->handler != NULL) {
        op->handler(op, result, failure);
    }
    free_op(op);
}

/* ---- queues ---- */

void hust_ha_peer_touch(hust_ha_peer_t *peer)
{
    hust_ha_worker_t *worker = peer->worker;
    if (!peer->dirty) {
        peer->dirty = 1;
        ngx_queue_insert_tail(&worker->dirty, &peer->link);
    }
    /* Behind all that is posted already, so that those handlers' operations go along. */
    ngx_post_event(&worker->flush, &ngx_posted_events);
}

static void flush_handler(ngx_event_t *event)
{
    hust_ha_worker_t *worker = event->data;
    ngx_queue_t batch;
    ngx_queue_init(&batch);
    if (ngx_queue_empty(&worker->dirty)) {
        return;
    }
    /* What is touched meanwhile comes with the next posted event. */
    ngx_queue_add(&batch, &worker->dirty);
    ngx_queue_init(&worker->dirty);
    while (!ngx_queue_empty(&batch)) {
        ngx_queue_t *head = ngx_queue_head(&batch);
        ngx_queue_remove(head);
        hust_ha_peer_t *peer = ngx_queue_data(head, hust_ha_peer_t, link);
        peer->dirty = 0;
        flush_peer(peer);
    }
}

/* The node is down: nothing that waits for it will leave. */
static void fail_waiting(hust_ha_lanes_t *lanes)
{
    ngx_queue_t failed;
    ngx_queue_init(&failed);
    if (ngx_queue_empty(&lanes->waiting)) {
        return;
    }
    ngx_queue_add(&failed, &lanes->waiting);
    ngx_queue_init(&lanes->waiting);
    while (!ngx_queue_empty(&failed)) {
        ngx_queue_t *head = ngx_queue_head(&failed);
        ngx_queue_remove(head);
        hust_ha_op_t *op = ngx_queue_data(head, hust_ha_op_t, link);
        (void)ngx_atomic_fetch_add(&op->peer->health->failures[HUST_HA_KNOWN_DOWN], 1);
        hust_ha_op_finish(op, NULL, HUST_FAILED_UNSENT);
    }
}

/* The first operation that waits, if it has waited for longer than anybody should; or NULL. */
static hust_ha_op_t *overdue(const hust_ha_lanes_t *lanes, ngx_msec_t wait_max)
{
    if (ngx_queue_empty(&lanes->waiting)) {
        return NULL;
    }
    ngx_queue_t *head = ngx_queue_head(&lanes->waiting);
    hust_ha_op_t *op = ngx_queue_data(head, hust_ha_op_t, link);
    return ngx_current_msec - op->since > wait_max ? op : NULL;
}

void hust_ha_peer_expire(hust_ha_peer_t *peer)
{
    ngx_msec_t wait_max = WAIT_TIMEOUTS * peer->worker->conf->timeout;
    for (unsigned kind = HUST_HA_LANE_LARGE; kind <= HUST_HA_LANE_STREAM; kind++) {
        hust_ha_op_t *op;
        while ((op = overdue(&peer->lanes[kind], wait_max)) != NULL) {
            ngx_queue_remove(&op->link);
            hust_ha_health_failed(peer, HUST_HA_NO_RESOURCES, 0);
            hust_ha_op_finish(op, NULL, HUST_FAILED_UNSENT);
        }
    }
}

/* Fill the lane's batch with what waits. False: not even one operation could be added. */
static bool fill_batch(hust_ha_lane_t *lane, hust_ha_lanes_t *lanes)
{
    size_t bytes = 0;
    ngx_uint_t count_max = hust_ha_lane_is_single(lane->kind) ? 1 : HUST_HA_BATCH_OPS_MAX;
    if (!hust_ha_lane_begin(lane)) {
        return false;
    }
    while (!ngx_queue_empty(&lanes->waiting) && lane->op_count < count_max) {
        ngx_queue_t *head = ngx_queue_head(&lanes->waiting);
        hust_ha_op_t *op = ngx_queue_data(head, hust_ha_op_t, link);
        if (lane->op_count > 0 && bytes + op->bytes > HUST_HA_BATCH_BYTES_MAX) {
            break;
        }
        ngx_queue_remove(head);
        bytes += op->bytes;
        if (!hust_ha_lane_add(lane, op)) {
            ngx_queue_insert_head(&lanes->waiting, head);
            break;
        }
    }
    return lane->op_count > 0;
}

static void flush_kind(hust_ha_peer_t *peer, hust_ha_lane_kind_t kind)
{
    hust_ha_lanes_t *lanes = &peer->lanes[kind];
    while (!ngx_queue_empty(&lanes->waiting) && !hust_ha_health_is_down(peer)) {
        hust_ha_lane_t *lane = hust_ha_lane_get(peer, kind);
        if (lane == NULL) {
            if (lanes->lanes != NULL) {
                return; /* all are busy, and each looks here when it is done */
            }
        } else if (fill_batch(lane, lanes)) {
            hust_ha_lane_send(lane);
            continue;
        }
        hust_ha_health_failed(peer, HUST_HA_NO_RESOURCES, NGX_ENOMEM);
        fail_waiting(lanes);
    }
}

static void flush_peer(hust_ha_peer_t *peer)
{
    for (unsigned kind = 0; kind < HUST_HA_LANE_PROBE; kind++) {
        flush_kind(peer, kind);
    }
    if (!hust_ha_health_is_down(peer)) {
        return;
    }
    for (unsigned kind = 0; kind < HUST_HA_LANE_PROBE; kind++) {
        hust_ha_lanes_t *lanes = &peer->lanes[kind];
        fail_waiting(lanes);
        for (ngx_uint_t i = 0; lanes->lanes != NULL && i < lanes->lane_count; i++) {
            hust_ha_lane_close_idle(&lanes->lanes[i]);
        }
    }
}
