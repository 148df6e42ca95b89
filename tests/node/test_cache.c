/* The cache, one promise after the other: charges, order of eviction, expiry, types, threads. */
#include "node/cache.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

enum { NOW = 1000000 };

static hust_cache_t *open_cache(size_t bytes_max)
{
    const hust_cache_options_t options = {
        .bytes_max = bytes_max, .value_bytes_max = 1 << 20, .seed = 7};
    hust_cache_t *cache = NULL;
    assert_int_equal(hust_cache_open(&options, &cache), HUST_OK);
    return cache;
}

/* One shard, so that the order of eviction is that of all. */
static int setup(void **state)
{
    *state = open_cache(HUST_CACHE_BYTES_MIN);
    return 0;
}

static int teardown(void **state)
{
    hust_cache_check(*state);
    hust_cache_free(*state);
    return 0;
}

static hust_cache_stat_t stat_of(hust_cache_t *cache)
{
    hust_cache_stat_t stat;
    hust_cache_stat(cache, &stat);
    return stat;
}

static unsigned run(hust_cache_t *cache, hust_cache_call_t call, hust_cache_request_t request,
                    hust_buf_t *out)
{
    request.now_ms = request.now_ms == 0 ? NOW : request.now_ms;
    hust_buf_clear(out);
    unsigned status = call(cache, &request, out);
    hust_cache_check(cache);
    return status;
}

/* A call of which only the status counts. */
static unsigned status_of(hust_cache_t *cache, hust_cache_call_t call, hust_cache_request_t request)
{
    hust_buf_t out = {0};
    unsigned status = run(cache, call, request, &out);
    hust_buf_free(&out);
    return status;
}

#define KEY(name) ((hust_cache_request_t){.key = hust_slice_str(name)})
#define KEY_AT(name, at_ms) ((hust_cache_request_t){.key = hust_slice_str(name), .now_ms = (at_ms)})
#define FIELD(table, name)                                                                         \
    ((hust_cache_request_t){.tb = hust_slice_str(table), .key = hust_slice_str(name)})
#define VALUE(name, text)                                                                          \
    ((hust_cache_request_t){.key = hust_slice_str(name), .val = hust_slice_str(text)})
#define FIELD_VALUE(table, name, text)                                                             \
    ((hust_cache_request_t){                                                                       \
        .tb = hust_slice_str(table), .key = hust_slice_str(name), .val = hust_slice_str(text)})

/* The call answers 200 with this body. */
static void assert_body(hust_cache_t *cache, hust_cache_call_t call, hust_cache_request_t request,
                        const char *body)
{
    hust_buf_t out = {0};
    assert_int_equal(run(cache, call, request, &out), 200);
    assert_true(hust_slice_equal(hust_buf_slice(&out), hust_slice_str(body)));
    hust_buf_free(&out);
}

static void put_bytes(hust_cache_t *cache, const char *key, size_t len, unsigned expected)
{
    void *bytes = calloc(1, len + 1);
    hust_cache_request_t request = KEY(key);
    request.val = hust_slice_of(bytes, len);
    assert_int_equal(status_of(cache, hust_cache_put, request), expected);
    free(bytes);
}

/* --- charges --- */

/* The allocator's own word for what it took, 8 bytes beside it included. */
static void test_a_charge_is_never_too_little(void **state)
{
    (void)state;
    enum { HELD = 64 };
    void *held[HELD] = {NULL};
    unsigned random = 1;
    for (unsigned i = 0; i < 60000; i++) {
        random = random * 1103515245 + 12345;
        unsigned bits = 1 + random % (i % 100 == 0 ? 23 : 17);
        size_t bytes = i < 5000 ? i + 1 : (random >> 7) % (1u << bits) + 1;
        free(held[i % HELD]);
        held[i % HELD] = malloc(bytes);
        assert_non_null(held[i % HELD]);
        size_t taken = malloc_usable_size(held[i % HELD]) + sizeof(size_t);
        if (hust_cache_charge(bytes) < taken) {
            fail_msg("%zu bytes take %zu", bytes, taken);
        }
        assert_true(hust_cache_charge(bytes) <= bytes + bytes / 8 + 64 + 4096 * (bytes > 32768));
    }
    for (unsigned i = 0; i < HELD; i++) {
        free(held[i]);
    }
}

