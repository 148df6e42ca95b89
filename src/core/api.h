/*
 * The one description of the API: every call with its names, methods, parameters and meaning.
 * Routing, parameter checks, `Allow`, metrics and tests are made from it; adding a call is adding
 * a row in api.c.
 */
#ifndef HUST_API_H
#define HUST_API_H

#include "core/element.h"
#include "core/op.h"
#include "core/slice.h"

/* Bits of a method mask. */
enum {
    HUST_METHOD_GET = 1 << 0,
    HUST_METHOD_HEAD = 1 << 1,
    HUST_METHOD_POST = 1 << 2,
    HUST_METHOD_PUT = 1 << 3,
    HUST_METHOD_DELETE = 1 << 4,
};

/* How HA treats a call. */
typedef enum {
    HUST_CLASS_READ,     /* one master answers, the other stands in */
    HUST_CLASS_READ2,    /* both masters are asked and compared */
    HUST_CLASS_WRITE,    /* both masters get it */
    HUST_CLASS_ONE_NODE, /* the node named by `peer` */
    HUST_CLASS_ADMIN,    /* only where hustdb_ha_admin is on */
    HUST_CLASS_LOCAL,    /* answered by the program itself */
    HUST_CLASS_CACHE,    /* the cache in memory: no versions, no types but its own two */
} hust_class_t;

/* How a call answers: what its success body and special headers are. */
typedef enum {
    HUST_REPLY_VALUE,    /* the value, with Version and ETag */
    HUST_REPLY_PRESENCE, /* no body */
    HUST_REPLY_STORED,   /* no body; Version */
    HUST_REPLY_NUMBER,   /* the resulting number; Version */
    HUST_REPLY_OTHER,    /* the handler's own */
} hust_reply_t;

typedef enum {
    HUST_PARAM_KEY,
    HUST_PARAM_VAL,
    HUST_PARAM_TB,
    HUST_PARAM_TTL,
    HUST_PARAM_VER,
    HUST_PARAM_SCORE,
    HUST_PARAM_OPT,
    HUST_PARAM_PEER,
    HUST_PARAM_HOST,
    HUST_PARAM_METHOD,
    HUST_PARAM_OFFSET,
    HUST_PARAM_SIZE,
    HUST_PARAM_CURSOR,
    HUST_PARAM_START,
    HUST_PARAM_END,
    HUST_PARAM_NOVAL,
    HUST_PARAM_ASYNC,
    HUST_PARAM_DESC,
    HUST_PARAM_MIN,
    HUST_PARAM_MAX,
    HUST_PARAM_FILE,
    HUST_PARAM_COUNT,
} hust_param_id_t;

/* How a parameter takes part in a call. */
typedef enum {
    HUST_PRESENCE_UNUSED = 0,
    HUST_PRESENCE_OPTIONAL,
    HUST_PRESENCE_REQUIRED,
    HUST_PRESENCE_OR_BODY, /* required; the body of a POST, PUT or DELETE may stand for it */
    HUST_PRESENCE_AT_HA,   /* required at HA, unknown (and so ignored) at a node */
} hust_presence_t;

/* Where a call exists. */
enum {
    HUST_AT_NODE = 1 << 0,      /* as /hustdb/<name> */
    HUST_AT_HA = 1 << 1,        /* as /<name> */
    HUST_AT_NODE_ROOT = 1 << 2, /* as /<name> at the node: status.html, version, metrics */
    HUST_AT_CACHE = 1 << 3,     /* as /hustcache/<name> at the node, as /cache/<name> at HA */
};

typedef enum {
#define HUST_CALL_MAP(X)                                                                           \
    X(PUT, put)                                                                                    \
    X(GET, get) X(EXIST, exist) X(DEL, del) X(HSET, hset) X(HGET, hget) X(HEXIST, hexist)          \
        X(HDEL, hdel) X(HINCRBY, hincrby) X(SADD, sadd) X(SREM, srem) X(SISMEMBER, sismember)      \
            X(ZADD, zadd) X(ZREM, zrem) X(ZSCORE, zscore) X(ZISMEMBER, zismember) X(GET2, get2)    \
                X(HGET2, hget2) X(ZSCORE2, zscore2) X(SISMEMBER2, sismember2) X(EXIST2, exist2)    \
                    X(HEXIST2, hexist2) X(ZISMEMBER2, zismember2) X(BINLOG, binlog)                \
                        X(BATCH, batch) X(STAT, stat) X(STAT_ALL, stat_all)                        \
                            X(FILE_COUNT, file_count) X(SYNC_STATUS, sync_status)                  \
                                X(PEER_COUNT, peer_count) X(GET_TABLE, get_table)                  \
                                    X(SET_TABLE, set_table) X(SYNC_ALIVE, sync_alive)              \
                                        X(METRICS, metrics) X(VERSION, version)                    \
                                            X(STATUS, status.html) X(KEYS, keys) X(HKEYS, hkeys)   \
                                                X(SMEMBERS, smembers)                              \
                                                    X(ZRANGEBYRANK, zrangebyrank)                  \
                                                        X(ZRANGEBYSCORE, zrangebyscore)
/* Those of the cache: a name space of their own. */
#define HUST_CACHE_CALL_MAP(X)                                                                     \
    X(CACHE_EXIST, exist)                                                                          \
    X(CACHE_GET, get) X(CACHE_TTL, ttl) X(CACHE_DEL, del) X(CACHE_PERSIST, persist)                \
        X(CACHE_PUT, put) X(CACHE_APPEND, append) X(CACHE_EXPIRE, expire) X(CACHE_HEXIST, hexist)  \
            X(CACHE_HGET, hget) X(CACHE_HDEL, hdel) X(CACHE_HSET, hset) X(CACHE_HINCRBY, hincrby)  \
                X(CACHE_HINCRBYFLOAT, hincrbyfloat)
#define HUST_CALL_ENUM(id, name) HUST_CALL_##id,
    HUST_CALL_MAP(HUST_CALL_ENUM) HUST_CACHE_CALL_MAP(HUST_CALL_ENUM)
#undef HUST_CALL_ENUM
        HUST_CALL_COUNT,
} hust_call_id_t;

typedef struct {
    hust_call_id_t id;
    const char *name; /* last part of the URI */
    unsigned where;   /* HUST_AT_* */
    hust_class_t class_;
    unsigned methods;    /* HUST_METHOD_* */
    hust_type_t type;    /* of the element; 0 where the call has none */
    hust_op_code_t code; /* for read, read2 and write: the operation; 0 otherwise */
    hust_reply_t reply;
    uint8_t presence[HUST_PARAM_COUNT]; /* hust_presence_t by hust_param_id_t */
} hust_call_t;

/* The row of a call; never NULL for an id below HUST_CALL_COUNT. */
const hust_call_t *hust_call(hust_call_id_t id);

/*
 * Look a path up as seen by one program: `where` is HUST_AT_HA (path "/get2") or
 * HUST_AT_NODE | HUST_AT_NODE_ROOT ("/hustdb/get", "/version"), with HUST_AT_CACHE if the program
 * offers the cache ("/cache/get", "/hustcache/get"). NULL: unknown path, 404.
 */
const hust_call_t *hust_call_find(unsigned where, hust_slice_t path);

/* The bit of a method name ("GET"), 0 if there is none. */
unsigned hust_method_bit(hust_slice_t name);

/* The value of `Allow` for a call, a constant-size text written to `out`, NUL-terminated. */
void hust_call_allow(const hust_call_t *call, char out[64]);

/* The query name of a parameter: "key". */
const char *hust_param_name(hust_param_id_t id);

#endif /* HUST_API_H */
