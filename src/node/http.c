#include "node/http.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "node/http_internal.h"
#include "node/log.h"

enum {
    MESSAGE_BYTES = 256,
    LISTEN_BACKLOG = 1024,
    /*
     * Memory of one connection: it bounds the request line and the headers. The library clears all
     * of it after every request, so twice as much costs a good part of the throughput.
     */
    CONNECTION_BYTES = 32 * 1024,
    POLL_MS = 5,
    LAST_ANSWERS_MS = 500, /* for answers already made to get out */
};

static int listen_on(const struct addrinfo *address)
{
    const int on = 1;
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    address->ai_protocol);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static int open_listener(const hust_http_options_t *options, char *message)
{
    char port[8];
    assert(options->port > 0);
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    snprintf(port, sizeof(port), "%u", options->port);
    int error = getaddrinfo(options->host, port, &hints, &found);
    if (error != 0) {
        snprintf(message, MESSAGE_BYTES, "cannot listen on %s: %s", options->host,
                 gai_strerror(error));
        return -1;
    }
    int fd = listen_on(found);
    if (fd < 0) {
        snprintf(message, MESSAGE_BYTES, "cannot listen on %s port %u: %s", options->host,
                 options->port, strerror(errno));
    }
    freeaddrinfo(found);
    return fd;
}

__attribute__((format(printf, 2, 0))) static void on_log(void *cls, const char *format,
                                                         va_list args)
{
    char line[MESSAGE_BYTES];
    (void)cls;
    vsnprintf(line, sizeof(line), format, args);
    hust_log(HUST_LOG_DEBUG, "http: %s", line);
}

static void on_panic(void *cls, const char *file, unsigned line, const char *reason)
{
    (void)cls;
    hust_log(HUST_LOG_ERROR, "http: the server library gave up at %s:%u: %s", file, line,
             reason == NULL ? "" : reason);
    abort();
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **watched,
                          enum MHD_ConnectionNotificationCode what)
{
    hust_http_t *http = cls;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        hust_hangup_forget(http->hangup, *watched);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *watched = info == NULL ? NULL : hust_hangup_watch(http->hangup, info->connect_fd);
}

static struct MHD_Daemon *start_daemon(hust_http_t *http, const hust_http_options_t *options)
{
    const unsigned flags =
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    /* A pool of one is the default, and the library wants it not to be asked for. */
    const enum MHD_OPTION pool =
        options->worker_count > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END;
    struct MHD_OptionItem items[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_log, NULL},
        {MHD_OPTION_LISTEN_SOCKET, http->listen_fd, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)hust_http_on_target, http},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)hust_http_on_completed, http},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, http},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)options->connection_limit, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)options->idle_timeout_s, NULL},
        {pool, (intptr_t)options->worker_count, NULL}, /* the last one: it may be the end */
        {MHD_OPTION_END, 0, NULL},
    };
    MHD_set_panic_func(on_panic, NULL);
    return MHD_start_daemon(flags, 0, NULL, NULL, hust_http_on_request, http, MHD_OPTION_ARRAY,
                            items, MHD_OPTION_END);
}

hust_error_t hust_http_start(const hust_http_options_t *options, const hust_http_app_t *app,
                             hust_http_t **out, char message[256])
{
    hust_http_t *http = calloc(1, sizeof(*http));
    assert(options->worker_count > 0);
    *out = NULL;
    if (http == NULL) {
        snprintf(message, MESSAGE_BYTES, "%s", hust_error_text(HUST_ERR_NOMEM));
        return HUST_ERR_NOMEM;
    }
    assert(app->head != NULL && app->handle != NULL);
    http->app = *app;
    http->upload_bytes_max = options->upload_bytes_max;
    http->listen_fd = open_listener(options, message);
    if (http->listen_fd < 0) {
        goto err_after_alloc;
    }
    if (hust_hangup_start(&http->hangup) != HUST_OK) {
        snprintf(message, MESSAGE_BYTES, "cannot start a thread");
        goto err_after_listen;
    }
    http->daemon = start_daemon(http, options);
    if (http->daemon == NULL) {
        snprintf(message, MESSAGE_BYTES, "cannot start the HTTP server: %s", strerror(errno));
        goto err_after_hangup;
    }
    *out = http;
    return HUST_OK;

err_after_hangup:
    hust_hangup_stop(http->hangup);
err_after_listen:
    close(http->listen_fd);
err_after_alloc:
    free(http);
    return HUST_ERR_IO;
}

static void wait_while(const atomic_uint *counter, unsigned limit_ms)
{
    assert(limit_ms > 0);
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    for (unsigned waited = 0; atomic_load(counter) > 0 && waited < limit_ms; waited += POLL_MS) {
        nanosleep(&pause, NULL);
    }
}

void hust_http_stop(hust_http_t *http, unsigned drain_ms)
{
    assert(!atomic_load(&http->closing));
    atomic_store(&http->closing, true);
    /* Not quiesced: the library may abort when connections come in just then. Those that do are
     * served until the time for draining is over, and refused after it. */
    wait_while(&http->active, drain_ms);
    atomic_store(&http->refusing, true);
    while (atomic_load(&http->held) > 0) {
        wait_while(&http->held, drain_ms);
    }
    wait_while(&http->active, LAST_ANSWERS_MS);
    MHD_stop_daemon(http->daemon);
    hust_hangup_stop(http->hangup);
    assert(atomic_load(&http->held) == 0);
    assert(atomic_load(&http->upload_bytes) == 0);
    free(http);
}
