/*
 * The listings: keys, hkeys, smembers, zrangebyrank, zrangebyscore.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/handlers.h"
#include "node/listing.h"
#include "node/tables.h"
#include "node/wall.h"

/* A listing call, while what has expired may have to be swept. */
typedef struct {
    hust_sweep_t sweep;
    hust_node_t *node;
    hust_http_request_t *request;
    const hust_call_t *call;
    hust_buf_t scratch;  /* decoded parameters */
    hust_buf_t position; /* of the cursor */
    hust_params_t params;
    char message[HUST_MESSAGE_BYTES];
    hust_listing_t listing;
} list_t;

/* What each call lists. */
static const struct {
    hust_call_id_t id;
    hust_cursor_kind_t kind;
    hust_type_t type;
} calls[] = {
    {HUST_CALL_KEYS, HUST_CURSOR_FILE, HUST_TYPE_KV},
    {HUST_CALL_HKEYS, HUST_CURSOR_TABLE, HUST_TYPE_HASH},
    {HUST_CALL_SMEMBERS, HUST_CURSOR_TABLE, HUST_TYPE_SET},
    {HUST_CALL_ZRANGEBYRANK, HUST_CURSOR_SCORE, HUST_TYPE_ZSET},
    {HUST_CALL_ZRANGEBYSCORE, HUST_CURSOR_SCORE, HUST_TYPE_ZSET},
};

static void list_free(list_t *list)
{
    hust_buf_free(&list->scratch);
    hust_buf_free(&list->position);
    free(list);
}

/* Answer without a page. */
static void refuse(list_t *list, unsigned status, const char *text)
{
    hust_http_answer_t answer;
    hust_answer_text(&answer, status, text);
    if (status == 412) {
        hust_answer_add_version(&answer, 0);
    }
    hust_http_answer(list->request, &answer);
    list_free(list);
}

static void refuse_error(list_t *list, hust_error_t err)
{
    switch (err) {
    case HUST_ERR_NOMEM:
        refuse(list, 500, "out of memory\n");
        break;
    case HUST_ERR_LIMIT:
        refuse(list, 500, "too many long keys begin alike to make pages of them\n");
        break;
    default:
        refuse(list, 500, "the storage engine failed, see the node's log\n");
        break;
    }
}

/* --- the answer --- */

static void add_number(hust_http_answer_t *answer, const char *name, uint64_t number)
{
    char text[24];
    size_t len = hust_format_u64(number, text);
    assert(len < sizeof(text));
    text[len] = '\0';
    hust_http_add(answer, name, text);
}

/* The cursor stands behind the body in the same memory, which lives until all has been sent. */
static hust_error_t join_cursor(hust_page_t *page)
{
    hust_error_t err = hust_buf_append_slice(&page->body, hust_buf_slice(&page->cursor));
    return err == HUST_OK ? hust_buf_append(&page->body, "", 1) : err;
}

static void answer_page(list_t *list, hust_page_t *page)
{
    hust_http_answer_t answer;
    size_t body_bytes = page->body.len;
    assert(body_bytes >= 2); /* [] */
    hust_error_t err = join_cursor(page);
    if (err != HUST_OK) {
        hust_page_free(page);
        refuse_error(list, err);
        return;
    }
    hust_http_answer_init(&answer, 200);
    answer.body = hust_slice_of(page->body.data, body_bytes);
    answer.release = free;
    answer.owner = page->body.data;
    hust_http_add(&answer, "Content-Type", "application/json");
    add_number(&answer, "Keys", page->count);
    add_number(&answer, "TotalCount", 0); /* only of snapshots */
    if (page->cursor.len > 0) {
        hust_http_add_long(&answer, "Cursor", (const char *)page->body.data + body_bytes);
    }
    hust_http_answer(list->request, &answer);
    hust_buf_free(&page->cursor);
    list_free(list);
}

/* --- carrying it out --- */

static void run(list_t *list);

static void on_swept(hust_sweep_t *sweep)
{
    list_t *list = (list_t *)sweep;
    list->listing.swept = true;
    run(list);
}

static void sweep_first(list_t *list)
{
    list->sweep = (hust_sweep_t){.tb = list->params.tb, .on_done = on_swept};
    hust_http_hold(list->request);
    hust_sweeper_submit(list->node->sweeper, &list->sweep);
}

