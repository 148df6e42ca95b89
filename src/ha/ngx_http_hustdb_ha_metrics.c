/*
 * /metrics: what the workers have counted, as Prometheus reads it (text format 0.0.4).
 */
#include "ngx_http_hustdb_ha.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_BYTES = 512 };

static const char *const classes[HUST_HA_CLASS_COUNT] = {
    [HUST_CLASS_READ] = "read",         [HUST_CLASS_READ2] = "read2", [HUST_CLASS_WRITE] = "write",
    [HUST_CLASS_ONE_NODE] = "one_node", [HUST_CLASS_ADMIN] = "admin", [HUST_CLASS_LOCAL] = "local",
};

/* The text so far; after a failure nothing more is added to it. */
typedef struct {
    hust_buf_t text;
    bool failed;
} page_t;

__attribute__((format(printf, 2, 3))) static void put(page_t *page, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    page->failed |= len < 0 || len >= LINE_BYTES;
    if (!page->failed && hust_buf_append(&page->text, line, (size_t)len) != HUST_OK) {
        page->failed = true;
    }
}

static void put_head(page_t *page, const char *name, const char *type, const char *help)
{
    put(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* ---- requests ---- */

static void put_requests(page_t *page, const hust_ha_shared_t *shared)
{
    put_head(page, "hustdb_ha_requests_total", "counter", "Requests, by call and class of status.");
    for (unsigned call = 0; call <= HUST_CALL_COUNT; call++) {
        for (unsigned status = 0; status < HUST_HA_STATUS_CLASSES; status++) {
            ngx_atomic_uint_t sum = 0;
            for (unsigned i = 0; i < HUST_HA_PLACES; i++) {
                sum += shared->counters[i].requests[call][status];
            }
            if (sum > 0) {
                put(page, "hustdb_ha_requests_total{call=\"%s\",status=\"%uxx\"} %lu\n",
                    call == HUST_CALL_COUNT ? "unknown" : hust_call((hust_call_id_t)call)->name,
                    status + 1, sum);
            }
        }
    }
}

static void put_latency(page_t *page, const hust_ha_shared_t *shared, unsigned class_)
{
    static const char name[] = "hustdb_ha_request_duration_seconds";
    ngx_atomic_uint_t count = 0;
    ngx_atomic_uint_t sum_ms = 0;
    for (unsigned bound = 0; bound <= HUST_HA_LATENCY_BOUNDS; bound++) {
        for (unsigned i = 0; i < HUST_HA_PLACES; i++) {
            count += shared->counters[i].latency[class_][bound];
        }
        if (bound < HUST_HA_LATENCY_BOUNDS) {
            put(page, "%s_bucket{class=\"%s\",le=\"%g\"} %lu\n", name, classes[class_],
                (double)hust_ha_latency_bounds_ms[bound] / 1000, count);
        }
    }
    for (unsigned i = 0; i < HUST_HA_PLACES; i++) {
        sum_ms += shared->counters[i].latency_ms[class_];
    }
    put(page, "%s_bucket{class=\"%s\",le=\"+Inf\"} %lu\n", name, classes[class_], count);
    put(page, "%s_sum{class=\"%s\"} %.3f\n", name, classes[class_], (double)sum_ms / 1000);
    put(page, "%s_count{class=\"%s\"} %lu\n", name, classes[class_], count);
}

/* ---- nodes ---- */

static ngx_atomic_uint_t sum_lanes(const hust_ha_peer_t *peer, bool busy)
{
    ngx_atomic_uint_t sum = 0;
    for (unsigned i = 0; i < HUST_HA_PLACES; i++) {
        const hust_ha_traffic_t *traffic = &peer->health->traffic[i];
        sum += busy ? traffic->lanes_busy : traffic->lanes_open;
    }
    return sum;
}

static ngx_atomic_uint_t value_up(const hust_ha_peer_t *peer)
{
    return hust_ha_health_is_down(peer) ? 0 : 1;
}

static ngx_atomic_uint_t value_catching_up(const hust_ha_peer_t *peer)
{
    const hust_ha_worker_t *worker = peer->worker;
    for (ngx_uint_t i = 0; i < worker->peer_count; i++) {
        if (worker->peers[i] != peer &&
            hust_ha_health_state(peer, worker->peers[i]) == HUST_MASTER_CATCHING_UP) {
            return 1;
        }
    }
    return 0;
}

static ngx_atomic_uint_t value_lanes_open(const hust_ha_peer_t *peer)
{
    return sum_lanes(peer, false);
}

static ngx_atomic_uint_t value_lanes_busy(const hust_ha_peer_t *peer)
{
    return sum_lanes(peer, true);
}

static const struct {
    const char *name;
    const char *help;
    ngx_atomic_uint_t (*value)(const hust_ha_peer_t *peer);
} gauges[] = {
    {"hustdb_ha_node_up", "Whether HA sends requests to the node.", value_up},
    {"hustdb_ha_node_catching_up", "Whether another node holds hints for it: it is read last.",
     value_catching_up},
    {"hustdb_ha_node_lanes_open", "Connections to the node.", value_lanes_open},
    {"hustdb_ha_node_lanes_busy", "Connections with an exchange under way.", value_lanes_busy},
};

static void put_gauges(page_t *page, const hust_ha_worker_t *worker)
{
    for (size_t g = 0; g < sizeof(gauges) / sizeof(gauges[0]); g++) {
        put_head(page, gauges[g].name, "gauge", gauges[g].help);
        for (ngx_uint_t i = 0; i < worker->peer_count; i++) {
            const hust_ha_peer_t *peer = worker->peers[i];
            put(page, "%s{node=\"%s\"} %lu\n", gauges[g].name, peer->peer->address,
                gauges[g].value(peer));
        }
    }
}

static void put_batches(page_t *page, const hust_ha_peer_t *peer)
{
    static const char name[] = "hustdb_ha_node_batch_operations";
    const char *node = peer->peer->address;
    const hust_ha_traffic_t *traffic = peer->health->traffic;
    ngx_atomic_uint_t count = 0;
    ngx_atomic_uint_t ops = 0;
    for (unsigned bound = 0; bound < HUST_HA_BATCH_BOUNDS; bound++) {
        for (unsigned i = 0; i < HUST_HA_PLACES; i++) {
            count += traffic[i].batches[bound];
        }
        put(page, "%s_bucket{node=\"%s\",le=\"%u\"} %lu\n", name, node, 1u << bound, count);
    }
    for (unsigned i = 0; i < HUST_HA_PLACES; i++) {
        ops += traffic[i].ops;
    }
    put(page, "%s_bucket{node=\"%s\",le=\"+Inf\"} %lu\n", name, node, count);
    put(page, "%s_sum{node=\"%s\"} %lu\n", name, node, ops);
    put(page, "%s_count{node=\"%s\"} %lu\n", name, node, count);
}

static void put_failures(page_t *page, const hust_ha_peer_t *peer)
{
    static const char *const names[HUST_HA_CAUSE_COUNT] = {
#define CAUSE_NAME(name, word, down) #name,
        HUST_HA_CAUSE_MAP(CAUSE_NAME)
#undef CAUSE_NAME
    };
    for (unsigned cause = 0; cause < HUST_HA_CAUSE_COUNT; cause++) {
        char label[32] = "";
        ngx_strlow((u_char *)label, (u_char *)names[cause],
                   ngx_min(ngx_strlen(names[cause]), sizeof(label) - 1));
        put(page, "hustdb_ha_node_failures_total{node=\"%s\",cause=\"%s\"} %lu\n",
            peer->peer->address, label, peer->health->failures[cause]);
    }
}

static void put_nodes(page_t *page, const hust_ha_worker_t *worker)
{
    put_gauges(page, worker);
    put_head(page, "hustdb_ha_node_batch_operations", "histogram",
             "Operations in a batch that was sent to the node.");
    for (ngx_uint_t i = 0; i < worker->peer_count; i++) {
        put_batches(page, worker->peers[i]);
    }
    put_head(page, "hustdb_ha_node_failures_total", "counter",
             "Exchanges with the node that failed, by cause; known_down: operations not sent.");
    for (ngx_uint_t i = 0; i < worker->peer_count; i++) {
        put_failures(page, worker->peers[i]);
    }
}

ngx_int_t hust_ha_metrics(ngx_http_request_t *r)
{
    hust_ha_main_conf_t *conf = ngx_http_get_module_main_conf(r, ngx_http_hustdb_ha_module);
    hust_ha_worker_t *worker = hust_ha_worker(conf);
    page_t page = {.failed = worker == NULL};
    if (worker != NULL) {
        put_requests(&page, conf->shared);
        put_head(&page, "hustdb_ha_request_duration_seconds", "histogram",
                 "From a request's first byte to its answer's last, by class of call.");
        for (unsigned class_ = 0; class_ < HUST_HA_CLASS_COUNT; class_++) {
            put_latency(&page, conf->shared, class_);
        }
        put_nodes(&page, worker);
    }
    u_char *copy = page.failed ? NULL : ngx_pnalloc(r->pool, page.text.len);
    ngx_int_t rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (copy != NULL) {
        ngx_memcpy(copy, page.text.data, page.text.len);
        rc = hust_ha_respond(r, NGX_HTTP_OK, "text/plain; version=0.0.4",
                             hust_slice_of(copy, page.text.len));
    }
    hust_buf_free(&page.text);
    return rc;
}
