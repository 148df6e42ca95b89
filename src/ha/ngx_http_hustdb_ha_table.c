/*
 * The routing table in force.
 *
 * It begins as a file: the configured one, or the one that set_table has written, whichever is
 * newer. From there on the zone has it, as JSON with a generation: set_table and a reload put new
 * ones there, and a worker goes over to it at the start of its next request. Transactions under way
 * hold the peers they started with, which live as long as the worker, so nothing waits for them.
 */
#include "ngx_http_hustdb_ha.h"

static const char STATE_FILE[] = "/routing.json";

static int64_t mtime_ns(const ngx_file_info_t *info)
{
    return (int64_t)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec;
}

/* When a file was last written; 0: there is none. */
static int64_t file_mtime_ns(const ngx_str_t *name)
{
    ngx_file_info_t info;
    if (name->len == 0 || ngx_file_info(name->data, &info) == NGX_FILE_ERROR) {
        return 0;
    }
    return mtime_ns(&info);
}

/* ---- at configuration ---- */

/* The whole file; an empty slice after an error, which is logged. */
static hust_slice_t read_table_file(ngx_conf_t *cf, ngx_str_t *name)
{
    hust_slice_t content = {NULL, 0};
    ngx_file_t file;
    ngx_memzero(&file, sizeof(file));
    file.name = *name;
    file.log = cf->log;
    file.fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "cannot open routing table \"%V\"", name);
        return content;
    }
    u_char *data = ngx_pnalloc(cf->temp_pool, HUST_HA_TABLE_BYTES_MAX + 1);
    ssize_t n =
        data == NULL ? NGX_ERROR : ngx_read_file(&file, data, HUST_HA_TABLE_BYTES_MAX + 1, 0);
    if (n == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "cannot read routing table \"%V\"", name);
    } else if (n == 0 || n > HUST_HA_TABLE_BYTES_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "routing table \"%V\" is %s", name,
                           n == 0 ? "empty" : "larger than 1 MiB");
    } else {
        content = hust_slice_of(data, (size_t)n);
    }
    ngx_close_file(file.fd);
    return content;
}

static void free_routing(void *data)
{
    hust_routing_free(data);
}

ngx_addr_t *hust_ha_table_resolve(ngx_pool_t *pool, const hust_routing_t *routing,
                                  char message[HUST_ROUTING_MESSAGE_BYTES])
{
    unsigned count = hust_routing_peer_count(routing);
    ngx_addr_t *addresses = ngx_pcalloc(pool, count * sizeof(*addresses));
    for (unsigned i = 0; i < count; i++) {
        const hust_peer_t *peer = hust_routing_peer(routing, i);
        ngx_url_t url;
        ngx_memzero(&url, sizeof(url));
        url.url.data = (u_char *)peer->address;
        url.url.len = ngx_strlen(peer->address);
        if (addresses == NULL || ngx_parse_url(pool, &url) != NGX_OK || url.naddrs == 0) {
            u_char *end = (u_char *)message + HUST_ROUTING_MESSAGE_BYTES - 1;
            *ngx_slprintf((u_char *)message, end, "node \"%s\": %s", peer->address,
                          url.err == NULL ? "no address" : url.err) = '\0';
            return NULL;
        }
        addresses[i] = url.addrs[0];
    }
    return addresses;
}

/* Find the state file's name. */
static ngx_int_t name_state_file(ngx_conf_t *cf, hust_ha_main_conf_t *conf)
{
    const ngx_str_t *directory = &conf->state_dir->name;
    size_t room = directory->len + sizeof(STATE_FILE);
    u_char *name = ngx_pnalloc(cf->pool, room);
    if (name == NULL) {
        return NGX_ERROR;
    }
    u_char *end = ngx_snprintf(name, room - 1, "%V%s", directory, STATE_FILE);
    *end = '\0';
    conf->state_file.data = name;
    conf->state_file.len = (size_t)(end - name);
    return NGX_OK;
}

/* The file whose table is newer; of equal age, what set_table has written. */
static ngx_str_t *newer_file(ngx_conf_t *cf, hust_ha_main_conf_t *conf)
{
    conf->state_mtime_ns = file_mtime_ns(&conf->state_file);
    if (conf->state_mtime_ns == 0) {
        return &conf->table_file;
    }
    bool state = conf->state_mtime_ns >= file_mtime_ns(&conf->table_file);
    ngx_str_t *newer = state ? &conf->state_file : &conf->table_file;
    ngx_str_t *older = state ? &conf->table_file : &conf->state_file;
    ngx_log_error(NGX_LOG_NOTICE, cf->log, 0, "routing table \"%V\" is newer than \"%V\"", newer,
                  older);
    return newer;
}

