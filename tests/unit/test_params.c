/* Parameters of a request: decoding, presence, bodies, values, messages. */
#include <stdio.h>
#include <stdlib.h>

#include "core/params.h"
#include "unit.h"

enum {
    GET = HUST_METHOD_GET,
    HEAD = HUST_METHOD_HEAD,
    POST = HUST_METHOD_POST,
    PUT = HUST_METHOD_PUT,
    DELETE = HUST_METHOD_DELETE,
};

typedef struct {
    hust_limits_t limits;
    hust_buf_t scratch;
    hust_params_t params;
    char message[HUST_MESSAGE_BYTES];
} fixture_t;

static int set_up(void **state)
{
    static fixture_t fixture;
    fixture = (fixture_t){.limits = HUST_LIMITS_DEFAULT};
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    hust_buf_free(&f->scratch);
    return 0;
}

static unsigned parse_slices(fixture_t *f, hust_call_id_t id, unsigned method, hust_slice_t query,
                             hust_slice_t body)
{
    const hust_request_t request = {
        .method = method, .query = query, .body = body, .body_bytes = body.len};
    hust_buf_clear(&f->scratch);
    return hust_params_parse(hust_call(id), &request, &f->limits, &f->scratch, &f->params,
                             f->message);
}

static unsigned parse(fixture_t *f, hust_call_id_t id, unsigned method, const char *query,
                      const char *body)
{
    return parse_slices(f, id, method, hust_slice_str(query), hust_slice_str(body));
}

static unsigned get(fixture_t *f, const char *query)
{
    return parse(f, HUST_CALL_GET, GET, query, "");
}

/* ---- decoding ------------------------------------------------------------------------------- */

static void test_keys_are_decoded_to_bytes(void **state)
{
    fixture_t *f = *state;
    static const struct {
        const char *query;
        const char *key;
    } rows[] = {
        {"key=test_key", "test_key"},
        {"key=a+b", "a+b"},
        {"key=a%2Bb", "a+b"},
        {"key=a%20b", "a b"},
        {"key=a b", "a b"},
        {"key=%E4%B8%AD", "\xE4\xB8\xAD"},
        {"key=%e4%b8%ad", "\xE4\xB8\xAD"},
        {"key=\xE4\xB8\xAD", "\xE4\xB8\xAD"},
        {"key=%25", "%"},
        {"key=%2525", "%25"}, /* once, not twice */
        {"key=a=b", "a=b"},
        {"key==", "="},
        {"key=a;ttl=5", "a;ttl=5"},
        {"key=a?b", "a?b"},
        {"key=a%26tb=b", "a&tb=b"},
        {"key=%26", "&"},
        {"key=%3d", "="},
        {"key=%23", "#"},
        {"key=a/../b", "a/../b"},
        {"%6b%65%79=a", "a"},
        {"k%65y=%61", "a"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_row(get(f, rows[i].query) == 0, rows[i].query);
        assert_row(hust_slice_equal(f->params.key, hust_slice_str(rows[i].key)), rows[i].query);
        assert_string_equal(f->message, "");
    }
}

static void test_every_byte_value_decodes(void **state)
{
    fixture_t *f = *state;
    static const char upper[] = "0123456789ABCDEF";
    static const char lower[] = "0123456789abcdef";
    for (unsigned c = 0; c < 256; c++) {
        char query[] = "key=%XX";
        query[5] = upper[c >> 4];
        query[6] = lower[c & 15];
        assert_int_equal(get(f, query), 0);
        assert_int_equal(f->params.key.len, 1);
        assert_int_equal(f->params.key.data[0], c);
    }
}

static void test_nul_is_a_byte_like_any_other(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(get(f, "key=a%00b"), 0);
    assert_bytes(f->params.key, "a\0b");
    assert_int_equal(parse_slices(f, HUST_CALL_GET, GET, BYTES("key=a\0b&x=y"), BYTES("")), 0);
    assert_bytes(f->params.key, "a\0b");
    assert_int_equal(parse_slices(f, HUST_CALL_GET, GET, BYTES("key\0=a"), BYTES("")), 400);
}

static void test_what_needs_no_decoding_is_borrowed(void **state)
{
    fixture_t *f = *state;
    hust_slice_t query = BYTES("tb=table&key=plain&val=x");
    assert_int_equal(parse_slices(f, HUST_CALL_HSET, GET, query, BYTES("")), 0);
    assert_ptr_equal(f->params.key.data, query.data + 13);
    assert_ptr_equal(f->params.tb.data, query.data + 3);
    assert_null(f->scratch.data);
}

/* All decoded values lie in scratch, which must not move while they do. */
static void test_decoded_values_stay_where_they_are(void **state)
{
    fixture_t *f = *state;
    char query[4096] = "val=%41";
    size_t len = strlen(query);
    while (len < 3900) {
        len += (size_t)sprintf(query + len, "%%42");
    }
    strcpy(query + len, "&key=%43%44&tb=%45");
    assert_int_equal(parse(f, HUST_CALL_HSET, GET, query, ""), 0);
    assert_int_equal(f->params.val.len, 1 + (len - 7) / 3);
    assert_int_equal(f->params.val.data[0], 'A');
    assert_int_equal(f->params.val.data[f->params.val.len - 1], 'B');
    assert_bytes(f->params.key, "CD");
    assert_bytes(f->params.tb, "E");
    assert_in_range((uintptr_t)f->params.val.data, (uintptr_t)f->scratch.data,
                    (uintptr_t)f->scratch.data + f->scratch.len - 1);
}

static void test_scratch_is_appended_to(void **state)
{
    fixture_t *f = *state;
    const hust_request_t request = {.method = GET, .query = BYTES("key=%61")};
    assert_int_equal(hust_buf_append(&f->scratch, "kept", 4), HUST_OK);
    assert_int_equal(hust_params_parse(hust_call(HUST_CALL_GET), &request, &f->limits, &f->scratch,
                                       &f->params, f->message),
                     0);
    assert_bytes(f->params.key, "a");
    assert_bytes(hust_buf_slice(&f->scratch), "kepta");
}

static void test_malformed_escapes(void **state)
{
    fixture_t *f = *state;
    static const char *const queries[] = {
        "key=%",   "key=%4",  "key=%%41",   "key=%4g",  "key=%g4",    "key=a%",  "key=a%2",
        "key=%-1", "key=% 1", "key=%4&x=1", "key=%&41", "key=%u0041", "key=%0x",
    };
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        assert_row(get(f, queries[i]) == 400, queries[i]);
        assert_string_equal(f->message, "key: malformed percent escape");
    }
}