/* Whatever sizes come, in whatever order: never a byte more, and it is made use of. */
static void test_the_bound_holds_under_random_sizes(void **state)
{
    hust_cache_t *cache = *state;
    unsigned random = 5;
    size_t largest = 0;
    for (unsigned i = 0; i < 4000; i++) {
        char key[16];
        random = random * 1103515245 + 12345;
        snprintf(key, sizeof(key), "k%u", (random >> 8) % 700);
        size_t len = (random >> 16) % (i % 50 == 0 ? 300000 : 3000);
        put_bytes(cache, key, len, 200);
        hust_cache_stat_t stat = stat_of(cache);
        assert_true(stat.bytes <= stat.bytes_max);
        largest = stat.bytes > largest ? stat.bytes : largest;
    }
    assert_true(stat_of(cache).evicted > 100);
    assert_true(largest > HUST_CACHE_BYTES_MIN / 100 * 95);
}

static void test_everything_is_given_back(void **state)
{
    hust_cache_t *cache = *state;
    size_t empty = stat_of(cache).bytes;
    assert_true(empty > 0 && empty < HUST_CACHE_BYTES_MIN / 16);
    for (unsigned i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%u", i);
        assert_int_equal(status_of(cache, hust_cache_put, VALUE(name, "v")), 200);
        assert_int_equal(status_of(cache, hust_cache_append, VALUE(name, "w")), 200);
        assert_int_equal(status_of(cache, hust_cache_hset, FIELD_VALUE("t", name, "v")), 200);
        assert_int_equal(status_of(cache, hust_cache_hset, FIELD_VALUE("u", name, "v")), 200);
    }
    assert_int_equal(stat_of(cache).items, 102);
    assert_true(stat_of(cache).bytes > empty + 400 * 64);
    for (unsigned i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%u", i);
        assert_int_equal(status_of(cache, hust_cache_del, KEY(name)), 200);
        assert_int_equal(status_of(cache, hust_cache_hdel, FIELD("t", name)), 200);
    }
    assert_int_equal(status_of(cache, hust_cache_del, KEY("u")), 200);
    assert_int_equal(stat_of(cache).bytes, empty);
    assert_int_equal(stat_of(cache).items, 0);
}

/* What does not fit is refused, and nothing is evicted or changed for it. */
static void test_an_item_too_large(void **state)
{
    hust_cache_t *cache = *state;
    size_t item = stat_of(cache).item_bytes_max;
    assert_true(item > HUST_CACHE_BYTES_MIN / 4);
    assert_int_equal(status_of(cache, hust_cache_put, VALUE("other", "v")), 200);
    put_bytes(cache, "k", item, 507);
    put_bytes(cache, "k", item - 8192, 200);
    put_bytes(cache, "k", item, 507);
    /* Both are as they were: the refused one too. */
    assert_body(cache, hust_cache_get, KEY("other"), "v");
    hust_buf_t out = {0};
    assert_int_equal(run(cache, hust_cache_get, KEY("k"), &out), 200);
    assert_int_equal(out.len, item - 8192);
    hust_cache_request_t more = KEY("k");
    more.val = hust_slice_of(out.data, 8192);
    assert_int_equal(status_of(cache, hust_cache_append, more), 507);
    more = FIELD("t", "f");
    more.val = hust_slice_of(out.data, out.len);
    assert_int_equal(status_of(cache, hust_cache_hset, more), 200);
    more.key = hust_slice_str("g");
    assert_int_equal(status_of(cache, hust_cache_hset, more), 507);
    assert_int_equal(status_of(cache, hust_cache_hexist, FIELD("t", "g")), 404);
    assert_int_equal(status_of(cache, hust_cache_hexist, FIELD("t", "f")), 200);
    more.tb = hust_slice_str("new");
    more.val = hust_slice_of(out.data, out.len);
    more.key = hust_slice_of(out.data, 65535);
    assert_int_equal(status_of(cache, hust_cache_hset, more), 507);
    assert_int_equal(status_of(cache, hust_cache_exist, KEY("new")), 404);
    hust_buf_free(&out);
}

/* The same large value over and over: old and new fit beside each other by construction. */
static void test_replacing_the_largest_item(void **state)
{
    hust_cache_t *cache = *state;
    size_t item = stat_of(cache).item_bytes_max;
    for (unsigned i = 0; i < 5; i++) {
        put_bytes(cache, "k", item - 8192 - i, 200);
        assert_int_equal(stat_of(cache).items, 1);
    }
}

