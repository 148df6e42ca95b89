/*
 * Random calls on a cache of one shard and on a model of it: a plain array that knows what things
 * are charged and which is the least recently used, and nothing of tables and lists.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/params.h"
#include "node/cache_shard.h"
#include "unit.h"

enum {
    NAMES = 150,
    FIELDS = 6,
    STEPS = 60000,
    VALUE_MAX = 40000,
    GROWN_MAX = 600000, /* value_bytes_max */
};

typedef struct {
    bool there;
    hust_buf_t bytes;
} text_t;

typedef struct {
    enum { NONE, A_VALUE, A_HASH } kind;
    text_t value;
    text_t fields[FIELDS];
    uint64_t expire_at_ms;
    uint64_t used; /* step of the last use */
} item_t;

typedef struct {
    hust_cache_t *cache;
    item_t items[NAMES];
    uint64_t step;
    uint64_t now_ms;
    uint64_t evicted;
    size_t empty; /* bytes charged without items */
    size_t item_max;
    uint32_t random;
} model_t;

static uint32_t draw(model_t *model, uint32_t below)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 17;
    model->random ^= model->random << 5;
    return model->random % below;
}

/* --- the model --- */

enum { NAME_BYTES = 16 };

/* Names of several lengths, made once. */
static const char *name_of(unsigned index, char prefix)
{
    static char names[2][NAMES][NAME_BYTES];
    char *name = names[prefix == 'f'][index];
    if (name[0] == '\0') {
        snprintf(name, NAME_BYTES, "%c%0*u", prefix, (int)(1 + index % 9), index);
    }
    return name;
}

static size_t field_charge(unsigned field, size_t len)
{
    return hust_cache_entry_charge(strlen(name_of(field, 'f')), len);
}

static size_t charge_of(unsigned name, const item_t *item)
{
    size_t name_len = strlen(name_of(name, 'n'));
    if (item->kind == NONE) {
        return 0;
    }
    if (item->kind == A_VALUE) {
        return hust_cache_entry_charge(name_len, item->value.bytes.len);
    }
    size_t sum = hust_cache_entry_charge(name_len, 0);
    for (unsigned i = 0; i < FIELDS; i++) {
        sum += item->fields[i].there ? field_charge(i, item->fields[i].bytes.len) : 0;
    }
    return sum;
}

static size_t charge_of_all(const model_t *model)
{
    size_t sum = model->empty;
    for (unsigned i = 0; i < NAMES; i++) {
        sum += charge_of(i, &model->items[i]);
    }
    return sum;
}

static void forget_text(text_t *text)
{
    text->there = false;
    hust_buf_clear(&text->bytes);
}

static void forget(item_t *item)
{
    item->kind = NONE;
    item->expire_at_ms = 0;
    forget_text(&item->value);
    for (unsigned i = 0; i < FIELDS; i++) {
        forget_text(&item->fields[i]);
    }
}

/* Evict as the cache must: the least recently used one first, the one in use never. */
static void make_room(model_t *model, size_t bytes)
{
    while (charge_of_all(model) + bytes > HUST_CACHE_BYTES_MIN) {
        item_t *victim = NULL;
        for (unsigned i = 0; i < NAMES; i++) {
            item_t *item = &model->items[i];
            bool older = victim == NULL || item->used < victim->used;
            if (item->kind != NONE && item->used != model->step && older) {
                victim = item;
            }
        }
        assert_non_null(victim);
        forget(victim);
        model->evicted++;
    }
}

static item_t *find(model_t *model, unsigned name)
{
    item_t *item = &model->items[name];
    if (item->kind != NONE && item->expire_at_ms != 0 && item->expire_at_ms <= model->now_ms) {
        forget(item);
    }
    item->used = model->step;
    return item;
}

static void set_text(text_t *text, hust_slice_t bytes)
{
    forget_text(text);
    text->there = true;
    assert_int_equal(hust_buf_append_slice(&text->bytes, bytes), HUST_OK);
}

static unsigned model_store(model_t *model, unsigned name, item_t *item, hust_slice_t value,
                            uint64_t expire_at_ms)
{
    size_t charge = hust_cache_entry_charge(strlen(name_of(name, 'n')), value.len);
    if (charge > model->item_max) {
        return 507;
    }
    make_room(model, charge);
    item->kind = A_VALUE;
    set_text(&item->value, value);
    item->expire_at_ms = expire_at_ms;
    return 200;
}

