#include "core/routing.h"

#include <assert.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

/* No section: the fault concerns the file as a whole. */
static const size_t NO_SECTION = SIZE_MAX;

struct hust_routing {
    hust_peer_t *peers; /* owned; in order of first appearance */
    unsigned peer_count;
    unsigned peer_cap;
    uint16_t masters[HUST_BUCKET_COUNT][2]; /* indices of peers */
    uint64_t epoch;
    char *json; /* owned; canonical */
    size_t json_len;
};

/* A file while it is read. */
typedef struct {
    hust_routing_t *routing; /* what is being built */
    size_t section;          /* its index in the file, for messages */
    unsigned next_bucket;    /* where the section has to begin */
    bool any_increase;
    bool any_decrease;
    char *message;
} reader_t;

/* The member "item", "low" or "high": a range of buckets and the two masters of it. */
typedef struct {
    unsigned start;
    unsigned end; /* exclusive */
    unsigned masters[2];
} range_t;

__attribute__((format(printf, 2, 3))) static hust_error_t refuse(reader_t *reader,
                                                                 const char *format, ...)
{
    size_t len = 0;
    if (reader->section != NO_SECTION) {
        int added =
            snprintf(reader->message, HUST_ROUTING_MESSAGE_BYTES, "section %zu: ", reader->section);
        assert(added > 0);
        len = (size_t)added;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(reader->message + len, HUST_ROUTING_MESSAGE_BYTES - len, format, args);
    va_end(args);
    return HUST_ERR_MALFORMED;
}

static hust_error_t no_memory(reader_t *reader)
{
    refuse(reader, "%s", hust_error_text(HUST_ERR_NOMEM));
    return HUST_ERR_NOMEM;
}

/* ---- peers ---------------------------------------------------------------------------------- */

static hust_error_t add_peer(reader_t *reader, const hust_peer_t *peer)
{
    hust_routing_t *routing = reader->routing;
    if (routing->peer_count == routing->peer_cap) {
        unsigned cap = routing->peer_cap == 0 ? 4 : 2 * routing->peer_cap;
        hust_peer_t *peers = realloc(routing->peers, cap * sizeof(*peers));
        if (peers == NULL) {
            return no_memory(reader);
        }
        routing->peers = peers;
        routing->peer_cap = cap;
    }
    assert(routing->peer_count < routing->peer_cap);
    routing->peers[routing->peer_count++] = *peer;
    return HUST_OK;
}

/* The index of the peer that `value` names, which becomes a new one at its first appearance. */
static hust_error_t read_peer(reader_t *reader, const json_t *value, const char *where,
                              unsigned *index)
{
    hust_routing_t *routing = reader->routing;
    hust_peer_t peer;
    if (!json_is_string(value)) {
        return refuse(reader, "%s: not a string host:port", where);
    }
    hust_slice_t text = hust_slice_of(json_string_value(value), json_string_length(value));
    if (hust_address_parse(text, &peer) != HUST_OK) {
        return refuse(reader, "%s: not host:port", where);
    }
    for (unsigned i = 0; i < routing->peer_count; i++) {
        if (hust_address_same(&routing->peers[i], &peer)) {
            *index = i;
            return HUST_OK;
        }
    }
    if (routing->peer_count == HUST_PEERS_MAX) {
        return refuse(reader, "%s: more than %d nodes", where, HUST_PEERS_MAX);
    }
    *index = routing->peer_count;
    return add_peer(reader, &peer);
}

/* ---- sections ------------------------------------------------------------------------------- */

/*
 * True if `object` is an object with the member `first`, with `second` unless that is NULL, and
 * nothing else. A misspelt member must not be taken for an absent one.
 */
static bool has_exactly(const json_t *object, const char *first, const char *second)
{
    return json_is_object(object) && json_object_size(object) == (second == NULL ? 1 : 2) &&
           json_object_get(object, first) != NULL &&
           (second == NULL || json_object_get(object, second) != NULL);
}

static bool read_bucket(const json_t *value, unsigned *out)
{
    json_int_t number = json_integer_value(value);
    *out = (unsigned)number;
    return json_is_integer(value) && number >= 0 && number <= HUST_BUCKET_COUNT;
}

static hust_error_t read_key(reader_t *reader, const json_t *key, const char *where, range_t *range)
{
    if (!json_is_array(key) || json_array_size(key) != 2 ||
        !read_bucket(json_array_get(key, 0), &range->start) ||
        !read_bucket(json_array_get(key, 1), &range->end)) {
        return refuse(reader, "%s.key: not two whole numbers 0..%d", where, HUST_BUCKET_COUNT);
    }
    if (range->start >= range->end) {
        return refuse(reader, "%s.key: start %u is not before end %u", where, range->start,
                      range->end);
    }
    return HUST_OK;
}

static hust_error_t read_val(reader_t *reader, const json_t *val, const char *where, range_t *range)
{
    char place[32];
    if (!json_is_array(val) || json_array_size(val) != 2) {
        return refuse(reader, "%s.val: not exactly two host:port", where);
    }
    for (size_t i = 0; i < 2; i++) {
        snprintf(place, sizeof(place), "%s.val[%zu]", where, i);
        hust_error_t err = read_peer(reader, json_array_get(val, i), place, &range->masters[i]);
        if (err != HUST_OK) {
            return err;
        }
    }
    if (range->masters[0] == range->masters[1]) {
        return refuse(reader, "%s.val: twice the same node", where);
    }
    return HUST_OK;
}

static hust_error_t read_range(reader_t *reader, const json_t *object, const char *where,
                               range_t *range)
{
    if (!has_exactly(object, "key", "val")) {
        return refuse(reader, "%s: not an object of key and val", where);
    }
    hust_error_t err = read_key(reader, json_object_get(object, "key"), where, range);
    return err != HUST_OK ? err : read_val(reader, json_object_get(object, "val"), where, range);
}

static bool range_has(const range_t *range, unsigned peer)
{
    return range->masters[0] == peer || range->masters[1] == peer;
}

/* The master of a range that is not `peer`, which is the other one. */
static unsigned other_master(const range_t *range, unsigned peer)
{
    assert(range_has(range, peer));
    return range->masters[range->masters[0] == peer ? 1 : 0];
}

/* The section is being split: low keeps master1, high keeps master2, both get one new node. */
static hust_error_t check_split(reader_t *reader, const range_t *item, const range_t *low,
                                const range_t *high)
{
    if (low->start != item->start || low->end != high->start || high->end != item->end) {
        return refuse(reader, "increase: low.key and high.key do not make up item.key");
    }
    if (!range_has(low, item->masters[0])) {
        return refuse(reader, "increase: low does not keep master1");
    }
    if (!range_has(high, item->masters[1])) {
        return refuse(reader, "increase: high does not keep master2");
    }
    /* Being beside master1 in one range and beside master2 in the other, it is neither of them. */
    unsigned added = other_master(low, item->masters[0]);
    if (added != other_master(high, item->masters[1])) {
        return refuse(reader, "increase: low and high do not get the same new node");
    }
    return HUST_OK;
}

static hust_error_t read_increase(reader_t *reader, const json_t *increase, const range_t *item)
{
    range_t low;
    range_t high;
    reader->any_increase = true;
    if (!has_exactly(increase, "low", "high")) {
        return refuse(reader, "increase: not an object of low and high");
    }
    hust_error_t err = read_range(reader, json_object_get(increase, "low"), "increase.low", &low);
    if (err != HUST_OK) {
        return err;
    }
    err = read_range(reader, json_object_get(increase, "high"), "increase.high", &high);
    return err != HUST_OK ? err : check_split(reader, item, &low, &high);
}

static hust_error_t read_decrease(reader_t *reader, const json_t *decrease, const range_t *item)
{
    unsigned removed;
    unsigned added;
    reader->any_decrease = true;
    if (!has_exactly(decrease, "remove", "replace_by")) {
        return refuse(reader, "decrease: not an object of remove and replace_by");
    }
    hust_error_t err =
        read_peer(reader, json_object_get(decrease, "remove"), "decrease.remove", &removed);
    if (err != HUST_OK) {
        return err;
    }
    if (!range_has(item, removed)) {
        return refuse(reader, "decrease.remove: not a master of the section");
    }
    err = read_peer(reader, json_object_get(decrease, "replace_by"), "decrease.replace_by", &added);
    if (err != HUST_OK) {
        return err;
    }
    if (range_has(item, added)) {
        return refuse(reader, "decrease.replace_by: already a master of the section");
    }
    return HUST_OK;
}

/* What an element carries beside its item: nothing, an increase or a decrease. */
static hust_error_t read_change(reader_t *reader, const json_t *element, const range_t *item)
{
    const json_t *increase = json_object_get(element, "increase");
    const json_t *decrease = json_object_get(element, "decrease");
    hust_error_t err = HUST_OK;
    if (increase != NULL) {
        err = read_increase(reader, increase, item);
    }
    if (err == HUST_OK && decrease != NULL) {
        err = read_decrease(reader, decrease, item);
    }
    if (err == HUST_OK && reader->any_increase && reader->any_decrease) {
        return refuse(reader, "increase and decrease in one file");
    }
    return err;
}

static bool members_known(const json_t *element)
{
    size_t known = json_object_get(element, "item") != NULL ? 1 : 0;
    known += json_object_get(element, "increase") != NULL ? 1 : 0;
    known += json_object_get(element, "decrease") != NULL ? 1 : 0;
    return json_object_size(element) == known;
}

static hust_error_t read_section(reader_t *reader, const json_t *element)
{
    range_t item;
    if (json_object_get(element, "item") == NULL) {
        return refuse(reader, "not an object with an item");
    }
    if (!members_known(element)) {
        return refuse(reader, "a member other than item, increase and decrease");
    }
    hust_error_t err = read_range(reader, json_object_get(element, "item"), "item", &item);
    if (err != HUST_OK) {
        return err;
    }
    if (item.start != reader->next_bucket) {
        return refuse(reader, "item.key: begins at %u, not at %u", item.start, reader->next_bucket);
    }
    err = read_change(reader, element, &item);
    if (err != HUST_OK) {
        return err;
    }
    assert(item.start < item.end && item.end <= HUST_BUCKET_COUNT);
    for (unsigned bucket = item.start; bucket < item.end; bucket++) {
        reader->routing->masters[bucket][0] = (uint16_t)item.masters[0];
        reader->routing->masters[bucket][1] = (uint16_t)item.masters[1];
    }
    reader->next_bucket = item.end;
    return HUST_OK;
}

static hust_error_t read_table(reader_t *reader, const json_t *root)
{
    const json_t *table = json_object_get(root, "table");
    if (!has_exactly(root, "table", NULL) || !json_is_array(table)) {
        return refuse(reader, "not an object of one array `table`");
    }
    size_t count = json_array_size(table);
    for (size_t i = 0; i < count; i++) {
        reader->section = i;
        hust_error_t err = read_section(reader, json_array_get(table, i));
        if (err != HUST_OK) {
            return err;
        }
    }
    assert(reader->next_bucket <= HUST_BUCKET_COUNT);
    reader->section = NO_SECTION;
    if (reader->next_bucket != HUST_BUCKET_COUNT) {
        return refuse(reader, "the sections end at %u, not at %d", reader->next_bucket,
                      HUST_BUCKET_COUNT);
    }
    assert(count <= HUST_SECTIONS_MAX);
    return HUST_OK;
}

/* ---- the whole file ------------------------------------------------------------------------- */

/*
 * Members sorted and no blanks: files that differ in form only have one canonical text, so its
 * hash is the hash of what they mean.
 */
static hust_error_t set_canonical(reader_t *reader, const json_t *root)
{
    const size_t flags = JSON_COMPACT | JSON_SORT_KEYS;
    hust_routing_t *routing = reader->routing;
    routing->json_len = json_dumpb(root, NULL, 0, flags);
    routing->json = routing->json_len == 0 ? NULL : malloc(routing->json_len);
    if (routing->json == NULL ||
        json_dumpb(root, routing->json, routing->json_len, flags) != routing->json_len) {
        return no_memory(reader);
    }
    assert(routing->json[0] == '{' && routing->json[routing->json_len - 1] == '}');
    routing->epoch = XXH3_64bits(routing->json, routing->json_len);
    routing->epoch += routing->epoch == 0 ? 1 : 0;
    return HUST_OK;
}

/*
 * jansson has no words for most of its allocations that fail; one in the middle of a string it
 * even calls a syntax error, which cannot be told from a real one. It quotes its input, in which
 * a control character may stand: a message is one line.
 */
static hust_error_t refuse_json(reader_t *reader, const json_error_t *error)
{
    if (error->text[0] == '\0' || json_error_code(error) == json_error_out_of_memory) {
        return no_memory(reader);
    }
    refuse(reader, "line %d: %s", error->line, error->text);
    for (char *c = reader->message; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 127) {
            *c = ' ';
        }
    }
    return HUST_ERR_MALFORMED;
}

