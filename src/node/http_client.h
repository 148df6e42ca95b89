/*
 * The HTTP client as the node needs it: POSTs to one URL of another node, one at a time, over a
 * connection that is kept. libcurl behind a small header.
 *
 * Caveat: a client belongs to one thread.
 */
#ifndef HUST_NODE_HTTP_CLIENT_H
#define HUST_NODE_HTTP_CLIENT_H

#include "core/buf.h"

enum { HUST_HTTP_CLIENT_MESSAGE_BYTES = 256 };

typedef struct hust_http_client hust_http_client_t;

/*
 * A client for `url` (copied). `stopping`, called with `user` about once a second and whenever
 * something arrives, ends a request that is under way by answering true. NULL: no memory.
 */
hust_http_client_t *hust_http_client_new(const char *url, bool (*stopping)(void *user), void *user);
void hust_http_client_free(hust_http_client_t *client);

/*
 * POST `body` and read the whole answer into `reply` (cleared first). HUST_OK: `*status` is the
 * answer's. HUST_ERR_IO: there was none (refused, reset, silent for seconds, stopped), with one
 * line in `message`; the request may have been carried out. HUST_ERR_NOMEM.
 */
hust_error_t hust_http_client_post(hust_http_client_t *client, hust_slice_t body, hust_buf_t *reply,
                                   unsigned *status, char message[HUST_HTTP_CLIENT_MESSAGE_BYTES]);

/* Close the connection until the next request. */
void hust_http_client_rest(hust_http_client_t *client);

/* Once for the process, before the first client and after the last, while there is one thread. */
hust_error_t hust_http_client_setup(void);
void hust_http_client_cleanup(void);

#endif /* HUST_NODE_HTTP_CLIENT_H */
