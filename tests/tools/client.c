#define _GNU_SOURCE
#include "client.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    RECEIVE_BYTES = 256 * 1024,
    EVENTS_MAX = 256,
    TICK_MS = 20,         /* deadlines and reconnects are looked at this often */
    RECONNECT_MS = 20,    /* pause after a refused connection */
    DRAIN_MS = 10 * 1000, /* a connection that was to be closed must be closed by then */
    PIECES_PER_SLOT = 4,
};

static const char close_header[] = "Connection: close\r\n";

/* An exchange under way. */
typedef struct {
    exchange_t exchange;
    exchange_result_t result;
    uint64_t first_sent_us; /* 0: never sent yet */
    uint64_t waiting_us;    /* since when it wants a connection */
    bool last;              /* it was sent with Connection: close */
} slot_t;

typedef enum {
    CONNECTION_NONE,
    CONNECTION_CONNECTING,
    CONNECTION_OPEN,
    CONNECTION_DRAINING, /* nothing more is sent; the end of the stream is awaited */
} connection_state_t;

typedef struct {
    unsigned index;
    client_mode_t mode;
    slot_t *slots;  /* ring of mode.depth */
    unsigned first; /* oldest exchange under way */
    unsigned count; /* exchanges under way */
    bool exhausted; /* the source has no more */

    int fd;
    connection_state_t state;
    bool wants_write;       /* EPOLLOUT is registered */
    bool send_broken;       /* the peer takes no more; answers may still come */
    unsigned on_connection; /* requests begun on this connection */
    unsigned sent;          /* slots from `first` sent wholly on this connection */
    size_t sent_bytes;      /* of the slot after those */
    uint64_t progress_us;   /* last answer, or begin of sending when nothing was under way */
    uint64_t retry_us;      /* not before this is a connection tried again */
    response_t response;
    exchange_check_t check;
} client_t;

struct client_engine {
    const client_options_t *options;
    const client_source_t *source;
    struct sockaddr_in address;
    int epoll;
    uint64_t started_us;
    unsigned active; /* clients with something left to do */
    uint8_t *receive;
    client_t *clients;
};

uint64_t client_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static slot_t *slot_at(client_t *client, unsigned position)
{
    assert(position < client->mode.depth);
    return &client->slots[(client->first + position) % client->mode.depth];
}

/* Slots of which at least one byte was sent on this connection. */
static unsigned slots_begun(const client_t *client)
{
    return client->sent + (client->sent_bytes > 0 ? 1 : 0);
}

/* ---- exchanges ---------------------------------------------------------------------------- */

/* Take exchanges from the source while there is room. */
static void fill(client_engine_t *engine, client_t *client)
{
    while (!client->exhausted && client->count < client->mode.depth) {
        unsigned index = (client->first + client->count) % client->mode.depth;
        slot_t *slot = &client->slots[index];
        *slot = (slot_t){.waiting_us = client_now_us()};
        if (!engine->source->next(engine->source->context, client->index, index, &slot->exchange)) {
            client->exhausted = true;
            return;
        }
        client->count++;
    }
}

/* The oldest exchange is over. */
static void finish_first(client_engine_t *engine, client_t *client)
{
    assert(client->count > 0);
    slot_t *slot = slot_at(client, 0);
    if (slot->first_sent_us != 0) {
        slot->result.latency_us = client_now_us() - slot->first_sent_us;
    }
    engine->source->done(engine->source->context, client->index, &slot->exchange, &slot->result);
    client->first = (client->first + 1) % client->mode.depth;
    client->count--;
    if (client->sent > 0) {
        client->sent--;
    } else {
        client->sent_bytes = 0;
    }
    client->progress_us = client_now_us();
}

static void give_up_first(client_engine_t *engine, client_t *client, fault_t fault)
{
    slot_t *slot = slot_at(client, 0);
    const response_t *response = &client->response;
    slot->result.fault = fault;
    slot->result.status = 0;
    snprintf(slot->result.detail, sizeof(slot->result.detail),
             "after %u attempts; status seen %u, body %llu of %llu", slot->result.attempts,
             response->status, (unsigned long long)response->body_seen,
             (unsigned long long)response->body_bytes);
    finish_first(engine, client);
}

/* ---- connections -------------------------------------------------------------------------- */

