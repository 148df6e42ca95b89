/* The table of calls against what docs/http-api.md promises. */
#include <stdio.h>
#include <stdlib.h>

#include "core/api.h"
#include "unit.h"

enum {
    NODE_ALONE = HUST_AT_NODE | HUST_AT_NODE_ROOT, /* as a node without a cache looks paths up */
    NODE = NODE_ALONE | HUST_AT_CACHE,
    HA = HUST_AT_HA,
    HA_WITH_CACHE = HUST_AT_HA | HUST_AT_CACHE,
};

/*
 * The contract, written a second time and otherwise than in api.c. `parameters`: "key" required,
 * "key*" or body, "ttl?" optional, "peer@" required at HA.
 */
typedef struct {
    const char *ha_path;   /* NULL: not at HA */
    const char *node_path; /* NULL: not at a node */
    const char *allow;
    hust_class_t class_;
    int type; /* letter, 0 none */
    int code; /* operation, 0 none */
    hust_reply_t reply;
    const char *parameters;
} row_t;

#define BOTH(name) "/" name, "/hustdb/" name
#define ONLY_HA(name) "/" name, NULL
#define ONLY_NODE(name) NULL, "/hustdb/" name
#define ROOTS(name) "/" name, "/" name
#define CACHED(name) NULL, "/hustcache/" name
#define READ HUST_CLASS_READ
#define READ2 HUST_CLASS_READ2
#define WRITE HUST_CLASS_WRITE
#define LOCAL HUST_CLASS_LOCAL
#define CACHE HUST_CLASS_CACHE
#define ONE HUST_CLASS_ONE_NODE
#define VALUE HUST_REPLY_VALUE
#define PRESENCE HUST_REPLY_PRESENCE
#define STORED HUST_REPLY_STORED
#define NUMBER HUST_REPLY_NUMBER
#define OTHER HUST_REPLY_OTHER

