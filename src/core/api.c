#include "core/api.h"

#include <assert.h>
#include <stdio.h>

enum {
    AT_BOTH = HUST_AT_NODE | HUST_AT_HA,
    GET = HUST_METHOD_GET,
    GET_HEAD = HUST_METHOD_GET | HUST_METHOD_HEAD,
    GET_POST = HUST_METHOD_GET | HUST_METHOD_POST,
    GET_POST_HEAD = HUST_METHOD_GET | HUST_METHOD_POST | HUST_METHOD_HEAD,
    GET_POST_PUT = HUST_METHOD_GET | HUST_METHOD_POST | HUST_METHOD_PUT,
    GET_POST_DELETE = HUST_METHOD_GET | HUST_METHOD_POST | HUST_METHOD_DELETE,
    POST = HUST_METHOD_POST,
};

enum { ALLOW_CHARS_MAX = 64 };

/* Presences, as columns of the table below. */
#define KEY [HUST_PARAM_KEY] = HUST_PRESENCE_REQUIRED
#define KEY_OR_BODY [HUST_PARAM_KEY] = HUST_PRESENCE_OR_BODY
#define VAL [HUST_PARAM_VAL] = HUST_PRESENCE_REQUIRED
#define VAL_OR_BODY [HUST_PARAM_VAL] = HUST_PRESENCE_OR_BODY
#define TB [HUST_PARAM_TB] = HUST_PRESENCE_REQUIRED
#define TB_OPTIONAL [HUST_PARAM_TB] = HUST_PRESENCE_OPTIONAL
#define TTL [HUST_PARAM_TTL] = HUST_PRESENCE_OPTIONAL
#define TTL_REQUIRED [HUST_PARAM_TTL] = HUST_PRESENCE_REQUIRED
#define VER [HUST_PARAM_VER] = HUST_PRESENCE_OPTIONAL
#define SCORE [HUST_PARAM_SCORE] = HUST_PRESENCE_REQUIRED
#define OPT [HUST_PARAM_OPT] = HUST_PRESENCE_OPTIONAL
#define PEER [HUST_PARAM_PEER] = HUST_PRESENCE_AT_HA
#define HOST [HUST_PARAM_HOST] = HUST_PRESENCE_REQUIRED
#define METHOD [HUST_PARAM_METHOD] = HUST_PRESENCE_REQUIRED
#define MIN_MAX [HUST_PARAM_MIN] = HUST_PRESENCE_REQUIRED, [HUST_PARAM_MAX] = HUST_PRESENCE_REQUIRED
#define FILE_ [HUST_PARAM_FILE] = HUST_PRESENCE_REQUIRED
#define ASYNC [HUST_PARAM_ASYNC] = HUST_PRESENCE_OPTIONAL
#define DESC [HUST_PARAM_DESC] = HUST_PRESENCE_OPTIONAL
/* What every listing has; of offset and cursor exactly one must be given. */
#define PAGE                                                                                       \
    [HUST_PARAM_OFFSET] = HUST_PRESENCE_OPTIONAL, [HUST_PARAM_CURSOR] = HUST_PRESENCE_OPTIONAL,    \
    [HUST_PARAM_SIZE] = HUST_PRESENCE_REQUIRED, [HUST_PARAM_START] = HUST_PRESENCE_OPTIONAL,       \
    [HUST_PARAM_END] = HUST_PRESENCE_OPTIONAL, [HUST_PARAM_NOVAL] = HUST_PRESENCE_OPTIONAL