static void watch(client_engine_t *engine, client_t *client, bool write, int operation)
{
    struct epoll_event event = {
        .events = EPOLLIN | (write ? EPOLLOUT : 0u),
        .data.ptr = client,
    };
    if (epoll_ctl(engine->epoll, operation, client->fd, &event) != 0) {
        perror("epoll_ctl");
        abort();
    }
    client->wants_write = write;
}

/* Close the connection; exchanges stay and will be sent from the first on again. */
static void disconnect(client_t *client)
{
    assert(client->fd >= 0);
    close(client->fd);
    client->fd = -1;
    client->state = CONNECTION_NONE;
    client->send_broken = false;
    client->sent = 0;
    client->sent_bytes = 0;
    client->on_connection = 0;
}

static void refused(client_engine_t *engine, client_t *client)
{
    engine->source->lost(engine->source->context, client->index, FAULT_REFUSED, 0);
    disconnect(client);
    client->retry_us = client_now_us() + RECONNECT_MS * 1000;
    if (client->count > 0) {
        slot_at(client, 0)->result.flags |= EXCHANGE_REFUSED;
    }
}

static void opened(client_engine_t *engine, client_t *client)
{
    client->state = CONNECTION_OPEN;
    client->progress_us = client_now_us();
    engine->source->connected(engine->source->context, client->index);
}

static void connect_client(client_engine_t *engine, client_t *client)
{
    assert(client->state == CONNECTION_NONE);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0) {
        perror("socket");
        abort();
    }
    int on = 1;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    client->state = CONNECTION_CONNECTING;
    int failed = connect(client->fd, (struct sockaddr *)&engine->address, sizeof(engine->address));
    if (failed != 0 && errno != EINPROGRESS) {
        refused(engine, client);
        return;
    }
    watch(engine, client, true, EPOLL_CTL_ADD);
}

/*
 * The connection ended (`reset`: not cleanly). Says of every request sent on it that it has no
 * answer; whether it is sent again depends on what was seen of the answer.
 */
static void connection_ended(client_engine_t *engine, client_t *client, bool reset)
{
    unsigned begun = slots_begun(client);
    bool cut = begun > 0 && client->response.started;
    fault_t fault = cut ? FAULT_CUT : (reset ? FAULT_RESET : FAULT_CLOSED);
    for (unsigned i = 0; i < begun; i++) {
        slot_at(client, i)->result.flags |= reset ? EXCHANGE_LOST_RESET : EXCHANGE_LOST_CLOSED;
    }
    if (begun > 0) {
        engine->source->lost(engine->source->context, client->index, fault, begun);
    }
    disconnect(client);
    const unsigned attempts_max = engine->options->attempts_max;
    if (cut || (begun > 0 && slot_at(client, 0)->result.attempts >= attempts_max)) {
        give_up_first(engine, client, fault);
    }
}

/* ---- sending ------------------------------------------------------------------------------ */

/* The pieces of a request as they go over the wire. */
static unsigned request_pieces(const slot_t *slot, struct iovec pieces[PIECES_PER_SLOT])
{
    const exchange_t *exchange = &slot->exchange;
    const hust_slice_t parts[PIECES_PER_SLOT] = {
        exchange->line,
        slot->last ? hust_slice_str(close_header) : (hust_slice_t){0},
        exchange->rest,
        exchange->body,
    };
    unsigned count = 0;
    for (unsigned i = 0; i < PIECES_PER_SLOT; i++) {
        if (parts[i].len > 0) {
            pieces[count++] = (struct iovec){(void *)(uintptr_t)parts[i].data, parts[i].len};
        }
    }
    assert(count > 0);
    return count;
}

static size_t request_bytes(const slot_t *slot)
{
    struct iovec pieces[PIECES_PER_SLOT];
    unsigned count = request_pieces(slot, pieces);
    size_t bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        bytes += pieces[i].iov_len;
    }
    return bytes;
}

/* May the slot at `position` be sent on this connection? */
static bool may_send(const client_t *client, unsigned position)
{
    return position < client->count && client->state == CONNECTION_OPEN && !client->send_broken &&
           (client->mode.per_connection == 0 || position < slots_begun(client) ||
            client->on_connection < client->mode.per_connection);
}