/* Whether an escape is whole is judged by its value alone, not by what follows in memory. */
static void test_escape_at_the_end_of_memory(void **state)
{
    fixture_t *f = *state;
    static const char query[] = "key=ab%41";
    for (size_t len = 0; len < sizeof(query); len++) {
        unsigned expected = len == 5 || len == 6 || len == 9 ? 0 : 400;
        assert_int_equal(parse_slices(f, HUST_CALL_GET, GET, hust_slice_of(query, len), BYTES("")),
                         expected);
        /* Memory that ends there, for the sanitizers. */
        uint8_t *exact = malloc(len == 0 ? 1 : len);
        assert_non_null(exact);
        memcpy(exact, query, len);
        assert_int_equal(parse_slices(f, HUST_CALL_GET, GET, hust_slice_of(exact, len), BYTES("")),
                         expected);
        free(exact);
    }
}

/* ---- names ---------------------------------------------------------------------------------- */

static void test_what_is_unknown_is_ignored(void **state)
{
    fixture_t *f = *state;
    static const char *const queries[] = {
        "key=a&x=1&x=2",
        "x&key=a",
        "&&key=a&&",
        "key=a&=b",
        "=&key=a",
        "key=a&%zz=1",
        "key=a&ke%7=b",
        "key=a&key%=b",
        "key=a&Key=b",
        "key=a&KEY=b",
        "key=a& key=b",
        "key=a&key2=b",
        "key=a&keykeykey=b",
        "key=a&ke=b",
        "key=a&x=%",
        "key=a&k%65y%00=b",
        "key=a&offset=x",
        "key=a&%6b%65%79%73=b",
        "key=a&%6beykeykey=b",
        /* known to other calls, not to this one */
        "key=a&val=1&val=2",
        "key=a&tb=%zz",
        "key=a&ttl=abc",
        "key=a&peer=-1",
        "key=a&score=x&opt=7",
        "key=a&host=&method=99",
    };
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        assert_row(get(f, queries[i]) == 0, queries[i]);
        assert_row(hust_slice_equal(f->params.key, BYTES("a")), queries[i]);
        assert_row(f->params.given == 1u << HUST_PARAM_KEY, queries[i]);
    }
}

static void test_duplicates(void **state)
{
    fixture_t *f = *state;
    static const char *const queries[] = {
        "key=a&key=a",     "key=a&key=b",   "key=&key=a",    "key&key",
        "key=a&x=1&key=b", "key=a&k%65y=b", "%6bey=a&key=b", "key=a&key=%",
    };
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        assert_row(get(f, queries[i]) == 400, queries[i]);
        assert_string_equal(f->message, "key: given twice");
    }
    assert_int_equal(parse(f, HUST_CALL_PUT, GET, "key=a&val=1&ttl=1&ttl=1", ""), 400);
    assert_string_equal(f->message, "ttl: given twice");
}