static const row_t contract[HUST_CALL_COUNT] = {
    {BOTH("put"), "GET, POST, PUT", WRITE, 'K', HUST_OP_PUT, STORED, "key val* ttl? ver?"},
    {BOTH("get"), "GET, HEAD", READ, 'K', HUST_OP_GET, VALUE, "key"},
    {BOTH("exist"), "GET, HEAD", READ, 'K', HUST_OP_GET, PRESENCE, "key"},
    {BOTH("del"), "GET, POST, DELETE", WRITE, 'K', HUST_OP_DEL, STORED, "key ver?"},
    {BOTH("hset"), "GET, POST, PUT", WRITE, 'H', HUST_OP_PUT, STORED, "tb key val* ttl? ver?"},
    {BOTH("hget"), "GET, HEAD", READ, 'H', HUST_OP_GET, VALUE, "tb key"},
    {BOTH("hexist"), "GET, HEAD", READ, 'H', HUST_OP_GET, PRESENCE, "tb key"},
    {BOTH("hdel"), "GET, POST, DELETE", WRITE, 'H', HUST_OP_DEL, STORED, "tb key ver?"},
    {BOTH("hincrby"), "GET, POST", WRITE, 'H', HUST_OP_INCR, NUMBER, "tb key val ttl? ver?"},
    {BOTH("sadd"), "GET, POST", WRITE, 'S', HUST_OP_PUT, STORED, "tb key* ttl? ver?"},
    {BOTH("srem"), "GET, POST, DELETE", WRITE, 'S', HUST_OP_DEL, STORED, "tb key* ver?"},
    {BOTH("sismember"), "GET, HEAD, POST", READ, 'S', HUST_OP_GET, PRESENCE, "tb key*"},
    {BOTH("zadd"), "GET, POST", WRITE, 'Z', HUST_OP_PUT, NUMBER, "tb score key* opt? ttl? ver?"},
    {BOTH("zrem"), "GET, POST, DELETE", WRITE, 'Z', HUST_OP_DEL, STORED, "tb key* ver?"},
    {BOTH("zscore"), "GET, HEAD, POST", READ, 'Z', HUST_OP_GET, VALUE, "tb key*"},
    {BOTH("zismember"), "GET, HEAD, POST", READ, 'Z', HUST_OP_GET, PRESENCE, "tb key*"},
    {ONLY_HA("get2"), "GET, HEAD", READ2, 'K', HUST_OP_GET, VALUE, "key"},
    {ONLY_HA("hget2"), "GET, HEAD", READ2, 'H', HUST_OP_GET, VALUE, "tb key"},
    {ONLY_HA("zscore2"), "GET, HEAD, POST", READ2, 'Z', HUST_OP_GET, VALUE, "tb key*"},
    {ONLY_HA("sismember2"), "GET, HEAD, POST", READ2, 'S', HUST_OP_GET, PRESENCE, "tb key*"},
    {ONLY_HA("exist2"), "GET, HEAD", READ2, 'K', HUST_OP_GET, PRESENCE, "key"},
    {ONLY_HA("hexist2"), "GET, HEAD", READ2, 'H', HUST_OP_GET, PRESENCE, "tb key"},
    {ONLY_HA("zismember2"), "GET, HEAD, POST", READ2, 'Z', HUST_OP_GET, PRESENCE, "tb key*"},
    {ONLY_NODE("binlog"), "GET, POST", LOCAL, 0, 0, OTHER, "host method tb? key*"},
    {ONLY_NODE("batch"), "POST", LOCAL, 0, 0, OTHER, ""},
    {BOTH("stat"), "GET", ONE, 0, 0, OTHER, "tb? peer@"},
    {BOTH("stat_all"), "GET", ONE, 0, 0, OTHER, "peer@"},
    {BOTH("file_count"), "GET", ONE, 0, 0, OTHER, "peer@"},
    {ONLY_NODE("sync_status"), "GET", LOCAL, 0, 0, OTHER, ""},
    {ONLY_HA("peer_count"), "GET", LOCAL, 0, 0, OTHER, ""},
    {ONLY_HA("get_table"), "GET", HUST_CLASS_ADMIN, 0, 0, OTHER, ""},
    {ONLY_HA("set_table"), "POST", HUST_CLASS_ADMIN, 0, 0, OTHER, ""},
    {ONLY_HA("sync_alive"), "GET", LOCAL, 0, 0, OTHER, ""},
    {ONLY_HA("metrics"), "GET", LOCAL, 0, 0, OTHER, ""},
    {ROOTS("version"), "GET, HEAD", LOCAL, 0, 0, OTHER, ""},
    {ROOTS("status.html"), "GET, HEAD", LOCAL, 0, 0, OTHER, ""},
    {ONLY_NODE("keys"), "GET", ONE, 0, 0, OTHER,
     "file offset? cursor? size start? end? noval? async? peer@"},
    {ONLY_NODE("hkeys"), "GET", ONE, 0, 0, OTHER,
     "tb offset? cursor? size start? end? noval? async? peer@"},
    {ONLY_NODE("smembers"), "GET", ONE, 0, 0, OTHER,
     "tb offset? cursor? size start? end? noval? async? peer@"},
    {ONLY_NODE("zrangebyrank"), "GET", LOCAL, 0, 0, OTHER,
     "tb offset? cursor? size start? end? noval? async? desc?"},
    {ONLY_NODE("zrangebyscore"), "GET", LOCAL, 0, 0, OTHER,
     "tb min max offset? cursor? size start? end? noval? desc?"},
    {CACHED("exist"), "GET", CACHE, 0, 0, OTHER, "key"},
    {CACHED("get"), "GET", CACHE, 0, 0, OTHER, "key"},
    {CACHED("ttl"), "GET", CACHE, 0, 0, OTHER, "key"},
    {CACHED("del"), "GET", CACHE, 0, 0, OTHER, "key"},
    {CACHED("persist"), "GET", CACHE, 0, 0, OTHER, "key"},
    {CACHED("put"), "GET, POST, PUT", CACHE, 0, 0, OTHER, "key val* ttl?"},
    {CACHED("append"), "GET, POST, PUT", CACHE, 0, 0, OTHER, "key val*"},
    {CACHED("expire"), "GET", CACHE, 0, 0, OTHER, "key ttl"},
    {CACHED("hexist"), "GET", CACHE, 0, 0, OTHER, "tb key"},
    {CACHED("hget"), "GET", CACHE, 0, 0, OTHER, "tb key"},
    {CACHED("hdel"), "GET", CACHE, 0, 0, OTHER, "tb key"},
    {CACHED("hset"), "GET, POST, PUT", CACHE, 0, 0, OTHER, "tb key val*"},
    {CACHED("hincrby"), "GET", CACHE, 0, 0, OTHER, "tb key val"},
    {CACHED("hincrbyfloat"), "GET", CACHE, 0, 0, OTHER, "tb key val"},
};

static const hust_call_t *find(unsigned where, const char *path)
{
    return hust_call_find(where, hust_slice_str(path));
}

static const char *row_name(const row_t *row)
{
    return row->ha_path != NULL ? row->ha_path : row->node_path;
}

static void test_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(contract); i++) {
        const row_t *row = &contract[i];
        const hust_call_t *call = hust_call((hust_call_id_t)i);
        assert_row(call->id == i, row_name(row));
        assert_row(row->ha_path == NULL || find(HA, row->ha_path) == call, row->ha_path);
        assert_row(row->node_path == NULL || find(NODE, row->node_path) == call, row->node_path);
    }
}

