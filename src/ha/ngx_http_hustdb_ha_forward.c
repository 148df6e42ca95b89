/*
 * Calls that one node answers (`peer`): asked of it over a large connection, answered as it did.
 */
#include "ngx_http_hustdb_ha.h"

typedef struct {
    ngx_http_request_t *request;
    const hust_call_t *call;
    hust_ha_op_t *op; /* under way, or NULL */
} forward_t;

static void op_handler(hust_ha_op_t *op, const hust_result_t *result, hust_failure_t failure);

static void clean_up(void *data)
{
    forward_t *forward = data;
    hust_ha_op_t *op = forward->op;
    forward->op = NULL;
    if (op != NULL) {
        hust_ha_op_abandon(op);
    }
}

/* The node's URI. Made from the checked parameters, so that nothing else gets into the request. */
static bool put_target(hust_buf_t *out, const hust_call_t *call, const hust_params_t *params)
{
    hust_slice_t parts[] = {hust_slice_str("/hustdb/"), hust_slice_str(call->name),
                            hust_slice_str("?tb="), params->tb};
    unsigned count = params->tb.len > 0 ? 4 : 2;
    for (unsigned i = 0; i < count; i++) {
        if (hust_buf_append_slice(out, parts[i]) != HUST_OK) {
            return false;
        }
    }
    return true;
}

/* Queue the request. Returns NGX_OK, or the status that refuses it. */
static ngx_int_t send_op(forward_t *forward, hust_ha_peer_t *peer, const hust_params_t *params)
{
    ngx_http_request_t *r = forward->request;
    ngx_http_cleanup_t *cleanup = ngx_http_cleanup_add(r, 0);
    if (cleanup == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    cleanup->handler = clean_up;
    cleanup->data = forward;
    hust_ha_op_t *op = hust_ha_op_create(peer);
    if (op == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!put_target(&op->encoded, forward->call, params)) {
        hust_ha_op_finish(op, NULL, HUST_FAILED_UNSENT);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    op->is_forward = 1;
    op->op.code = HUST_OP_GET;
    op->handler = op_handler;
    op->data = forward;
    forward->op = op;
    hust_ha_op_send(op);
    return NGX_OK;
}

ngx_int_t hust_ha_forward(ngx_http_request_t *r, const hust_call_t *call, unsigned method)
{
    hust_ha_main_conf_t *conf = ngx_http_get_module_main_conf(r, ngx_http_hustdb_ha_module);
    hust_ha_worker_t *worker = hust_ha_worker(conf);
    hust_request_t request = {
        .where = HUST_AT_HA, .method = method, .query = hust_ha_slice(r->args)};
    hust_buf_t scratch = {0};
    hust_params_t params;
    char message[HUST_MESSAGE_BYTES];
    forward_t *forward = ngx_pcalloc(r->pool, sizeof(*forward));
    if (worker == NULL || forward == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    forward->request = r;
    forward->call = call;
    ngx_int_t rc;
    unsigned status =
        hust_params_parse(call, &request, &HUST_LIMITS_DEFAULT, &scratch, &params, message);
    if (status != 0) {
        rc = hust_ha_respond_error(r, status, message);
    } else if (params.peer >= worker->peer_count) {
        rc = hust_ha_respond_error(r, NGX_HTTP_BAD_REQUEST, "peer: there is no such node\n");
    } else {
        rc = send_op(forward, worker->peers[params.peer], &params);
        if (rc == NGX_OK) {
            r->main->count++;
            rc = NGX_DONE;
        }
    }
    hust_buf_free(&scratch);
    return rc;
}

static ngx_int_t respond_unreachable(ngx_http_request_t *r, const hust_ha_peer_t *peer)
{
    if (hust_ha_add_header(r, "Unreachable", hust_slice_str(peer->peer->address)) != NGX_OK ||
        hust_ha_add_header(r, "Retry-After", hust_slice_str("1")) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return hust_ha_respond_error(r, NGX_HTTP_SERVICE_UNAVAILABLE, "the node gives no answer\n");
}

static ngx_int_t respond(forward_t *forward, const hust_result_t *result)
{
    ngx_http_request_t *r = forward->request;
    u_char *copy = ngx_pnalloc(r->pool, result->value.len);
    if (copy == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (result->value.len > 0) {
        ngx_memcpy(copy, result->value.data, result->value.len);
    }
    if (result->status == NGX_HTTP_PRECONDITION_FAILED &&
        hust_ha_add_header(r, "Version", hust_slice_str("0")) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    bool is_json = result->status == NGX_HTTP_OK && forward->call->id != HUST_CALL_FILE_COUNT;
    return hust_ha_respond(r, result->status, is_json ? "application/json" : "text/plain",
                           hust_slice_of(copy, result->value.len));
}

static void op_handler(hust_ha_op_t *op, const hust_result_t *result, hust_failure_t failure)
{
    (void)failure;
    forward_t *forward = op->data;
    ngx_http_request_t *r = forward->request;
    ngx_connection_t *c = r->connection;
    forward->op = NULL;
    ngx_http_set_log_request(c->log, r);
    ngx_http_finalize_request(r, result == NULL ? respond_unreachable(r, op->peer)
                                                : respond(forward, result));
    ngx_http_run_posted_requests(c);
}