/* ---- missing, empty, out of range: one line that names the parameter ------------------------ */

typedef struct {
    hust_call_id_t id;
    unsigned method;
    const char *query;
    const char *body;
    const char *message;
} refused_t;

static const refused_t refused[] = {
    {HUST_CALL_GET, GET, "", "", "key: missing parameter"},
    {HUST_CALL_GET, GET, "tb=t", "", "key: missing parameter"},
    {HUST_CALL_GET, GET, "key", "", "key: empty"},
    {HUST_CALL_GET, GET, "key=", "", "key: empty"},
    {HUST_CALL_GET2, HEAD, "x=y", "", "key: missing parameter"},
    {HUST_CALL_PUT, GET, "key=a", "", "val: missing parameter"},
    {HUST_CALL_PUT, GET, "val=a", "", "key: missing parameter"},
    {HUST_CALL_PUT, POST, "", "v", "key: missing parameter"},
    {HUST_CALL_PUT, POST, "key=a&val=b", "v", "val: given in the query and as a body"},
    {HUST_CALL_PUT, PUT, "key=a&val=", "v", "val: given in the query and as a body"},
    {HUST_CALL_HGET2, GET, "key=a", "", "tb: missing parameter"},
    {HUST_CALL_HGET, GET, "tb=&key=a", "", "tb: empty"},
    {HUST_CALL_HGET, GET, "tb=a%20b&key=a", "", "tb: a byte other than 0-9 a-z A-Z _ : . -"},
    {HUST_CALL_HGET, GET, "tb=a/b&key=a", "", "tb: a byte other than 0-9 a-z A-Z _ : . -"},
    {HUST_CALL_HGET, GET, "tb=t%00&key=a", "", "tb: a byte other than 0-9 a-z A-Z _ : . -"},
    {HUST_CALL_HGET, GET, "tb=%zz&key=a", "", "tb: malformed percent escape"},
    {HUST_CALL_SADD, GET, "tb=t", "", "key: missing parameter"},
    {HUST_CALL_SADD, POST, "tb=t", "", "key: missing parameter"},
    {HUST_CALL_SADD, POST, "tb=t&key=a", "b", "key: given in the query and as a body"},
    {HUST_CALL_SADD, POST, "tb=t&key=", "", "key: empty"},
    {HUST_CALL_ZSCORE2, POST, "", "test_key", "tb: missing parameter"},
    {HUST_CALL_PUT, GET, "key=a&val=b&ttl=", "", "ttl: not a whole decimal number"},
    {HUST_CALL_PUT, GET, "key=a&val=b&ttl", "", "ttl: not a whole decimal number"},
    {HUST_CALL_PUT, GET, "key=a&val=b&ttl=abc", "", "ttl: not a whole decimal number"},
    {HUST_CALL_PUT, GET, "key=a&val=b&ttl=1.5", "", "ttl: not a whole decimal number"},
    {HUST_CALL_PUT, GET, "key=a&val=b&ttl=+1", "", "ttl: not a whole decimal number"},
    {HUST_CALL_PUT, GET, "key=a&val=b&ttl=1%00", "", "ttl: not a whole decimal number"},
    {HUST_CALL_PUT, GET, "key=a&val=b&ttl=-", "", "ttl: not a whole decimal number"},
    {HUST_CALL_PUT, GET, "key=a&val=b&ttl=-1", "", "ttl: out of range"},
    {HUST_CALL_PUT, GET, "key=a&val=b&ttl=2592001", "", "ttl: out of range"},
    {HUST_CALL_PUT, GET, "key=a&val=b&ttl=18446744073709551616", "", "ttl: out of range"},
    {HUST_CALL_DEL, GET, "key=a&ver=x", "", "ver: not a whole decimal number"},
    {HUST_CALL_DEL, GET, "key=a&ver=-1", "", "ver: out of range"},
    {HUST_CALL_DEL, GET, "key=a&ver=18446744073709551616", "", "ver: out of range"},
    {HUST_CALL_HINCRBY, GET, "tb=t&key=a", "", "val: missing parameter"},
    {HUST_CALL_HINCRBY, POST, "tb=t&key=a", "5", "val: missing parameter"},
    {HUST_CALL_HINCRBY, GET, "tb=t&key=a&val=", "", "val: not a whole decimal number"},
    {HUST_CALL_HINCRBY, GET, "tb=t&key=a&val=1e3", "", "val: not a whole decimal number"},
    {HUST_CALL_HINCRBY, GET, "tb=t&key=a&val=9223372036854775808", "", "val: out of range"},
    {HUST_CALL_ZADD, GET, "tb=t&key=a", "", "score: missing parameter"},
    {HUST_CALL_ZADD, GET, "tb=t&key=a&score=1.0", "", "score: not a whole decimal number"},
    {HUST_CALL_ZADD, GET, "tb=t&key=a&score=-9223372036854775809", "", "score: out of range"},
    {HUST_CALL_ZADD, GET, "tb=t&key=a&score=1&opt=2", "", "opt: out of range"},
    {HUST_CALL_ZADD, GET, "tb=t&key=a&score=1&opt=-2", "", "opt: out of range"},
    {HUST_CALL_ZADD, GET, "tb=t&key=a&score=1&opt=", "", "opt: not a whole decimal number"},
    {HUST_CALL_BINLOG, GET, "method=1&key=a", "", "host: missing parameter"},
    {HUST_CALL_BINLOG, GET, "host=a:1&key=a", "", "method: missing parameter"},
    {HUST_CALL_BINLOG, GET, "host=a:1&method=1", "", "key: missing parameter"},
    {HUST_CALL_BINLOG, GET, "host=a:1&method=0&key=a", "", "method: out of range"},
    {HUST_CALL_BINLOG, GET, "host=a:1&method=9&key=a", "", "method: out of range"},
    {HUST_CALL_BINLOG, GET, "host=a:1&method=put&key=a", "", "method: not a whole decimal number"},
    {HUST_CALL_BINLOG, GET, "host=a:1&method=3&key=a", "", "tb: missing parameter"},
    {HUST_CALL_BINLOG, GET, "host=a:1&method=8&key=a", "", "tb: missing parameter"},
    {HUST_CALL_BINLOG, GET, "host=a:1&method=1&tb=%20&key=a", "",
     "tb: a byte other than 0-9 a-z A-Z _ : . -"},
    {HUST_CALL_BINLOG, GET, "host=&method=1&key=a", "", "host: not host:port"},
    {HUST_CALL_BINLOG, GET, "host=a&method=1&key=a", "", "host: not host:port"},
    {HUST_CALL_STAT, GET, "tb=", "", "tb: empty"},
};

