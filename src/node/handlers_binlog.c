/*
 * binlog: remember durably that an element must be brought to another node (docs/http-api.md, "A
 * node alone").
 */
#include <assert.h>
#include <stdlib.h>

#include "node/handlers.h"
#include "node/wall.h"

typedef struct {
    hust_job_t job;
    hust_http_request_t *request;
    const hust_call_t *call;
    hust_op_t op;
    hust_buf_t scratch;
    hust_result_t result;
} note_t;

static void note_free(note_t *note)
{
    hust_buf_free(&note->scratch);
    free(note);
}

static void on_result(hust_job_t *job, size_t index, const hust_result_t *result)
{
    note_t *note = (note_t *)job;
    (void)index;
    note->result = *result;
    note->result.value = (hust_slice_t){NULL, 0};
}

static void on_done(hust_job_t *job, unsigned failure)
{
    note_t *note = (note_t *)job;
    hust_http_answer_t answer;
    assert(failure != 0 || note->result.status != 0);
    if (failure != 0) {
        note->result = (hust_result_t){.status = failure};
    }
    hust_answer_element(note->call, &note->result, &answer);
    hust_http_answer(note->request, &answer);
    note_free(note);
}

/* The type of element that a binlog method (1..8) is about. */
static hust_type_t method_type(unsigned method)
{
    assert(method >= 1 && method <= 8);
    static const hust_type_t types[] = {HUST_TYPE_KV, HUST_TYPE_HASH, HUST_TYPE_SET,
                                        HUST_TYPE_ZSET};
    return types[(method - 1) / 2 % (sizeof(types) / sizeof(types[0]))];
}

static unsigned prepare(hust_node_t *node, note_t *note, const char **message,
                        char line[HUST_MESSAGE_BYTES])
{
    hust_params_t params;
    unsigned status =
        hust_handler_params(node, note->request, note->call, &note->scratch, &params, line);
    *message = line;
    if (status != 0) {
        return status;
    }
    if (!hust_config_is_peer(node->config, params.host)) {
        *message = "host: is not a configured peer\n";
        return 403;
    }
    note->op = (hust_op_t){
        .code = HUST_OP_HINT,
        .flags = HUST_OPF_DIRECT | HUST_OPF_HAS_TARGET,
        .element = {.type = method_type(params.method), .tb = params.tb, .key = params.key},
        .now_ms = hust_wall_ms(),
        .target = params.host,
    };
    if (!hust_element_valid(&note->op.element)) {
        *message = "tb: does not fit the method\n";
        return 400;
    }
    return 0;
}

void hust_handle_binlog(hust_node_t *node, hust_http_request_t *request, const hust_call_t *call)
{
    char line[HUST_MESSAGE_BYTES];
    const char *message = "out of memory\n";
    unsigned status = 500;
    note_t *note = calloc(1, sizeof(*note));
    if (note != NULL) {
        note->request = request;
        note->call = call;
        status = prepare(node, note, &message, line);
    }
    if (status != 0) {
        hust_http_answer_t answer;
        hust_answer_text(&answer, status, message);
        hust_http_answer(request, &answer);
        if (note != NULL) {
            note_free(note);
        }
        return;
    }
    assert(note->op.code == HUST_OP_HINT && note->op.target.len > 0);
    note->job = (hust_job_t){.ops = &note->op,
                             .op_count = 1,
                             .bytes = note->op.element.key.len,
                             .on_result = on_result,
                             .on_done = on_done};
    hust_http_hold(request);
    hust_committer_submit(node->committer, &note->job);
}
