/*
 * What http.c (the server) and http_request.c (one request) share. The only places that know
 * libmicrohttpd.
 */
#ifndef HUST_NODE_HTTP_INTERNAL_H
#define HUST_NODE_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "node/http.h"
#include "node/http_hangup.h"

struct hust_http {
    hust_http_app_t app;
    size_t upload_bytes_max;
    struct MHD_Daemon *daemon;
    int listen_fd;
    hust_hangup_t *hangup;
    atomic_size_t upload_bytes; /* memory of all bodies at present */
    atomic_uint active;         /* requests whose head has begun and that are not over */
    atomic_uint held;           /* of these: to be answered by another thread */
    atomic_bool closing;        /* every answer closes its connection */
    atomic_bool refusing;       /* requests are answered 503 without the handler */
};

/* The callbacks that libmicrohttpd is given; `cls` is the hust_http_t. */
void *hust_http_on_target(void *cls, const char *target, struct MHD_Connection *connection);
enum MHD_Result hust_http_on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                     const char *method, const char *version, const char *data,
                                     size_t *data_bytes, void **request);
void hust_http_on_completed(void *cls, struct MHD_Connection *connection, void **request,
                            enum MHD_RequestTerminationCode why);

#endif /* HUST_NODE_HTTP_INTERNAL_H */
