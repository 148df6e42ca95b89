#include "core/params.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/etag.h"
#include "core/routing.h"

enum {
    PARAM_NAME_CHARS_MAX = 6, /* of hust_param_name: "method" */
    BINLOG_METHOD_COUNT = 8,
    BINLOG_METHOD_KV_MAX = 2, /* 1 put and 2 del concern a KV, which has no tb */
};

/* A request while its parameters are read. */
typedef struct {
    const hust_call_t *call;
    const hust_request_t *request;
    const hust_limits_t *limits;
    hust_buf_t *scratch;
    hust_params_t *out;
    char *message;
    hust_slice_t raw[HUST_PARAM_COUNT]; /* decoded values by parameter; valid where given */
} parser_t;

static unsigned bit(hust_param_id_t id)
{
    return 1u << id;
}

static bool given(const parser_t *parser, hust_param_id_t id)
{
    return (parser->out->given & bit(id)) != 0;
}

__attribute__((format(printf, 3, 4))) static unsigned refuse(char *message, hust_param_id_t id,
                                                             const char *format, ...)
{
    assert(message[0] == '\0');
    int len = snprintf(message, HUST_MESSAGE_BYTES, "%s: ", hust_param_name(id));
    assert(len > 0 && len < HUST_MESSAGE_BYTES);
    va_list args;
    va_start(args, format);
    vsnprintf(message + len, HUST_MESSAGE_BYTES - (size_t)len, format, args);
    va_end(args);
    return 400;
}

/* How a parameter takes part in this request. */
static hust_presence_t presence(const parser_t *parser, unsigned id)
{
    hust_presence_t declared = parser->call->presence[id];
    if (declared != HUST_PRESENCE_AT_HA) {
        return declared;
    }
    return parser->request->where == HUST_AT_HA ? HUST_PRESENCE_REQUIRED : HUST_PRESENCE_UNUSED;
}

/* ---- the query ------------------------------------------------------------------------------ */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Percent-decode into `out`, which has room for `room` bytes. Returns the number of bytes, or -1
 * for a malformed escape or when the room is not enough.
 */