static hust_error_t read_file(reader_t *reader, hust_slice_t text)
{
    json_error_t error = {0};
    json_t *root = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        return refuse_json(reader, &error);
    }
    hust_error_t err = read_table(reader, root);
    if (err == HUST_OK) {
        err = set_canonical(reader, root);
    }
    json_decref(root);
    return err;
}

hust_error_t hust_routing_parse(hust_slice_t json, hust_routing_t **out,
                                char message[HUST_ROUTING_MESSAGE_BYTES])
{
    *out = NULL;
    message[0] = '\0';
    reader_t reader = {.section = NO_SECTION, .message = message};
    reader.routing = calloc(1, sizeof(*reader.routing));
    if (reader.routing == NULL) {
        return no_memory(&reader);
    }
    hust_error_t err = read_file(&reader, json);
    assert((err == HUST_OK) == (message[0] == '\0'));
    if (err != HUST_OK) {
        hust_routing_free(reader.routing);
        return err;
    }
    *out = reader.routing;
    return HUST_OK;
}

void hust_routing_free(hust_routing_t *routing)
{
    if (routing == NULL) {
        return;
    }
    free(routing->peers);
    free(routing->json);
    free(routing);
}

unsigned hust_routing_peer_count(const hust_routing_t *routing)
{
    assert(routing->peer_count >= 2);
    return routing->peer_count;
}

const hust_peer_t *hust_routing_peer(const hust_routing_t *routing, unsigned index)
{
    assert(index < routing->peer_count);
    return &routing->peers[index];
}

void hust_routing_masters(const hust_routing_t *routing, unsigned bucket, unsigned masters[2])
{
    assert(bucket < HUST_BUCKET_COUNT);
    masters[0] = routing->masters[bucket][0];
    masters[1] = routing->masters[bucket][1];
    assert(masters[0] < routing->peer_count && masters[1] < routing->peer_count);
    assert(masters[0] != masters[1]);
}

uint64_t hust_routing_epoch(const hust_routing_t *routing)
{
    assert(routing->epoch != 0);
    return routing->epoch;
}

hust_slice_t hust_routing_json(const hust_routing_t *routing)
{
    assert(routing->json != NULL);
    return hust_slice_of(routing->json, routing->json_len);
}
