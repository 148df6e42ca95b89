#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/buf.h"
#include "core/params.h"
#include "node/http_internal.h"
#include "node/log.h"

enum {
    /* Known body lengths up to this are allocated at once; larger ones grow as bytes arrive. */
    BODY_BYTES_AT_ONCE = 64 * 1024,
    SMALL_COPY_BYTES = 128,
};

struct hust_http_request {
    hust_http_t *http;
    struct MHD_Connection *connection;
    const void *context;
    hust_slice_t method;
    hust_slice_t path;
    hust_slice_t query;
    hust_http_body_rule_t rule;
    hust_buf_t body;
    uint64_t body_bytes; /* received so far, kept or not */
    bool begun;          /* the head has been seen */
    bool too_large;      /* 413 */
    bool overloaded;     /* 503: no memory for the body */
    bool held;
    enum MHD_Result queued;    /* what queueing the answer returned */
    hust_http_answer_t answer; /* of a held request; has an owner only until it is queued */
    uint8_t small_copy[SMALL_COPY_BYTES]; /* its body, if it was to be copied */
    char target[];
};

/* --- life --- */

/*
 * The one moment at which the target is seen as it was sent. The library's own parser turns `+`
 * into a blank and takes very long over thousands of parameters, so it gets none to see.
 */
static void hide_query(char *target)
{
    char *mark = strchr(target, '?');
    if (mark != NULL) {
        mark[1] = '\0';
    }
}

/* Skip scheme and authority of a target in absolute form (RFC 9112, 3.2.2). */
static const char *path_of(const char *target)
{
    if (strncasecmp(target, "http://", 7) != 0) {
        return target;
    }
    assert(target[6] == '/');
    const char *path = strpbrk(target + 7, "/?");
    return path == NULL ? "/" : path;
}

void *hust_http_on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    hust_http_t *http = cls;
    size_t len = strlen(target);
    hust_http_request_t *request = malloc(sizeof(*request) + len + 1);
    if (request == NULL) {
        return NULL; /* the connection is closed */
    }
    memset(request, 0, offsetof(hust_http_request_t, answer));
    hust_http_answer_init(&request->answer, 0);
    request->http = http;
    request->connection = connection;
    memcpy(request->target, target, len + 1);
    const char *path = path_of(request->target);
    const char *mark = strchr(path, '?');
    request->path =
        mark == NULL ? hust_slice_str(path) : hust_slice_of(path, (size_t)(mark - path));
    request->query = mark == NULL ? hust_slice_str("") : hust_slice_str(mark + 1);
    hide_query((char *)(uintptr_t)target);
    assert(request->path.len + request->query.len <= len);
    atomic_fetch_add_explicit(&http->active, 1, memory_order_relaxed);
    return request;
}

static void drop_body(hust_http_request_t *request)
{
    if (request->body.cap == 0) {
        return;
    }
    atomic_fetch_sub_explicit(&request->http->upload_bytes, request->body.cap,
                              memory_order_relaxed);
    hust_buf_free(&request->body);
}

void hust_http_on_completed(void *cls, struct MHD_Connection *connection, void **request_slot,
                            enum MHD_RequestTerminationCode why)
{
    hust_http_t *http = cls;
    hust_http_request_t *request = *request_slot;
    (void)connection;
    (void)why;
    if (request == NULL) {
        return;
    }
    if (request->answer.release != NULL) {
        request->answer.release(request->answer.owner);
    }
    assert(!request->held || request->answer.status != 0);
    drop_body(request);
    free(request);
    *request_slot = NULL;
    atomic_fetch_sub_explicit(&http->active, 1, memory_order_release);
}

/* --- answering --- */

static void free_copy(void *owner)
{
    free(owner);
}

