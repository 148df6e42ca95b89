/*
 * What the node says about itself: stat, stat_all, file_count, version, status.html.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/handlers.h"
#include "node/tables.h"
#include "node/wall.h"

enum {
    FILE_COUNT = 10, /* parts in which a node's data is listed */
    PIECE_BYTES = 256,
};

static const char JSON[] = "application/json";

/* A stat call while what has expired is swept. */
typedef struct {
    hust_sweep_t sweep;
    hust_node_t *node;
    hust_http_request_t *request;
    size_t tb_len;
    uint8_t tb[HUST_TB_BYTES_MAX];
} stat_t;

__attribute__((format(printf, 2, 3))) static hust_error_t put(hust_buf_t *out, const char *format,
                                                              ...)
{
    char piece[PIECE_BYTES];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(piece, sizeof(piece), format, args);
    va_end(args);
    assert(len >= 0 && len < PIECE_BYTES);
    return hust_buf_append(out, piece, (size_t)len);
}

#define COUNT_FORMAT "\"count\":%lu,\"size\":%lu,\"capacity\":%lu}"

static hust_error_t put_total(hust_node_t *node, hust_type_t type, const char *lead,
                              const char *name, hust_buf_t *out)
{
    assert(lead[0] == '\0' || lead[0] == ',');
    hust_count_t total = hust_counters_total(node->counters, type);
    return put(out, "%s\"%s\":{" COUNT_FORMAT, lead, name, total.count, total.size, total.capacity);
}

static hust_error_t put_totals(hust_node_t *node, hust_buf_t *out)
{
    static const char *const names[] = {"KVPAIR", "HASHTABLE", "SET", "ZSET"};
    hust_error_t err = put(out, "{\"TOTALIZE\":{");
    for (unsigned i = 0; err == HUST_OK && i < HUST_TYPE_COUNT; i++) {
        err = put_total(node, HUST_TYPES[i], i == 0 ? "" : ",", names[i], out);
    }
    return err == HUST_OK ? put(out, "}}") : err;
}

/* Names of tables need no escaping: see hust_tb_valid. */
static hust_error_t put_table(const hust_table_t *table, hust_buf_t *out)
{
    assert(hust_tb_valid(table->tb));
    return put(out, "{\"table\":\"%.*s\",\"type\":\"%c\"," COUNT_FORMAT, (int)table->tb.len,
               (const char *)table->tb.data, (char)table->type, table->count.count,
               table->count.size, table->count.capacity);
}

/* --- after the sweep --- */

static void answer_no_table(hust_http_request_t *request)
{
    hust_http_answer_t answer;
    hust_answer_text(&answer, 412, "tb: does not exist\n");
    hust_answer_add_version(&answer, 0);
    hust_http_answer(request, &answer);
}

static void answer_stat(hust_sweep_t *sweep)
{
    stat_t *stat = (stat_t *)sweep;
    hust_node_t *node = stat->node;
    hust_buf_t out = {0};
    hust_error_t err = HUST_OK;
    hust_table_t table = {.tb = {stat->tb, stat->tb_len}};
    if (stat->tb_len == 0) {
        err = put_totals(node, &out);
    } else if (hust_tables_type(node->counters, node->store, table.tb, hust_wall_ms(),
                                &table.type)) {
        table.count = hust_counters_of(node->counters, table.tb, table.type);
        err = put_table(&table, &out);
    } else {
        answer_no_table(stat->request);
        free(stat);
        return;
    }
    hust_answer_buf(stat->request, JSON, &out, err);
    free(stat);
}

static void answer_stat_all(hust_sweep_t *sweep)
{
    stat_t *stat = (stat_t *)sweep;
    hust_buf_t out = {0};
    hust_table_t *tables;
    size_t count = 0;
    hust_error_t err = hust_counters_tables(stat->node->counters, &tables, &count);
    if (err == HUST_OK) {
        err = put(&out, "[");
    }
    if (err == HUST_OK) {
        err = put_totals(stat->node, &out);
    }
    for (size_t i = 0; err == HUST_OK && i < count; i++) {
        err = put(&out, ",");
        err = err == HUST_OK ? put_table(&tables[i], &out) : err;
    }
    if (err == HUST_OK) {
        err = put(&out, "]");
    }
    free(tables);
    hust_answer_buf(stat->request, JSON, &out, err);
    free(stat);
}

/* Whatever counts first sweeps what has expired. */
static void sweep_and_answer(hust_node_t *node, hust_http_request_t *request, hust_slice_t tb,
                             void (*answer)(hust_sweep_t *sweep))
{
    stat_t *stat = calloc(1, sizeof(*stat));
    if (stat == NULL) {
        hust_http_answer_t error;
        hust_answer_text(&error, 500, "out of memory\n");
        hust_http_answer(request, &error);
        return;
    }
    assert(tb.len <= sizeof(stat->tb));
    stat->node = node;
    stat->request = request;
    stat->tb_len = tb.len;
    if (tb.len > 0) {
        memcpy(stat->tb, tb.data, tb.len);
    }
    stat->sweep.tb = hust_slice_of(stat->tb, tb.len);
    stat->sweep.on_done = answer;
    hust_http_hold(request);
    hust_sweeper_submit(node->sweeper, &stat->sweep);
}

/* --- the calls --- */

void hust_handle_stat(hust_node_t *node, hust_http_request_t *request, const hust_call_t *call)
{
    char message[HUST_MESSAGE_BYTES];
    hust_buf_t scratch = {0};
    hust_params_t params;
    unsigned status = hust_handler_params(node, request, call, &scratch, &params, message);
    if (status != 0) {
        hust_http_answer_t answer;
        hust_answer_text(&answer, status, message);
        hust_http_answer(request, &answer);
    } else {
        sweep_and_answer(node, request, params.tb, answer_stat);
    }
    hust_buf_free(&scratch);
}

void hust_handle_stat_all(hust_node_t *node, hust_http_request_t *request, const hust_call_t *call)
{
    (void)call;
    sweep_and_answer(node, request, hust_slice_str(""), answer_stat_all);
}

static void answer_constant(hust_http_request_t *request, const char *text)
{
    hust_http_answer_t answer;
    hust_answer_text(&answer, 200, text);
    hust_http_answer(request, &answer);
}

void hust_handle_file_count(hust_node_t *node, hust_http_request_t *request,
                            const hust_call_t *call)
{
    char text[24];
    (void)node;
    (void)call;
    snprintf(text, sizeof(text), "%d", FILE_COUNT);
    answer_constant(request, text);
}

void hust_handle_version(hust_node_t *node, hust_http_request_t *request, const hust_call_t *call)
{
    (void)node;
    (void)call;
    answer_constant(request, "hustdb " HUST_VERSION);
}

void hust_handle_status(hust_node_t *node, hust_http_request_t *request, const hust_call_t *call)
{
    (void)node;
    (void)call;
    answer_constant(request, "ok");
}