static void test_a_call_is_only_where_it_belongs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(contract); i++) {
        const row_t *row = &contract[i];
        char path[64];
        snprintf(path, sizeof(path), "/hustdb/%s", hust_call((hust_call_id_t)i)->name);
        const hust_call_t *call = hust_call((hust_call_id_t)i);
        assert_row(find(HA, path) == NULL, path);
        bool as_node_call = row->node_path != NULL && strcmp(row->node_path, path) == 0;
        assert_row((find(NODE, path) == call) == as_node_call, path);

        snprintf(path, sizeof(path), "/%s", hust_call((hust_call_id_t)i)->name);
        bool at_root = row->node_path != NULL && strcmp(row->node_path, path) == 0;
        assert_row((find(NODE, path) == call) == at_root, path);
        assert_row((find(HA, path) == call) == (row->ha_path != NULL), path);
    }
}

/* Under /hustcache/ at a node, under /cache/ at HA, and only if the program offers it. */
static void test_calls_of_the_cache(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(contract); i++) {
        const hust_call_t *call = hust_call((hust_call_id_t)i);
        bool cached = contract[i].class_ == CACHE;
        char path[64];
        snprintf(path, sizeof(path), "/hustcache/%s", call->name);
        assert_row((find(NODE, path) == call) == cached, path);
        assert_row(find(NODE_ALONE, path) == NULL && find(HA_WITH_CACHE, path) == NULL, path);
        snprintf(path, sizeof(path), "/cache/%s", call->name);
        assert_row((find(HA_WITH_CACHE, path) == call) == cached, path);
        assert_row(find(HA, path) == NULL && find(NODE, path) == NULL, path);
    }
}

static void test_names_are_those_of_the_map(void **state)
{
    (void)state;
    static const char *const names[] = {
#define NAME(id, name) #name,
        HUST_CALL_MAP(NAME) HUST_CACHE_CALL_MAP(NAME)
#undef NAME
    };
    assert_int_equal(COUNT_OF(names), HUST_CALL_COUNT);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_string_equal(hust_call((hust_call_id_t)i)->name, names[i]);
    }
}

static void test_unknown_paths(void **state)
{
    (void)state;
    static const char *const unknown[] = {
        "",
        "/",
        "//",
        "get",
        "hustdb/get",
        "/hustdb",
        "/hustdb/",
        "/hustdb//get",
        "/hustdb/ge",
        "/hustdb/gets",
        "/hustdb/GET",
        "/HUSTDB/get",
        "/hustdb/get/",
        "/hustdb/get ",
        "/get/",
        "/ge",
        "/gett",
        "//get",
        "/Get",
        "/get?",
        "/a",
        "/zzz",
        "/zscore3",
        "/hustdb/zscore2",
        "/%67et",
        "/status",
        "/status.htm",
        "/cache/get",
        "/hustcache",
        "/hustcache/",
        "/hustcache/set",
        "/hustcache/hustdb/get",
        "/hustdb/append",
        "/append",
        "/hustdb/key",
        "/keys",
        "/metric",
        "/favicon.ico",
        "/hustdb/hustdb/get",
        "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaa",
    };
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        assert_row(find(NODE, unknown[i]) == NULL, unknown[i]);
        bool is_ha_call = strcmp(unknown[i], "/get") == 0;
        assert_row((find(HA, unknown[i]) != NULL) == is_ha_call, unknown[i]);
    }
    assert_null(hust_call_find(HA, BYTES("/get\0")));
    assert_null(hust_call_find(HA, BYTES("/get\0x")));
    assert_null(hust_call_find(HA, BYTES("\0")));
    assert_null(hust_call_find(NODE, BYTES("/hustdb/get\0")));
    assert_null(hust_call_find(HA, (hust_slice_t){0}));
    assert_null(hust_call_find(NODE, (hust_slice_t){0}));
}

/* Every path that differs from a known one in one byte is unknown or another known one. */
static void test_one_changed_byte_never_finds_the_same_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(contract); i++) {
        if (contract[i].ha_path == NULL) {
            continue;
        }
        char path[32];
        size_t len = strlen(contract[i].ha_path);
        for (size_t at = 0; at < len; at++) {
            memcpy(path, contract[i].ha_path, len);
            for (unsigned c = 0; c < 256; c++) {
                path[at] = (char)c;
                const hust_call_t *found = hust_call_find(HA, hust_slice_of(path, len));
                bool same = memcmp(path, contract[i].ha_path, len) == 0;
                assert_row((found == hust_call((hust_call_id_t)i)) == same, contract[i].ha_path);
            }
        }
    }
}

static void test_methods(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(contract); i++) {
        char allow[64];
        hust_call_allow(hust_call((hust_call_id_t)i), allow);
        assert_string_equal(allow, contract[i].allow);
    }
}

