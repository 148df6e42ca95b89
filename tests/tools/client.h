/*
 * A fast HTTP/1.1 client for tests: many connections, one thread, epoll. It takes exchanges from a
 * source, sends them, checks every answer strictly and says exactly what became of each: answered
 * rightly, answered wrongly, or not answered and then how the connection ended.
 *
 * A client here is one user with one connection at a time. It has up to `depth` exchanges under
 * way, in order; when its connection ends before any byte of an answer, the unanswered ones are
 * sent again in the same order on a new connection, so its exchanges never overtake each other.
 *
 * Caveats: IPv4 only; no thread safety; a source's callbacks must not call back into the engine.
 */
#ifndef HUST_TEST_CLIENT_H
#define HUST_TEST_CLIENT_H

#include "exchange.h"

enum {
    CLIENT_DEPTH_MAX = 64,
    CLIENT_COUNT_MAX = 4096,
};

typedef struct {
    unsigned depth;          /* exchanges under way at once, 1..CLIENT_DEPTH_MAX */
    unsigned per_connection; /* requests on a connection, the last says close; 0 = no limit */
} client_mode_t;

/* Where exchanges come from and go to. `context` is handed to every callback. */
typedef struct {
    void *context;
    /* The next exchange of a client into *out; false: it has no more. `slot` < depth is free to
       be used for memory that the exchange borrows until it is done. */
    bool (*next)(void *context, unsigned client, unsigned slot, exchange_t *out);
    /* An exchange is over: answered, or given up. Called exactly once for each. */
    void (*done)(void *context, unsigned client, const exchange_t *exchange,
                 const exchange_result_t *result);
    /* A connection was lost with `requests` sent and unanswered, or refused, or brought bytes
       that belong to no request (FAULT_EXTRA). For counting. */
    void (*lost)(void *context, unsigned client, fault_t fault, unsigned requests);
    /* A connection was opened. For counting. */
    void (*connected)(void *context, unsigned client);
} client_source_t;

typedef struct {
    const char *host; /* IPv4 address */
    uint16_t port;
    unsigned client_count;
    const client_mode_t *modes; /* one per client, borrowed */
    unsigned attempts_max;      /* sends of one request, at least 1 */
    unsigned deadline_ms;       /* for one answer, counted from when it is first in line */
    unsigned total_deadline_ms; /* for everything; 0 = none */
} client_options_t;

typedef struct client_engine client_engine_t;

/* A new engine, or NULL with errno set. `options` and `source` are borrowed. */
client_engine_t *client_engine_new(const client_options_t *options, const client_source_t *source);

/*
 * Work until every client's source is exhausted and every exchange is done. 0, or -1 with errno
 * (ETIME: the total deadline passed; then some exchanges were never reported).
 */
int client_engine_run(client_engine_t *engine);

void client_engine_free(client_engine_t *engine);

/* Microseconds of the monotonic clock. */
uint64_t client_now_us(void);

#endif /* HUST_TEST_CLIENT_H */