static ptrdiff_t percent_decode(hust_slice_t in, uint8_t *out, size_t room)
{
    size_t len = 0;
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.data[i];
        if (c == '%') {
            int high = in.len - i > 2 ? hex_digit(in.data[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(in.data[i + 2]) : -1;
            if (low < 0) {
                return -1;
            }
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        if (len == room) {
            return -1;
        }
        out[len++] = c;
    }
    assert(len <= in.len && len <= room);
    return (ptrdiff_t)len;
}

static bool name_is(hust_slice_t name, const char *text, size_t len)
{
    return name.len == len && memcmp(name.data, text, len) == 0;
}

/* The parameter with this decoded name, HUST_PARAM_COUNT if there is none. */
static hust_param_id_t find_param(hust_slice_t name)
{
#define NAMED(id, text)                                                                            \
    if (name_is(name, text, sizeof(text) - 1)) {                                                   \
        return id;                                                                                 \
    }
    NAMED(HUST_PARAM_KEY, "key")
    NAMED(HUST_PARAM_TB, "tb")
    NAMED(HUST_PARAM_VAL, "val")
    NAMED(HUST_PARAM_TTL, "ttl")
    NAMED(HUST_PARAM_VER, "ver")
    NAMED(HUST_PARAM_SCORE, "score")
    NAMED(HUST_PARAM_OPT, "opt")
    NAMED(HUST_PARAM_PEER, "peer")
    NAMED(HUST_PARAM_HOST, "host")
    NAMED(HUST_PARAM_METHOD, "method")
    NAMED(HUST_PARAM_OFFSET, "offset")
    NAMED(HUST_PARAM_SIZE, "size")
    NAMED(HUST_PARAM_CURSOR, "cursor")
    NAMED(HUST_PARAM_START, "start")
    NAMED(HUST_PARAM_END, "end")
    NAMED(HUST_PARAM_NOVAL, "noval")
    NAMED(HUST_PARAM_ASYNC, "async")
    NAMED(HUST_PARAM_DESC, "desc")
    NAMED(HUST_PARAM_MIN, "min")
    NAMED(HUST_PARAM_MAX, "max")
    NAMED(HUST_PARAM_FILE, "file")
#undef NAMED
    return HUST_PARAM_COUNT;
}

/* As find_param, of a name as it stands in the query: `k%65y` is `key`. */
static hust_param_id_t find_raw_param(hust_slice_t name)
{
    uint8_t decoded[PARAM_NAME_CHARS_MAX];
    if (name.len == 0 || memchr(name.data, '%', name.len) == NULL) {
        return find_param(name);
    }
    ptrdiff_t len = percent_decode(name, decoded, sizeof(decoded));
    return len < 0 ? HUST_PARAM_COUNT : find_param(hust_slice_of(decoded, (size_t)len));
}

/*
 * Decode a value: borrowed from the query if it has no escape, else in scratch. `left` is the
 * length of the query from here on, so room made for the first value is enough for all.
 */
static unsigned decode_value(parser_t *parser, hust_param_id_t id, hust_slice_t raw, size_t left)
{
    hust_buf_t *scratch = parser->scratch;
    if (raw.len == 0 || memchr(raw.data, '%', raw.len) == NULL) {
        parser->raw[id] = raw;
        return 0;
    }
    assert(raw.len <= left);
    if (hust_buf_reserve(scratch, left) != HUST_OK) {
        refuse(parser->message, id, "out of memory");
        return 500;
    }
    assert(scratch->cap - scratch->len >= left);
    ptrdiff_t len = percent_decode(raw, scratch->data + scratch->len, raw.len);
    if (len < 0) {
        return refuse(parser->message, id, "malformed percent escape");
    }
    parser->raw[id] = hust_slice_of(scratch->data + scratch->len, (size_t)len);
    scratch->len += (size_t)len;
    return 0;
}

/* One `name=value` of the query; `left` as in decode_value. */
static unsigned read_pair(parser_t *parser, hust_slice_t pair, size_t left)
{
    assert(pair.len > 0 && pair.len <= left);
    const uint8_t *equals = memchr(pair.data, '=', pair.len);
    size_t name_len = equals == NULL ? pair.len : (size_t)(equals - pair.data);
    hust_param_id_t id = find_raw_param(hust_slice_of(pair.data, name_len));
    if (id == HUST_PARAM_COUNT || presence(parser, id) == HUST_PRESENCE_UNUSED) {
        return 0;
    }
    if (given(parser, id)) {
        return refuse(parser->message, id, "given twice");
    }
    parser->out->given |= bit(id);
    size_t skipped = equals == NULL ? pair.len : name_len + 1;
    hust_slice_t value = hust_slice_of(pair.data + skipped, pair.len - skipped);
    return decode_value(parser, id, value, left - skipped);
}

static unsigned read_query(parser_t *parser)
{
    hust_slice_t rest = parser->request->query;
    while (rest.len > 0) {
        const uint8_t *ampersand = memchr(rest.data, '&', rest.len);
        size_t len = ampersand == NULL ? rest.len : (size_t)(ampersand - rest.data);
        unsigned status = len == 0 ? 0 : read_pair(parser, hust_slice_of(rest.data, len), rest.len);
        if (status != 0) {
            return status;
        }
        len += ampersand == NULL ? 0 : 1;
        rest = hust_slice_of(rest.data + len, rest.len - len);
    }
    return 0;
}

/* ---- the body ------------------------------------------------------------------------------- */

/* The parameter for which the body of a request may stand, HUST_PARAM_COUNT if there is none. */
static hust_param_id_t body_param(const hust_call_t *call, unsigned method)
{
    const unsigned with_body = HUST_METHOD_POST | HUST_METHOD_PUT | HUST_METHOD_DELETE;
    if ((method & with_body) != 0) {
        for (unsigned id = 0; id < HUST_PARAM_COUNT; id++) {
            if (call->presence[id] == HUST_PRESENCE_OR_BODY) {
                return id;
            }
        }
    }
    return HUST_PARAM_COUNT;
}

bool hust_call_takes_body(const hust_call_t *call, unsigned method)
{
    return body_param(call, method) != HUST_PARAM_COUNT;
}

static unsigned read_body(parser_t *parser)
{
    const hust_request_t *request = parser->request;
    hust_param_id_t id = body_param(parser->call, request->method);
    if (id == HUST_PARAM_COUNT) {
        return 0;
    }
    if (given(parser, id)) {
        return request->body_bytes == 0
                   ? 0
                   : refuse(parser->message, id, "given in the query and as a body");
    }
    /* An empty body is no body, except where it is the empty value. */
    if (request->body_bytes == 0 && id != HUST_PARAM_VAL) {
        return 0;
    }
    assert(!parser->out->val_in_body);
    parser->out->given |= bit(id);
    parser->out->val_in_body = id == HUST_PARAM_VAL;
    parser->raw[id] = hust_slice_of(request->body.data, request->body_bytes);
    return 0;
}

/* ---- the values ----------------------------------------------------------------------------- */

static unsigned check_key(parser_t *parser)
{
    hust_slice_t key = parser->raw[HUST_PARAM_KEY];
    if (key.len == 0) {
        return refuse(parser->message, HUST_PARAM_KEY, "empty");
    }
    if (key.len > HUST_KEY_BYTES_MAX) {
        return refuse(parser->message, HUST_PARAM_KEY, "longer than %d bytes", HUST_KEY_BYTES_MAX);
    }
    assert(key.data != NULL);
    parser->out->key = key;
    return 0;
}

static unsigned check_tb(parser_t *parser)
{
    hust_slice_t tb = parser->raw[HUST_PARAM_TB];
    if (tb.len == 0) {
        return refuse(parser->message, HUST_PARAM_TB, "empty");
    }
    if (tb.len > HUST_TB_BYTES_MAX) {
        return refuse(parser->message, HUST_PARAM_TB, "longer than %d bytes", HUST_TB_BYTES_MAX);
    }
    if (!hust_tb_valid(tb)) {
        return refuse(parser->message, HUST_PARAM_TB, "a byte other than 0-9 a-z A-Z _ : . -");
    }
    parser->out->tb = tb;
    return 0;
}

static unsigned check_host(parser_t *parser)
{
    hust_peer_t peer;
    hust_slice_t host = parser->raw[HUST_PARAM_HOST];
    if (hust_address_parse(host, &peer) != HUST_OK) {
        return refuse(parser->message, HUST_PARAM_HOST, "not host:port");
    }
    parser->out->host = host;
    return 0;
}

/* True for a whole decimal number of any size. */
static bool is_decimal(hust_slice_t text)
{
    size_t i = text.len > 0 && text.data[0] == '-' ? 1 : 0;
    if (i == text.len) {
        return false;
    }
    while (i < text.len && text.data[i] >= '0' && text.data[i] <= '9') {
        i++;
    }
    return i == text.len;
}

static unsigned refuse_number(parser_t *parser, hust_param_id_t id)
{
    return refuse(parser->message, id,
                  is_decimal(parser->raw[id]) ? "out of range" : "not a whole decimal number");
}

static unsigned check_unsigned(parser_t *parser, hust_param_id_t id, uint64_t low, uint64_t high,
                               uint64_t *out)
{
    assert(low <= high);
    if (!hust_parse_u64(parser->raw[id], out) || *out < low || *out > high) {
        return refuse_number(parser, id);
    }
    return 0;
}

static unsigned check_signed(parser_t *parser, hust_param_id_t id, int64_t low, int64_t high,
                             int64_t *out)
{
    assert(low <= high);
    if (!hust_parse_i64(parser->raw[id], out) || *out < low || *out > high) {
        return refuse_number(parser, id);
    }
    return 0;
}

/* What is added to a number of the cache; the text is kept too. */
static unsigned check_cache_delta(parser_t *parser)
{
    hust_slice_t val = parser->raw[HUST_PARAM_VAL];
    parser->out->val = val;
    if (parser->call->id == HUST_CALL_CACHE_HINCRBY) {
        return check_signed(parser, HUST_PARAM_VAL, INT64_MIN, INT64_MAX, &parser->out->number);
    }
    assert(parser->call->id == HUST_CALL_CACHE_HINCRBYFLOAT);
    return hust_parse_decimal(val, &parser->out->decimal)
               ? 0
               : refuse(parser->message, HUST_PARAM_VAL, "not a decimal number, or out of range");
}

static unsigned check_val(parser_t *parser)
{
    if (parser->call->id == HUST_CALL_CACHE_HINCRBY ||
        parser->call->id == HUST_CALL_CACHE_HINCRBYFLOAT) {
        return check_cache_delta(parser);
    }
    if (parser->call->code == HUST_OP_INCR) {
        return check_signed(parser, HUST_PARAM_VAL, INT64_MIN, INT64_MAX, &parser->out->number);
    }
    hust_slice_t val = parser->raw[HUST_PARAM_VAL];
    if (val.len > parser->limits->value_bytes_max) {
        refuse(parser->message, HUST_PARAM_VAL, "longer than %zu bytes",
               parser->limits->value_bytes_max);
        return 413;
    }
    parser->out->val = val;
    return 0;
}

static unsigned check_opt(parser_t *parser)
{
    int64_t opt = 0;
    unsigned status = check_signed(parser, HUST_PARAM_OPT, -1, 1, &opt);
    parser->out->opt = (int)opt;
    return status;
}

static unsigned check_small(parser_t *parser, hust_param_id_t id, unsigned low, unsigned high,
                            unsigned *out)
{
    uint64_t number = 0;
    unsigned status = check_unsigned(parser, id, low, high, &number);
    *out = (unsigned)number;
    return status;
}

static unsigned check_boolean(parser_t *parser, hust_param_id_t id, bool *out)
{
    hust_slice_t text = parser->raw[id];
    *out = name_is(text, "true", 4) || name_is(text, "1", 1);
    return *out || name_is(text, "false", 5) || name_is(text, "0", 1)
               ? 0
               : refuse(parser->message, id, "not true, false, 1 or 0");
}

static unsigned check_cursor(parser_t *parser)
{
    parser->out->cursor = parser->raw[HUST_PARAM_CURSOR];
    return parser->out->cursor.len > 0 ? 0 : refuse(parser->message, HUST_PARAM_CURSOR, "empty");
}

/* Parameters of listings. */
static unsigned check_listing_value(parser_t *parser, hust_param_id_t id)
{
    hust_params_t *out = parser->out;
    switch (id) {
    case HUST_PARAM_OFFSET:
        return check_unsigned(parser, id, 0, UINT64_MAX, &out->offset);
    case HUST_PARAM_SIZE:
        return check_small(parser, id, 0, HUST_PAGE_MAX, &out->size);
    case HUST_PARAM_CURSOR:
        return check_cursor(parser);
    case HUST_PARAM_START:
        return check_small(parser, id, 0, HUST_BUCKET_COUNT, &out->start);
    case HUST_PARAM_END:
        return check_small(parser, id, 0, HUST_BUCKET_COUNT, &out->end);
    case HUST_PARAM_NOVAL:
        return check_boolean(parser, id, &out->noval);
    case HUST_PARAM_ASYNC:
        return check_boolean(parser, id, &out->async);
    case HUST_PARAM_DESC:
        return check_boolean(parser, id, &out->desc);
    case HUST_PARAM_MIN:
        return check_signed(parser, id, INT64_MIN, INT64_MAX, &out->min);
    case HUST_PARAM_MAX:
        return check_signed(parser, id, INT64_MIN, INT64_MAX, &out->max);
    case HUST_PARAM_FILE:
        return check_small(parser, id, 0, HUST_FILE_COUNT - 1, &out->file);
    default:
        break;
    }
    assert(false);
    return 500;
}

/* Check the value of a given parameter and put it into `out`. */
static unsigned check_value(parser_t *parser, hust_param_id_t id)
{
    hust_params_t *out = parser->out;
    assert(given(parser, id));
    switch (id) {
    case HUST_PARAM_KEY:
        return check_key(parser);
    case HUST_PARAM_VAL:
        return check_val(parser);
    case HUST_PARAM_TB:
        return check_tb(parser);
    case HUST_PARAM_TTL:
        return check_unsigned(parser, id, 0, parser->limits->ttl_max_s, &out->ttl_s);
    case HUST_PARAM_VER:
        return check_unsigned(parser, id, 0, UINT64_MAX, &out->ver);
    case HUST_PARAM_SCORE:
        return check_signed(parser, id, INT64_MIN, INT64_MAX, &out->score);
    case HUST_PARAM_OPT:
        return check_opt(parser);
    case HUST_PARAM_PEER:
        return check_unsigned(parser, id, 0, HUST_PEERS_MAX - 1, &out->peer);
    case HUST_PARAM_HOST:
        return check_host(parser);
    case HUST_PARAM_METHOD:
        return check_small(parser, id, 1, BINLOG_METHOD_COUNT, &out->method);
    default:
        return check_listing_value(parser, id);
    }
}

/* A hint names the tb of its element; a KV has none, so there a tb means nothing. */
static unsigned check_binlog_tb(parser_t *parser)
{
    hust_params_t *out = parser->out;
    assert(out->method >= 1 && out->method <= BINLOG_METHOD_COUNT);
    if (out->method <= BINLOG_METHOD_KV_MAX) {
        out->tb = (hust_slice_t){0};
        out->given &= ~bit(HUST_PARAM_TB);
        return 0;
    }
    return given(parser, HUST_PARAM_TB)
               ? 0
               : refuse(parser->message, HUST_PARAM_TB, "missing parameter");
}

/* A page begins at an offset or at a cursor; scores are a range. */
static unsigned check_listing(parser_t *parser)
{
    const hust_params_t *out = parser->out;
    if (given(parser, HUST_PARAM_OFFSET) && given(parser, HUST_PARAM_CURSOR)) {
        return refuse(parser->message, HUST_PARAM_CURSOR, "given together with offset");
    }
    if (!given(parser, HUST_PARAM_OFFSET) && !given(parser, HUST_PARAM_CURSOR)) {
        return refuse(parser->message, HUST_PARAM_OFFSET, "missing parameter");
    }
    return out->min <= out->max ? 0 : refuse(parser->message, HUST_PARAM_MIN, "larger than max");
}

/* What concerns several parameters at once. */
static unsigned check_together(parser_t *parser)
{
    if (parser->call->id == HUST_CALL_BINLOG) {
        return check_binlog_tb(parser);
    }
    bool listing = parser->call->presence[HUST_PARAM_SIZE] != HUST_PRESENCE_UNUSED;
    return listing ? check_listing(parser) : 0;
}

static unsigned check_values(parser_t *parser)
{
    for (unsigned id = 0; id < HUST_PARAM_COUNT; id++) {
        hust_presence_t part = presence(parser, id);
        unsigned status = 0;
        if (given(parser, id)) {
            status = check_value(parser, id);
        } else if (part == HUST_PRESENCE_REQUIRED || part == HUST_PRESENCE_OR_BODY) {
            status = refuse(parser->message, id, "missing parameter");
        }
        if (status != 0) {
            return status;
        }
    }
    return check_together(parser);
}

unsigned hust_params_parse(const hust_call_t *call, const hust_request_t *request,
                           const hust_limits_t *limits, hust_buf_t *scratch, hust_params_t *out,
                           char message[HUST_MESSAGE_BYTES])
{
    assert((call->methods & request->method) != 0);
    assert(request->body.data == NULL || request->body.len == request->body_bytes);
    *out = (hust_params_t){.end = HUST_BUCKET_COUNT};
    message[0] = '\0';
    parser_t parser = {.call = call,
                       .request = request,
                       .limits = limits,
                       .scratch = scratch,
                       .out = out,
                       .message = message};
    unsigned status = read_query(&parser);
    if (status == 0) {
        status = read_body(&parser);
    }
    if (status == 0) {
        status = check_values(&parser);
    }
    assert((status == 0) == (message[0] == '\0'));
    return status;
}

/* ---- the operation -------------------------------------------------------------------------- */

uint64_t hust_expiry_instant(uint64_t now_ms, uint64_t ttl_s)
{
    uint64_t instant;
    if (ttl_s == 0 || __builtin_mul_overflow(ttl_s, 1000, &instant) ||
        __builtin_add_overflow(instant, now_ms, &instant)) {
        return 0;
    }
    return instant;
}

static unsigned read_flags(const hust_call_t *call)
{
    unsigned flags = call->reply == HUST_REPLY_PRESENCE ? HUST_OPF_NO_VALUE : 0;
    return flags | (call->class_ == HUST_CLASS_READ2 ? HUST_OPF_OWN : 0);
}

static void set_delta(hust_op_t *op, int64_t delta)
{
    op->code = HUST_OP_INCR;
    op->flags |= HUST_OPF_HAS_DELTA;
    op->delta = delta;
}

/* What a write brings: a value, a number to add, or for zadd either. */
static void set_content(const hust_call_t *call, const hust_params_t *params, char number[24],
                        hust_op_t *op)
{
    if (call->code == HUST_OP_INCR) {
        set_delta(op, params->number);
    } else if (call->id == HUST_CALL_ZADD && params->opt != 0) {
        set_delta(op, params->score);
        op->flags |= params->opt == -1 ? HUST_OPF_SUBTRACT : 0;
    } else if (call->id == HUST_CALL_ZADD) {
        op->value = hust_slice_of(number, hust_format_i64(params->score, number));
    } else {
        op->value = params->val;
    }
}

unsigned hust_params_to_op(const hust_call_t *call, const hust_params_t *params,
                           const hust_conditions_t *conditions, uint64_t now_ms, char number[24],
                           hust_op_t *op, char message[HUST_MESSAGE_BYTES])
{
    assert(call->code != 0);
    *op = (hust_op_t){.code = call->code,
                      .element = {.type = call->type, .tb = params->tb, .key = params->key},
                      .now_ms = now_ms};
    assert(hust_element_valid(&op->element));
    message[0] = '\0';
    if (!hust_op_is_write(op)) {
        op->flags = read_flags(call);
        return 0;
    }
    set_content(call, params, number, op);
    assert((op->code == HUST_OP_INCR) == ((op->flags & HUST_OPF_HAS_DELTA) != 0));
    op->expire_at_ms = hust_expiry_instant(now_ms, params->ttl_s);
    if (params->ver != 0) {
        op->flags |= HUST_OPF_HAS_VER;
        op->ver = params->ver;
    }
    return hust_etag_write_conditions(conditions, op, message);
}
