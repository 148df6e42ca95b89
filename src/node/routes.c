#include "node/routes.h"

#include <assert.h>

#include "node/handlers.h"

/* Calls that are not of a single element; adding one is adding a row. */
static const hust_handler_t handlers[HUST_CALL_COUNT] = {
    [HUST_CALL_BINLOG] = hust_handle_binlog,
    [HUST_CALL_BATCH] = hust_handle_batch,
    [HUST_CALL_STAT] = hust_handle_stat,
    [HUST_CALL_STAT_ALL] = hust_handle_stat_all,
    [HUST_CALL_KEYS] = hust_handle_listing,
    [HUST_CALL_HKEYS] = hust_handle_listing,
    [HUST_CALL_SMEMBERS] = hust_handle_listing,
    [HUST_CALL_ZRANGEBYRANK] = hust_handle_listing,
    [HUST_CALL_ZRANGEBYSCORE] = hust_handle_listing,
    [HUST_CALL_FILE_COUNT] = hust_handle_file_count,
    [HUST_CALL_VERSION] = hust_handle_version,
    [HUST_CALL_STATUS] = hust_handle_status,
};

static hust_handler_t find_handler(const hust_call_t *call)
{
    assert(call->id < HUST_CALL_COUNT);
    if (handlers[call->id] != NULL) {
        return handlers[call->id];
    }
    if (call->class_ == HUST_CLASS_READ) {
        return hust_handle_element_read;
    }
    if (call->class_ == HUST_CLASS_WRITE) {
        return hust_handle_element_write;
    }
    if (call->class_ == HUST_CLASS_CACHE) {
        return hust_handle_cache;
    }
    return NULL;
}

static void on_head(void *user, hust_http_request_t *request, hust_http_body_rule_t *rule)
{
    const hust_node_t *node = user;
    const unsigned where =
        HUST_AT_NODE | HUST_AT_NODE_ROOT | (node->cache == NULL ? 0u : (unsigned)HUST_AT_CACHE);
    const hust_call_t *call = hust_call_find(where, hust_http_path(request));
    assert(call == NULL || (call->where & where) != 0);
    hust_http_set_context(request, call);
    *rule = (hust_http_body_rule_t){.bytes_max = node->limits.value_bytes_max};
    if (call == NULL) {
        return;
    }
    unsigned method = hust_method_bit(hust_http_method(request)) & call->methods;
    bool batch = call->id == HUST_CALL_BATCH;
    rule->keep = method != 0 && (batch || hust_call_takes_body(call, method));
    rule->bytes_max += batch ? HUST_BATCH_EXTRA_BYTES : 0;
}

static void answer_not_allowed(hust_http_request_t *request, const hust_call_t *call)
{
    hust_http_answer_t answer;
    char allow[64];
    assert(call->methods != 0);
    hust_call_allow(call, allow);
    hust_answer_element_error(call, 405, "method not allowed\n", &answer);
    hust_http_add(&answer, "Allow", allow);
    hust_http_answer(request, &answer);
}

static void on_request(void *user, hust_http_request_t *request)
{
    const hust_call_t *call = hust_http_context(request);
    hust_handler_t handler = call == NULL ? NULL : find_handler(call);
    if (handler == NULL) {
        hust_http_answer_t answer;
        hust_http_answer_init(&answer, 404);
        hust_http_answer(request, &answer);
        return;
    }
    if ((hust_method_bit(hust_http_method(request)) & call->methods) == 0) {
        answer_not_allowed(request, call);
        return;
    }
    handler(user, request, call);
}

hust_http_app_t hust_routes(hust_node_t *node)
{
    assert(node->committer != NULL && node->store != NULL);
    return (hust_http_app_t){.user = node, .head = on_head, .handle = on_request};
}