static void test_allow_of_every_method_fits(void **state)
{
    (void)state;
    char allow[64];
    hust_call_t all = {.methods = HUST_METHOD_GET | HUST_METHOD_HEAD | HUST_METHOD_POST |
                                  HUST_METHOD_PUT | HUST_METHOD_DELETE};
    hust_call_allow(&all, allow);
    assert_string_equal(allow, "GET, HEAD, POST, PUT, DELETE");
}

static void test_method_names(void **state)
{
    (void)state;
    assert_int_equal(hust_method_bit(BYTES("GET")), HUST_METHOD_GET);
    assert_int_equal(hust_method_bit(BYTES("HEAD")), HUST_METHOD_HEAD);
    assert_int_equal(hust_method_bit(BYTES("POST")), HUST_METHOD_POST);
    assert_int_equal(hust_method_bit(BYTES("PUT")), HUST_METHOD_PUT);
    assert_int_equal(hust_method_bit(BYTES("DELETE")), HUST_METHOD_DELETE);
    static const char *const others[] = {"", "get", "GE", "GETS", "PATCH", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_row(hust_method_bit(hust_slice_str(others[i])) == 0, others[i]);
    }
    assert_int_equal(hust_method_bit(BYTES("GET\0")), 0);
}

static void test_meaning(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(contract); i++) {
        const row_t *row = &contract[i];
        const hust_call_t *call = hust_call((hust_call_id_t)i);
        assert_row(call->class_ == row->class_, row_name(row));
        assert_row((int)call->type == row->type, row_name(row));
        assert_row((int)call->code == row->code, row_name(row));
        assert_row(call->reply == row->reply, row_name(row));
    }
}

/* The presence that the contract's text gives a parameter. */
static hust_presence_t presence_in(const char *parameters, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = parameters; (at = strstr(at, name)) != NULL; at++) {
        bool begins = at == parameters || at[-1] == ' ';
        switch (begins ? at[len] : 'x') {
        case '\0':
        case ' ':
            return HUST_PRESENCE_REQUIRED;
        case '*':
            return HUST_PRESENCE_OR_BODY;
        case '?':
            return HUST_PRESENCE_OPTIONAL;
        case '@':
            return HUST_PRESENCE_AT_HA;
        default:
            break;
        }
    }
    return HUST_PRESENCE_UNUSED;
}

static void test_parameters(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(contract); i++) {
        const hust_call_t *call = hust_call((hust_call_id_t)i);
        for (unsigned id = 0; id < HUST_PARAM_COUNT; id++) {
            hust_presence_t expected =
                presence_in(contract[i].parameters, hust_param_name((hust_param_id_t)id));
            assert_row(call->presence[id] == expected, row_name(&contract[i]));
        }
    }
}

static void test_parameter_names(void **state)
{
    (void)state;
    static const char *const names[HUST_PARAM_COUNT] = {
        "key",  "val",   "tb",     "ttl",    "ver",  "score",  "opt",
        "peer", "host",  "method", "offset", "size", "cursor", "start",
        "end",  "noval", "async",  "desc",   "min",  "max",    "file"};
    for (unsigned id = 0; id < HUST_PARAM_COUNT; id++) {
        assert_string_equal(hust_param_name((hust_param_id_t)id), names[id]);
    }
}

/* What the coordinator relies on: replicated calls have an operation on a typed element. */
static void test_replicated_calls_are_complete(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HUST_CALL_COUNT; i++) {
        const hust_call_t *call = hust_call((hust_call_id_t)i);
        bool replicated = call->class_ == HUST_CLASS_READ || call->class_ == HUST_CLASS_READ2 ||
                          call->class_ == HUST_CLASS_WRITE;
        assert_row((call->code != 0) == replicated, call->name);
        assert_row(hust_type_valid((int)call->type) == replicated, call->name);
        assert_row(!replicated || call->presence[HUST_PARAM_KEY] != HUST_PRESENCE_UNUSED,
                   call->name);
        bool reads = call->class_ != HUST_CLASS_WRITE;
        assert_row(!replicated || (call->code == HUST_OP_GET) == reads, call->name);
        bool may_head = (call->methods & HUST_METHOD_HEAD) != 0;
        assert_row(!replicated || may_head == reads, call->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_a_call_is_only_where_it_belongs),
        cmocka_unit_test(test_calls_of_the_cache),
        cmocka_unit_test(test_names_are_those_of_the_map),
        cmocka_unit_test(test_unknown_paths),
        cmocka_unit_test(test_one_changed_byte_never_finds_the_same_call),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_allow_of_every_method_fits),
        cmocka_unit_test(test_method_names),
        cmocka_unit_test(test_meaning),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_parameter_names),
        cmocka_unit_test(test_replicated_calls_are_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
