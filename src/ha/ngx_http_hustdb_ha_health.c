/*
 * What all workers know of a node: is it down, and for whom does it hold hints.
 *
 * It lives in shared memory, so that one worker's failure spares the others theirs, and so that a
 * reload forgets nothing. A node that is down is asked again in the background, by whichever worker
 * claims the probe first, with pauses that grow.
 *
 * A node is catching up while its partner reports old hints for it. Every reply reports them, and a
 * node from which no worker has heard for a while is asked, so that an HA that was not there during
 * an outage, or has no traffic, learns of it too. Young hints are not reported (most are writes on
 * their way), so the time until a missed write's hint is old is bridged here.
 */
#include "ngx_http_hustdb_ha.h"

enum {
    /* A table, and more nodes than one can have; constant, to survive reloads. */
    ZONE_BYTES = HUST_HA_TABLE_BYTES_MAX + 15 * 1024 * 1024,
    PROBE_TICK_MS = 100,
    PROBE_PAUSE_MIN_MS = 100,
    PROBE_PAUSE_MAX_MS = 1000,
    SILENCE_MS = 700,   /* with the tick and the answer's way, less than a second */
    HINT_OLD_MS = 3200, /* by then a node reports a hint, if it still has it */
    BEHIND_MS = HINT_OLD_MS + 1000,
};

static ngx_int_t init_zone(ngx_shm_zone_t *zone, void *data);

typedef struct {
    const char *word;
    bool counts_as_down;
} cause_t;

static const cause_t causes[HUST_HA_CAUSE_COUNT] = {
#define CAUSE_ROW(name, word, down) {word, down},
    HUST_HA_CAUSE_MAP(CAUSE_ROW)
#undef CAUSE_ROW
};

static bool is_due(ngx_atomic_uint_t at_ms)
{
    return (ngx_msec_int_t)(ngx_current_msec - at_ms) >= 0;
}

ngx_int_t hust_ha_health_add_zone(ngx_conf_t *cf, hust_ha_main_conf_t *conf)
{
    ngx_str_t name = ngx_string("hustdb_ha");
    ngx_shm_zone_t *zone = ngx_shared_memory_add(cf, &name, ZONE_BYTES, &ngx_http_hustdb_ha_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }
    zone->init = init_zone;
    zone->data = conf;
    return NGX_OK;
}

hust_ha_health_t *hust_ha_health_find(const hust_ha_shared_t *shared, const char *address)
{
    for (hust_ha_health_t *health = shared->healths; health != NULL; health = health->next) {
        if (ngx_strcmp(health->address, address) == 0) {
            return health;
        }
    }
    return NULL;
}

/* Enter one node. Nodes of former tables stay: there is room. Under the zone's mutex. */
static bool enter(hust_ha_main_conf_t *conf, const hust_peer_t *peer, const ngx_addr_t *address)
{
    hust_ha_shared_t *shared = conf->shared;
    hust_ha_health_t *health = hust_ha_health_find(shared, peer->address);
    if (health == NULL) {
        health = ngx_slab_calloc_locked(conf->zone, sizeof(*health));
        if (health == NULL) {
            return false;
        }
        ngx_memcpy(health->address, peer->address, sizeof(health->address));
        health->next = shared->healths;
        shared->healths = health;
    }
    ngx_memcpy(&health->sockaddr, address->sockaddr, address->socklen);
    health->socklen = address->socklen;
    return true;
}

ngx_int_t hust_ha_health_enter(hust_ha_main_conf_t *conf, const hust_routing_t *routing,
                               const ngx_addr_t *addresses)
{
    bool entered = true;
    unsigned count = hust_routing_peer_count(routing);
    ngx_shmtx_lock(&conf->zone->mutex);
    for (unsigned i = 0; i < count && entered; i++) {
        entered = enter(conf, hust_routing_peer(routing, i), &addresses[i]);
    }
    ngx_shmtx_unlock(&conf->zone->mutex);
    return entered ? NGX_OK : NGX_ERROR;
}

/* What the zone begins with; NULL: it is too small. */
static hust_ha_shared_t *make_shared(ngx_slab_pool_t *pool)
{
    hust_ha_shared_t *shared = ngx_slab_calloc(pool, sizeof(*shared));
    if (shared == NULL) {
        return NULL;
    }
    shared->table = ngx_slab_alloc(pool, HUST_HA_TABLE_BYTES_MAX);
    return shared->table == NULL ? NULL : shared;
}

