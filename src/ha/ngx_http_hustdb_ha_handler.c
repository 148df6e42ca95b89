/*
 * The content handler: which call it is, its body, its parameters; then its transaction begins.
 */
#include "ngx_http_hustdb_ha.h"

enum { VALUE_BYTES_MAX = 1024 * 1024 * 1024 }; /* where client_max_body_size sets no limit */

static ngx_int_t start(ngx_http_request_t *r, const hust_call_t *call, unsigned method);
static void body_handler(ngx_http_request_t *r);

/*
 * The call's path: what follows the location's prefix, so that `location /db/` makes /db/get2 a
 * get2. Where no prefix can be taken off (= and ~ locations) it is the last part of the path.
 */
static hust_slice_t call_path(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    size_t prefix = core->name.len;
    if (prefix > 0 && core->name.data[prefix - 1] == '/') {
        prefix--; /* the slash belongs to the call */
    }
    bool is_prefix = core->name.len > 0 && core->name.data[0] == '/' &&
                     r->uri.len >= core->name.len && prefix < r->uri.len &&
                     r->uri.data[prefix] == '/' &&
                     ngx_strncmp(r->uri.data, core->name.data, core->name.len) == 0;
    if (is_prefix && !core->exact_match) {
        return hust_slice_of(r->uri.data + prefix, r->uri.len - prefix);
    }
    size_t at = r->uri.len;
    while (at > 0 && r->uri.data[at - 1] != '/') {
        at--;
    }
    at = at > 0 ? at - 1 : 0;
    return hust_slice_of(r->uri.data + at, r->uri.len - at);
}