static void test_refusals_name_the_parameter(void **state)
{
    fixture_t *f = *state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        const refused_t *row = &refused[i];
        unsigned status = parse(f, row->id, row->method, row->query, row->body);
        assert_row(status == 400, row->query);
        assert_string_equal(f->message, row->message);
    }
}

static void test_key_length(void **state)
{
    fixture_t *f = *state;
    static char query[4 + HUST_KEY_BYTES_MAX + 1];
    memset(query, 'k', sizeof(query));
    memcpy(query, "key=", 4);
    hust_slice_t longest = hust_slice_of(query, 4 + HUST_KEY_BYTES_MAX);
    hust_slice_t too_long = hust_slice_of(query, sizeof(query));
    assert_int_equal(parse_slices(f, HUST_CALL_GET, GET, longest, BYTES("")), 0);
    assert_int_equal(f->params.key.len, HUST_KEY_BYTES_MAX);
    assert_int_equal(parse_slices(f, HUST_CALL_GET, GET, too_long, BYTES("")), 400);
    assert_string_equal(f->message, "key: longer than 65535 bytes");

    longest = hust_slice_of(query + 4, HUST_KEY_BYTES_MAX);
    too_long = hust_slice_of(query + 4, HUST_KEY_BYTES_MAX + 1);
    assert_int_equal(parse_slices(f, HUST_CALL_SADD, POST, BYTES("tb=t"), longest), 0);
    assert_int_equal(f->params.key.len, HUST_KEY_BYTES_MAX);
    assert_int_equal(parse_slices(f, HUST_CALL_SADD, POST, BYTES("tb=t"), too_long), 400);
    assert_string_equal(f->message, "key: longer than 65535 bytes");
}

/* What counts is the length after decoding. */
static void test_limits_are_those_of_decoded_bytes(void **state)
{
    fixture_t *f = *state;
    char query[256] = "key=a&tb=";
    for (int i = 0; i < HUST_TB_BYTES_MAX; i++) {
        strcat(query, "%74");
    }
    assert_int_equal(parse(f, HUST_CALL_HGET, GET, query, ""), 0);
    assert_int_equal(f->params.tb.len, HUST_TB_BYTES_MAX);
    strcat(query, "t");
    assert_int_equal(parse(f, HUST_CALL_HGET, GET, query, ""), 400);
    assert_string_equal(f->message, "tb: longer than 64 bytes");
}