/* The first byte of a request is about to leave. */
static void begin_request(client_t *client, slot_t *slot, unsigned position)
{
    uint64_t now = client_now_us();
    client->on_connection++;
    slot->last =
        client->mode.per_connection != 0 && client->on_connection == client->mode.per_connection;
    slot->result.attempts++;
    if (slot->first_sent_us == 0) {
        slot->first_sent_us = now;
    }
    if (position == 0) {
        client->progress_us = now;
        response_begin(&client->response, slot->exchange.head_request);
    }
}

/* Cut what was already sent off the front of the pieces. */
static unsigned skip_sent(struct iovec *pieces, unsigned count, size_t sent)
{
    unsigned from = 0;
    while (from < count && sent >= pieces[from].iov_len) {
        sent -= pieces[from++].iov_len;
    }
    assert(from < count);
    pieces[from].iov_base = (uint8_t *)pieces[from].iov_base + sent;
    pieces[from].iov_len -= sent;
    return from;
}

/* Gather everything that can be sent now. */
static unsigned gather(client_t *client, struct iovec *pieces)
{
    unsigned count = 0;
    unsigned begun = slots_begun(client);
    for (unsigned position = client->sent; may_send(client, position); position++) {
        slot_t *slot = slot_at(client, position);
        if (position >= begun) {
            begin_request(client, slot, position);
            begun = position + 1;
        }
        count += request_pieces(slot, pieces + count);
        if (client->mode.per_connection != 0 && slot->last) {
            break;
        }
    }
    return count;
}

/* `bytes` more have left: move the marks. */
static void account_sent(client_t *client, size_t bytes)
{
    while (bytes > 0) {
        size_t left = request_bytes(slot_at(client, client->sent)) - client->sent_bytes;
        if (bytes < left) {
            client->sent_bytes += bytes;
            return;
        }
        bytes -= left;
        client->sent++;
        client->sent_bytes = 0;
    }
}

/*
 * Requests that were gathered and of which no byte left are not under way: take their attempt
 * back, so that attempts count what the server could see.
 */
static void unbegin(client_t *client, unsigned gathered_until)
{
    for (unsigned position = slots_begun(client); position < gathered_until; position++) {
        slot_t *slot = slot_at(client, position);
        assert(slot->result.attempts > 0 && client->on_connection > 0);
        slot->result.attempts--;
        client->on_connection--;
        if (slot->result.attempts == 0) {
            slot->first_sent_us = 0;
        }
    }
}

static void send_requests(client_engine_t *engine, client_t *client)
{
    struct iovec pieces[CLIENT_DEPTH_MAX * PIECES_PER_SLOT];
    bool blocked = false;
    while (!blocked) {
        unsigned begun_before = client->on_connection - slots_begun(client);
        unsigned count = gather(client, pieces);
        if (count == 0) {
            break;
        }
        unsigned gathered_until = client->on_connection - begun_before;
        unsigned from = skip_sent(pieces, count, client->sent_bytes);
        struct msghdr message = {.msg_iov = pieces + from, .msg_iovlen = count - from};
        ssize_t sent = sendmsg(client->fd, &message, MSG_NOSIGNAL);
        if (sent > 0) {
            account_sent(client, (size_t)sent);
        } else if (sent < 0 && errno == EAGAIN) {
            blocked = true;
        } else if (sent < 0 && errno != EINTR) {
            client->send_broken = true;
        }
        unbegin(client, gathered_until);
    }
    if (blocked != client->wants_write) {
        watch(engine, client, blocked, EPOLL_CTL_MOD);
    }
}

/* ---- receiving ---------------------------------------------------------------------------- */

/* The answer to the oldest exchange cannot be trusted: report it and start anew. */
static void answer_unusable(client_engine_t *engine, client_t *client, const char *problem)
{
    slot_t *slot = slot_at(client, 0);
    char excerpt[160];
    text_escape(hust_slice_of(client->response.head, client->response.head_len), excerpt,
                sizeof(excerpt));
    slot->result.status = client->response.status;
    slot->result.fault = FAULT_MALFORMED;
    snprintf(slot->result.detail, sizeof(slot->result.detail), "%s: %s", problem, excerpt);
    disconnect(client);
    finish_first(engine, client);
}

