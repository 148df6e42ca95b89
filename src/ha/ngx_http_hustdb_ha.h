/*
 * Inside of the HA module: what its files share.
 *
 *   module       directives, configuration, start of a worker
 *   handler      a request: which call, its parameters, its body
 *   transaction  the coordinator of one request, driven by events
 *   answer       an outcome becomes a response
 *   stream       large values pass through
 *   forward      calls that one node answers
 *   local        calls that this worker answers by itself
 *   set_table    a new routing table comes as a request
 *   table        the routing table in force: files, shared memory, workers
 *   counters     what is counted, in shared memory
 *   metrics      the counters as Prometheus reads them
 *   variables    what log_format can say of a request
 *   peer         a node as seen by one worker: what waits for it, batching
 *   lane         one connection to a node: sends one exchange, parses its reply
 *   health       what all workers know of a node, in shared memory; probes
 *
 * Requests flow downwards, replies come back through hust_ha_op_t.handler. A request owns nothing
 * below the transaction: operations, lanes and peers belong to the worker.
 */
#ifndef NGX_HTTP_HUSTDB_HA_H
#define NGX_HTTP_HUSTDB_HA_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include <ngx_http.h>

#include "core/answer.h"
#include "core/api.h"
#include "core/batch.h"
#include "core/coord.h"
#include "core/http_reply.h"
#include "core/params.h"
#include "core/routing.h"

enum {
    HUST_HA_BATCH_OPS_MAX = 64,
    HUST_HA_BATCH_BYTES_MAX = HUST_LARGE_BYTES, /* an operation above this travels alone */
    HUST_HA_LARGE_LANES = 16,                   /* per node and worker */
    HUST_HA_STREAM_LANES = 64,                  /* likewise; a slow client holds one */
    HUST_HA_LANES_MAX = 64,
    HUST_HA_LANE_IDLE_MS = 60000,          /* less than a node's idle_timeout */
    HUST_HA_LANE_KEEP_BYTES = 1024 * 1024, /* buffers of an idle lane that may stay */
    HUST_HA_RESTARTS_MAX = 3,
    HUST_HA_PLACES = 16,         /* for counters: workers beyond that share some */
    HUST_HA_STATUS_CLASSES = 5,  /* 1xx .. 5xx */
    HUST_HA_LATENCY_BOUNDS = 12, /* and one more for what is above */
    HUST_HA_BATCH_BOUNDS = 7,    /* 1, 2, 4 .. HUST_HA_BATCH_OPS_MAX */
    HUST_HA_CLASS_COUNT = HUST_CLASS_LOCAL + 1,
    HUST_HA_TABLE_BYTES_MAX = 1024 * 1024, /* of a routing table's JSON */
};

/* Lanes are kept apart so that neither writes nor large transfers hold up a read. */
typedef enum {
    HUST_HA_LANE_READ,
    HUST_HA_LANE_WRITE,
    HUST_HA_LANE_LARGE,  /* one operation per exchange: large writes, forwarded calls */
    HUST_HA_LANE_STREAM, /* likewise: large values on their way to clients, however slow these are
                          */
    HUST_HA_LANE_PROBE,  /* asks a node that is down whether it is back */
    HUST_HA_LANE_KINDS,
} hust_ha_lane_kind_t;

/* Why an exchange with a node failed: name, word in the log, does the node count as down then. */
#define HUST_HA_CAUSE_MAP(X)                                                                       \
    X(REFUSED, "connection refused", 1)                                                            \
    X(CONNECT_TIMEOUT, "connect timed out", 1)                                                     \
    X(TIMEOUT, "reply timed out", 1)                                                               \
    X(CLOSED, "connection closed", 1)                                                              \
    X(GARBAGE, "malformed reply", 0)                                                               \
    X(BAD_STATUS, "unexpected status", 0)                                                          \
    X(NO_RESOURCES, "no memory or connections left", 0)                                            \
    X(KNOWN_DOWN, "known to be down", 0)                                                           \
    X(SHUTDOWN, "given up because the worker exits", 0)

typedef enum {
#define HUST_HA_CAUSE_ENUM(name, word, down) HUST_HA_##name,
    HUST_HA_CAUSE_MAP(HUST_HA_CAUSE_ENUM)
#undef HUST_HA_CAUSE_ENUM
        HUST_HA_CAUSE_COUNT,
} hust_ha_cause_t;