static void test_append_is_bounded_by_the_largest_value(void **state)
{
    (void)state;
    hust_cache_t *cache = open_cache(16 << 20);
    put_bytes(cache, "k", (1 << 20) - 1, 200);
    assert_int_equal(status_of(cache, hust_cache_append, VALUE("k", "x")), 200);
    assert_int_equal(status_of(cache, hust_cache_append, VALUE("k", "x")), 413);
    assert_int_equal(status_of(cache, hust_cache_append, VALUE("k", "")), 200);
    hust_cache_free(cache);
}

/* --- eviction --- */

/* Values of a tenth of the cache each: which are there? */
static void put_tenth(hust_cache_t *cache, const char *key)
{
    put_bytes(cache, key, HUST_CACHE_BYTES_MIN / 10, 200);
}

static void assert_there(hust_cache_t *cache, const char *keys, bool expected)
{
    for (; *keys != '\0'; keys++) {
        char key[] = {*keys, '\0'};
        hust_buf_t out = {0};
        hust_cache_request_t request = KEY(key);
        request.now_ms = NOW;
        unsigned status = hust_cache_exist(cache, &request, &out);
        assert_row(status == (expected ? 200u : 404u), key);
    }
}

static void test_the_least_recently_used_goes_first(void **state)
{
    hust_cache_t *cache = *state;
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        put_tenth(cache, keys[i]);
    }
    assert_int_equal(stat_of(cache).evicted, 0);
    put_tenth(cache, "j");
    assert_int_equal(stat_of(cache).evicted, 1);
    assert_there(cache, "a", false);
    /* That looked at: now in the order of c, d, .., j, b. */
    assert_there(cache, "cdefghijb", true);
    put_tenth(cache, "k");
    put_tenth(cache, "l");
    assert_there(cache, "cd", false);
    assert_there(cache, "efghijbkl", true);
    assert_int_equal(stat_of(cache).evicted, 3);
}

/* Every call that finds something makes it the most recently used. */
static void test_what_counts_as_use(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        hust_cache_call_t call;
        bool of_hash;
    } rows[] = {
        {"exist", hust_cache_exist, false},     {"get", hust_cache_get, false},
        {"ttl", hust_cache_ttl, false},         {"put", hust_cache_put, false},
        {"append", hust_cache_append, false},   {"expire", hust_cache_expire, false},
        {"persist", hust_cache_persist, false}, {"hget", hust_cache_hget, true},
        {"hexist", hust_cache_hexist, true},    {"hset", hust_cache_hset, true},
        {"hincrby", hust_cache_hincrby, true},  {"hincrbyfloat", hust_cache_hincrbyfloat, true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        hust_cache_t *cache = open_cache(HUST_CACHE_BYTES_MIN);
        hust_cache_request_t request =
            rows[i].of_hash ? FIELD_VALUE("old", "f", "1") : VALUE("old", "1");
        request.expire_at_ms = NOW + 9000;
        hust_cache_call_t make = rows[i].of_hash ? hust_cache_hset : hust_cache_put;
        assert_int_equal(status_of(cache, make, request), 200);
        for (unsigned turn = 0; turn < 3; turn++) {
            for (char name[] = "a"; name[0] <= 'h'; name[0]++) {
                put_tenth(cache, name);
            }
            status_of(cache, rows[i].call, request);
        }
        assert_row(status_of(cache, hust_cache_exist, KEY("old")) == 200, rows[i].name);
        for (char name[] = "a"; name[0] <= 'z'; name[0]++) {
            put_tenth(cache, name);
        }
        assert_row(status_of(cache, hust_cache_exist, KEY("old")) == 404, rows[i].name);
        hust_cache_free(cache);
    }
}