static ngx_int_t refuse_method(ngx_http_request_t *r, const hust_call_t *call)
{
    char allow[64];
    hust_call_allow(call, allow);
    if (hust_ha_add_header(r, "Allow", hust_slice_str(allow)) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return hust_ha_respond_error(r, NGX_HTTP_NOT_ALLOWED, "this call does not know the method\n");
}

const hust_call_t *hust_ha_find_call(ngx_http_request_t *r)
{
    hust_ha_loc_conf_t *conf = ngx_http_get_module_loc_conf(r, ngx_http_hustdb_ha_module);
    const hust_call_t *call = hust_call_find(HUST_AT_HA, call_path(r));
    return call != NULL && call->class_ == HUST_CLASS_ADMIN && !conf->admin ? NULL : call;
}

/* As $status has it. */
static ngx_uint_t final_status(const ngx_http_request_t *r)
{
    return r->err_status != 0 ? r->err_status : r->headers_out.status;
}

ngx_int_t hust_ha_log_handler(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    hust_ha_main_conf_t *conf = ngx_http_get_module_main_conf(r, ngx_http_hustdb_ha_module);
    if (core->handler != hust_ha_handler || conf->worker == NULL) {
        return NGX_OK;
    }
    ngx_time_t *now = ngx_timeofday();
    int64_t latency_ms =
        (int64_t)(now->sec - r->start_sec) * 1000 + (int64_t)now->msec - (int64_t)r->start_msec;
    hust_ha_counters_request(conf->worker, hust_ha_find_call(r), final_status(r),
                             latency_ms < 0 ? 0 : (ngx_msec_t)latency_ms);
    return NGX_OK;
}

ngx_int_t hust_ha_handler(ngx_http_request_t *r)
{
    const hust_call_t *call = hust_ha_find_call(r);
    unsigned method = hust_method_bit(hust_ha_slice(r->method_name));
    bool allowed = call != NULL && (call->methods & method) != 0;
    if (allowed && (call->class_ == HUST_CLASS_READ || call->class_ == HUST_CLASS_READ2 ||
                    call->class_ == HUST_CLASS_WRITE)) {
        return start(r, call, method);
    }
    if (allowed && call->id == HUST_CALL_SET_TABLE) {
        return hust_ha_set_table(r);
    }
    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    if (call == NULL) {
        return hust_ha_respond_error(r, NGX_HTTP_NOT_FOUND, NULL);
    }
    if (!allowed) {
        return refuse_method(r, call);
    }
    return call->class_ == HUST_CLASS_ONE_NODE ? hust_ha_forward(r, call, method)
                                               : hust_ha_local(r, call);
}

/* ---- the body ---- */

size_t hust_ha_body_bytes(ngx_http_request_t *r)
{
    size_t bytes = 0;
    ngx_chain_t *link = r->request_body == NULL ? NULL : r->request_body->bufs;
    for (; link != NULL; link = link->next) {
        bytes += (size_t)ngx_buf_size(link->buf);
    }
    return bytes;
}

ngx_int_t hust_ha_body_load(ngx_http_request_t *r, hust_slice_t *out)
{
    size_t bytes = hust_ha_body_bytes(r);
    *out = hust_slice_of(NULL, 0);
    if (bytes == 0) {
        return NGX_OK;
    }
    ngx_chain_t *chain = r->request_body->bufs;
    if (chain->next == NULL && ngx_buf_in_memory(chain->buf)) {
        *out = hust_slice_of(chain->buf->pos, bytes);
        return NGX_OK;
    }
    u_char *data = ngx_pnalloc(r->pool, bytes);
    if (data == NULL) {
        return NGX_ERROR;
    }
    u_char *at = data;
    for (; chain != NULL; chain = chain->next) {
        ngx_buf_t *buf = chain->buf;
        size_t len = (size_t)ngx_buf_size(buf);
        if (ngx_buf_in_memory(buf)) {
            ngx_memcpy(at, buf->pos, len);
        } else if (len > 0 && ngx_read_file(buf->file, at, len, buf->file_pos) != (ssize_t)len) {
            return NGX_ERROR;
        }
        at += len;
    }
    *out = hust_slice_of(data, bytes);
    return NGX_OK;
}

/* Find out where the body is; only a large value may stay in a file. */
static ngx_int_t take_body(hust_ha_transaction_t *transaction)
{
    ngx_http_request_t *r = transaction->request;
    size_t bytes = hust_ha_body_bytes(r);
    if (bytes == 0) {
        return NGX_OK;
    }
    ngx_chain_t *chain = r->request_body->bufs;
    bool is_value = transaction->call->presence[HUST_PARAM_VAL] == HUST_PRESENCE_OR_BODY;
    bool in_file = chain->next != NULL || !ngx_buf_in_memory(chain->buf);
    if (in_file && bytes > HUST_HA_BATCH_BYTES_MAX && (!is_value || chain->next == NULL)) {
        transaction->body.len = bytes;
        transaction->body_file = chain->buf; /* or a key that is refused for its length */
        return NGX_OK;
    }
    return hust_ha_body_load(r, &transaction->body);
}

/* ---- the parameters ---- */

/* NULL data: there is none. One that is there and empty is malformed, and told apart by its data.
 */
static hust_slice_t header_value(const ngx_table_elt_t *header)
{
    if (header == NULL) {
        return hust_slice_of(NULL, 0);
    }
    return hust_ha_slice(header->value);
}

/* Make the operation. Returns 0, or the status of a refusal with its message. */
static unsigned make_op(hust_ha_transaction_t *transaction, char message[HUST_MESSAGE_BYTES])
{
    ngx_http_request_t *r = transaction->request;
    ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    off_t limit = core->client_max_body_size;
    hust_limits_t limits = {
        .ttl_max_s = (uint64_t)transaction->worker->conf->ttl_maximum,
        .value_bytes_max = limit == 0 || limit > VALUE_BYTES_MAX ? VALUE_BYTES_MAX : (size_t)limit,
    };
    hust_request_t request = {
        .where = HUST_AT_HA,
        .method = hust_method_bit(hust_ha_slice(r->method_name)),
        .query = hust_ha_slice(r->args),
    };
    if (hust_call_takes_body(transaction->call, request.method)) {
        request.body_bytes = transaction->body.len;
        request.body = transaction->body;
    }
    if (ngx_strlchr(r->unparsed_uri.data, r->unparsed_uri.data + r->unparsed_uri.len, '#') !=
        NULL) {
        ngx_memcpy(message, HUST_MESSAGE_FRAGMENT, sizeof(HUST_MESSAGE_FRAGMENT));
        return NGX_HTTP_BAD_REQUEST; /* nginx has left it out of r->args */
    }
    unsigned status = hust_params_parse(transaction->call, &request, &limits, &transaction->scratch,
                                        &transaction->params, message);
    if (status != 0) {
        return status;
    }
    transaction->conditions.if_match = header_value(r->headers_in.if_match);
    transaction->conditions.if_none_match = header_value(r->headers_in.if_none_match);
    return hust_params_to_op(transaction->call, &transaction->params, &transaction->conditions,
                             hust_ha_wall_ms(), transaction->number, &transaction->op, message);
}

static void begin(hust_ha_transaction_t *transaction)
{
    ngx_http_request_t *r = transaction->request;
    char message[HUST_MESSAGE_BYTES];
    unsigned status = make_op(transaction, message);
    if (status != 0) {
        ngx_http_finalize_request(r, hust_ha_respond_error(r, status, message));
        return;
    }
    hust_ha_transaction_start(transaction);
}

static void body_handler(ngx_http_request_t *r)
{
    hust_ha_transaction_t *transaction = ngx_http_get_module_ctx(r, ngx_http_hustdb_ha_module);
    r->read_event_handler = ngx_http_block_reading;
    if (take_body(transaction) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }
    begin(transaction);
}

static ngx_int_t start(ngx_http_request_t *r, const hust_call_t *call, unsigned method)
{
    hust_ha_transaction_t *transaction = hust_ha_transaction_create(r, call);
    if (transaction == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    /*
     * A write's body is read before it begins, even if it means nothing: nginx ends a request whose
     * client goes away while its body is being discarded.
     */
    bool may_have_body = (method & (HUST_METHOD_GET | HUST_METHOD_HEAD)) == 0;
    if (hust_call_takes_body(call, method) || (call->class_ == HUST_CLASS_WRITE && may_have_body)) {
        r->request_body_in_single_buf = 1;
        ngx_int_t rc = ngx_http_read_client_request_body(r, body_handler);
        return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
    }
    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    if (!r->discard_body) {
        r->read_event_handler = ngx_http_block_reading;
    }
    r->main->count++;
    begin(transaction);
    return NGX_DONE;
}
