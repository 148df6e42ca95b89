/*
 * The calls of the cache: answered in the HTTP thread, from memory.
 */
#include <assert.h>
#include <stdlib.h>

#include "node/cache.h"
#include "node/handlers.h"
#include "node/wall.h"

static const hust_cache_call_t functions[HUST_CALL_COUNT] = {
    [HUST_CALL_CACHE_EXIST] = hust_cache_exist,
    [HUST_CALL_CACHE_GET] = hust_cache_get,
    [HUST_CALL_CACHE_TTL] = hust_cache_ttl,
    [HUST_CALL_CACHE_DEL] = hust_cache_del,
    [HUST_CALL_CACHE_PERSIST] = hust_cache_persist,
    [HUST_CALL_CACHE_PUT] = hust_cache_put,
    [HUST_CALL_CACHE_APPEND] = hust_cache_append,
    [HUST_CALL_CACHE_EXPIRE] = hust_cache_expire,
    [HUST_CALL_CACHE_HEXIST] = hust_cache_hexist,
    [HUST_CALL_CACHE_HGET] = hust_cache_hget,
    [HUST_CALL_CACHE_HDEL] = hust_cache_hdel,
    [HUST_CALL_CACHE_HSET] = hust_cache_hset,
    [HUST_CALL_CACHE_HINCRBY] = hust_cache_hincrby,
    [HUST_CALL_CACHE_HINCRBYFLOAT] = hust_cache_hincrbyfloat,
};

/* What a refusal is about, in one line. */
static const char *reason(const hust_call_t *call, unsigned status)
{
    switch (status) {
    case 403:
        return "val: not added to a number, or out of range\n";
    case 404:
        return "";
    case 412:
        return call->presence[HUST_PARAM_TB] != HUST_PRESENCE_UNUSED ? "tb: is not a hash\n"
                                                                     : "key: is a hash\n";
    case 413:
        return "val: the whole would be longer than max_body_size\n";
    case 507:
        return "val: too large for a part of the cache\n";
    default:
        return "out of memory\n";
    }
}

/* Takes over the content of `body`. */
static void answer_cache(hust_http_request_t *request, const hust_call_t *call, unsigned status,
                         hust_buf_t *body)
{
    if (status == 200 && body->data != NULL) {
        hust_answer_buf(request, "text/plain", body, HUST_OK);
        return;
    }
    hust_http_answer_t answer;
    hust_buf_free(body);
    hust_answer_text(&answer, status, status == 200 ? "" : reason(call, status));
    if (status == 200 && (call->id == HUST_CALL_CACHE_GET || call->id == HUST_CALL_CACHE_HGET)) {
        hust_http_add(&answer, "Content-Type", "text/plain");
    }
    hust_http_answer(request, &answer);
}

void hust_handle_cache(hust_node_t *node, hust_http_request_t *request, const hust_call_t *call)
{
    char message[HUST_MESSAGE_BYTES];
    hust_buf_t scratch = {0};
    hust_buf_t body = {0};
    hust_params_t params;
    assert(call->class_ == HUST_CLASS_CACHE && functions[call->id] != NULL);
    unsigned status = hust_handler_params(node, request, call, &scratch, &params, message);
    if (status != 0) {
        hust_http_answer_t answer;
        hust_answer_text(&answer, status, message);
        hust_http_answer(request, &answer);
    } else {
        uint64_t now_ms = hust_wall_ms();
        const hust_cache_request_t wanted = {
            .key = params.key,
            .tb = params.tb,
            .val = params.val,
            .number = params.number,
            .decimal = params.decimal,
            .expire_at_ms = hust_expiry_instant(now_ms, params.ttl_s),
            .now_ms = now_ms,
        };
        assert(node->cache != NULL);
        status = functions[call->id](node->cache, &wanted, &body);
        answer_cache(request, call, status, &body);
    }
    hust_buf_free(&scratch);
}
