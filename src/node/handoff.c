#include "node/handoff.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/batch.h"
#include "node/keys.h"
#include "node/log.h"
#include "node/wall.h"

enum {
    BATCH_BYTES_MAX = 4 << 20, /* a larger element travels alone */
    /* Records are read several at once, which is far cheaper where they lie side by side; one by
     * one after some that were large, because all that are read are in memory. */
    READ_AHEAD_MAX = 32,
    READ_BYTES_MAX = 1 << 20,
    BUFFER_BYTES_KEPT = 8 << 20,
};

/* What has become of an element of the batch. */
typedef enum {
    LOOK_SHOWN,   /* it is in the request */
    LOOK_NO_HINT, /* it has no hint: the list is to forget it */
    LOOK_SKIPPED, /* it cannot be read */
} look_t;

typedef struct {
    look_t look;
    hust_element_t element; /* borrows from the page */
    hust_stamp_t stamp;     /* as shown */
    uint64_t gen;
} shown_t;

struct hust_handoff {
    hust_job_t job;
    hust_handoff_env_t env;
    hust_handoff_outcome_t *outcome;
    uint64_t now_ms;       /* of the exchange: both judge by it what has expired */
    size_t batch_elements; /* at most; fewer after a node has refused a batch for its size */
    size_t read_ahead;     /* records to read at once */
    size_t count;          /* elements looked at */
    size_t shown_count;    /* of which the other node is shown */
    shown_t shown[HUST_HINT_PAGE_ELEMENTS];
    size_t op_count; /* what is to be committed here */
    hust_op_t ops[HUST_HINT_PAGE_ELEMENTS];
    hust_buf_t request;
    hust_buf_t reply;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
    unsigned failure;
};

hust_handoff_t *hust_handoff_new(const hust_handoff_env_t *env)
{
    hust_handoff_t *handoff = calloc(1, sizeof(*handoff));
    if (handoff == NULL) {
        return NULL;
    }
    handoff->env = *env;
    handoff->batch_elements = HUST_HINT_PAGE_ELEMENTS;
    handoff->read_ahead = 1;
    pthread_mutex_init(&handoff->lock, NULL);
    pthread_cond_init(&handoff->wake, NULL);
    return handoff;
}

void hust_handoff_free(hust_handoff_t *handoff)
{
    if (handoff == NULL) {
        return;
    }
    hust_buf_free(&handoff->request);
    hust_buf_free(&handoff->reply);
    pthread_cond_destroy(&handoff->wake);
    pthread_mutex_destroy(&handoff->lock);
    free(handoff);
}

/* --- the request --- */

static hust_error_t show(hust_handoff_t *handoff, shown_t *shown, hust_slice_t bytes, bool *fits)
{
    hust_stored_t stored = {0};
    hust_error_t err = bytes.len == 0 ? HUST_OK : hust_stored_decode(bytes, &stored);
    *fits = true;
    if (err != HUST_OK) {
        hust_log(HUST_LOG_ERROR, "store: a record of %zu bytes cannot be read: %s", bytes.len,
                 hust_error_text(err));
        shown->look = LOOK_SKIPPED;
        return HUST_OK;
    }
    if (!stored.hint.present || !stored.hint.has_target) {
        shown->look = LOOK_NO_HINT;
        return HUST_OK;
    }
    shown->look = LOOK_SHOWN;
    shown->stamp = hust_record_stamp(&stored.record);
    shown->gen = stored.hint.gen;
    const hust_op_t op = {.code = HUST_OP_RECONCILE,
                          .element = shown->element,
                          .now_ms = handoff->now_ms,
                          .value = bytes};
    *fits = handoff->shown_count == 0 ||
            handoff->request.len + hust_op_encoded_bytes(&op) <= BATCH_BYTES_MAX;
    return *fits ? hust_batch_request_add(&handoff->request, &op) : HUST_OK;
}

/* Look at one element; `*fits` is false if it has to wait for the next batch. */
static hust_error_t look_at(hust_handoff_t *handoff, hust_slice_t data_key, hust_slice_t bytes,
                            bool *fits)
{
    shown_t *shown = &handoff->shown[handoff->count];
    hust_error_t err = HUST_OK;
    if (hust_data_key_parse(data_key, &shown->element) == HUST_OK) {
        err = show(handoff, shown, bytes, fits);
    } else {
        hust_log(HUST_LOG_ERROR, "store: a hint's key of %zu bytes cannot be read", data_key.len);
        shown->look = LOOK_SKIPPED;
        *fits = true;
    }
    if (err == HUST_OK && *fits) {
        handoff->shown_count += shown->look == LOOK_SHOWN ? 1 : 0;
        handoff->count++;
    }
    return err;
}