static void test_value_length(void **state)
{
    fixture_t *f = *state;
    f->limits.value_bytes_max = 4;
    assert_int_equal(parse(f, HUST_CALL_PUT, POST, "key=a", "1234"), 0);
    assert_int_equal(parse(f, HUST_CALL_PUT, POST, "key=a", "12345"), 413);
    assert_string_equal(f->message, "val: longer than 4 bytes");
    assert_int_equal(parse(f, HUST_CALL_PUT, GET, "key=a&val=%31%32%33%34", ""), 0);
    assert_int_equal(parse(f, HUST_CALL_PUT, GET, "key=a&val=12345", ""), 413);
}

static void test_ttl_limit_is_configuration(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(parse(f, HUST_CALL_PUT, GET, "key=a&val=b&ttl=2592000", ""), 0);
    assert_int_equal(f->params.ttl_s, 2592000);
    f->limits.ttl_max_s = 10;
    assert_int_equal(parse(f, HUST_CALL_PUT, GET, "key=a&val=b&ttl=10", ""), 0);
    assert_int_equal(parse(f, HUST_CALL_PUT, GET, "key=a&val=b&ttl=11", ""), 400);
    assert_string_equal(f->message, "ttl: out of range");
}

/* A long outside text never spoils the message: one line, terminated. */
static void test_messages_quote_no_input(void **state)
{
    fixture_t *f = *state;
    char query[1024] = "key=a&val=b&ttl=";
    memset(query + strlen(query), 'x', 900);
    assert_int_equal(parse(f, HUST_CALL_PUT, GET, query, ""), 400);
    assert_string_equal(f->message, "ttl: not a whole decimal number");
}

/* ---- bodies --------------------------------------------------------------------------------- */

static void test_body_is_the_value_raw(void **state)
{
    fixture_t *f = *state;
    hust_slice_t body = BYTES("a%41+&key=\0\xff");
    assert_int_equal(parse_slices(f, HUST_CALL_PUT, POST, BYTES("key=k"), body), 0);
    assert_true(f->params.val_in_body);
    assert_true(hust_slice_equal(f->params.val, body));
    assert_ptr_equal(f->params.val.data, body.data);
    assert_bytes(f->params.key, "k");
    assert_int_equal(f->params.given, 1u << HUST_PARAM_KEY | 1u << HUST_PARAM_VAL);

    assert_int_equal(parse_slices(f, HUST_CALL_HSET, PUT, BYTES("tb=t&key=k"), body), 0);
    assert_true(hust_slice_equal(f->params.val, body));
}

/* A large value may lie in a file: its length alone is known here. */
static void test_body_in_a_file(void **state)
{
    fixture_t *f = *state;
    const hust_request_t request = {
        .method = POST, .query = BYTES("key=k"), .body_bytes = 32u << 20};
    assert_int_equal(hust_params_parse(hust_call(HUST_CALL_PUT), &request, &f->limits, &f->scratch,
                                       &f->params, f->message),
                     0);
    assert_true(f->params.val_in_body);
    assert_null(f->params.val.data);
    assert_int_equal(f->params.val.len, 32u << 20);
}

static void test_empty_values(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(parse(f, HUST_CALL_PUT, POST, "key=k", ""), 0);
    assert_true(f->params.val_in_body);
    assert_int_equal(f->params.val.len, 0);
    assert_int_equal(parse(f, HUST_CALL_HSET, PUT, "tb=t&key=k", ""), 0);
    assert_int_equal(f->params.val.len, 0);
    assert_int_equal(parse(f, HUST_CALL_PUT, GET, "key=k&val=", ""), 0);
    assert_false(f->params.val_in_body);
    assert_int_equal(f->params.val.len, 0);
    assert_int_equal(parse(f, HUST_CALL_PUT, GET, "key=k&val", ""), 0);
}

/* An empty body is no body where the value is in the query. */
static void test_value_in_the_query_of_a_post(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(parse(f, HUST_CALL_PUT, POST, "key=k&val=v", ""), 0);
    assert_bytes(f->params.val, "v");
    assert_false(f->params.val_in_body);
    assert_int_equal(parse(f, HUST_CALL_SREM, DELETE, "tb=t&key=k", ""), 0);
    assert_bytes(f->params.key, "k");
}

