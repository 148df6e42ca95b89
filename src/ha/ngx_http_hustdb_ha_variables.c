/*
 * Variables for log_format: which call it was, where its element lives, who answered, how it ended.
 */
#include "ngx_http_hustdb_ha.h"

static ngx_int_t get_call(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t get_bucket(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t get_master(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t get_outcome(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);

static ngx_http_variable_t variables[] = {
    {ngx_string("hustdb_call"), NULL, get_call, 0, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("hustdb_bucket"), NULL, get_bucket, 0, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("hustdb_master"), NULL, get_master, 0, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("hustdb_outcome"), NULL, get_outcome, 0, NGX_HTTP_VAR_NOCACHEABLE, 0},
};

ngx_int_t hust_ha_variables_add(ngx_conf_t *cf)
{
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        ngx_http_variable_t *added =
            ngx_http_add_variable(cf, &variables[i].name, variables[i].flags);
        if (added == NULL) {
            return NGX_ERROR;
        }
        added->get_handler = variables[i].get_handler;
    }
    return NGX_OK;
}

static ngx_int_t not_found(ngx_http_variable_value_t *v)
{
    v->not_found = 1;
    return NGX_OK;
}

/* The text must live as long as the request. */
static ngx_int_t found(ngx_http_variable_value_t *v, const u_char *text, size_t len)
{
    v->data = (u_char *)text;
    v->len = (unsigned)len & 0xfffffff;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
    return NGX_OK;
}

static bool is_ours(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    return core->handler == hust_ha_handler;
}

static ngx_int_t get_call(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    (void)data;
    const hust_call_t *call = is_ours(r) ? hust_ha_find_call(r) : NULL;
    return call == NULL ? not_found(v)
                        : found(v, (const u_char *)call->name, ngx_strlen(call->name));
}

static ngx_int_t get_bucket(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    (void)data;
    const hust_ha_trace_t *trace = ngx_http_get_module_ctx(r, ngx_http_hustdb_ha_module);
    if (trace == NULL || !trace->has_bucket) {
        return not_found(v);
    }
    char *text = ngx_pnalloc(r->pool, 24);
    if (text == NULL) {
        return NGX_ERROR;
    }
    return found(v, (const u_char *)text, hust_format_u64(trace->bucket, text));
}

static ngx_int_t get_master(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    (void)data;
    const hust_ha_trace_t *trace = ngx_http_get_module_ctx(r, ngx_http_hustdb_ha_module);
    if (trace == NULL || trace->answered_count == 0) {
        return not_found(v);
    }
    const ngx_str_t *first = &trace->answered[0]->name;
    if (trace->answered_count == 1) {
        return found(v, first->data, first->len);
    }
    const ngx_str_t *second = &trace->answered[1]->name;
    size_t room = first->len + second->len + sizeof(", ");
    u_char *text = ngx_pnalloc(r->pool, room);
    if (text == NULL) {
        return NGX_ERROR;
    }
    u_char *end = ngx_snprintf(text, room, "%V, %V", first, second);
    return found(v, text, (size_t)(end - text));
}

static const char *outcome_word(const hust_ha_trace_t *trace, ngx_uint_t status)
{
    static const struct {
        ngx_uint_t status;
        const char *word;
    } words[] = {
        {200, "ok"},      {304, "not_modified"}, {400, "invalid"}, {401, "refused"},
        {403, "refused"}, {404, "absent"},       {405, "invalid"}, {409, "differ"},
        {412, "refused"}, {413, "invalid"},      {499, "gone"},    {503, "unreachable"},
        {507, "full"},
    };
    if (trace != NULL && trace->missed && (status == 200 || status == 404)) {
        return "sync";
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (words[i].status == status) {
            return words[i].word;
        }
    }
    return "error";
}

static ngx_int_t get_outcome(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    (void)data;
    const hust_ha_trace_t *trace = ngx_http_get_module_ctx(r, ngx_http_hustdb_ha_module);
    if (!is_ours(r)) {
        return not_found(v);
    }
    ngx_uint_t status = r->err_status != 0 ? r->err_status : r->headers_out.status;
    if (status == NGX_HTTP_NOT_FOUND && trace != NULL && trace->status != 0) {
        status = trace->status; /* before hustdb_ha_legacy_status folded it */
    }
    const char *word = outcome_word(trace, status);
    return found(v, (const u_char *)word, ngx_strlen(word));
}

void hust_ha_trace_answered(hust_ha_trace_t *trace, hust_ha_peer_t *peer)
{
    bool known = (trace->answered_count > 0 && trace->answered[0] == peer) ||
                 (trace->answered_count > 1 && trace->answered[1] == peer);
    if (!known && trace->answered_count < 2) {
        trace->answered[trace->answered_count++] = peer;
    }
}