static unsigned model_append(model_t *model, unsigned name, hust_slice_t value)
{
    item_t *item = find(model, name);
    if (item->kind == A_HASH) {
        return 412;
    }
    size_t head = item->kind == NONE ? 0 : item->value.bytes.len;
    if (item->kind != NONE && head + value.len > GROWN_MAX) {
        return 413;
    }
    hust_buf_t whole = {0};
    assert_int_equal(hust_buf_append(&whole, item->value.bytes.data, head), HUST_OK);
    assert_int_equal(hust_buf_append_slice(&whole, value), HUST_OK);
    unsigned status = model_store(model, name, item, hust_buf_slice(&whole),
                                  item->kind == NONE ? 0 : item->expire_at_ms);
    hust_buf_free(&whole);
    return status;
}

static unsigned model_hset(model_t *model, unsigned name, unsigned field, hust_slice_t value)
{
    item_t *item = find(model, name);
    if (item->kind == A_VALUE) {
        return 412;
    }
    text_t *text = &item->fields[field];
    size_t own = hust_cache_entry_charge(strlen(name_of(name, 'n')), 0);
    size_t charge = field_charge(field, value.len);
    size_t whole = item->kind == NONE ? own : charge_of(name, item);
    whole += charge - (text->there ? field_charge(field, text->bytes.len) : 0);
    if (whole > model->item_max) {
        return 507;
    }
    if (item->kind == NONE) {
        make_room(model, own);
        item->kind = A_HASH;
    }
    make_room(model, charge);
    set_text(text, value);
    return 200;
}

static unsigned model_hdel(model_t *model, unsigned name, unsigned field)
{
    item_t *item = find(model, name);
    if (item->kind != A_HASH || !item->fields[field].there) {
        return item->kind == A_VALUE ? 412 : 404;
    }
    forget_text(&item->fields[field]);
    for (unsigned i = 0; i < FIELDS; i++) {
        if (item->fields[i].there) {
            return 200;
        }
    }
    forget(item);
    return 200;
}

static unsigned model_hincrby(model_t *model, unsigned name, unsigned field, int64_t number)
{
    item_t *item = find(model, name);
    text_t *text = &item->fields[field];
    int64_t sum = 0;
    char digits[24];
    if (item->kind == A_VALUE) {
        return 412;
    }
    if (text->there && !hust_parse_i64(hust_buf_slice(&text->bytes), &sum)) {
        return 403;
    }
    sum += number;
    return model_hset(model, name, field, hust_slice_of(digits, hust_format_i64(sum, digits)));
}

static unsigned model_expire(model_t *model, unsigned name, uint64_t expire_at_ms)
{
    item_t *item = find(model, name);
    if (item->kind == NONE || (expire_at_ms == 0 && item->expire_at_ms == 0)) {
        return 404;
    }
    item->expire_at_ms = expire_at_ms;
    return 200;
}

static unsigned model_put(model_t *model, unsigned name, hust_slice_t value, uint64_t expire_at_ms)
{
    item_t *item = find(model, name);
    return item->kind == A_HASH ? 412 : model_store(model, name, item, value, expire_at_ms);
}

static unsigned model_del(model_t *model, unsigned name)
{
    item_t *item = find(model, name);
    unsigned status = item->kind == NONE ? 404 : 200;
    forget(item);
    return status;
}

/* --- both --- */

static void assert_value(unsigned status, const hust_buf_t *out, const text_t *text)
{
    assert_int_equal(status, text->there ? 200 : 404);
    assert_true(status != 200 ||
                hust_slice_equal(hust_buf_slice(out), hust_buf_slice(&text->bytes)));
}

static void compare_reads(model_t *model, hust_cache_request_t *request, unsigned name,
                          unsigned field, hust_buf_t *out)
{
    const item_t *item = find(model, name);
    unsigned status = hust_cache_get(model->cache, request, out);
    if (item->kind == A_HASH) {
        assert_int_equal(status, 412);
    } else {
        assert_value(status, out, &item->value);
    }
    request->key = hust_slice_str(name_of(field, 'f'));
    hust_buf_clear(out);
    status = hust_cache_hget(model->cache, request, out);
    if (item->kind == A_VALUE) {
        assert_int_equal(status, 412);
    } else {
        assert_value(status, out, &item->fields[field]);
    }
}