static void test_body_is_the_key_raw(void **state)
{
    fixture_t *f = *state;
    static const hust_call_id_t calls[] = {
        HUST_CALL_SADD,    HUST_CALL_SREM,       HUST_CALL_SISMEMBER,
        HUST_CALL_ZREM,    HUST_CALL_ZSCORE,     HUST_CALL_ZISMEMBER,
        HUST_CALL_ZSCORE2, HUST_CALL_SISMEMBER2, HUST_CALL_ZISMEMBER2,
    };
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        hust_slice_t body = BYTES("test%5Fkey\0\xff");
        assert_int_equal(parse_slices(f, calls[i], POST, BYTES("tb=t"), body), 0);
        assert_true(hust_slice_equal(f->params.key, body));
        assert_false(f->params.val_in_body);
    }
    assert_int_equal(parse(f, HUST_CALL_ZREM, DELETE, "tb=t", "member"), 0);
    assert_bytes(f->params.key, "member");
    assert_int_equal(parse(f, HUST_CALL_ZADD, POST, "tb=t&score=1", "member"), 0);
    assert_bytes(f->params.key, "member");
    assert_int_equal(parse(f, HUST_CALL_BINLOG, POST, "host=a:1&method=1", "member"), 0);
    assert_bytes(f->params.key, "member");
}

static void test_bodies_that_mean_nothing_are_ignored(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(parse(f, HUST_CALL_GET, GET, "key=k", "body"), 0);
    assert_bytes(f->params.key, "k");
    assert_int_equal(parse(f, HUST_CALL_SISMEMBER, GET, "tb=t&key=k", "body"), 0);
    assert_bytes(f->params.key, "k");
    assert_int_equal(parse(f, HUST_CALL_SISMEMBER, HEAD, "tb=t&key=k", "body"), 0);
    assert_int_equal(parse(f, HUST_CALL_PUT, GET, "key=k&val=v", "body"), 0);
    assert_bytes(f->params.val, "v");
    assert_int_equal(parse(f, HUST_CALL_DEL, DELETE, "key=k", "body"), 0);
    assert_int_equal(parse(f, HUST_CALL_HINCRBY, POST, "tb=t&key=k&val=1", "body"), 0);
    assert_int_equal(f->params.number, 1);
    assert_int_equal(parse(f, HUST_CALL_SADD, GET, "tb=t", "body"), 400);
}

static void test_which_calls_take_a_body(void **state)
{
    (void)state;
    for (unsigned id = 0; id < HUST_CALL_COUNT; id++) {
        const hust_call_t *call = hust_call((hust_call_id_t)id);
        bool takes = call->presence[HUST_PARAM_KEY] == HUST_PRESENCE_OR_BODY ||
                     call->presence[HUST_PARAM_VAL] == HUST_PRESENCE_OR_BODY;
        assert_row(!hust_call_takes_body(call, GET), call->name);
        assert_row(!hust_call_takes_body(call, HEAD), call->name);
        assert_row(hust_call_takes_body(call, POST) == takes, call->name);
        assert_row(hust_call_takes_body(call, PUT) == takes, call->name);
        assert_row(hust_call_takes_body(call, DELETE) == takes, call->name);
    }
    assert_true(hust_call_takes_body(hust_call(HUST_CALL_PUT), PUT));
    assert_true(hust_call_takes_body(hust_call(HUST_CALL_ZSCORE2), POST));
    assert_false(hust_call_takes_body(hust_call(HUST_CALL_HINCRBY), POST));
}

/* ---- values --------------------------------------------------------------------------------- */

/* What the calls of the cache add keeps its text and becomes a number. */
static void test_numbers_of_the_cache(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(parse(f, HUST_CALL_CACHE_HINCRBY, GET, "tb=t&key=k&val=-7", ""), 0);
    assert_int_equal(f->params.number, -7);
    assert_bytes(f->params.val, "-7");
    assert_int_equal(parse(f, HUST_CALL_CACHE_HINCRBYFLOAT, GET, "tb=t&key=k&val=-%31.5e1", ""), 0);
    assert_true(f->params.decimal == -15.0L);
    assert_bytes(f->params.val, "-1.5e1");
    static const char *const wrong[] = {"", "x", "1x", "+1", "%201", "nan", "1e999"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        char query[64];
        snprintf(query, sizeof(query), "tb=t&key=k&val=%s", wrong[i]);
        assert_row(parse(f, HUST_CALL_CACHE_HINCRBY, GET, query, "") == 400, query);
        assert_row(parse(f, HUST_CALL_CACHE_HINCRBYFLOAT, GET, query, "") == 400, query);
        assert_memory_equal(f->message, "val: ", 5);
    }
    assert_int_equal(parse(f, HUST_CALL_CACHE_HINCRBY, GET, "tb=t&key=k&val=1.5", ""), 400);
    /* expire needs its ttl, put does not. */
    assert_int_equal(parse(f, HUST_CALL_CACHE_EXPIRE, GET, "key=k", ""), 400);
    assert_int_equal(parse(f, HUST_CALL_CACHE_EXPIRE, GET, "key=k&ttl=9", ""), 0);
    assert_int_equal(f->params.ttl_s, 9);
    assert_int_equal(parse(f, HUST_CALL_CACHE_PUT, POST, "key=k", ""), 0);
}