typedef struct hust_ha_worker_s hust_ha_worker_t;
typedef struct hust_ha_peer_s hust_ha_peer_t;
typedef struct hust_ha_lane_s hust_ha_lane_t;
typedef struct hust_ha_op_s hust_ha_op_t;
typedef struct hust_ha_stream_s hust_ha_stream_t;
typedef struct hust_ha_transaction_s hust_ha_transaction_t;

/* One worker's exchanges with a node; a whole number of cache lines. */
typedef struct {
    _Alignas(128) ngx_atomic_t batches[HUST_HA_BATCH_BOUNDS]; /* by size */
    ngx_atomic_t ops;
    ngx_atomic_t lanes_open;
    ngx_atomic_t lanes_busy;
} hust_ha_traffic_t;

/* One worker's requests. */
typedef struct {
    _Alignas(128) ngx_atomic_t owner;                                   /* pid; 0: nobody */
    ngx_atomic_t requests[HUST_CALL_COUNT + 1][HUST_HA_STATUS_CLASSES]; /* the last: no call */
    ngx_atomic_t latency[HUST_HA_CLASS_COUNT][HUST_HA_LATENCY_BOUNDS + 1];
    ngx_atomic_t latency_ms[HUST_HA_CLASS_COUNT];
} hust_ha_counters_t;

/* A node in shared memory, used by all workers without a lock, also after a reload. */
typedef struct hust_ha_health_s {
    hust_ha_traffic_t traffic[HUST_HA_PLACES];
    struct hust_ha_health_s *next; /* list of all, which only grows, under the zone's mutex */
    ngx_atomic_t down;
    ngx_atomic_t probe_failures; /* in a row */
    ngx_atomic_t probe_at_ms;    /* ngx_current_msec from which a worker may claim the next probe */
    ngx_atomic_t failures[HUST_HA_CAUSE_COUNT];
    /* A write has missed this node: until then it is behind, whatever its partners say. */
    ngx_atomic_t behind_until_ms;
    ngx_atomic_t
        heard_at_ms;        /* when it last said what hints it holds; 0: never, nothing is known */
    ngx_atomic_t ask_at_ms; /* from which a worker may claim to ask a node that has been silent */
    /* Hashes of the addresses that this node holds hints for; 0: a free place. */
    ngx_atomic_t backlog_count;
    ngx_atomic_t backlogs[HUST_BATCH_BACKLOGS_MAX];
    char address[HUST_ADDRESS_BYTES_MAX + 1];
    ngx_sockaddr_t sockaddr; /* what the name was last resolved to; under the zone's mutex */
    socklen_t socklen;
} hust_ha_health_t;

/* All that is in the zone. It stays as long as the master process, over reloads. */
typedef struct {
    hust_ha_counters_t counters[HUST_HA_PLACES];
    hust_ha_health_t *healths;
    ngx_atomic_t generation; /* of the table in force; 0: there is none yet */
    size_t table_bytes;      /* likewise, its JSON: changed and read under the zone's mutex */
    u_char *table;           /* HUST_HA_TABLE_BYTES_MAX */
} hust_ha_shared_t;

/* http {} */
typedef struct {
    ngx_str_t table_file;  /* full name; empty: not given */
    ngx_path_t *state_dir; /* NULL: not given */
    ngx_msec_t connect_timeout;
    ngx_msec_t timeout; /* without any progress */
    ngx_int_t read_lanes;
    ngx_int_t write_lanes;
    time_t ttl_maximum; /* seconds */

    hust_routing_t *routing; /* as the files have it; in force is what the zone has */
    ngx_addr_t *addresses;   /* of its peers */
    ngx_str_t state_file;    /* empty: not given */
    int64_t state_mtime_ns;  /* when the state file was read; 0: there was none */
    ngx_slab_pool_t *zone;
    hust_ha_shared_t *shared; /* in the zone */
    hust_ha_worker_t *worker; /* of this process */

    u_char *used_in_file; /* where hustdb_ha was first seen, or NULL */
    ngx_uint_t used_at_line;
} hust_ha_main_conf_t;

/* location {} */
typedef struct {
    ngx_flag_t admin;
    ngx_flag_t legacy_status;
} hust_ha_loc_conf_t;

/* An operation on its way to a node. Owned by the worker, whose free list it returns to. */
struct hust_ha_op_s {
    ngx_queue_t link; /* waiting at its peer, under way on a lane, or free */
    ngx_msec_t since; /* when it was queued */
    hust_ha_peer_t *peer;
    hust_ha_lane_t *lane; /* NULL while it waits */

