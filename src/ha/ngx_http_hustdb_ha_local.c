/*
 * Calls that this worker answers by itself.
 */
#include "ngx_http_hustdb_ha.h"

static ngx_int_t peer_count(ngx_http_request_t *r);
static ngx_int_t get_table(ngx_http_request_t *r);
static ngx_int_t version(ngx_http_request_t *r);
static ngx_int_t status(ngx_http_request_t *r);

static const struct {
    hust_call_id_t id;
    ngx_int_t (*answer)(ngx_http_request_t *r);
} local_calls[] = {
    {HUST_CALL_PEER_COUNT, peer_count},
    {HUST_CALL_GET_TABLE, get_table},
    {HUST_CALL_VERSION, version},
    {HUST_CALL_STATUS, status},
    {HUST_CALL_METRICS, hust_ha_metrics},
    {HUST_CALL_SYNC_ALIVE, status},
};

/* The table in force; NULL: no memory. Another request may replace it. */
static const hust_routing_t *routing(ngx_http_request_t *r)
{
    hust_ha_main_conf_t *conf = ngx_http_get_module_main_conf(r, ngx_http_hustdb_ha_module);
    hust_ha_worker_t *worker = hust_ha_worker(conf);
    return worker == NULL ? NULL : worker->routing;
}

static ngx_int_t peer_count(ngx_http_request_t *r)
{
    char *number = ngx_pnalloc(r->pool, 24);
    const hust_routing_t *table = routing(r);
    if (number == NULL || table == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    size_t len = hust_format_u64(hust_routing_peer_count(table), number);
    return hust_ha_respond(r, NGX_HTTP_OK, "text/plain", hust_slice_of(number, len));
}

static ngx_int_t get_table(ngx_http_request_t *r)
{
    const hust_routing_t *table = routing(r);
    if (table == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    hust_slice_t json = hust_routing_json(table);
    u_char *copy = ngx_pnalloc(r->pool, json.len);
    if (copy == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ngx_memcpy(copy, json.data, json.len);
    return hust_ha_respond(r, NGX_HTTP_OK, "application/json", hust_slice_of(copy, json.len));
}

static ngx_int_t version(ngx_http_request_t *r)
{
    return hust_ha_respond(r, NGX_HTTP_OK, "text/plain", hust_slice_str("hustdbha " HUST_VERSION));
}

static ngx_int_t status(ngx_http_request_t *r)
{
    return hust_ha_respond(r, NGX_HTTP_OK, "text/plain", hust_slice_str("ok"));
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_UNIX) {
        return true;
    }
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        return (ntohl(in->sin_addr.s_addr) >> 24) == 127;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)address;
        const uint8_t *bytes = in->sin6_addr.s6_addr;
        return IN6_IS_ADDR_LOOPBACK(&in->sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr) && bytes[12] == 127);
    }
    return false;
}

bool hust_ha_is_admin(ngx_http_request_t *r)
{
    return is_loopback(r->connection->sockaddr);
}

ngx_int_t hust_ha_local(ngx_http_request_t *r, const hust_call_t *call)
{
    if (call->class_ == HUST_CLASS_ADMIN && !hust_ha_is_admin(r)) {
        return hust_ha_respond_error(r, NGX_HTTP_FORBIDDEN, "allowed from loopback only\n");
    }
    for (size_t i = 0; i < sizeof(local_calls) / sizeof(local_calls[0]); i++) {
        if (local_calls[i].id == call->id) {
            return local_calls[i].answer(r);
        }
    }
    return hust_ha_respond_error(r, NGX_HTTP_NOT_FOUND, NULL);
}