/* Look at the next `count` elements; `*fits` is false once one has to wait for the next batch. */
static hust_error_t look_at_some(hust_handoff_t *handoff, const hust_hint_page_t *page, size_t from,
                                 size_t count, bool *fits)
{
    hust_slice_t keys[READ_AHEAD_MAX];
    hust_pinned_t found[READ_AHEAD_MAX];
    size_t bytes = 0;
    assert(count >= 1 && count <= READ_AHEAD_MAX);
    for (size_t i = 0; i < count; i++) {
        keys[i] = hust_hint_page_key(page, from + i);
    }
    hust_error_t err = hust_store_get_many(handoff->env.store, HUST_CF_DATA, keys, count, found);
    if (err != HUST_OK) {
        return err;
    }
    for (size_t i = 0; i < count; i++) {
        bytes += found[i].bytes.len;
        if (err == HUST_OK && *fits) {
            err = look_at(handoff, keys[i], found[i].bytes, fits);
        }
        hust_pin_release(found[i].pin);
    }
    bool large = bytes > READ_BYTES_MAX;
    handoff->read_ahead = large ? 1 : (count < READ_AHEAD_MAX ? 2 * count : READ_AHEAD_MAX);
    return err;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static hust_error_t build_request(hust_handoff_t *handoff, const hust_hint_page_t *page,
                                  size_t from)
{
    const hust_batch_request_head_t head = {0};
    hust_buf_clear(&handoff->request);
    handoff->count = 0;
    handoff->shown_count = 0;
    handoff->now_ms = hust_wall_ms();
    hust_error_t err = hust_batch_request_begin(&handoff->request, &head);
    bool fits = true;
    size_t wanted = least(page->count - from, handoff->batch_elements);
    while (err == HUST_OK && fits && handoff->count < wanted) {
        size_t count = least(wanted - handoff->count, least(handoff->read_ahead, READ_AHEAD_MAX));
        err = look_at_some(handoff, page, from + handoff->count, count, &fits);
    }
    if (err == HUST_OK) {
        hust_batch_request_set_count(handoff->request.data, (uint32_t)handoff->shown_count);
    }
    return err;
}

/* --- the reply --- */

static void add_op(hust_handoff_t *handoff, const shown_t *shown, hust_slice_t theirs)
{
    assert(handoff->op_count < handoff->count);
    handoff->ops[handoff->op_count++] = (hust_op_t){
        .code = theirs.len == 0 ? HUST_OP_UNHINT : HUST_OP_RECONCILE,
        .flags = HUST_OPF_HAS_STAMP | HUST_OPF_HAS_GEN | HUST_OPF_HAS_TARGET,
        .element = shown->element,
        .now_ms = handoff->now_ms,
        .stamp = shown->stamp,
        .gen = shown->gen,
        .target = handoff->env.target,
        .value = theirs,
    };
}

static void take_result(hust_handoff_t *handoff, const shown_t *shown, const hust_result_t *result)
{
    if (result->status == 200 && (result->flags & HUST_RESULT_STORED) != 0) {
        add_op(handoff, shown, result->value);
        return;
    }
    handoff->outcome->refused++;
    snprintf(handoff->outcome->message, sizeof(handoff->outcome->message),
             "an element is refused with status %u", result->status);
}

/* Turn the reply into what is to be done here. False: it is no reply to what was asked. */
static bool read_reply(hust_handoff_t *handoff)
{
    hust_batch_reply_head_t head;
    hust_batch_reader_t reader;
    hust_result_t result;
    hust_error_t err = hust_batch_reply_open(hust_buf_slice(&handoff->reply), &head, &reader);
    if (err != HUST_OK || head.count != handoff->shown_count) {
        return false;
    }
    for (size_t i = 0; err == HUST_OK && i < handoff->count; i++) {
        const shown_t *shown = &handoff->shown[i];
        if (shown->look == LOOK_SHOWN) {
            err = hust_batch_reply_next(&reader, &result);
            if (err == HUST_OK) {
                take_result(handoff, shown, &result);
            }
        }
    }
    return err == HUST_OK;
}

/* The node answers, but not with a reply: 413, or something that is no hustdb. */
static void on_refusal(hust_handoff_t *handoff, unsigned status)
{
    hust_handoff_outcome_t *out = handoff->outcome;
    snprintf(out->message, sizeof(out->message), "the batch is answered with status %u", status);
    if (status == 413 && handoff->count > 1) {
        handoff->batch_elements = (handoff->count + 1) / 2;
        out->handled = 0; /* the same again in smaller pieces */
        return;
    }
    out->reached = status == 413;
    out->refused = handoff->shown_count;
}

static void exchange(hust_handoff_t *handoff)
{
    unsigned status = 0;
    hust_handoff_outcome_t *out = handoff->outcome;
    hust_error_t err = hust_http_client_post(handoff->env.client, hust_buf_slice(&handoff->request),
                                             &handoff->reply, &status, out->message);
    if (err != HUST_OK) {
        out->reached = false;
        return;
    }
    if (status != 200) {
        on_refusal(handoff, status);
        return;
    }
    if (handoff->batch_elements < HUST_HINT_PAGE_ELEMENTS) {
        handoff->batch_elements *= 2; /* it may have been one large value */
    }
    if (!read_reply(handoff)) {
        out->reached = false;
        handoff->op_count = 0;
        out->refused = 0;
        snprintf(out->message, sizeof(out->message), "the reply is malformed");
    }
}

/* --- what is to be done here --- */

static void on_result(hust_job_t *job, size_t index, const hust_result_t *result)
{
    hust_handoff_t *handoff = (hust_handoff_t *)job;
    bool stored = (result->flags & HUST_RESULT_STORED) != 0;
    if (handoff->ops[index].code == HUST_OP_RECONCILE) {
        handoff->outcome->changed += stored ? 1 : 0;
    } else {
        handoff->outcome->synced += stored && (result->flags & HUST_RESULT_HINTED) == 0 ? 1 : 0;
    }
}

static void on_done(hust_job_t *job, unsigned failure)
{
    hust_handoff_t *handoff = (hust_handoff_t *)job;
    pthread_mutex_lock(&handoff->lock);
    handoff->done = true;
    handoff->failure = failure;
    pthread_cond_signal(&handoff->wake);
    pthread_mutex_unlock(&handoff->lock);
}

static hust_error_t commit(hust_handoff_t *handoff)
{
    handoff->job = (hust_job_t){.ops = handoff->ops,
                                .op_count = handoff->op_count,
                                .bytes = handoff->reply.len,
                                .on_result = on_result,
                                .on_done = on_done};
    handoff->done = false;
    hust_committer_submit(handoff->env.committer, &handoff->job);
    pthread_mutex_lock(&handoff->lock);
    while (!handoff->done) {
        pthread_cond_wait(&handoff->wake, &handoff->lock);
    }
    pthread_mutex_unlock(&handoff->lock);
    handoff->outcome->committed = handoff->op_count;
    if (handoff->failure == 0) {
        return HUST_OK;
    }
    handoff->outcome->synced = 0;
    handoff->outcome->changed = 0;
    return HUST_ERR_IO;
}

static void give_back(hust_buf_t *buf)
{
    if (buf->cap > BUFFER_BYTES_KEPT) {
        hust_buf_free(buf);
    }
}

hust_error_t hust_handoff_run(hust_handoff_t *handoff, const hust_hint_page_t *page, size_t from,
                              hust_handoff_outcome_t *out)
{
    assert(from < page->count);
    *out = (hust_handoff_outcome_t){.reached = true};
    handoff->outcome = out;
    handoff->op_count = 0;
    hust_error_t err = build_request(handoff, page, from);
    if (err != HUST_OK) {
        return err;
    }
    assert(handoff->count > 0);
    out->handled = handoff->count;
    if (handoff->shown_count > 0) {
        exchange(handoff);
    }
    for (size_t i = 0; out->reached && out->handled > 0 && i < handoff->count; i++) {
        if (handoff->shown[i].look == LOOK_NO_HINT) {
            add_op(handoff, &handoff->shown[i], (hust_slice_t){NULL, 0});
        }
    }
    if (handoff->op_count > 0) {
        err = commit(handoff);
    }
    give_back(&handoff->request);
    give_back(&handoff->reply);
    return err;
}