/* A whole answer came. False if the connection was given up. */
static bool answer_complete(client_engine_t *engine, client_t *client)
{
    slot_t *slot = slot_at(client, 0);
    const response_t *response = &client->response;
    bool whole_request_sent = client->sent > 0;
    if (!whole_request_sent && !response->closes) {
        answer_unusable(engine, client, "an answer before the request was sent");
        return false;
    }
    if (slot->last && !response->closes) {
        answer_unusable(engine, client, "Connection: close was asked for and is missing");
        return false;
    }
    exchange_check_end(&client->check, &slot->exchange, response, slot->result.attempts > 1,
                       &slot->result);
    bool closes = response->closes;
    finish_first(engine, client);
    if (closes) {
        client->state = CONNECTION_DRAINING;
        if (client->wants_write) {
            watch(engine, client, false, EPOLL_CTL_MOD);
        }
    }
    response_begin(&client->response,
                   slots_begun(client) > 0 && slot_at(client, 0)->exchange.head_request);
    return true;
}

/* Bytes came that no request asked for. */
static void extra_bytes(client_engine_t *engine, client_t *client)
{
    engine->source->lost(engine->source->context, client->index, FAULT_EXTRA, 0);
    disconnect(client);
}

/* Work through received bytes. False if the connection was given up. */
static bool take_bytes(client_engine_t *engine, client_t *client, hust_slice_t in)
{
    while (in.len > 0) {
        if (slots_begun(client) == 0 || client->state == CONNECTION_DRAINING) {
            extra_bytes(engine, client);
            return false;
        }
        bool head_was_done = client->response.head_done;
        size_t used;
        hust_slice_t part;
        response_progress_t progress = response_feed(&client->response, in, &used, &part);
        if (progress == RESPONSE_BAD) {
            answer_unusable(engine, client, client->response.problem);
            return false;
        }
        const exchange_t *exchange = &slot_at(client, 0)->exchange;
        if (!head_was_done && client->response.head_done) {
            exchange_check_begin(&client->check, exchange, &client->response);
        }
        exchange_check_body(&client->check, exchange, part);
        in = hust_slice_of(in.data + used, in.len - used);
        if (progress == RESPONSE_DONE && !answer_complete(engine, client)) {
            return false;
        }
    }
    return true;
}

static void receive_answers(client_engine_t *engine, client_t *client)
{
    for (;;) {
        ssize_t got = recv(client->fd, engine->receive, RECEIVE_BYTES, 0);
        if (got > 0) {
            if (!take_bytes(engine, client, hust_slice_of(engine->receive, (size_t)got)) ||
                got < RECEIVE_BYTES) {
                return;
            }
        } else if (got == 0) {
            connection_ended(engine, client, false);
            return;
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            connection_ended(engine, client, true);
            return;
        }
    }
}

/* ---- the loop ----------------------------------------------------------------------------- */

/* A client without work: look once for bytes nobody asked for, then close. */
static void retire(client_engine_t *engine, client_t *client)
{
    if (client->state == CONNECTION_OPEN) {
        uint8_t byte;
        if (recv(client->fd, &byte, 1, 0) > 0) {
            extra_bytes(engine, client);
        } else {
            disconnect(client);
        }
    }
    if (client->state == CONNECTION_NONE) {
        assert(engine->active > 0);
        engine->active--;
    }
}

/* Do for a client whatever can be done now. */
static void advance(client_engine_t *engine, client_t *client)
{
    fill(engine, client);
    if (client->count == 0) {
        retire(engine, client);
        return;
    }
    if (client->state == CONNECTION_NONE && client_now_us() >= client->retry_us) {
        connect_client(engine, client);
    }
    if (client->state == CONNECTION_OPEN) {
        send_requests(engine, client);
    }
}

static void on_event(client_engine_t *engine, client_t *client, uint32_t events)
{
    if (client->state == CONNECTION_CONNECTING) {
        int error = 0;
        socklen_t error_bytes = sizeof(error);
        getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes);
        if (error != 0) {
            refused(engine, client);
            return;
        }
        opened(engine, client);
    } else if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        receive_answers(engine, client);
    }
    advance(engine, client);
}

/* A connection that a server keeps open although it said close. */
static void drain_overdue(client_engine_t *engine, client_t *client)
{
    unsigned begun = slots_begun(client);
    engine->source->lost(engine->source->context, client->index, FAULT_TIMEOUT, begun);
    disconnect(client);
    advance(engine, client);
}