/* A hash is evicted as a whole, and never for a field of its own. */
static void test_a_hash_is_one_item(void **state)
{
    hust_cache_t *cache = *state;
    assert_int_equal(status_of(cache, hust_cache_hset, FIELD_VALUE("hash", "f", "1")), 200);
    assert_int_equal(status_of(cache, hust_cache_hset, FIELD_VALUE("hash", "g", "2")), 200);
    for (char name[] = "a"; name[0] <= 'z'; name[0]++) {
        put_tenth(cache, name);
    }
    assert_int_equal(status_of(cache, hust_cache_hexist, FIELD("hash", "f")), 404);
    assert_int_equal(status_of(cache, hust_cache_hexist, FIELD("hash", "g")), 404);
    unsigned stored = 0;
    for (unsigned status = 200; status == 200; stored++) {
        char field[16];
        snprintf(field, sizeof(field), "f%u", stored);
        status = status_of(cache, hust_cache_hset, FIELD_VALUE("other", field, "v"));
        assert_true(status == 200 || status == 507);
        stored -= status == 200 ? 0 : 1;
    }
    assert_true(stored > 1000);
    assert_int_equal(status_of(cache, hust_cache_hexist, FIELD("other", "f0")), 200);
    assert_int_equal(status_of(cache, hust_cache_hset, FIELD_VALUE("other", "f0", "w")), 200);
}

/* --- expiry --- */

static void test_expiry(void **state)
{
    hust_cache_t *cache = *state;
    hust_cache_request_t put = VALUE("k", "v");
    put.expire_at_ms = NOW + 1500;
    assert_int_equal(status_of(cache, hust_cache_put, put), 200);
    assert_body(cache, hust_cache_ttl, KEY("k"), "2");
    assert_body(cache, hust_cache_ttl, KEY_AT("k", NOW + 500), "1");
    assert_body(cache, hust_cache_ttl, KEY_AT("k", NOW + 1499), "1");
    assert_body(cache, hust_cache_get, KEY_AT("k", NOW + 1499), "v");
    size_t before = stat_of(cache).bytes;
    assert_int_equal(status_of(cache, hust_cache_get, KEY_AT("k", NOW + 1500)), 404);
    assert_true(stat_of(cache).bytes < before);
    assert_int_equal(stat_of(cache).items, 0);
}

static void test_expiry_is_changed_and_taken_away(void **state)
{
    hust_cache_t *cache = *state;
    hust_cache_request_t expire = KEY("k");
    expire.expire_at_ms = NOW + 1000;
    assert_int_equal(status_of(cache, hust_cache_expire, expire), 404);
    assert_int_equal(status_of(cache, hust_cache_persist, KEY("k")), 404);
    assert_int_equal(status_of(cache, hust_cache_put, VALUE("k", "v")), 200);
    assert_body(cache, hust_cache_ttl, KEY("k"), "-1");
    assert_int_equal(status_of(cache, hust_cache_persist, KEY("k")), 404);
    assert_int_equal(status_of(cache, hust_cache_expire, expire), 200);
    assert_body(cache, hust_cache_ttl, KEY("k"), "1");
    /* append keeps it, put does not. */
    assert_int_equal(status_of(cache, hust_cache_append, VALUE("k", "w")), 200);
    assert_body(cache, hust_cache_ttl, KEY("k"), "1");
    assert_int_equal(status_of(cache, hust_cache_persist, KEY("k")), 200);
    assert_body(cache, hust_cache_ttl, KEY("k"), "-1");
    assert_int_equal(status_of(cache, hust_cache_expire, expire), 200);
    expire.expire_at_ms = 0;
    assert_int_equal(status_of(cache, hust_cache_expire, expire), 200);
    assert_int_equal(status_of(cache, hust_cache_expire, expire), 404);
    expire.expire_at_ms = NOW + 1000;
    assert_int_equal(status_of(cache, hust_cache_expire, expire), 200);
    assert_int_equal(status_of(cache, hust_cache_put, VALUE("k", "x")), 200);
    assert_body(cache, hust_cache_get, KEY_AT("k", NOW + 5000), "x");
}

/* A hash expires as a whole, whatever is done to its fields; then its name is free. */
static void test_expiry_of_a_hash(void **state)
{
    hust_cache_t *cache = *state;
    hust_cache_request_t expire = KEY("t");
    expire.expire_at_ms = NOW + 1000;
    assert_int_equal(status_of(cache, hust_cache_hset, FIELD_VALUE("t", "f", "1")), 200);
    assert_int_equal(status_of(cache, hust_cache_expire, expire), 200);
    assert_int_equal(status_of(cache, hust_cache_hset, FIELD_VALUE("t", "g", "1")), 200);
    assert_body(cache, hust_cache_ttl, KEY("t"), "1");
    hust_cache_request_t late = FIELD("t", "g");
    late.now_ms = NOW + 1000;
    assert_int_equal(status_of(cache, hust_cache_hget, late), 404);
    hust_cache_request_t put = VALUE("t", "v");
    put.now_ms = NOW + 1000;
    assert_int_equal(status_of(cache, hust_cache_put, put), 200);
}