    /*
     * Called exactly once unless the operation is abandoned: with its result, or with NULL and why.
     * The result's slices are good during the call. NULL: nobody wants to know.
     */
    void (*handler)(hust_ha_op_t *op, const hust_result_t *result, hust_failure_t failure);
    void *data; /* the handler's */

    hust_op_t op;          /* borrows from `data` until delivered or abandoned */
    const ngx_buf_t *body; /* follows op.value on the wire; borrowed likewise; or NULL */
    size_t body_bytes;
    hust_buf_t encoded;       /* used instead of `op` when that has no owner any more */
    unsigned is_forward : 1;  /* `encoded` is a URI: GET it, the reply is the result's value */
    size_t bytes;             /* on the wire */
    hust_ha_stream_t *stream; /* takes the value as it comes; or NULL */
    unsigned master;          /* the sender's */
};

typedef enum {
    HUST_HA_LANE_CLOSED,
    HUST_HA_LANE_IDLE,
    HUST_HA_LANE_CONNECTING,
    HUST_HA_LANE_SENDING,
    HUST_HA_LANE_RECEIVING,
} hust_ha_lane_state_t;

/* One connection to a node and the exchange on it. There is never more than one. */
struct hust_ha_lane_s {
    hust_ha_peer_t *peer;
    hust_ha_lane_kind_t kind;
    hust_ha_lane_state_t state;
    ngx_connection_t *connection; /* NULL when closed */

    ngx_queue_t ops; /* of the exchange, in order */
    ngx_uint_t op_count;
    unsigned writes : 1; /* some of them change something */
    unsigned reused : 1; /* the connection has carried an exchange before */

    hust_buf_t out;  /* HTTP head and batch, without a body that follows */
    size_t out_from; /* where in `out` the HTTP head begins */
    ngx_chain_t links[2];
    ngx_buf_t bufs[2];
    ngx_chain_t *unsent;
    off_t sent_before; /* connection->sent at the start of the exchange */

    hust_buf_t in; /* reply as received */
    hust_http_reply_t reply;
    unsigned has_reply : 1;   /* `reply` is parsed */
    hust_ha_stream_t *stream; /* takes the rest of the reply's body; or NULL */
    uint64_t streamed;        /* bytes of the body that are taken or skipped */
};

typedef struct {
    ngx_queue_t waiting; /* hust_ha_op_t */
    ngx_uint_t lane_count;
    hust_ha_lane_t *lanes; /* NULL until one is needed */
} hust_ha_lanes_t;

/* A worker keeps its peers to its end: a transaction may need one that has left the table. */
struct hust_ha_peer_s {
    ngx_queue_t known; /* in worker->known */
    hust_ha_worker_t *worker;
    const hust_peer_t *peer;
    ngx_sockaddr_t sockaddr;
    socklen_t socklen;
    ngx_str_t name; /* the address as text */
    hust_ha_health_t *health;
    uint64_t address_hash;
    hust_ha_lanes_t lanes[HUST_HA_LANE_KINDS];
    ngx_msec_t moved_at; /* when a large transfer of this worker last got on; 0: never */
    ngx_queue_t link;    /* in worker->dirty */
    unsigned dirty : 1;
    unsigned retired : 1; /* not in the table any more: keep no connection */
};

struct hust_ha_worker_s {
    hust_ha_main_conf_t *conf;
    ngx_pool_t *pool;
    ngx_log_t *log;
    ngx_log_t quiet_log; /* of lanes, whose failures we report ourselves */
    hust_clock_t clock;
    ngx_uint_t place;             /* of its counters */
    ngx_queue_t known;            /* every hust_ha_peer_t there ever was */
    ngx_atomic_uint_t generation; /* of the table that follows */
    hust_routing_t *routing;      /* owned */
    ngx_uint_t peer_count;
    hust_ha_peer_t **peers; /* of the table; the array is owned */
    ngx_queue_t dirty;      /* peers that have something to send */
    ngx_event_t flush;      /* posted: at the end of this turn of the event loop */
    ngx_event_t probe;      /* timer: nodes that are down, and those that have been silent */
    ngx_queue_t free_ops;
};