static void test_defaults(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(parse(f, HUST_CALL_ZADD, GET, "tb=t&key=k&score=5", ""), 0);
    assert_int_equal(f->params.ttl_s, 0);
    assert_int_equal(f->params.ver, 0);
    assert_int_equal(f->params.opt, 0);
    assert_int_equal(f->params.given,
                     1u << HUST_PARAM_TB | 1u << HUST_PARAM_KEY | 1u << HUST_PARAM_SCORE);
}

static void test_numbers(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(parse(f, HUST_CALL_ZADD, GET, "tb=t&key=k&score=-60&opt=-1&ttl=30&ver=7", ""),
                     0);
    assert_int_equal(f->params.score, -60);
    assert_int_equal(f->params.opt, -1);
    assert_int_equal(f->params.ttl_s, 30);
    assert_int_equal(f->params.ver, 7);
    assert_int_equal(parse(f, HUST_CALL_HINCRBY, GET,
                           "tb=t&key=k&val=-9223372036854775808&ver=18446744073709551615", ""),
                     0);
    assert_true(f->params.number == INT64_MIN);
    assert_true(f->params.ver == UINT64_MAX);
    assert_int_equal(parse(f, HUST_CALL_ZADD, GET, "tb=t&key=k&score=%35&opt=1", ""), 0);
    assert_int_equal(f->params.score, 5);
    assert_int_equal(f->params.opt, 1);
    assert_int_equal(
        parse(f, HUST_CALL_ZADD, GET, "tb=t&key=k&score=-9223372036854775808&opt=1", ""), 0);
    assert_true(f->params.score == INT64_MIN);
}

static void test_binlog(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(
        parse(f, HUST_CALL_BINLOG, GET, "host=10.0.0.1%3A8085&method=8&tb=t&key=k", ""), 0);
    assert_bytes(f->params.host, "10.0.0.1:8085");
    assert_int_equal(f->params.method, 8);
    assert_bytes(f->params.tb, "t");
    assert_bytes(f->params.key, "k");
    assert_int_equal(parse(f, HUST_CALL_BINLOG, GET, "host=[::1]:8085&method=3&tb=t&key=k", ""), 0);
    assert_bytes(f->params.host, "[::1]:8085");
}

/* A KV has no tb: one that is given is as if it were not. */
static void test_binlog_of_a_kv(void **state)
{
    fixture_t *f = *state;
    static const char *const queries[] = {"host=a:1&method=1&key=k",
                                          "host=a:1&method=2&key=k&tb=t"};
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        assert_row(parse(f, HUST_CALL_BINLOG, GET, queries[i], "") == 0, queries[i]);
        assert_row(f->params.tb.len == 0, queries[i]);
        assert_row((f->params.given & 1u << HUST_PARAM_TB) == 0, queries[i]);
    }
}

static unsigned parse_at(fixture_t *f, unsigned where, hust_call_id_t id, const char *query)
{
    const hust_request_t request = {.where = where, .method = GET, .query = hust_slice_str(query)};
    return hust_params_parse(hust_call(id), &request, &f->limits, &f->scratch, &f->params,
                             f->message);
}

static void test_peer_is_a_matter_of_ha(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(parse_at(f, HUST_AT_HA, HUST_CALL_STAT, "peer=1&tb=t"), 0);
    assert_int_equal(f->params.peer, 1);
    assert_bytes(f->params.tb, "t");
    assert_int_equal(parse_at(f, HUST_AT_HA, HUST_CALL_STAT, "tb=t"), 400);
    assert_string_equal(f->message, "peer: missing parameter");
    assert_int_equal(parse_at(f, HUST_AT_HA, HUST_CALL_STAT_ALL, "peer=-1"), 400);
    assert_string_equal(f->message, "peer: out of range");
    assert_int_equal(parse_at(f, HUST_AT_HA, HUST_CALL_FILE_COUNT, "peer=x"), 400);
    assert_string_equal(f->message, "peer: not a whole decimal number");
    assert_int_equal(parse_at(f, HUST_AT_HA, HUST_CALL_FILE_COUNT, "peer=1&peer=1"), 400);
    assert_string_equal(f->message, "peer: given twice");

    assert_int_equal(parse_at(f, HUST_AT_NODE, HUST_CALL_STAT, "tb=t"), 0);
    assert_int_equal(parse_at(f, HUST_AT_NODE, HUST_CALL_STAT, ""), 0);
    assert_int_equal(f->params.given, 0);
    assert_int_equal(parse_at(f, HUST_AT_NODE, HUST_CALL_STAT, "peer=x&peer=%"), 0);
    assert_int_equal(f->params.given, 0);
}