/* --- types and numbers --- */

static void test_types(void **state)
{
    hust_cache_t *cache = *state;
    assert_int_equal(status_of(cache, hust_cache_put, VALUE("v", "1")), 200);
    assert_int_equal(status_of(cache, hust_cache_hset, FIELD_VALUE("t", "f", "1")), 200);
    static const hust_cache_call_t of_values[] = {hust_cache_get, hust_cache_put,
                                                  hust_cache_append};
    static const hust_cache_call_t of_fields[] = {hust_cache_hexist, hust_cache_hget,
                                                  hust_cache_hset,   hust_cache_hincrby,
                                                  hust_cache_hdel,   hust_cache_hincrbyfloat};
    for (size_t i = 0; i < COUNT_OF(of_values); i++) {
        assert_int_equal(status_of(cache, of_values[i], VALUE("t", "2")), 412);
    }
    for (size_t i = 0; i < COUNT_OF(of_fields); i++) {
        assert_int_equal(status_of(cache, of_fields[i], FIELD_VALUE("v", "f", "2")), 412);
    }
    assert_body(cache, hust_cache_get, KEY("v"), "1");
    assert_body(cache, hust_cache_hget, FIELD("t", "f"), "1");
    /* A field's name is not a key. */
    assert_int_equal(status_of(cache, hust_cache_exist, KEY("f")), 404);
    /* With its last field a hash is gone, and its name is free. */
    assert_int_equal(status_of(cache, hust_cache_hdel, FIELD("t", "f")), 200);
    assert_int_equal(status_of(cache, hust_cache_exist, KEY("t")), 404);
    assert_int_equal(status_of(cache, hust_cache_put, VALUE("t", "2")), 200);
}

static void assert_sum(hust_cache_t *cache, int64_t number, const char *sum)
{
    hust_cache_request_t request = FIELD("t", "n");
    request.number = number;
    assert_body(cache, hust_cache_hincrby, request, sum);
    assert_body(cache, hust_cache_hget, FIELD("t", "n"), sum);
}

static void assert_decimal_sum(hust_cache_t *cache, long double number, const char *sum)
{
    hust_cache_request_t request = FIELD("t", "n");
    request.decimal = number;
    assert_body(cache, hust_cache_hincrbyfloat, request, sum);
    assert_body(cache, hust_cache_hget, FIELD("t", "n"), sum);
}

static void test_numbers(void **state)
{
    hust_cache_t *cache = *state;
    assert_sum(cache, 0, "0");
    assert_sum(cache, -5, "-5");
    assert_sum(cache, INT64_MAX, "9223372036854775802");
    hust_cache_request_t request = FIELD("t", "n");
    request.number = 6;
    assert_int_equal(status_of(cache, hust_cache_hincrby, request), 403);
    assert_sum(cache, 5, "9223372036854775807");
    assert_int_equal(status_of(cache, hust_cache_hset, FIELD_VALUE("t", "n", "10.5")), 200);
    assert_int_equal(status_of(cache, hust_cache_hincrby, request), 403);
    assert_decimal_sum(cache, 0.1L, "10.6");
    assert_decimal_sum(cache, -10.6L, "0");
    assert_decimal_sum(cache, 1e308L, "1e+308");
    request.decimal = 1e308L;
    assert_int_equal(status_of(cache, hust_cache_hincrbyfloat, request), 403);
    assert_decimal_sum(cache, -1e308L, "0");
    static const char *const texts[] = {"", " 1", "1 ", "x", "nan", "0x10", "1e999"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(status_of(cache, hust_cache_hset, FIELD_VALUE("t", "n", texts[i])), 200);
        assert_row(status_of(cache, hust_cache_hincrby, request) == 403, texts[i]);
        assert_row(status_of(cache, hust_cache_hincrbyfloat, request) == 403, texts[i]);
        assert_body(cache, hust_cache_hget, FIELD("t", "n"), texts[i]);
    }
}

