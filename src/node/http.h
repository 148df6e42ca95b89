/*
 * The HTTP server as the handlers see it: a request comes in, an answer goes out, at once or
 * later. Nothing of the library behind it shows here, so that it can be replaced.
 *
 * Life of a request: `head` is called when its head has been read and says what to do with the
 * body; `handle` when the body is there. `handle` either calls hust_http_answer, or
 * hust_http_hold and lets another thread call hust_http_answer later. Exactly one answer each.
 *
 * Caveats: everything a request gives out is borrowed and gone once it has been answered. Between
 * hold and answer the connection sleeps; a client that leaves meanwhile is noticed only then.
 */
#ifndef HUST_NODE_HTTP_H
#define HUST_NODE_HTTP_H

#include "core/error.h"
#include "core/slice.h"

enum {
    HUST_HTTP_HEADERS_MAX = 6,
    HUST_HTTP_HEADER_BYTES = 72, /* of a value, with its NUL */
};

typedef struct hust_http hust_http_t;
typedef struct hust_http_request hust_http_request_t;

/* What to do with the body of a request. */
typedef struct {
    bool keep;        /* false: read it and throw it away */
    size_t bytes_max; /* a larger one is answered 413 without the handler */
} hust_http_body_rule_t;

typedef struct {
    void *user; /* given back to the functions below, which run in any of the server's threads */
    void (*head)(void *user, hust_http_request_t *request, hust_http_body_rule_t *rule);
    void (*handle)(void *user, hust_http_request_t *request);
} hust_http_app_t;

typedef struct {
    const char *host; /* name or address to listen on */
    uint16_t port;
    unsigned worker_count;
    unsigned connection_limit;
    unsigned idle_timeout_s;
    size_t upload_bytes_max; /* memory for the bodies of all requests together; beyond: 503 */
} hust_http_options_t;

/* Listen and serve. HUST_ERR_IO or NOMEM, with one line in `message`. `app` is copied. */
hust_error_t hust_http_start(const hust_http_options_t *options, const hust_http_app_t *app,
                             hust_http_t **out, char message[256]);

/*
 * Stop accepting, let requests under way be answered for at most `drain_ms`, then close what is
 * left. Held requests are waited for however long they take, so whoever answers them must be
 * running still.
 */
void hust_http_stop(hust_http_t *http, unsigned drain_ms);

/* --- the request --- */

hust_slice_t hust_http_method(const hust_http_request_t *request); /* "GET" */
hust_slice_t hust_http_path(const hust_http_request_t *request);   /* raw, up to the '?' */
hust_slice_t hust_http_query(const hust_http_request_t *request);  /* raw, after the '?' */
hust_slice_t hust_http_body(const hust_http_request_t *request);   /* empty unless kept */

/* A header by its name; data NULL if it is not there. Not after hold. */
hust_slice_t hust_http_header(const hust_http_request_t *request, const char *name);

/* A pointer that `head` leaves for `handle`. */
void hust_http_set_context(hust_http_request_t *request, const void *context);
const void *hust_http_context(const hust_http_request_t *request);

/* --- the answer --- */

typedef struct {
    const char *name; /* a constant */
    char value[HUST_HTTP_HEADER_BYTES];
} hust_http_header_t;

typedef struct {
    unsigned status;
    hust_slice_t body;
    /* Called with `owner` when the body has been sent; NULL: the body is copied at once. */
    void (*release)(void *owner);
    void *owner;
    unsigned header_count;
    hust_http_header_t headers[HUST_HTTP_HEADERS_MAX];
} hust_http_answer_t;

/* An answer with a status and nothing else. */
static inline void hust_http_answer_init(hust_http_answer_t *answer, unsigned status)
{
    answer->status = status;
    answer->body = (hust_slice_t){NULL, 0};
    answer->release = NULL;
    answer->owner = NULL;
    answer->header_count = 0;
}

/* Add a header; `name` is a constant, `value` is copied. */
void hust_http_add(hust_http_answer_t *answer, const char *name, const char *value);

/* The answer comes later, from any thread. Only from within `handle`, before anything is queued. */
void hust_http_hold(hust_http_request_t *request);

/*
 * Answer. Takes over the body's owner, copies the rest; the request is gone afterwards. The body
 * of an answer to HEAD is not sent, its length is.
 */
void hust_http_answer(hust_http_request_t *request, const hust_http_answer_t *answer);

#endif /* HUST_NODE_HTTP_H */
