/*
 * An answer in the words of HTTP becomes an nginx response.
 */
#include "ngx_http_hustdb_ha.h"

ngx_int_t hust_ha_add_header(ngx_http_request_t *r, const char *name, hust_slice_t value)
{
    u_char *copy = ngx_pnalloc(r->pool, value.len);
    ngx_table_elt_t *header = ngx_list_push(&r->headers_out.headers);
    if (header == NULL) {
        return NGX_ERROR;
    }
    header->hash = 0; /* not sent, until it is complete */
    if (copy == NULL) {
        return NGX_ERROR;
    }
    ngx_memcpy(copy, value.data, value.len);
    header->hash = 1;
    header->key.data = (u_char *)name;
    header->key.len = ngx_strlen(name);
    header->value.data = copy;
    header->value.len = value.len;
    header->lowcase_key = NULL;
    return NGX_OK;
}

static void set_head(ngx_http_request_t *r, ngx_uint_t status, const char *type, uint64_t bytes)
{
    r->headers_out.status = status;
    r->headers_out.content_length_n = (off_t)bytes;
    /* Our If-Match and If-None-Match are about stamps and are dealt with; nginx knows none. */
    r->disable_not_modified = 1;
    if (ngx_exiting) {
        r->keepalive = 0; /* say so, rather than let the client find out with its next request */
    }
    if (status == NGX_HTTP_NOT_MODIFIED) {
        r->headers_out.content_length_n = -1;
        return;
    }
    r->headers_out.content_type.data = (u_char *)type;
    r->headers_out.content_type.len = ngx_strlen(type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
}

/* Send the head and then these slices, the last of them marked so. */
static ngx_int_t send_slices(ngx_http_request_t *r, const hust_slice_t *slices, unsigned count)
{
    ngx_chain_t links[HUST_ANSWER_HEADERS_MAX];
    ngx_int_t rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }
    unsigned used = 0;
    for (unsigned i = 0; i < count && used < HUST_ANSWER_HEADERS_MAX; i++) {
        if (slices[i].len == 0) {
            continue;
        }
        ngx_buf_t *buf = ngx_calloc_buf(r->pool);
        if (buf == NULL) {
            return NGX_ERROR;
        }
        buf->pos = (u_char *)slices[i].data;
        buf->last = buf->pos + slices[i].len;
        buf->memory = 1;
        links[used].buf = buf;
        links[used].next = NULL;
        if (used > 0) {
            links[used - 1].next = &links[used];
        }
        used++;
    }
    if (used == 0) {
        return ngx_http_send_special(r, NGX_HTTP_LAST);
    }
    links[used - 1].buf->last_buf = r == r->main;
    links[used - 1].buf->last_in_chain = 1;
    return ngx_http_output_filter(r, &links[0]);
}

ngx_int_t hust_ha_respond(ngx_http_request_t *r, ngx_uint_t status, const char *type,
                          hust_slice_t body)
{
    set_head(r, status, type, body.len);
    return send_slices(r, &body, 1);
}

ngx_int_t hust_ha_respond_error(ngx_http_request_t *r, ngx_uint_t status, const char *text)
{
    size_t len = text == NULL ? 0 : ngx_strlen(text);
    if (len == 0) {
        return hust_ha_respond(r, status, "text/plain", hust_slice_of(NULL, 0));
    }
    u_char *line = ngx_pnalloc(r->pool, len + 1);
    if (line == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ngx_memcpy(line, text, len);
    if (line[len - 1] != '\n') {
        line[len++] = '\n';
    }
    return hust_ha_respond(r, status, "text/plain", hust_slice_of(line, len));
}

/* Status and headers; what is left to do is to send them. */
static ngx_int_t fill_head(ngx_http_request_t *r, const hust_answer_t *answer)
{
    set_head(r, answer->status, "text/plain", answer->body_bytes);
    for (unsigned i = 0; i < answer->header_count; i++) {
        const hust_answer_header_t *header = &answer->headers[i];
        hust_slice_t value = hust_slice_of(header->value, header->value_len);
        if (hust_ha_add_header(r, header->name, value) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

ngx_int_t hust_ha_answer_send_header(ngx_http_request_t *r, const hust_answer_t *answer)
{
    return fill_head(r, answer) == NGX_OK ? ngx_http_send_header(r) : NGX_ERROR;
}

static ngx_int_t send_answer(hust_ha_transaction_t *transaction, const hust_answer_t *answer)
{
    ngx_http_request_t *r = transaction->request;
    hust_slice_t slices[2];
    unsigned count = 0;
    if (fill_head(r, answer) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (answer->text != NULL) {
        slices[count++] = hust_slice_str(answer->text);
    }
    for (unsigned i = 0; i < answer->value_count && count < 2; i++) {
        slices[count++] = transaction->coord.outcome.values[i].value;
    }
    return send_slices(r, slices, count);
}

static bool has_large_value(const hust_ha_transaction_t *transaction, const hust_answer_t *answer)
{
    if (transaction->request->method == NGX_HTTP_HEAD) {
        return false;
    }
    for (unsigned i = 0; i < answer->value_count; i++) {
        if ((transaction->coord.outcome.values[i].flags & HUST_RESULT_LARGE) != 0) {
            return true;
        }
    }
    return false;
}

void hust_ha_answer_finish(hust_ha_transaction_t *transaction)
{
    ngx_http_request_t *r = transaction->request;
    hust_answer_t answer;
    hust_answer_make(transaction->call, &transaction->coord.outcome, &transaction->conditions,
                     &answer);
    if (has_large_value(transaction, &answer)) {
        hust_ha_stream_start(transaction, &answer);
    } else {
        ngx_http_finalize_request(r, send_answer(transaction, &answer));
    }
}
