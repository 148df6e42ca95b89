/*
 * The calls on hashes. A field is an entry of its own in the same table as its hash, so that no
 * table has to grow; it is used, expires and is evicted with its hash.
 */
#include <assert.h>
#include <xxhash.h>

#include "core/params.h"
#include "node/cache_internal.h"

/* A field while its shard is locked. */
typedef struct {
    hust_cache_shard_t *shard;
    uint64_t hash_of_tb;
    uint64_t hash_of_field;
    hust_cache_entry_t *owner; /* the hash; NULL: absent */
    hust_cache_entry_t *field; /* NULL: absent */
    bool other_type;           /* the name is that of a value */
} place_t;

static place_t lock_place(hust_cache_t *cache, const hust_cache_request_t *request)
{
    place_t place = {.hash_of_tb = hust_cache_hash(cache, request->tb)};
    /* Seeded with the hash's own: the same field of other hashes lies elsewhere. */
    place.hash_of_field =
        XXH3_64bits_withSeed(request->key.data, request->key.len, place.hash_of_tb);
    place.shard = hust_cache_lock(cache, place.hash_of_tb);
    place.owner =
        hust_cache_shard_find(place.shard, place.hash_of_tb, request->tb, request->now_ms);
    if (place.owner != NULL && place.owner->kind != HUST_CACHE_HASH) {
        place.other_type = true;
        place.owner = NULL;
    }
    if (place.owner != NULL) {
        place.field = hust_cache_shard_find_field(place.shard, place.owner, place.hash_of_field,
                                                  request->key);
    }
    return place;
}

/* The status of a call that needs the field. */
static unsigned place_status(const place_t *place)
{
    assert(!place->other_type || place->owner == NULL);
    if (place->other_type) {
        return 412;
    }
    return place->field == NULL ? 404 : 200;
}

/* --- reads and delete --- */

unsigned hust_cache_hexist(hust_cache_t *cache, const hust_cache_request_t *request,
                           hust_buf_t *out)
{
    (void)out;
    const place_t place = lock_place(cache, request);
    unsigned status = place_status(&place);
    hust_cache_unlock(place.shard);
    return status;
}

unsigned hust_cache_hget(hust_cache_t *cache, const hust_cache_request_t *request, hust_buf_t *out)
{
    const place_t place = lock_place(cache, request);
    unsigned status = place_status(&place);
    if (status == 200) {
        status = hust_cache_copy_value(place.field, out);
    }
    hust_cache_unlock(place.shard);
    return status;
}

/* A hash without fields goes. */
static void drop_if_empty(const place_t *place)
{
    if (place->owner->fields == NULL) {
        hust_cache_shard_remove(place->shard, place->owner);
    }
}

unsigned hust_cache_hdel(hust_cache_t *cache, const hust_cache_request_t *request, hust_buf_t *out)
{
    (void)out;
    const place_t place = lock_place(cache, request);
    unsigned status = place_status(&place);
    if (status == 200) {
        hust_cache_shard_remove(place.shard, place.field);
        drop_if_empty(&place);
    }
    hust_cache_unlock(place.shard);
    return status;
}

/* --- writes --- */

/* True if the hash, with the field as it is to be, is no larger than an item may be. */
static bool fits(const place_t *place, const hust_cache_request_t *request, hust_slice_t val)
{
    size_t charge = hust_cache_entry_charge(request->key.len, val.len);
    charge +=
        place->owner == NULL ? hust_cache_entry_charge(request->tb.len, 0) : place->owner->charged;
    charge -= place->field == NULL ? 0 : place->field->charged;
    return charge <= place->shard->item_bytes_max;
}

static unsigned add_owner(place_t *place, const hust_cache_request_t *request)
{
    unsigned status = 200;
    assert(place->owner == NULL && place->field == NULL);
    place->owner = hust_cache_entry_make(place->shard, HUST_CACHE_HASH, place->hash_of_tb,
                                         request->tb, 0, &status);
    if (place->owner != NULL) {
        hust_cache_shard_add(place->shard, place->owner);
    }
    return status;
}

static unsigned store_field(place_t *place, const hust_cache_request_t *request, hust_slice_t val)
{
    assert(!place->other_type);
    if (!fits(place, request, val)) {
        return 507;
    }
    unsigned status = place->owner == NULL ? add_owner(place, request) : 200;
    if (status != 200) {
        return status;
    }
    hust_cache_entry_t *entry = hust_cache_entry_make(
        place->shard, HUST_CACHE_FIELD, place->hash_of_field, request->key, val.len, &status);
    if (entry == NULL) {
        drop_if_empty(place);
        return status;
    }
    if (val.len > 0) {
        memcpy(hust_cache_entry_room(entry), val.data, val.len);
    }
    if (place->field != NULL) {
        hust_cache_shard_remove(place->shard, place->field);
    }
    hust_cache_shard_add_field(place->shard, place->owner, entry);
    return 200;
}

unsigned hust_cache_hset(hust_cache_t *cache, const hust_cache_request_t *request, hust_buf_t *out)
{
    (void)out;
    place_t place = lock_place(cache, request);
    unsigned status = place.other_type ? 412 : store_field(&place, request, request->val);
    hust_cache_unlock(place.shard);
    return status;
}

/* --- numbers --- */

/* The text of the sum of `present` and what the request adds; its length, 0: there is none. */
typedef size_t (*add_t)(hust_slice_t present, const hust_cache_request_t *request,
                        char text[HUST_DECIMAL_CHARS_MAX]);

static size_t add_number(hust_slice_t present, const hust_cache_request_t *request,
                         char text[HUST_DECIMAL_CHARS_MAX])
{
    int64_t sum;
    if (!hust_parse_i64(present, &sum) || __builtin_add_overflow(sum, request->number, &sum)) {
        return 0;
    }
    return hust_format_i64(sum, text);
}

static size_t add_decimal(hust_slice_t present, const hust_cache_request_t *request,
                          char text[HUST_DECIMAL_CHARS_MAX])
{
    long double sum;
    if (!hust_parse_decimal(present, &sum)) {
        return 0;
    }
    return hust_format_decimal(sum + request->decimal, text);
}

static unsigned add_to_field(place_t *place, const hust_cache_request_t *request, hust_buf_t *out,
                             add_t add)
{
    char text[HUST_DECIMAL_CHARS_MAX];
    if (place->other_type) {
        return 412;
    }
    hust_slice_t present =
        place->field == NULL ? hust_slice_str("0") : hust_cache_entry_value(place->field);
    size_t len = add(present, request, text);
    assert(len <= sizeof(text));
    if (len == 0) {
        return 403;
    }
    /* The answer first: what could not be answered has not happened. */
    if (hust_buf_append(out, text, len) != HUST_OK) {
        return 500;
    }
    return store_field(place, request, hust_slice_of(text, len));
}

unsigned hust_cache_hincrby(hust_cache_t *cache, const hust_cache_request_t *request,
                            hust_buf_t *out)
{
    place_t place = lock_place(cache, request);
    unsigned status = add_to_field(&place, request, out, add_number);
    hust_cache_unlock(place.shard);
    return status;
}

unsigned hust_cache_hincrbyfloat(hust_cache_t *cache, const hust_cache_request_t *request,
                                 hust_buf_t *out)
{
    place_t place = lock_place(cache, request);
    unsigned status = add_to_field(&place, request, out, add_decimal);
    hust_cache_unlock(place.shard);
    return status;
}
