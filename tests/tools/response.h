/*
 * A strict parser of HTTP/1.1 answers, for tests: what RFC 9112 lets a client forgive is an error
 * here, because a server under test has no business relying on forgiveness.
 *
 * Accepted: `HTTP/1.1 NNN reason`, header lines ended by CRLF, no name twice, and a body of exactly
 * Content-Length bytes (none after HEAD, 204 and 304). Chunked bodies are refused: the contract
 * promises a Content-Length.
 */
#ifndef HUST_TEST_RESPONSE_H
#define HUST_TEST_RESPONSE_H

#include "core/slice.h"

enum {
    RESPONSE_HEAD_BYTES_MAX = 16 * 1024,
    RESPONSE_HEADERS_MAX = 32,
};

typedef enum {
    RESPONSE_MORE, /* all bytes given were taken, more are needed */
    RESPONSE_DONE, /* the answer is whole; bytes that follow belong to the next one */
    RESPONSE_BAD,  /* `problem` says why; nothing that follows can be trusted */
} response_progress_t;

typedef struct {
    hust_slice_t name;
    hust_slice_t value;
} response_header_t;

typedef struct {
    unsigned status; /* 100..599 once the head is whole, before that 0 */
    unsigned header_count;
    response_header_t headers[RESPONSE_HEADERS_MAX]; /* borrow from `head` */
    uint64_t body_bytes;                             /* that will come */
    uint64_t body_seen;
    bool started;        /* at least one byte came */
    bool head_done;      /* status and headers are valid */
    bool closes;         /* it says Connection: close */
    bool without_body;   /* answer to HEAD */
    const char *problem; /* constant text after RESPONSE_BAD */
    size_t head_len;     /* bytes in `head` */
    char head[RESPONSE_HEAD_BYTES_MAX];
} response_t;

/* Prepare for the answer to a request; `head_request`: it was HEAD, so no body follows. */
void response_begin(response_t *response, bool head_request);

/*
 * Take bytes from `in`. `*used` says how many belong to this answer; `*part` is the piece of the
 * body among them (empty while the head is read), borrowed from `in`. Call again with the rest
 * while it returns RESPONSE_MORE and bytes are left.
 */
response_progress_t response_feed(response_t *response, hust_slice_t in, size_t *used,
                                  hust_slice_t *part);

/* Find a header, the name compared without case. False if there is none. */
bool response_find(const response_t *response, hust_slice_t name, hust_slice_t *value);

#endif /* HUST_TEST_RESPONSE_H */