static struct MHD_Response *make_response(hust_http_answer_t *answer)
{
    size_t len = answer->body.len;
    void *data = (void *)(uintptr_t)answer->body.data;
    if (answer->release != NULL) {
        struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
            len, data, answer->release, answer->owner);
        if (response != NULL) {
            answer->release = NULL; /* the response has it now */
        }
        return response;
    }
    return MHD_create_response_from_buffer(
        len, data, len == 0 ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result queue(hust_http_request_t *request, hust_http_answer_t *answer)
{
    assert(answer->status >= 200 && answer->status < 600);
    struct MHD_Response *response = make_response(answer);
    if (response == NULL) {
        return MHD_NO;
    }
    for (unsigned i = 0; i < answer->header_count; i++) {
        (void)MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
    }
    if (atomic_load_explicit(&request->http->closing, memory_order_relaxed) || request->too_large) {
        (void)MHD_add_response_header(response, "Connection", "close");
    }
    enum MHD_Result result = MHD_queue_response(request->connection, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

void hust_http_add(hust_http_answer_t *answer, const char *name, const char *value)
{
    size_t len = strlen(value);
    assert(answer->header_count < HUST_HTTP_HEADERS_MAX);
    assert(len < HUST_HTTP_HEADER_BYTES);
    hust_http_header_t *header = &answer->headers[answer->header_count++];
    header->name = name;
    memcpy(header->value, value, len + 1);
}

static void own_copy(hust_http_request_t *request, hust_slice_t body)
{
    hust_http_answer_t *answer = &request->answer;
    uint8_t *copy = request->small_copy;
    if (body.len > SMALL_COPY_BYTES) {
        copy = malloc(body.len);
        if (copy == NULL) {
            hust_http_answer_init(answer, 500);
            return;
        }
        answer->release = free_copy;
        answer->owner = copy;
    }
    if (body.len > 0) {
        memcpy(copy, body.data, body.len);
    }
    answer->body = hust_slice_of(copy, body.len);
}

void hust_http_hold(hust_http_request_t *request)
{
    assert(!request->held);
    request->held = true;
    atomic_fetch_add(&request->http->held, 1);
    MHD_suspend_connection(request->connection);
}

void hust_http_answer(hust_http_request_t *request, const hust_http_answer_t *answer)
{
    hust_http_t *http = request->http;
    assert(request->answer.status == 0);
    request->answer = *answer;
    if (!request->held) {
        request->queued = queue(request, &request->answer);
        return;
    }
    if (answer->release == NULL) {
        own_copy(request, answer->body);
    }
    MHD_resume_connection(request->connection);
    /* The request may be gone by now; the server waits for this before it stops. */
    atomic_fetch_sub(&http->held, 1);
}

static enum MHD_Result answer_text(hust_http_request_t *request, unsigned status, const char *text)
{
    hust_http_answer_init(&request->answer, status);
    request->answer.body = hust_slice_str(text);
    hust_http_add(&request->answer, "Content-Type", "text/plain");
    if (status == 503) {
        hust_http_add(&request->answer, "Retry-After", "1");
    }
    return queue(request, &request->answer);
}

static enum MHD_Result answer_too_large(hust_http_request_t *request)
{
    return answer_text(request, 413, "body: larger than max_body_size allows\n");
}

/* --- the body --- */

/* The library takes no answer in the middle of a body, so the last word is written past it. */
static enum MHD_Result cut_off(const hust_http_request_t *request)
{
    static const char answer[] = "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
                                 "Content-Type: text/plain\r\nContent-Length: 39\r\n\r\n"
                                 "body: larger than max_body_size allows\n";
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info != NULL) {
        ssize_t ignored =
            send(info->connect_fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)ignored;
    }
    return MHD_NO;
}

/* False if the server's memory for bodies is used up. */
static bool reserve(hust_http_request_t *request, size_t bytes)
{
    hust_http_t *http = request->http;
    size_t before = request->body.cap;
    if (hust_buf_reserve(&request->body, bytes) != HUST_OK) {
        return false;
    }
    assert(request->body.cap >= before);
    size_t more = request->body.cap - before;
    size_t used = atomic_fetch_add_explicit(&http->upload_bytes, more, memory_order_relaxed) + more;
    return more == 0 || used <= http->upload_bytes_max;
}

static enum MHD_Result take_body(hust_http_request_t *request, const char *data, size_t len)
{
    assert(request->begun && !request->held);
    request->body_bytes += len;
    if (request->body_bytes > request->rule.bytes_max) {
        request->too_large = true;
        drop_body(request);
        return request->body_bytes > 2 * (uint64_t)request->rule.bytes_max ? cut_off(request)
                                                                           : MHD_YES;
    }
    if (!request->rule.keep || request->overloaded) {
        return MHD_YES;
    }
    if (!reserve(request, len)) {
        request->overloaded = true;
        drop_body(request);
        return MHD_YES;
    }
    hust_error_t err = hust_buf_append(&request->body, data, len);
    assert(err == HUST_OK);
    (void)err;
    return MHD_YES;
}

/* --- the head, and the whole --- */

static uint64_t declared_bytes(const hust_http_request_t *request)
{
    uint64_t bytes = 0;
    hust_slice_t text = hust_http_header(request, "Content-Length");
    return text.len > 0 && hust_parse_u64(text, &bytes) ? bytes : 0;
}

static enum MHD_Result begin(hust_http_request_t *request, const char *method)
{
    hust_http_app_t *app = &request->http->app;
    assert(!request->begun && request->body.len == 0);
    request->begun = true;
    request->method = hust_slice_str(method);
    app->head(app->user, request, &request->rule);
    uint64_t declared = declared_bytes(request);
    if (declared > 2 * (uint64_t)request->rule.bytes_max) {
        /* Answered now, which closes the connection: all of it would not be drained anyway. */
        request->too_large = true;
        return answer_too_large(request);
    }
    if (request->rule.keep && declared > 0 && declared <= BODY_BYTES_AT_ONCE &&
        !reserve(request, (size_t)declared)) {
        request->overloaded = true;
        drop_body(request);
    }
    return MHD_YES;
}

static enum MHD_Result complete(hust_http_request_t *request)
{
    hust_http_t *http = request->http;
    assert(request->body.len <= request->rule.bytes_max);
    if (request->too_large) {
        return answer_too_large(request);
    }
    if (request->overloaded) {
        return answer_text(request, 503, "body: the node holds too many bodies at present\n");
    }
    if (atomic_load(&http->refusing)) {
        return answer_text(request, 503, "the node is stopping\n");
    }
    http->app.handle(http->app.user, request);
    /* Even if it has been answered already, it lives until this thread has looked at it again. */
    assert(request->held || request->answer.status != 0);
    return request->held ? MHD_YES : request->queued;
}

enum MHD_Result hust_http_on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                     const char *method, const char *version, const char *data,
                                     size_t *data_bytes, void **request_slot)
{
    hust_http_request_t *request = *request_slot;
    (void)cls;
    (void)connection;
    (void)url;
    (void)version;
    if (request == NULL) {
        return MHD_NO;
    }
    if (!request->begun) {
        return begin(request, method);
    }
    if (*data_bytes > 0) {
        size_t len = *data_bytes;
        *data_bytes = 0;
        return take_body(request, data, len);
    }
    if (request->held) {
        assert(request->answer.status != 0);
        return queue(request, &request->answer);
    }
    return complete(request);
}

/* --- what handlers see --- */

hust_slice_t hust_http_method(const hust_http_request_t *request)
{
    return request->method;
}

hust_slice_t hust_http_path(const hust_http_request_t *request)
{
    return request->path;
}

hust_slice_t hust_http_query(const hust_http_request_t *request)
{
    return request->query;
}

hust_slice_t hust_http_body(const hust_http_request_t *request)
{
    return hust_buf_slice(&request->body);
}

hust_slice_t hust_http_header(const hust_http_request_t *request, const char *name)
{
    assert(!request->held);
    const char *value = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
    return value == NULL ? (hust_slice_t){NULL, 0} : hust_slice_str(value);
}

void hust_http_set_context(hust_http_request_t *request, const void *context)
{
    assert(!request->held);
    request->context = context;
}

const void *hust_http_context(const hust_http_request_t *request)
{
    return request->context;
}