static void test_listings(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(parse(f, HUST_CALL_HKEYS, GET, "tb=t&offset=0&size=10", ""), 0);
    assert_int_equal(f->params.start, 0);
    assert_int_equal(f->params.end, 1024);
    assert_false(f->params.async || f->params.desc || f->params.noval);
    assert_int_equal(parse(f, HUST_CALL_ZRANGEBYSCORE, GET,
                           "tb=t&min=-9223372036854775808&max=9223372036854775807&cursor=sAA&"
                           "size=1000&start=1024&end=1&noval=true&desc=1",
                           ""),
                     0);
    assert_true(f->params.min == INT64_MIN && f->params.max == INT64_MAX);
    assert_bytes(f->params.cursor, "sAA");
    assert_int_equal(f->params.size, 1000);
    assert_int_equal(f->params.start, 1024);
    assert_int_equal(f->params.end, 1);
    assert_true(f->params.noval && f->params.desc);
    assert_int_equal(
        parse(f, HUST_CALL_KEYS, GET, "file=9&offset=18446744073709551615&size=0&async=false", ""),
        0);
    assert_int_equal(f->params.file, 9);
    assert_true(f->params.offset == UINT64_MAX);
    assert_true((f->params.given & 1u << HUST_PARAM_ASYNC) != 0);
}

static void test_refused_listings(void **state)
{
    fixture_t *f = *state;
    static const struct {
        const char *query, *message;
    } rows[] = {
        {"tb=t&size=1", "offset: missing parameter"},
        {"tb=t&offset=0", "size: missing parameter"},
        {"tb=t&offset=0&size=1&cursor=tAA", "cursor: given together with offset"},
        {"tb=t&size=1&cursor=", "cursor: empty"},
        {"tb=t&offset=-1&size=1", "offset: out of range"},
        {"tb=t&offset=0&size=1001", "size: out of range"},
        {"tb=t&offset=0&size=1&start=1025", "start: out of range"},
        {"tb=t&offset=0&size=1&end=1025", "end: out of range"},
        {"tb=t&offset=0&size=1&noval=yes", "noval: not true, false, 1 or 0"},
        {"tb=t&offset=0&size=1&async=TRUE", "async: not true, false, 1 or 0"},
        {"tb=t&offset=0&size=1&async=", "async: not true, false, 1 or 0"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_row(parse(f, HUST_CALL_HKEYS, GET, rows[i].query, "") == 400, rows[i].query);
        assert_string_equal(f->message, rows[i].message);
    }
    assert_int_equal(parse(f, HUST_CALL_KEYS, GET, "file=10&offset=0&size=1", ""), 400);
    assert_string_equal(f->message, "file: out of range");
    assert_int_equal(parse(f, HUST_CALL_ZRANGEBYSCORE, GET, "tb=t&min=1&max=0&offset=0&size=1", ""),
                     400);
    assert_string_equal(f->message, "min: larger than max");
    assert_int_equal(parse(f, HUST_CALL_ZRANGEBYSCORE, GET, "tb=t&max=0&offset=0&size=1", ""), 400);
    assert_string_equal(f->message, "min: missing parameter");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keys_are_decoded_to_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_byte_value_decodes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nul_is_a_byte_like_any_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_needs_no_decoding_is_borrowed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_decoded_values_stay_where_they_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scratch_is_appended_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_malformed_escapes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_escape_at_the_end_of_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_unknown_is_ignored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_duplicates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals_name_the_parameter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_key_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits_are_those_of_decoded_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_value_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ttl_limit_is_configuration, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_messages_quote_no_input, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_body_is_the_value_raw, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_body_in_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_value_in_the_query_of_a_post, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_body_is_the_key_raw, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bodies_that_mean_nothing_are_ignored, set_up,
                                        tear_down),
        cmocka_unit_test(test_which_calls_take_a_body),
        cmocka_unit_test_setup_teardown(test_numbers_of_the_cache, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_binlog, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_binlog_of_a_kv, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_listings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_listings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_peer_is_a_matter_of_ha, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
