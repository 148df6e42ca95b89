#include "load_plan.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ELEMENTS_PER_KIND = 6,
    POOL_BYTES = 1024 * 1024, /* values are pieces of it */
    LARGE_VALUE_BYTES = 400 * 1024,
    TARGET_BYTES_MAX = 160,
    NUMBER_BYTES = 24,
    UNKNOWN = -1,
};

typedef enum { KIND_KV, KIND_HASH, KIND_SET, KIND_ZSET, KIND_COUNT } kind_t;

typedef enum { DEED_WRITE, DEED_READ, DEED_READ2, DEED_EXIST, DEED_DELETE, DEED_COUNT } deed_t;

static const char *const calls[KIND_COUNT][DEED_COUNT] = {
    [KIND_KV] = {"put", "get", "get2", "exist", "del"},
    [KIND_HASH] = {"hset", "hget", "hget2", "hexist", "hdel"},
    [KIND_SET] = {"sadd", "sismember", "sismember2", "sismember", "srem"},
    [KIND_ZSET] = {"zadd", "zscore", "zscore2", "zismember", "zrem"},
};

static const char *const kind_names[KIND_COUNT] = {"kv", "hash", "set", "zset"};

/* Of 100 requests. */
static const unsigned shares[DEED_COUNT] = {30, 25, 25, 10, 10};

/* What an exchange borrows while it is under way. */
typedef struct {
    char line[TARGET_BYTES_MAX];
    char rest[TARGET_BYTES_MAX];
    char number[NUMBER_BYTES];
} memory_t;

typedef struct {
    int64_t generations[KIND_COUNT][ELEMENTS_PER_KIND]; /* 0 absent, UNKNOWN, else of the value */
    int64_t last_generation;
} player_t;

struct load_plan {
    unsigned clients;
    unsigned depth;
    uint64_t random;
    uint64_t counts[KIND_COUNT][DEED_COUNT];
    uint8_t *pool;
    player_t *players;
    memory_t *memories; /* clients * depth */
};

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
}

static uint64_t next_random(load_plan_t *plan)
{
    plan->random += 0x9e3779b97f4a7c15;
    return mix(plan->random);
}

/* Mostly small, some of several network buffers, few so large that HA streams them. */
static size_t value_bytes(uint64_t random)
{
    unsigned permille = (unsigned)(random % 1000);
    random >>= 10;
    if (permille < 5) {
        return LARGE_VALUE_BYTES + random % 4096;
    }
    if (permille < 30) {
        return 20000 + random % 40000;
    }
    return random % 2000;
}

/* The value of a client's element at a generation: always the same piece of the pool. */
static hust_slice_t value_of(const load_plan_t *plan, unsigned client, int64_t generation)
{
    assert(generation > 0);
    uint64_t random = mix(((uint64_t)client << 40) + (uint64_t)generation);
    size_t bytes = value_bytes(random);
    return hust_slice_of(plan->pool + mix(random) % (POOL_BYTES - bytes), bytes);
}

static deed_t choose_deed(load_plan_t *plan)
{
    unsigned number = (unsigned)(next_random(plan) % 100);
    unsigned deed = 0;
    while (number >= shares[deed]) {
        number -= shares[deed++];
        assert(deed < DEED_COUNT);
    }
    return (deed_t)deed;
}

static hust_slice_t print_score(memory_t *memory, unsigned client, int64_t generation)
{
    int length = snprintf(memory->number, NUMBER_BYTES, "%lld",
                          (long long)generation * 1000 - (long long)client);
    return hust_slice_of(memory->number, (size_t)length);
}

/* "/put?key=..." with everything that goes into the query. */
static void print_target(memory_t *memory, unsigned client, kind_t kind, unsigned element,
                         deed_t deed)
{
    char where[64] = "";
    char score[48] = "";
    if (kind != KIND_KV) {
        snprintf(where, sizeof(where), "tb=load.%s.%u&", kind_names[kind], client % 10);
    }
    if (kind == KIND_ZSET && deed == DEED_WRITE) {
        snprintf(score, sizeof(score), "&score=%s", memory->number);
    }
    int length = snprintf(
        memory->line, sizeof(memory->line), "%s /%s?%skey=load%%3A%u:%u%s HTTP/1.1\r\n",
        deed == DEED_WRITE ? "POST" : "GET", calls[kind][deed], where, client, element, score);
    assert(length > 0 && (size_t)length < sizeof(memory->line));
}

static void expect_write(load_plan_t *plan, unsigned client, kind_t kind, int64_t *generation,
                         memory_t *memory, exchange_t *out)
{
    *generation = ++plan->players[client].last_generation;
    if (kind == KIND_ZSET) {
        /* zadd answers the resulting score. */
        out->expected_body = print_score(memory, client, *generation);
    } else if (kind != KIND_SET) {
        out->body = value_of(plan, client, *generation);
    }
    out->statuses[0] = 200;
    out->expected_headers = hust_slice_str("Version\n!Sync\n");
}