ngx_int_t hust_ha_table_load(ngx_conf_t *cf, hust_ha_main_conf_t *conf)
{
    char message[HUST_ROUTING_MESSAGE_BYTES];
    if (conf->state_dir != NULL && name_state_file(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }
    ngx_str_t *name = newer_file(cf, conf);
    hust_slice_t content = read_table_file(cf, name);
    if (content.len == 0) {
        return NGX_ERROR;
    }
    if (hust_routing_parse(content, &conf->routing, message) != HUST_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "routing table \"%V\": %s", name, message);
        return NGX_ERROR;
    }
    if (hust_routing_json(conf->routing).len > HUST_HA_TABLE_BYTES_MAX) {
        hust_routing_free(conf->routing);
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "routing table \"%V\" is larger than 1 MiB", name);
        return NGX_ERROR;
    }
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(cf->pool, 0);
    if (cleanup == NULL) {
        hust_routing_free(conf->routing);
        return NGX_ERROR;
    }
    cleanup->handler = free_routing;
    cleanup->data = conf->routing;
    conf->addresses = hust_ha_table_resolve(cf->pool, conf->routing, message);
    if (conf->addresses == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "routing table \"%V\": %s", name, message);
        return NGX_ERROR;
    }
    return hust_ha_health_add_zone(cf, conf);
}

/* ---- in force ---- */

static void publish_locked(hust_ha_shared_t *shared, hust_slice_t json)
{
    ngx_memcpy(shared->table, json.data, json.len);
    shared->table_bytes = json.len;
    shared->generation++;
}

void hust_ha_table_publish(hust_ha_main_conf_t *conf, hust_slice_t json)
{
    ngx_shmtx_lock(&conf->zone->mutex);
    publish_locked(conf->shared, json);
    ngx_shmtx_unlock(&conf->zone->mutex);
}

void hust_ha_table_commit(hust_ha_main_conf_t *conf)
{
    hust_ha_shared_t *shared = conf->shared;
    hust_slice_t json = hust_routing_json(conf->routing);
    ngx_shmtx_lock(&conf->zone->mutex);
    /* A set_table since we read the file has its table there, or will have when we are done. */
    bool overtaken = file_mtime_ns(&conf->state_file) != conf->state_mtime_ns;
    bool same = hust_slice_equal(json, hust_slice_of(shared->table, shared->table_bytes));
    if (shared->generation == 0 || (!overtaken && !same)) {
        publish_locked(shared, json);
    }
    ngx_shmtx_unlock(&conf->zone->mutex);
}

/* The table in force, from malloc, with its generation; NULL: no memory. */
static hust_routing_t *get_table(hust_ha_worker_t *worker, ngx_atomic_uint_t *generation)
{
    hust_ha_main_conf_t *conf = worker->conf;
    u_char *copy = ngx_alloc(HUST_HA_TABLE_BYTES_MAX, worker->log);
    if (copy == NULL) {
        return NULL;
    }
    ngx_shmtx_lock(&conf->zone->mutex);
    hust_slice_t json = hust_slice_of(copy, conf->shared->table_bytes);
    ngx_memcpy(copy, conf->shared->table, json.len);
    *generation = conf->shared->generation;
    ngx_shmtx_unlock(&conf->zone->mutex);
    hust_routing_t *routing = NULL;
    char message[HUST_ROUTING_MESSAGE_BYTES];
    if (hust_routing_parse(json, &routing, message) != HUST_OK) {
        ngx_log_error(NGX_LOG_ERR, worker->log, 0, "hustdb: the routing table in force: %s",
                      message);
    }
    ngx_free(copy);
    return routing;
}

/* The worker's peers of a table, in its order, from malloc; NULL: no memory. */
static hust_ha_peer_t **get_peers(hust_ha_worker_t *worker, const hust_routing_t *routing)
{
    unsigned count = hust_routing_peer_count(routing);
    hust_ha_peer_t **peers = ngx_alloc(count * sizeof(hust_ha_peer_t *), worker->log);
    for (unsigned i = 0; peers != NULL && i < count; i++) {
        peers[i] = hust_ha_peer_get(worker, hust_routing_peer(routing, i));
        if (peers[i] == NULL) {
            ngx_free(peers);
            return NULL;
        }
    }
    return peers;
}

/* Mark who stays, and let the others go. */
static void retire_others(hust_ha_worker_t *worker)
{
    ngx_queue_t *at;
    for (at = ngx_queue_head(&worker->known); at != ngx_queue_sentinel(&worker->known);
         at = ngx_queue_next(at)) {
        hust_ha_peer_t *peer = ngx_queue_data(at, hust_ha_peer_t, known);
        peer->retired = 1;
    }
    for (ngx_uint_t i = 0; i < worker->peer_count; i++) {
        worker->peers[i]->retired = 0;
    }
    for (at = ngx_queue_head(&worker->known); at != ngx_queue_sentinel(&worker->known);
         at = ngx_queue_next(at)) {
        hust_ha_peer_t *peer = ngx_queue_data(at, hust_ha_peer_t, known);
        if (peer->retired) {
            hust_ha_peer_retire(peer);
        }
    }
}

ngx_int_t hust_ha_table_adopt(hust_ha_worker_t *worker)
{
    ngx_atomic_uint_t generation;
    hust_routing_t *routing = get_table(worker, &generation);
    if (routing == NULL) {
        return NGX_ERROR;
    }
    hust_ha_peer_t **peers = get_peers(worker, routing);
    if (peers == NULL) {
        hust_routing_free(routing);
        return NGX_ERROR;
    }
    hust_routing_free(worker->routing);
    ngx_free(worker->peers);
    worker->routing = routing;
    worker->generation = generation;
    worker->peers = peers;
    worker->peer_count = hust_routing_peer_count(routing);
    retire_others(worker);
    hust_ha_health_probe_handler(&worker->probe); /* what is not known is asked at once */
    return NGX_OK;
}