static void check_deadline(client_engine_t *engine, client_t *client, uint64_t now_us)
{
    const uint64_t deadline_us = (uint64_t)engine->options->deadline_ms * 1000;
    if (client->state == CONNECTION_DRAINING) {
        if (now_us - client->progress_us > DRAIN_MS * 1000) {
            drain_overdue(engine, client);
        }
        return;
    }
    if (client->count == 0) {
        return;
    }
    bool sent = slots_begun(client) > 0;
    uint64_t since = sent ? client->progress_us : slot_at(client, 0)->waiting_us;
    if (now_us > since && now_us - since > deadline_us) {
        fault_t fault = sent ? FAULT_TIMEOUT : FAULT_REFUSED;
        engine->source->lost(engine->source->context, client->index, fault, slots_begun(client));
        if (client->state != CONNECTION_NONE) {
            disconnect(client);
        }
        give_up_first(engine, client, fault);
    }
    if (client->state == CONNECTION_NONE) {
        advance(engine, client);
    }
}

static bool is_active(const client_t *client)
{
    return client->state != CONNECTION_NONE || client->count > 0 || !client->exhausted;
}

static void tick(client_engine_t *engine, uint64_t now_us)
{
    for (unsigned i = 0; i < engine->options->client_count; i++) {
        if (is_active(&engine->clients[i])) {
            check_deadline(engine, &engine->clients[i], now_us);
        }
    }
}

int client_engine_run(client_engine_t *engine)
{
    const uint64_t total_us = (uint64_t)engine->options->total_deadline_ms * 1000;
    uint64_t ticked_us = client_now_us();
    engine->started_us = ticked_us;
    for (unsigned i = 0; i < engine->options->client_count; i++) {
        advance(engine, &engine->clients[i]);
    }
    while (engine->active > 0) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(engine->epoll, events, EVENTS_MAX, TICK_MS);
        if (count < 0 && errno != EINTR) {
            return -1;
        }
        for (int i = 0; i < count; i++) {
            on_event(engine, events[i].data.ptr, events[i].events);
        }
        uint64_t now = client_now_us();
        if (now - ticked_us >= TICK_MS * 1000) {
            ticked_us = now;
            tick(engine, now);
        }
        if (total_us != 0 && now - engine->started_us > total_us) {
            errno = ETIME;
            return -1;
        }
    }
    return 0;
}

/* ---- life --------------------------------------------------------------------------------- */

static bool clients_new(client_engine_t *engine)
{
    const client_options_t *options = engine->options;
    engine->clients = calloc(options->client_count, sizeof(client_t));
    if (engine->clients == NULL) {
        return false;
    }
    for (unsigned i = 0; i < options->client_count; i++) {
        client_t *client = &engine->clients[i];
        client->index = i;
        client->mode = options->modes[i];
        client->fd = -1;
        assert(client->mode.depth >= 1 && client->mode.depth <= CLIENT_DEPTH_MAX);
        client->slots = calloc(client->mode.depth, sizeof(slot_t));
        if (client->slots == NULL) {
            return false;
        }
    }
    engine->active = options->client_count;
    return true;
}

client_engine_t *client_engine_new(const client_options_t *options, const client_source_t *source)
{
    assert(options->client_count >= 1 && options->client_count <= CLIENT_COUNT_MAX);
    assert(options->attempts_max >= 1 && options->deadline_ms > 0);
    client_engine_t *engine = calloc(1, sizeof(*engine));
    if (engine == NULL) {
        return NULL;
    }
    engine->options = options;
    engine->source = source;
    engine->epoll = epoll_create1(EPOLL_CLOEXEC);
    engine->receive = malloc(RECEIVE_BYTES);
    engine->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(options->port)};
    bool good = inet_pton(AF_INET, options->host, &engine->address.sin_addr) == 1;
    if (!good) {
        errno = EINVAL;
    }
    if (!good || engine->epoll < 0 || engine->receive == NULL || !clients_new(engine)) {
        client_engine_free(engine);
        return NULL;
    }
    return engine;
}

void client_engine_free(client_engine_t *engine)
{
    for (unsigned i = 0; engine->clients != NULL && i < engine->options->client_count; i++) {
        if (engine->clients[i].fd >= 0) {
            close(engine->clients[i].fd);
        }
        free(engine->clients[i].slots);
    }
    if (engine->epoll >= 0) {
        close(engine->epoll);
    }
    free(engine->receive);
    free(engine->clients);
    free(engine);
}