static void test_any_bytes(void **state)
{
    hust_cache_t *cache = *state;
    hust_cache_request_t request = {.key = BYTES("\0k"), .val = BYTES("\0\xff\0"), .now_ms = NOW};
    hust_buf_t out = {0};
    assert_int_equal(run(cache, hust_cache_put, request, &out), 200);
    assert_int_equal(status_of(cache, hust_cache_get, KEY("k")), 404);
    request.val = BYTES("\n\0");
    assert_int_equal(run(cache, hust_cache_append, request, &out), 200);
    assert_int_equal(run(cache, hust_cache_get, request, &out), 200);
    assert_bytes(hust_buf_slice(&out), "\0\xff\0\n\0");
    hust_buf_free(&out);
}

/* --- size and threads --- */

static void test_shards(void **state)
{
    (void)state;
    static const struct {
        size_t mib;
        unsigned shards;
    } rows[] = {{1, 1}, {7, 1}, {8, 2}, {64, 16}, {100, 16}, {512, 128}, {4096, 128}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        hust_cache_t *cache = open_cache(rows[i].mib << 20);
        hust_cache_stat_t stat = stat_of(cache);
        assert_int_equal(stat.shard_count, rows[i].shards);
        assert_true(stat.bytes < stat.bytes_max / 16);
        assert_true(stat.item_bytes_max > stat.bytes_max / rows[i].shards / 100 * 45);
        hust_cache_free(cache);
    }
}

enum { THREADS = 8, TURNS = 4000 };

typedef struct {
    hust_cache_t *cache;
    unsigned number;
    unsigned wrong;
} worker_t;

/* Values that say whose key they are of, some shared numbers, and everything evicted at times. */
static void *use_cache(void *argument)
{
    worker_t *worker = argument;
    hust_buf_t out = {0};
    unsigned random = worker->number + 1;
    for (unsigned i = 0; i < TURNS; i++) {
        char name[32];
        char value[600];
        random = random * 1103515245 + 12345;
        snprintf(name, sizeof(name), "key%u", (random >> 8) % 5000);
        memset(value, '.', sizeof(value));
        memcpy(value, name, strlen(name) + 1);
        hust_cache_request_t request = {.key = hust_slice_str(name),
                                        .tb = hust_slice_str(name),
                                        .val = hust_slice_of(value, sizeof(value)),
                                        .number = 1,
                                        .now_ms = NOW + i,
                                        .expire_at_ms = (random & 64) != 0 ? NOW + i + 100 : 0};
        hust_buf_clear(&out);
        hust_cache_put(worker->cache, &request, &out);
        if (hust_cache_get(worker->cache, &request, &out) == 200 &&
            (out.len != sizeof(value) || memcmp(out.data, value, out.len) != 0)) {
            worker->wrong++;
        }
        name[0] = 't';
        request.tb = hust_slice_of(name, strlen(name));
        request.key = hust_slice_str("field");
        hust_cache_hset(worker->cache, &request, &out);
        hust_cache_expire(worker->cache, &request, &out);
        if (i % 7 == 0) {
            hust_cache_hdel(worker->cache, &request, &out);
        }
        hust_buf_clear(&out);
        request.tb = hust_slice_str("sum");
        worker->wrong += hust_cache_hincrby(worker->cache, &request, &out) == 200 ? 0 : 1;
        hust_cache_stat_t stat;
        hust_cache_stat(worker->cache, &stat);
    }
    hust_buf_free(&out);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    hust_cache_t *cache = open_cache(8 << 20);
    worker_t workers[THREADS];
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (worker_t){.cache = cache, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, use_cache, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].wrong, 0);
    }
    char sum[24];
    snprintf(sum, sizeof(sum), "%d", THREADS * TURNS);
    hust_cache_check(cache);
    assert_body(cache, hust_cache_hget, FIELD("sum", "field"), sum);
    hust_cache_free(cache);
}

int main(void)
{
#define ON_CACHE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_charge_is_never_too_little),
        ON_CACHE(test_the_bound_holds_under_random_sizes),
        ON_CACHE(test_everything_is_given_back),
        ON_CACHE(test_an_item_too_large),
        ON_CACHE(test_replacing_the_largest_item),
        cmocka_unit_test(test_append_is_bounded_by_the_largest_value),
        ON_CACHE(test_the_least_recently_used_goes_first),
        cmocka_unit_test(test_what_counts_as_use),
        ON_CACHE(test_a_hash_is_one_item),
        ON_CACHE(test_expiry),
        ON_CACHE(test_expiry_is_changed_and_taken_away),
        ON_CACHE(test_expiry_of_a_hash),
        ON_CACHE(test_types),
        ON_CACHE(test_numbers),
        ON_CACHE(test_any_bytes),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