/* What the variables say of a request: the context that nginx keeps for it, or NULL. */
typedef struct {
    hust_ha_peer_t *answered[2]; /* in the order of their first answers */
    unsigned answered_count;
    unsigned bucket;
    ngx_uint_t status; /* before it was folded; 0: none yet */
    unsigned has_bucket : 1;
    unsigned missed : 1; /* a master missed the write */
} hust_ha_trace_t;

/* A request on its way. Allocated from its pool. */
struct hust_ha_transaction_s {
    hust_ha_trace_t trace; /* first, so that the context is the transaction as well */
    ngx_http_request_t *request;
    hust_ha_worker_t *worker;
    const hust_call_t *call;
    hust_params_t params;
    hust_buf_t scratch; /* decoded parameters */
    hust_conditions_t conditions;
    char number[24];
    hust_slice_t body; /* data NULL and a length: it is in body_file */
    ngx_buf_t *body_file;
    hust_op_t op;
    hust_ha_peer_t *masters[2]; /* of the table in force when it started */
    hust_coord_t coord;
    hust_ha_op_t *ops[2]; /* under way, by master */
    ngx_event_t timer;
    unsigned begun : 1; /* the coordinator is at work */
    ngx_uint_t restarts;
    hust_ha_stream_t *stream; /* or NULL */
};

extern ngx_module_t ngx_http_hustdb_ha_module;

/* ---- helpers ---- */

static inline hust_slice_t hust_ha_slice(ngx_str_t text)
{
    return hust_slice_of(text.data, text.len);
}

/* The wall clock, as of this turn of the event loop. */
static inline uint64_t hust_ha_wall_ms(void)
{
    ngx_time_t *now = ngx_timeofday();
    return (uint64_t)now->sec * 1000 + (uint64_t)now->msec;
}

/* ---- handler ---- */

ngx_int_t hust_ha_handler(ngx_http_request_t *r);

/* The call of a request; NULL: there is none of that name here. */
const hust_call_t *hust_ha_find_call(ngx_http_request_t *r);

/* Of the log phase: counts what the handler has answered. */
ngx_int_t hust_ha_log_handler(ngx_http_request_t *r);

/* The length of a body that has been read. */
size_t hust_ha_body_bytes(ngx_http_request_t *r);

/* A body that has been read, in one piece of memory that lives as long as the request. */
ngx_int_t hust_ha_body_load(ngx_http_request_t *r, hust_slice_t *out);

/* ---- transaction ---- */

/* A new transaction of `r`, which cleans up after itself when the request ends; NULL: no memory. */
hust_ha_transaction_t *hust_ha_transaction_create(ngx_http_request_t *r, const hust_call_t *call);

/* Start, or start again. Finalizes the request now or later. */
void hust_ha_transaction_start(hust_ha_transaction_t *transaction);

/* Start again because a value changed while it was to be sent; 503 after too many times. */
void hust_ha_transaction_restart(hust_ha_transaction_t *transaction);

/* ---- answer ---- */

/* Send status, headers and body of a finished transaction, and finalize its request. */
void hust_ha_answer_finish(hust_ha_transaction_t *transaction);

/* Status and headers of an answer that has no error text; as ngx_http_send_header. */
ngx_int_t hust_ha_answer_send_header(ngx_http_request_t *r, const hust_answer_t *answer);

/* A whole response with a body that lives as long as the request. Returns what finalizes. */
ngx_int_t hust_ha_respond(ngx_http_request_t *r, ngx_uint_t status, const char *type,
                          hust_slice_t body);

/* An error with one line of text, which is copied; a newline is added where it is missing. */
ngx_int_t hust_ha_respond_error(ngx_http_request_t *r, ngx_uint_t status, const char *text);

/* Add a response header; the value is copied. */
ngx_int_t hust_ha_add_header(ngx_http_request_t *r, const char *name, hust_slice_t value);

/* ---- forward ---- */

/* Calls of the class ONE_NODE. Returns what finalizes the request. */
ngx_int_t hust_ha_forward(ngx_http_request_t *r, const hust_call_t *call, unsigned method);

/* ---- local ---- */

/* Calls of the classes LOCAL and ADMIN. Returns what finalizes the request. */
ngx_int_t hust_ha_local(ngx_http_request_t *r, const hust_call_t *call);

/* May this client use operators' calls? */
bool hust_ha_is_admin(ngx_http_request_t *r);

/* ---- counters ---- */

/* Upper bounds of the histogram of latencies. */
extern const ngx_msec_t hust_ha_latency_bounds_ms[HUST_HA_LATENCY_BOUNDS];