static ngx_int_t init_zone(ngx_shm_zone_t *zone, void *data)
{
    (void)data; /* of the former cycle: everything hangs on the pool itself */
    hust_ha_main_conf_t *conf = zone->data;
    conf->zone = (ngx_slab_pool_t *)zone->shm.addr;
    if (conf->zone->data == NULL) {
        conf->zone->data = make_shared(conf->zone);
    }
    conf->shared = conf->zone->data;
    if (conf->shared == NULL ||
        hust_ha_health_enter(conf, conf->routing, conf->addresses) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "no room in zone \"%V\" for the nodes: restart nginx", &zone->shm.name);
        return NGX_ERROR;
    }
    return NGX_OK;
}

uint64_t hust_ha_health_hash(hust_slice_t address)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < address.len; i++) {
        hash = (hash ^ address.data[i]) * 0x100000001b3u;
    }
    return hash == 0 ? 1 : hash;
}

static bool holds_hints_for(const hust_ha_health_t *health, uint64_t address_hash)
{
    if (health->backlog_count == 0) {
        return false;
    }
    for (unsigned i = 0; i < HUST_BATCH_BACKLOGS_MAX; i++) {
        if (health->backlogs[i] == address_hash) {
            return true;
        }
    }
    return false;
}

hust_master_state_t hust_ha_health_state(const hust_ha_peer_t *peer, const hust_ha_peer_t *partner)
{
    if (hust_ha_health_is_down(peer)) {
        return HUST_MASTER_DOWN;
    }
    ngx_atomic_uint_t behind_until = peer->health->behind_until_ms;
    if (behind_until != 0 && (ngx_msec_int_t)(behind_until - ngx_current_msec) > 0) {
        return HUST_MASTER_CATCHING_UP;
    }
    return holds_hints_for(partner->health, peer->address_hash) ? HUST_MASTER_CATCHING_UP
                                                                : HUST_MASTER_UP;
}

static bool is_reported(const hust_batch_reply_head_t *head, uint64_t address_hash)
{
    for (unsigned i = 0; i < head->backlog_count; i++) {
        const hust_backlog_t *backlog = &head->backlogs[i];
        if (backlog->hint_count > 0 && hust_ha_health_hash(backlog->target) == address_hash) {
            return true;
        }
    }
    return false;
}

/* Note one more target. Two workers may do so at the same time: the second finds it there. */
static void add_backlog(hust_ha_health_t *health, uint64_t address_hash)
{
    for (unsigned i = 0; i < HUST_BATCH_BACKLOGS_MAX; i++) {
        ngx_atomic_t *place = &health->backlogs[i];
        if (*place == address_hash) {
            return;
        }
        if (*place == 0 && ngx_atomic_cmp_set(place, 0, address_hash)) {
            (void)ngx_atomic_fetch_add(&health->backlog_count, 1);
            return;
        }
    }
}

/* Shared by all workers, so it is not written more often than needed. */
static void note_heard(hust_ha_health_t *health)
{
    ngx_msec_t now = ngx_current_msec == 0 ? 1 : ngx_current_msec;
    if (health->heard_at_ms == 0 || now - health->heard_at_ms >= PROBE_TICK_MS) {
        health->heard_at_ms = now;
    }
}

/* Take over what is reported: targets that are not any more go, new ones come. */
static void see_backlogs(hust_ha_health_t *health, const hust_batch_reply_head_t *head)
{
    if (head->backlog_count == 0 && health->backlog_count == 0) {
        return;
    }
    for (unsigned i = 0; i < HUST_BATCH_BACKLOGS_MAX; i++) {
        uint64_t hash = health->backlogs[i];
        if (hash != 0 && !is_reported(head, hash) &&
            ngx_atomic_cmp_set(&health->backlogs[i], hash, 0)) {
            (void)ngx_atomic_fetch_add(&health->backlog_count, -1);
        }
    }
    for (unsigned i = 0; i < head->backlog_count; i++) {
        if (head->backlogs[i].hint_count > 0) {
            add_backlog(health, hust_ha_health_hash(head->backlogs[i].target));
        }
    }
}

void hust_ha_health_see(hust_ha_peer_t *peer, const hust_batch_reply_head_t *head)
{
    see_backlogs(peer->health, head);
    note_heard(peer->health);
}

void hust_ha_health_missed(hust_ha_peer_t *peer)
{
    hust_ha_health_t *health = peer->health;
    ngx_atomic_uint_t behind_until = ngx_current_msec + BEHIND_MS;
    if (behind_until != health->behind_until_ms) {
        health->behind_until_ms = behind_until;
    }
}

/* False if it was down already. */
static bool mark_down(hust_ha_health_t *health)
{
    /* Before `down`, so that nobody claims a probe with the times of the last outage. */
    if (health->down == 0) {
        health->probe_failures = 0;
        health->probe_at_ms = ngx_current_msec + PROBE_PAUSE_MIN_MS;
    }
    return ngx_atomic_cmp_set(&health->down, 0, 1);
}

