/*
 * Clients that hang up in the middle of a request. libmicrohttpd 0.9.75 waits for edges and takes a
 * short read for the end of what there is, so it misses an end of stream that arrived together with
 * the last bytes, and would keep the connection until the idle timeout. A thread looks once a
 * second for such connections and gives each another edge.
 */
#ifndef HUST_NODE_HTTP_HANGUP_H
#define HUST_NODE_HTTP_HANGUP_H

#include "core/error.h"

typedef struct hust_hangup hust_hangup_t;

/* Start the thread. HUST_ERR_NOMEM or IO. */
hust_error_t hust_hangup_start(hust_hangup_t **out);

/* After the last connection is gone. */
void hust_hangup_stop(hust_hangup_t *hangup);

/*
 * Watch the socket of a connection. Returns what _forget wants, NULL if there is no memory: then
 * it is not watched. Any thread.
 */
void *hust_hangup_watch(hust_hangup_t *hangup, int fd);

/* The socket is about to be closed. NULL is allowed. Any thread. */
void hust_hangup_forget(hust_hangup_t *hangup, void *watched);

#endif /* HUST_NODE_HTTP_HANGUP_H */