/* A place for this process. */
ngx_uint_t hust_ha_counters_claim(hust_ha_shared_t *shared);
void hust_ha_counters_release(hust_ha_shared_t *shared, ngx_uint_t place);

/* A request has been answered. `call` NULL: it was none of ours. */
void hust_ha_counters_request(hust_ha_worker_t *worker, const hust_call_t *call, ngx_uint_t status,
                              ngx_msec_t latency_ms);

/* A batch leaves. */
void hust_ha_counters_batch(hust_ha_peer_t *peer, ngx_uint_t op_count);

/* So many more, or less. */
void hust_ha_counters_lanes(hust_ha_peer_t *peer, ngx_atomic_int_t open, ngx_atomic_int_t busy);

/* ---- variables ---- */

/* Make the variables known. */
ngx_int_t hust_ha_variables_add(ngx_conf_t *cf);

/* A node has given a result. */
void hust_ha_trace_answered(hust_ha_trace_t *trace, hust_ha_peer_t *peer);

/* ---- metrics ---- */

/* The call. Returns what finalizes the request. */
ngx_int_t hust_ha_metrics(ngx_http_request_t *r);

/* ---- set_table ---- */

/* The call: reads its body. Returns what finalizes the request. */
ngx_int_t hust_ha_set_table(ngx_http_request_t *r);

/* ---- table ---- */

/* At configuration: read and check the newer file, resolve the nodes' names, ask for the zone. */
ngx_int_t hust_ha_table_load(ngx_conf_t *cf, hust_ha_main_conf_t *conf);

/* The configuration is accepted: put its table in force, unless set_table has overtaken it. */
void hust_ha_table_commit(hust_ha_main_conf_t *conf);

/*
 * The addresses of the routing's peers, from `pool`; NULL, with a line in `message`, if a name has
 * none. Asks the system's resolver, and waits for it.
 */
ngx_addr_t *hust_ha_table_resolve(ngx_pool_t *pool, const hust_routing_t *routing,
                                  char message[HUST_ROUTING_MESSAGE_BYTES]);

/* Put a table in force; the zone must know its nodes. Takes the zone's mutex. */
void hust_ha_table_publish(hust_ha_main_conf_t *conf, hust_slice_t json);

/* Go over to the table in force. After an error the worker goes on with the one it has. */
ngx_int_t hust_ha_table_adopt(hust_ha_worker_t *worker);

/* ---- stream ---- */

/* Send the answer of a transaction some values of which are large. Finalizes in the end. */
void hust_ha_stream_start(hust_ha_transaction_t *transaction, const hust_answer_t *answer);

/* The lane has received up to the value, which begins at lane->streamed of the reply's body. */
void hust_ha_stream_opened(hust_ha_stream_t *stream, hust_ha_lane_t *lane, uint64_t value_bytes);

/* More has come, or may have. */
void hust_ha_stream_pump(hust_ha_stream_t *stream);

/* The request is gone. */
void hust_ha_stream_cancel(hust_ha_stream_t *stream);

/* ---- peer ---- */

/* A free operation of the worker; NULL: no memory. */
hust_ha_op_t *hust_ha_op_create(hust_ha_peer_t *peer);

/* Queue an operation: it leaves at the end of this turn, or when a lane is free. */
void hust_ha_op_send(hust_ha_op_t *op);

/* Make the operation independent of its sender, who wants no result; false: no memory. */
bool hust_ha_op_own(hust_ha_op_t *op);

/* Its owner goes away: no handler is called any more, nothing borrowed is touched. */
void hust_ha_op_abandon(hust_ha_op_t *op);

/* Deliver the result, or with NULL the failure, and free the operation. */
void hust_ha_op_finish(hust_ha_op_t *op, const hust_result_t *result, hust_failure_t failure);

/*
 * The worker of this process, made when first needed, with the table that is in force now; NULL: no
 * memory.
 */
hust_ha_worker_t *hust_ha_worker(hust_ha_main_conf_t *conf);
void hust_ha_worker_free(hust_ha_worker_t *worker);

/* The worker's peer of that address, which the zone must know; NULL: no memory. */
hust_ha_peer_t *hust_ha_peer_get(hust_ha_worker_t *worker, const hust_peer_t *named);

/* The peer has left the table: close what is idle. */
void hust_ha_peer_retire(hust_ha_peer_t *peer);

/* Give up operations that have waited too long for a lane that others hold. */
void hust_ha_peer_expire(hust_ha_peer_t *peer);