/* Large transfers get on, so the node is not down: it only takes its time. */
static bool is_moving(const hust_ha_peer_t *peer)
{
    return peer->moved_at != 0 && ngx_current_msec - peer->moved_at < peer->worker->conf->timeout;
}

void hust_ha_health_failed(hust_ha_peer_t *peer, hust_ha_cause_t cause, ngx_err_t err)
{
    hust_ha_health_t *health = peer->health;
    ngx_log_t *log = peer->worker->log;
    (void)ngx_atomic_fetch_add(&health->failures[cause], 1);
    if (!causes[cause].counts_as_down || (cause == HUST_HA_TIMEOUT && is_moving(peer))) {
        ngx_log_error(NGX_LOG_WARN, log, err, "hustdb node %s: %s", health->address,
                      causes[cause].word);
        return;
    }
    if (mark_down(health)) {
        ngx_log_error(NGX_LOG_ERR, log, err, "hustdb node %s is down: %s", health->address,
                      causes[cause].word);
    } else {
        ngx_log_error(NGX_LOG_INFO, log, err, "hustdb node %s: %s", health->address,
                      causes[cause].word);
    }
}

void hust_ha_health_probed(hust_ha_peer_t *peer, bool alive)
{
    hust_ha_health_t *health = peer->health;
    health->ask_at_ms = 0;
    if (alive) {
        if (ngx_atomic_cmp_set(&health->down, 1, 0)) {
            ngx_log_error(NGX_LOG_WARN, peer->worker->log, 0, "hustdb node %s is up again",
                          health->address);
        }
        return;
    }
    bool heard = health->heard_at_ms != 0 && !is_due(health->heard_at_ms + SILENCE_MS);
    if (is_moving(peer) || (heard && health->down == 0)) {
        return; /* it was alive after this probe had begun */
    }
    if (mark_down(health)) {
        ngx_log_error(NGX_LOG_ERR, peer->worker->log, 0,
                      "hustdb node %s is down: it does not answer a probe", health->address);
        return;
    }
    ngx_uint_t failures = ngx_atomic_fetch_add(&health->probe_failures, 1);
    ngx_msec_t pause = PROBE_PAUSE_MAX_MS;
    if (failures < 4) {
        pause = ngx_min(PROBE_PAUSE_MAX_MS, (ngx_msec_t)PROBE_PAUSE_MIN_MS << failures);
    }
    health->probe_at_ms = ngx_current_msec + pause;
}

/* Ask the node whether it is there and what hints it has, with a batch of no operations. */
static void probe(hust_ha_peer_t *peer)
{
    hust_ha_lane_t *lane = hust_ha_lane_get(peer, HUST_HA_LANE_PROBE);
    if (lane == NULL || !hust_ha_lane_begin(lane)) {
        return; /* the claim runs out, and somebody tries again */
    }
    hust_ha_lane_send(lane);
}

/* A node that is down: is it this worker's turn to ask it? */
static void probe_down(hust_ha_peer_t *peer)
{
    const hust_ha_main_conf_t *conf = peer->worker->conf;
    ngx_atomic_uint_t due = peer->health->probe_at_ms;
    ngx_msec_t claim_ms = conf->connect_timeout + conf->timeout + PROBE_PAUSE_MAX_MS;
    if (is_due(due) &&
        ngx_atomic_cmp_set(&peer->health->probe_at_ms, due, ngx_current_msec + claim_ms)) {
        probe(peer);
    }
}

/* A node that has been silent: is it this worker's turn to ask what hints it holds? */
static void ask_silent(hust_ha_peer_t *peer)
{
    const hust_ha_main_conf_t *conf = peer->worker->conf;
    hust_ha_health_t *health = peer->health;
    ngx_atomic_uint_t due = health->ask_at_ms;
    bool silent = health->heard_at_ms == 0 || is_due(health->heard_at_ms + SILENCE_MS);
    if (silent && (due == 0 || is_due(due))) {
        ngx_msec_t claim_ms = conf->connect_timeout + conf->timeout;
        if (ngx_atomic_cmp_set(&health->ask_at_ms, due, ngx_current_msec + claim_ms)) {
            probe(peer);
        }
    }
}

void hust_ha_health_probe_handler(ngx_event_t *event)
{
    hust_ha_worker_t *worker = event->data;
    if (ngx_exiting) {
        return;
    }
    for (ngx_uint_t i = 0; i < worker->peer_count; i++) {
        hust_ha_peer_t *peer = worker->peers[i];
        if (hust_ha_health_is_down(peer)) {
            probe_down(peer);
        } else {
            ask_silent(peer);
        }
        hust_ha_peer_expire(peer);
    }
    ngx_add_timer(event, PROBE_TICK_MS);
}