static void expect_delete(int64_t *generation, exchange_t *out)
{
    out->statuses[0] = *generation == 0 ? 404 : 200;
    if (*generation > 0) {
        out->status_if_repeated = 404;
    }
    out->any_body = true; /* the version that was deleted */
    out->expected_headers = hust_slice_str("Version\n!Sync\n");
    *generation = 0;
}

static void expect_read(const load_plan_t *plan, unsigned client, kind_t kind, deed_t deed,
                        int64_t generation, memory_t *memory, exchange_t *out)
{
    if (generation == 0) {
        out->statuses[0] = 404;
        out->expected_headers = hust_slice_str("Version: 0\n!Val-Offset\n");
        return;
    }
    out->statuses[0] = 200;
    out->expected_headers = hust_slice_str("Version\n!Version1\n!Val-Offset\n");
    if (kind == KIND_SET || deed == DEED_EXIST) {
        return;
    }
    out->expected_body = kind == KIND_ZSET ? print_score(memory, client, generation)
                                           : value_of(plan, client, generation);
}

static void print_rest(memory_t *memory, const exchange_t *exchange)
{
    int length = snprintf(memory->rest, sizeof(memory->rest), "Host: localhost\r\n");
    if (memory->line[0] == 'P') {
        length += snprintf(memory->rest + length, sizeof(memory->rest) - (size_t)length,
                           "Content-Length: %zu\r\n", exchange->body.len);
    }
    length += snprintf(memory->rest + length, sizeof(memory->rest) - (size_t)length, "\r\n");
    assert((size_t)length < sizeof(memory->rest));
}

void load_plan_next(load_plan_t *plan, unsigned client, unsigned slot, exchange_t *out)
{
    assert(client < plan->clients && slot < plan->depth);
    memory_t *memory = &plan->memories[client * plan->depth + slot];
    kind_t kind = (kind_t)(next_random(plan) % KIND_COUNT);
    unsigned element = (unsigned)(next_random(plan) % ELEMENTS_PER_KIND);
    int64_t *generation = &plan->players[client].generations[kind][element];
    deed_t deed = *generation == UNKNOWN ? DEED_WRITE : choose_deed(plan);
    *out = (exchange_t){.id = (uint64_t)kind * ELEMENTS_PER_KIND + element};
    plan->counts[kind][deed]++;
    if (deed == DEED_WRITE) {
        expect_write(plan, client, kind, generation, memory, out);
    } else if (deed == DEED_DELETE) {
        expect_delete(generation, out);
    } else {
        expect_read(plan, client, kind, deed, *generation, memory, out);
    }
    print_target(memory, client, kind, element, deed);
    print_rest(memory, out);
    out->line = hust_slice_str(memory->line);
    out->rest = hust_slice_str(memory->rest);
}

void load_plan_failed(load_plan_t *plan, unsigned client, const exchange_t *exchange)
{
    unsigned kind = (unsigned)exchange->id / ELEMENTS_PER_KIND;
    assert(kind < KIND_COUNT);
    plan->players[client].generations[kind][exchange->id % ELEMENTS_PER_KIND] = UNKNOWN;
}

json_t *load_plan_json(const load_plan_t *plan)
{
    json_t *object = json_object();
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        for (unsigned deed = 0; deed < DEED_COUNT; deed++) {
            const char *name = calls[kind][deed];
            json_int_t count = json_integer_value(json_object_get(object, name));
            count += (json_int_t)plan->counts[kind][deed];
            json_object_set_new(object, name, json_integer(count));
        }
    }
    return object;
}

load_plan_t *load_plan_new(unsigned clients, unsigned depth, unsigned seed)
{
    load_plan_t *plan = calloc(1, sizeof(*plan));
    if (plan == NULL) {
        return NULL;
    }
    plan->clients = clients;
    plan->depth = depth;
    plan->random = seed;
    plan->pool = malloc(POOL_BYTES);
    plan->players = calloc(clients, sizeof(*plan->players));
    plan->memories = calloc((size_t)clients * depth, sizeof(*plan->memories));
    if (plan->pool == NULL || plan->players == NULL || plan->memories == NULL) {
        load_plan_free(plan);
        return NULL;
    }
    for (size_t i = 0; i < POOL_BYTES; i++) {
        plan->pool[i] = (uint8_t)mix(i);
    }
    return plan;
}

void load_plan_free(load_plan_t *plan)
{
    if (plan == NULL) {
        return;
    }
    free(plan->pool);
    free(plan->players);
    free(plan->memories);
    free(plan);
}