static void run(list_t *list)
{
    hust_page_t page;
    hust_listing_outcome_t outcome;
    hust_error_t err = hust_listing_page(list->node->store, &list->listing, &page, &outcome);
    if (err == HUST_OK && outcome == HUST_LISTING_DONE) {
        answer_page(list, &page);
        return;
    }
    hust_page_free(&page);
    if (err == HUST_OK) {
        assert(!list->listing.swept);
        sweep_first(list);
    } else {
        refuse_error(list, err);
    }
}

/* --- what is asked for --- */

static unsigned larger(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Part `file` of the node is a range of buckets, within which start and end count. */
static void cut_to_file(hust_listing_t *listing, unsigned file)
{
    assert(file < HUST_FILE_COUNT);
    listing->start = larger(listing->start, file * HUST_BUCKET_COUNT / HUST_FILE_COUNT);
    listing->end = smaller(listing->end, (file + 1) * HUST_BUCKET_COUNT / HUST_FILE_COUNT);
}

static void describe(list_t *list, hust_cursor_kind_t kind, hust_type_t type)
{
    const hust_params_t *params = &list->params;
    bool by_score = list->call->id == HUST_CALL_ZRANGEBYSCORE;
    bool noval_given = (params->given & 1u << HUST_PARAM_NOVAL) != 0;
    list->listing = (hust_listing_t){
        .kind = kind,
        .type = type,
        .tb = params->tb,
        .start = params->start,
        .end = params->end,
        .min = by_score ? params->min : INT64_MIN,
        .max = by_score ? params->max : INT64_MAX,
        .offset = params->offset,
        .size = params->size,
        .with_values = noval_given ? !params->noval : type == HUST_TYPE_ZSET,
        .now_ms = hust_wall_ms(),
    };
    if (params->desc) {
        assert(type == HUST_TYPE_ZSET);
        list->listing.kind = HUST_CURSOR_REVERSE;
    }
    if (kind == HUST_CURSOR_FILE) {
        cut_to_file(&list->listing, params->file);
    }
}

static hust_error_t take_cursor(list_t *list)
{
    if ((list->params.given & 1u << HUST_PARAM_CURSOR) == 0) {
        return HUST_OK;
    }
    hust_error_t err = hust_cursor_decode(list->listing.kind, list->params.cursor, &list->position);
    list->listing.has_position = err == HUST_OK;
    list->listing.position = hust_buf_slice(&list->position);
    assert(err != HUST_OK || list->listing.offset == 0);
    return err;
}

/* Returns 0, or the status and text with which a table that is not there is answered. */
static unsigned judge_table(const list_t *list, const char **text)
{
    const hust_op_t op = {.code = HUST_OP_GET,
                          .element = {.type = list->listing.type, .tb = list->listing.tb},
                          .now_ms = list->listing.now_ms};
    hust_result_t result = {.status = 404};
    if (list->listing.kind == HUST_CURSOR_FILE) {
        return 0;
    }
    hust_tables_judge_read(list->node->counters, list->node->store, &op, &result);
    *text = (result.flags & HUST_RESULT_OTHER_TYPE) != 0 ? "tb: is of another type\n"
                                                         : "tb: does not exist\n";
    return result.status == 412 ? 412 : 0;
}

static void start(list_t *list)
{
    const char *text = "";
    hust_error_t err = take_cursor(list);
    if (err != HUST_OK) {
        if (err == HUST_ERR_MALFORMED) {
            refuse(list, 400, "cursor: not one that this listing has answered\n");
        } else {
            refuse_error(list, err);
        }
        return;
    }
    if (list->params.async) {
        refuse(list, 404, ""); /* no snapshot yet */
        return;
    }
    unsigned status = judge_table(list, &text);
    if (status != 0) {
        refuse(list, status, text);
    } else {
        run(list);
    }
}

void hust_handle_listing(hust_node_t *node, hust_http_request_t *request, const hust_call_t *call)
{
    unsigned row = 0;
    list_t *list = calloc(1, sizeof(*list));
    if (list == NULL) {
        hust_http_answer_t answer;
        hust_answer_text(&answer, 500, "out of memory\n");
        hust_http_answer(request, &answer);
        return;
    }
    list->node = node;
    list->request = request;
    list->call = call;
    unsigned status =
        hust_handler_params(node, request, call, &list->scratch, &list->params, list->message);
    if (status != 0) {
        refuse(list, status, list->message);
        return;
    }
    while (calls[row].id != call->id) {
        row++;
        assert(row < sizeof(calls) / sizeof(calls[0]));
    }
    describe(list, calls[row].kind, calls[row].type);
    start(list);
}
