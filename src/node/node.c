#include "node/node.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "node/log.h"
#include "node/rank_build.h"
#include "node/routes.h"

enum { DRAIN_MS = 2000 };

/* Memory for request bodies of all connections together; more uploads are answered 503. */
static const size_t UPLOAD_BYTES_MAX = 1u << 30;

static hust_error_t open_store(hust_node_t *node)
{
    char message[HUST_STORE_MESSAGE_BYTES];
    const hust_config_t *config = node->config;
    const hust_store_options_t options = {
        .path = config->store_path,
        .sync = config->sync,
        .block_cache_bytes = config->block_cache_bytes,
        .memtable_bytes = config->memtable_bytes,
        .wal_bytes_max = config->wal_bytes_max,
    };
    hust_error_t err = hust_store_open(&options, &node->store, message);
    if (err != HUST_OK) {
        hust_log(HUST_LOG_ERROR, "store: %s", message);
    }
    if (err == HUST_OK && hust_store_format(node->store) == HUST_STORE_FORMAT_UNRANKED) {
        err = hust_rank_build(node->store);
    }
    return err;
}

static hust_error_t open_cache(hust_node_t *node)
{
    hust_cache_options_t options = {
        .bytes_max = node->config->cache_bytes_max,
        .value_bytes_max = node->config->body_bytes_max,
    };
    if (options.bytes_max == 0) {
        return HUST_OK;
    }
    if (getrandom(&options.seed, sizeof(options.seed), 0) != sizeof(options.seed)) {
        hust_log(HUST_LOG_ERROR, "cache: no random bytes: %s", strerror(errno));
        return HUST_ERR_IO;
    }
    hust_error_t err = hust_cache_open(&options, &node->cache);
    if (err != HUST_OK) {
        hust_log(HUST_LOG_ERROR, "cache: %s", hust_error_text(err));
    }
    return err;
}

static hust_error_t listen_http(hust_node_t *node)
{
    char message[256];
    const hust_config_t *config = node->config;
    const hust_http_options_t options = {
        .host = config->listen.host,
        .port = config->listen.port,
        .worker_count = config->worker_count,
        .connection_limit = config->connection_limit,
        .idle_timeout_s = config->idle_timeout_s,
        .upload_bytes_max = UPLOAD_BYTES_MAX,
    };
    assert(node->committer != NULL && node->sweeper != NULL);
    const hust_http_app_t app = hust_routes(node);
    hust_error_t err = hust_http_start(&options, &app, &node->http, message);
    if (err != HUST_OK) {
        hust_log(HUST_LOG_ERROR, "http: %s", message);
    }
    return err;
}

static hust_error_t start_threads(hust_node_t *node)
{
    assert(node->store != NULL && node->counters != NULL && node->hints != NULL);
    const hust_committer_env_t env = {.store = node->store,
                                      .counters = node->counters,
                                      .hints = node->hints,
                                      .replicated = node->config->replicated};
    hust_error_t err = hust_committer_start(&env, &node->committer);
    if (err != HUST_OK) {
        return err;
    }
    err = hust_sweeper_start(node->store, node->committer, &node->sweeper);
    if (err == HUST_OK && node->config->sync == HUST_SYNC_EVERYSEC) {
        err = hust_syncer_start(node->store, &node->syncer);
    }
    return err;
}

hust_error_t hust_node_start(hust_node_t *node, const hust_config_t *config)
{
    assert(config->store_path[0] != '\0');
    *node = (hust_node_t){
        .config = config,
        .limits = {.ttl_max_s = config->ttl_max_s, .value_bytes_max = config->body_bytes_max},
    };
    hust_error_t err = open_store(node);
    if (err == HUST_OK) {
        err = hust_counters_load(node->store, &node->counters);
    }
    if (err == HUST_OK) {
        err = hust_hints_load(node->store, &node->hints);
    }
    if (err == HUST_OK) {
        err = open_cache(node);
    }
    if (err == HUST_OK) {
        err = start_threads(node);
    }
    if (err == HUST_OK) {
        err = listen_http(node);
    }
    if (err != HUST_OK) {
        hust_node_stop(node);
    }
    return err;
}

void hust_node_stop(hust_node_t *node)
{
    if (node->http != NULL) {
        hust_http_stop(node->http, DRAIN_MS);
    }
    if (node->sweeper != NULL) {
        hust_sweeper_stop(node->sweeper);
    }
    if (node->committer != NULL) {
        hust_committer_stop(node->committer);
    }
    hust_syncer_stop(node->syncer);
    hust_cache_free(node->cache);
    hust_hints_free(node->hints);
    hust_counters_free(node->counters);
    hust_store_close(node->store);
    *node = (hust_node_t){0};
}