/* True for lanes that carry one operation at a time. */
static inline bool hust_ha_lane_is_single(hust_ha_lane_kind_t kind)
{
    return kind == HUST_HA_LANE_LARGE || kind == HUST_HA_LANE_STREAM;
}

/* A lane got bytes on their way: the node is alive, however long it takes for the rest. */
static inline void hust_ha_lane_moved(const hust_ha_lane_t *lane)
{
    if (hust_ha_lane_is_single(lane->kind)) {
        lane->peer->moved_at = ngx_current_msec == 0 ? 1 : ngx_current_msec;
    }
}

/* Look at the peer's queues at the end of this turn. */
void hust_ha_peer_touch(hust_ha_peer_t *peer);

/* ---- lane ---- */

/* An idle or closed lane of this kind; NULL: all are busy. */
hust_ha_lane_t *hust_ha_lane_get(hust_ha_peer_t *peer, hust_ha_lane_kind_t kind);

/* Start a new exchange: begins `out`. False: no memory. */
bool hust_ha_lane_begin(hust_ha_lane_t *lane);

/* Add an operation, which then belongs to the lane. False: no memory. */
bool hust_ha_lane_add(hust_ha_lane_t *lane, hust_ha_op_t *op);

/* Send what was added. Ends in handlers called, at once or later. */
void hust_ha_lane_send(hust_ha_lane_t *lane);

/* Give the exchange up: close, free its operations, call nobody. */
void hust_ha_lane_abort(hust_ha_lane_t *lane);

/* Close an idle lane. */
void hust_ha_lane_close_idle(hust_ha_lane_t *lane);

/*
 * For streams: the next bytes of the reply's body. Returns their number, NGX_AGAIN (the stream
 * will be pumped), or NGX_ERROR: the lane has failed, handlers have been called, return at once.
 */
ssize_t hust_ha_lane_pull(hust_ha_lane_t *lane, u_char *to, size_t size);

/* For streams: stop the clock while the client is what we wait for. */
void hust_ha_lane_pause(hust_ha_lane_t *lane);

/* For streams: the whole reply has been taken; the lane is free, its operation too. */
void hust_ha_lane_streamed(hust_ha_lane_t *lane);

/* ---- health ---- */

/* Ask for the zone. */
ngx_int_t hust_ha_health_add_zone(ngx_conf_t *cf, hust_ha_main_conf_t *conf);

/* Make the routing's nodes known to the zone, with their addresses. NGX_ERROR: no room. */
ngx_int_t hust_ha_health_enter(hust_ha_main_conf_t *conf, const hust_routing_t *routing,
                               const ngx_addr_t *addresses);

/* A node that the zone knows, else NULL. Under the zone's mutex. */
hust_ha_health_t *hust_ha_health_find(const hust_ha_shared_t *shared, const char *address);

static inline bool hust_ha_health_is_down(const hust_ha_peer_t *peer)
{
    return peer->health->down != 0;
}

/* How the coordinator should see `peer`, whose partner for the element is `partner`. */
hust_master_state_t hust_ha_health_state(const hust_ha_peer_t *peer, const hust_ha_peer_t *partner);

/* Something failed: count, log, mark down where the cause says so. `err`: errno or 0. */
void hust_ha_health_failed(hust_ha_peer_t *peer, hust_ha_cause_t cause, ngx_err_t err);

/* A reply's head: what the node holds hints for. */
void hust_ha_health_see(hust_ha_peer_t *peer, const hust_batch_reply_head_t *head);

/* A write was acknowledged without this node: it is behind until a hint has been delivered. */
void hust_ha_health_missed(hust_ha_peer_t *peer);

/* The end of a probe. */
void hust_ha_health_probed(hust_ha_peer_t *peer, bool alive);

/* The worker's timer: ask the nodes that are down, and those that have not been heard lately. */
void hust_ha_health_probe_handler(ngx_event_t *event);

/*
 * True as soon as the node has said once what hints it holds, or cannot be asked. Before that
 * nobody knows whether its partner is catching up.
 */
static inline bool hust_ha_health_is_known(const hust_ha_peer_t *peer)
{
    return peer->health->heard_at_ms != 0 || peer->health->down != 0;
}

/* Never 0: stands for an address in the list of backlogs. */
uint64_t hust_ha_health_hash(hust_slice_t address);

#endif /* NGX_HTTP_HUSTDB_HA_H */