/* clang-format off */
#define ROW(id, name, where, class_, methods, type, code, reply, ...)                              \
    [HUST_CALL_##id] = {HUST_CALL_##id, name, where, HUST_CLASS_##class_, methods, type, code,     \
                        HUST_REPLY_##reply, {__VA_ARGS__}}
#define READ(id, name, methods, type, reply, ...)                                                  \
    ROW(id, name, AT_BOTH, READ, methods, HUST_TYPE_##type, HUST_OP_GET, reply, __VA_ARGS__)
#define READ2(id, name, methods, type, reply, ...)                                                 \
    ROW(id, name, HUST_AT_HA, READ2, methods, HUST_TYPE_##type, HUST_OP_GET, reply, __VA_ARGS__)
#define WRITE(id, name, methods, type, code, reply, ...)                                           \
    ROW(id, name, AT_BOTH, WRITE, methods, HUST_TYPE_##type, HUST_OP_##code, reply, __VA_ARGS__)
#define ONE_NODE(id, name, ...) ROW(id, name, AT_BOTH, ONE_NODE, GET, 0, 0, OTHER, __VA_ARGS__)
#define OTHER(id, name, where, class_, methods, ...)                                               \
    ROW(id, name, where, class_, methods, 0, 0, OTHER, __VA_ARGS__)
#define CACHE(id, name, methods, ...)                                                              \
    ROW(CACHE_##id, name, HUST_AT_CACHE, CACHE, methods, 0, 0, OTHER, __VA_ARGS__)

static const hust_call_t calls[HUST_CALL_COUNT] = {
    WRITE(PUT, "put", GET_POST_PUT, KV, PUT, STORED, KEY, VAL_OR_BODY, TTL, VER),
    READ(GET, "get", GET_HEAD, KV, VALUE, KEY),
    READ(EXIST, "exist", GET_HEAD, KV, PRESENCE, KEY),
    WRITE(DEL, "del", GET_POST_DELETE, KV, DEL, STORED, KEY, VER),
    WRITE(HSET, "hset", GET_POST_PUT, HASH, PUT, STORED, TB, KEY, VAL_OR_BODY, TTL, VER),
    READ(HGET, "hget", GET_HEAD, HASH, VALUE, TB, KEY),
    READ(HEXIST, "hexist", GET_HEAD, HASH, PRESENCE, TB, KEY),
    WRITE(HDEL, "hdel", GET_POST_DELETE, HASH, DEL, STORED, TB, KEY, VER),
    WRITE(HINCRBY, "hincrby", GET_POST, HASH, INCR, NUMBER, TB, KEY, VAL, TTL, VER),
    WRITE(SADD, "sadd", GET_POST, SET, PUT, STORED, TB, KEY_OR_BODY, TTL, VER),
    WRITE(SREM, "srem", GET_POST_DELETE, SET, DEL, STORED, TB, KEY_OR_BODY, VER),
    READ(SISMEMBER, "sismember", GET_POST_HEAD, SET, PRESENCE, TB, KEY_OR_BODY),
    WRITE(ZADD, "zadd", GET_POST, ZSET, PUT, NUMBER, TB, SCORE, KEY_OR_BODY, OPT, TTL, VER),
    WRITE(ZREM, "zrem", GET_POST_DELETE, ZSET, DEL, STORED, TB, KEY_OR_BODY, VER),
    READ(ZSCORE, "zscore", GET_POST_HEAD, ZSET, VALUE, TB, KEY_OR_BODY),
    READ(ZISMEMBER, "zismember", GET_POST_HEAD, ZSET, PRESENCE, TB, KEY_OR_BODY),

    READ2(GET2, "get2", GET_HEAD, KV, VALUE, KEY),
    READ2(HGET2, "hget2", GET_HEAD, HASH, VALUE, TB, KEY),
    READ2(ZSCORE2, "zscore2", GET_POST_HEAD, ZSET, VALUE, TB, KEY_OR_BODY),
    READ2(SISMEMBER2, "sismember2", GET_POST_HEAD, SET, PRESENCE, TB, KEY_OR_BODY),
    READ2(EXIST2, "exist2", GET_HEAD, KV, PRESENCE, KEY),
    READ2(HEXIST2, "hexist2", GET_HEAD, HASH, PRESENCE, TB, KEY),
    READ2(ZISMEMBER2, "zismember2", GET_POST_HEAD, ZSET, PRESENCE, TB, KEY_OR_BODY),

    OTHER(BINLOG, "binlog", HUST_AT_NODE, LOCAL, GET_POST, HOST, METHOD, TB_OPTIONAL, KEY_OR_BODY),
    OTHER(BATCH, "batch", HUST_AT_NODE, LOCAL, POST),
    ONE_NODE(STAT, "stat", TB_OPTIONAL, PEER),
    ONE_NODE(STAT_ALL, "stat_all", PEER),
    OTHER(KEYS, "keys", HUST_AT_NODE, ONE_NODE, GET, FILE_, PAGE, ASYNC, PEER),
    OTHER(HKEYS, "hkeys", HUST_AT_NODE, ONE_NODE, GET, TB, PAGE, ASYNC, PEER),
    OTHER(SMEMBERS, "smembers", HUST_AT_NODE, ONE_NODE, GET, TB, PAGE, ASYNC, PEER),
    OTHER(ZRANGEBYRANK, "zrangebyrank", HUST_AT_NODE, LOCAL, GET, TB, PAGE, ASYNC, DESC),
    OTHER(ZRANGEBYSCORE, "zrangebyscore", HUST_AT_NODE, LOCAL, GET, TB, MIN_MAX, PAGE, DESC),
    ONE_NODE(FILE_COUNT, "file_count", PEER),
    OTHER(SYNC_STATUS, "sync_status", HUST_AT_NODE, LOCAL, GET),
    OTHER(PEER_COUNT, "peer_count", HUST_AT_HA, LOCAL, GET),
    OTHER(GET_TABLE, "get_table", HUST_AT_HA, ADMIN, GET),
    OTHER(SET_TABLE, "set_table", HUST_AT_HA, ADMIN, POST),
    OTHER(SYNC_ALIVE, "sync_alive", HUST_AT_HA, LOCAL, GET),
    OTHER(METRICS, "metrics", HUST_AT_HA, LOCAL, GET),
    OTHER(VERSION, "version", HUST_AT_HA | HUST_AT_NODE_ROOT, LOCAL, GET_HEAD),
    OTHER(STATUS, "status.html", HUST_AT_HA | HUST_AT_NODE_ROOT, LOCAL, GET_HEAD),

    CACHE(EXIST, "exist", GET, KEY),
    CACHE(GET, "get", GET, KEY),
    CACHE(TTL, "ttl", GET, KEY),
    CACHE(DEL, "del", GET, KEY),
    CACHE(PERSIST, "persist", GET, KEY),
    CACHE(PUT, "put", GET_POST_PUT, KEY, VAL_OR_BODY, TTL),
    CACHE(APPEND, "append", GET_POST_PUT, KEY, VAL_OR_BODY),
    CACHE(EXPIRE, "expire", GET, KEY, TTL_REQUIRED),
    CACHE(HEXIST, "hexist", GET, TB, KEY),
    CACHE(HGET, "hget", GET, TB, KEY),
    CACHE(HDEL, "hdel", GET, TB, KEY),
    CACHE(HSET, "hset", GET_POST_PUT, TB, KEY, VAL_OR_BODY),
    CACHE(HINCRBY, "hincrby", GET, TB, KEY, VAL),
    CACHE(HINCRBYFLOAT, "hincrbyfloat", GET, TB, KEY, VAL),
};

/* Every call in the order of its name's bytes, for the binary search of every request. */
static const uint8_t by_name[] = {
    HUST_CALL_BATCH, HUST_CALL_BINLOG, HUST_CALL_DEL, HUST_CALL_EXIST, HUST_CALL_EXIST2,
    HUST_CALL_FILE_COUNT, HUST_CALL_GET, HUST_CALL_GET2, HUST_CALL_GET_TABLE, HUST_CALL_HDEL,
    HUST_CALL_HEXIST, HUST_CALL_HEXIST2, HUST_CALL_HGET, HUST_CALL_HGET2, HUST_CALL_HINCRBY,
    HUST_CALL_HKEYS, HUST_CALL_HSET, HUST_CALL_KEYS, HUST_CALL_METRICS, HUST_CALL_PEER_COUNT,
    HUST_CALL_PUT, HUST_CALL_SADD, HUST_CALL_SET_TABLE, HUST_CALL_SISMEMBER, HUST_CALL_SISMEMBER2,
    HUST_CALL_SMEMBERS, HUST_CALL_SREM, HUST_CALL_STAT, HUST_CALL_STAT_ALL, HUST_CALL_STATUS,
    HUST_CALL_SYNC_ALIVE, HUST_CALL_SYNC_STATUS, HUST_CALL_VERSION, HUST_CALL_ZADD,
    HUST_CALL_ZISMEMBER,
    HUST_CALL_ZISMEMBER2, HUST_CALL_ZRANGEBYRANK, HUST_CALL_ZRANGEBYSCORE, HUST_CALL_ZREM,
    HUST_CALL_ZSCORE, HUST_CALL_ZSCORE2,
};

/* The same of the calls of the cache. */
static const uint8_t cache_by_name[] = {
    HUST_CALL_CACHE_APPEND, HUST_CALL_CACHE_DEL, HUST_CALL_CACHE_EXIST, HUST_CALL_CACHE_EXPIRE,
    HUST_CALL_CACHE_GET, HUST_CALL_CACHE_HDEL, HUST_CALL_CACHE_HEXIST, HUST_CALL_CACHE_HGET,
    HUST_CALL_CACHE_HINCRBY, HUST_CALL_CACHE_HINCRBYFLOAT, HUST_CALL_CACHE_HSET,
    HUST_CALL_CACHE_PERSIST, HUST_CALL_CACHE_PUT, HUST_CALL_CACHE_TTL,
};
/* clang-format on */

_Static_assert(sizeof(by_name) + sizeof(cache_by_name) == HUST_CALL_COUNT, "a call is missing");

/* The names with their lengths, so that the search measures none. */
static const hust_slice_t names[HUST_CALL_COUNT] = {
#define NAME(id, name) [HUST_CALL_##id] = {(const uint8_t *)#name, sizeof(#name) - 1},
    HUST_CALL_MAP(NAME) HUST_CACHE_CALL_MAP(NAME)
#undef NAME
};

const hust_call_t *hust_call(hust_call_id_t id)
{
    assert((unsigned)id < HUST_CALL_COUNT);
    assert(calls[id].name != NULL);
    return &calls[id];
}

/* Search one of the two lists above. */
static const hust_call_t *find_name(const uint8_t *sorted, size_t count, hust_slice_t name)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = hust_slice_compare(name, names[sorted[middle]]);
        if (order == 0) {
            return &calls[sorted[middle]];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    assert(low == high);
    return NULL;
}

/* Take a prefix off a path; false if the path does not begin with it. */
static bool take_prefix(hust_slice_t *path, const char *prefix, size_t len)
{
    if (path->len < len || memcmp(path->data, prefix, len) != 0) {
        return false;
    }
    *path = hust_slice_of(path->data + len, path->len - len);
    return true;
}

static bool take_cache_prefix(unsigned where, hust_slice_t *path)
{
    static const char at_node[] = "/hustcache/";
    static const char at_ha[] = "/cache/";
    if ((where & HUST_AT_CACHE) == 0) {
        return false;
    }
    return (where & HUST_AT_HA) != 0 ? take_prefix(path, at_ha, sizeof(at_ha) - 1)
                                     : take_prefix(path, at_node, sizeof(at_node) - 1);
}

const hust_call_t *hust_call_find(unsigned where, hust_slice_t path)
{
    static const char node_prefix[] = "/hustdb/";
    unsigned program = where & ~(unsigned)HUST_AT_CACHE;
    unsigned place = HUST_AT_HA;
    assert(program == HUST_AT_HA || program == (HUST_AT_NODE | HUST_AT_NODE_ROOT));
    if (take_cache_prefix(where, &path)) {
        return find_name(cache_by_name, sizeof(cache_by_name), path);
    }
    if (program != HUST_AT_HA && take_prefix(&path, node_prefix, sizeof(node_prefix) - 1)) {
        place = HUST_AT_NODE;
    } else if (take_prefix(&path, "/", 1)) {
        place = where & (HUST_AT_HA | HUST_AT_NODE_ROOT);
    } else {
        return NULL;
    }
    const hust_call_t *call = find_name(by_name, sizeof(by_name), path);
    assert(call == NULL || hust_call(call->id) == call);
    return call != NULL && (call->where & place) != 0 ? call : NULL;
}

static const struct {
    unsigned bit;
    const char *name;
} methods[] = {
    {HUST_METHOD_GET, "GET"}, {HUST_METHOD_HEAD, "HEAD"},     {HUST_METHOD_POST, "POST"},
    {HUST_METHOD_PUT, "PUT"}, {HUST_METHOD_DELETE, "DELETE"},
};

enum { METHOD_COUNT = sizeof(methods) / sizeof(methods[0]) };

unsigned hust_method_bit(hust_slice_t name)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (hust_slice_equal(name, hust_slice_str(methods[i].name))) {
            return methods[i].bit;
        }
    }
    return 0;
}

void hust_call_allow(const hust_call_t *call, char out[64])
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if ((call->methods & methods[i].bit) != 0) {
            int added = snprintf(out + len, ALLOW_CHARS_MAX - len, "%s%s", len == 0 ? "" : ", ",
                                 methods[i].name);
            assert(added > 0 && len + (size_t)added < ALLOW_CHARS_MAX);
            len += (size_t)added;
        }
    }
    assert(len > 0);
}

const char *hust_param_name(hust_param_id_t id)
{
    static const char *const texts[HUST_PARAM_COUNT] = {
        [HUST_PARAM_KEY] = "key",       [HUST_PARAM_VAL] = "val",
        [HUST_PARAM_TB] = "tb",         [HUST_PARAM_TTL] = "ttl",
        [HUST_PARAM_VER] = "ver",       [HUST_PARAM_SCORE] = "score",
        [HUST_PARAM_OPT] = "opt",       [HUST_PARAM_PEER] = "peer",
        [HUST_PARAM_HOST] = "host",     [HUST_PARAM_METHOD] = "method",
        [HUST_PARAM_OFFSET] = "offset", [HUST_PARAM_SIZE] = "size",
        [HUST_PARAM_CURSOR] = "cursor", [HUST_PARAM_START] = "start",
        [HUST_PARAM_END] = "end",       [HUST_PARAM_NOVAL] = "noval",
        [HUST_PARAM_ASYNC] = "async",   [HUST_PARAM_DESC] = "desc",
        [HUST_PARAM_MIN] = "min",       [HUST_PARAM_MAX] = "max",
        [HUST_PARAM_FILE] = "file",
    };
    assert((unsigned)id < HUST_PARAM_COUNT);
    assert(texts[id] != NULL);
    return texts[id];
}