/* One random call on both. */
static void step(model_t *model, const uint8_t *bytes, hust_buf_t *out)
{
    unsigned name = draw(model, NAMES);
    unsigned field = draw(model, FIELDS);
    uint32_t length = draw(model, 3) == 0 ? VALUE_MAX : draw(model, 50) == 0 ? GROWN_MAX : 200;
    hust_cache_request_t request = {
        .key = hust_slice_str(name_of(name, 'n')),
        .tb = hust_slice_str(name_of(name, 'n')),
        .val = hust_slice_of(bytes + draw(model, 64), draw(model, length)),
        .number = (int64_t)draw(model, 1000) - 500,
        .now_ms = model->now_ms,
        .expire_at_ms = draw(model, 3) == 0 ? model->now_ms + 1 + draw(model, 200) : 0,
    };
    hust_cache_request_t of_field = request;
    of_field.key = hust_slice_str(name_of(field, 'f'));
    hust_buf_clear(out);
    hust_cache_t *cache = model->cache;
    switch (draw(model, 10)) {
    case 0:
    case 1:
        assert_int_equal(hust_cache_put(cache, &request, out),
                         model_put(model, name, request.val, request.expire_at_ms));
        break;
    case 2:
        assert_int_equal(hust_cache_append(cache, &request, out),
                         model_append(model, name, request.val));
        break;
    case 3:
    case 4:
        assert_int_equal(hust_cache_hset(cache, &of_field, out),
                         model_hset(model, name, field, request.val));
        break;
    case 5:
        assert_int_equal(hust_cache_hincrby(cache, &of_field, out),
                         model_hincrby(model, name, field, request.number));
        break;
    case 6:
        assert_int_equal(hust_cache_hdel(cache, &of_field, out), model_hdel(model, name, field));
        break;
    case 7:
        assert_int_equal(hust_cache_expire(cache, &request, out),
                         model_expire(model, name, request.expire_at_ms));
        break;
    case 8:
        if (draw(model, 4) == 0) {
            assert_int_equal(hust_cache_del(cache, &request, out), model_del(model, name));
        }
        break;
    default:
        compare_reads(model, &request, name, field, out);
        break;
    }
}

static void compare_all(model_t *model)
{
    hust_cache_stat_t stat;
    hust_cache_stat(model->cache, &stat);
    uint64_t items = 0;
    for (unsigned i = 0; i < NAMES; i++) {
        items += model->items[i].kind == NONE ? 0 : 1;
    }
    assert_int_equal(stat.items, items);
    assert_int_equal(stat.bytes, charge_of_all(model));
    assert_int_equal(stat.evicted, model->evicted);
    assert_true(stat.bytes <= stat.bytes_max);
}

static void test_random_calls(void **state)
{
    (void)state;
    static uint8_t bytes[GROWN_MAX + 64];
    const hust_cache_options_t options = {
        .bytes_max = HUST_CACHE_BYTES_MIN, .value_bytes_max = GROWN_MAX, .seed = 11};
    model_t model = {.random = 2463534242, .now_ms = 1000};
    hust_cache_stat_t stat;
    hust_buf_t out = {0};
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(draw(&model, 4) == 0 ? draw(&model, 256) : '1');
    }
    assert_int_equal(hust_cache_open(&options, &model.cache), HUST_OK);
    hust_cache_stat(model.cache, &stat);
    model.empty = stat.bytes;
    model.item_max = stat.item_bytes_max;
    for (model.step = 1; model.step <= STEPS; model.step++) {
        model.now_ms += draw(&model, 3);
        step(&model, bytes, &out);
        compare_all(&model);
        if (model.step % 100 == 0) {
            hust_cache_check(model.cache);
        }
    }
    assert_true(model.evicted > STEPS / 100);
    for (unsigned i = 0; i < NAMES; i++) {
        hust_buf_free(&model.items[i].value.bytes);
        for (unsigned field = 0; field < FIELDS; field++) {
            hust_buf_free(&model.items[i].fields[field].bytes);
        }
    }
    hust_buf_free(&out);
    hust_cache_free(model.cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_calls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
