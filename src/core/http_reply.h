/*
 * The head of an HTTP/1.x response as HA's peer client receives it from a node: piece by piece.
 *
 * Strict, because a node is one of ours and a reply that is read at the wrong boundary would give
 * one client's data to another: lines end in CR LF, no folded lines, the body's length comes from
 * exactly one Content-Length (204 and 304 have no body). Transfer-Encoding and interim (1xx)
 * replies are refused. (RFC 9112, 4 to 6.)
 *
 * Nothing is allocated or copied. Zero-initialised the state is at the start of a reply.
 */
#ifndef HUST_HTTP_REPLY_H
#define HUST_HTTP_REPLY_H

#include "core/error.h"
#include "core/slice.h"

enum { HUST_HTTP_HEAD_BYTES_MAX = 8192 }; /* status line, headers and the empty line */

typedef struct {
    unsigned status;     /* 200..599 */
    bool keep_alive;     /* the connection can carry another request after the body */
    size_t head_bytes;   /* where the body begins */
    uint64_t body_bytes; /* length of the body that follows */

    /* Private: how far the head has been read. */
    size_t line_at; /* offset of the first line that was not complete yet */
    bool minor_0;   /* HTTP/1.0 */
    bool has_length;
    uint64_t length;
    bool has_close;
    bool has_keep_alive;
} hust_http_reply_t;

/*
 * Read on. `in` is everything received since the first byte of the reply, bytes after the head
 * included; it may have moved since the last call, its beginning must not have changed.
 *   HUST_OK             the head is complete; the public fields are good
 *   HUST_ERR_TRUNCATED  more bytes are needed; call again
 *   HUST_ERR_MALFORMED  not such a reply: close the connection
 *   HUST_ERR_LIMIT      the head is longer than HUST_HTTP_HEAD_BYTES_MAX: close the connection
 * After anything but TRUNCATED the state is to be zeroed before its next use.
 */
hust_error_t hust_http_reply_read(hust_http_reply_t *reply, hust_slice_t in);

#endif /* HUST_HTTP_REPLY_H */
