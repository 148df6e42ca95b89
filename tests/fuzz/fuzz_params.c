/*
 * A request: [call][method, where][query]\n[body]. Whatever it is, it is accepted or refused with
 * one line; what was accepted means the same when every byte of names and values is escaped.
 */
#include "core/etag.h"
#include "core/params.h"
#include "fuzz.h"

typedef struct {
    const hust_call_t *call;
    hust_request_t request;
} input_t;

static unsigned pick_method(const hust_call_t *call, uint8_t choice)
{
    unsigned allowed[8];
    unsigned count = 0;
    for (unsigned bit = 1; bit <= HUST_METHOD_DELETE; bit <<= 1) {
        if ((call->methods & bit) != 0) {
            allowed[count++] = bit;
        }
    }
    FUZZ_CHECK(count > 0);
    return allowed[choice % count];
}

static input_t read_input(hust_slice_t in)
{
    input_t input = {.call = hust_call(fuzz_take_byte(&in) % HUST_CALL_COUNT)};
    uint8_t choice = fuzz_take_byte(&in);
    const uint8_t *newline = in.len == 0 ? NULL : memchr(in.data, '\n', in.len);
    size_t query_len = newline == NULL ? in.len : (size_t)(newline - in.data);
    size_t body_at = newline == NULL ? in.len : query_len + 1;
    input.request = (hust_request_t){
        .where = (choice & 0x80) != 0 ? HUST_AT_HA : HUST_AT_NODE,
        .method = pick_method(input.call, choice & 0x7f),
        .query = hust_slice_of(in.data, query_len),
        .body = hust_slice_of(in.data + body_at, in.len - body_at),
        .body_bytes = in.len - body_at,
    };
    return input;
}

static unsigned parse(const input_t *input, hust_buf_t *scratch, hust_params_t *params)
{
    /* A small limit, so that values meet it. */
    const hust_limits_t limits = {.ttl_max_s = 2592000, .value_bytes_max = 64};
    char message[HUST_MESSAGE_BYTES];
    unsigned status =
        hust_params_parse(input->call, &input->request, &limits, scratch, params, message);
    FUZZ_CHECK(status == 0 || status == 400 || status == 413);
    FUZZ_CHECK(status == 0 ? message[0] == '\0' : fuzz_is_one_line(message));
    return status;
}

static void append_escaped(hust_buf_t *out, hust_slice_t bytes)
{
    static const char digits[] = "0123456789aBcDeF";
    for (size_t i = 0; i < bytes.len; i++) {
        char text[3] = {'%', digits[bytes.data[i] >> 4], digits[bytes.data[i] & 15]};
        FUZZ_CHECK(hust_buf_append(out, text, sizeof(text)) == HUST_OK);
    }
}

static void escape(hust_buf_t *out, hust_param_id_t id, hust_slice_t value)
{
    FUZZ_CHECK(hust_buf_append(out, "&", out->len == 0 ? 0 : 1) == HUST_OK);
    append_escaped(out, hust_slice_str(hust_param_name(id)));
    FUZZ_CHECK(hust_buf_append(out, "=", 1) == HUST_OK);
    append_escaped(out, value);
}

static void escape_i64(hust_buf_t *out, hust_param_id_t id, int64_t value)
{
    char text[24];
    escape(out, id, hust_slice_of(text, hust_format_i64(value, text)));
}

static void escape_u64(hust_buf_t *out, hust_param_id_t id, uint64_t value)
{
    char text[24];
    escape(out, id, hust_slice_of(text, hust_format_u64(value, text)));
}

static bool given(const hust_params_t *params, hust_param_id_t id)
{
    return (params->given & 1u << id) != 0;
}

/* Parameters of listings, of which the numbers are escaped as any. */
static void escape_listing(const hust_params_t *params, hust_buf_t *out)
{
    const struct {
        hust_param_id_t id;
        uint64_t value;
    } numbers[] = {
        {HUST_PARAM_OFFSET, params->offset}, {HUST_PARAM_SIZE, params->size},
        {HUST_PARAM_START, params->start},   {HUST_PARAM_END, params->end},
        {HUST_PARAM_NOVAL, params->noval},   {HUST_PARAM_ASYNC, params->async},
        {HUST_PARAM_DESC, params->desc},     {HUST_PARAM_FILE, params->file},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (given(params, numbers[i].id)) {
            escape_u64(out, numbers[i].id, numbers[i].value);
        }
    }
    if (given(params, HUST_PARAM_CURSOR)) {
        escape(out, HUST_PARAM_CURSOR, params->cursor);
    }
    if (given(params, HUST_PARAM_MIN)) {
        escape_i64(out, HUST_PARAM_MIN, params->min);
    }
    if (given(params, HUST_PARAM_MAX)) {
        escape_i64(out, HUST_PARAM_MAX, params->max);
    }
}

static void escape_all(const hust_call_t *call, const hust_params_t *params, hust_buf_t *out)
{
    if (given(params, HUST_PARAM_KEY)) {
        escape(out, HUST_PARAM_KEY, params->key);
    }
    if (given(params, HUST_PARAM_VAL) && call->code == HUST_OP_INCR) {
        escape_i64(out, HUST_PARAM_VAL, params->number);
    } else if (given(params, HUST_PARAM_VAL)) {
        escape(out, HUST_PARAM_VAL, params->val);
    }
    if (given(params, HUST_PARAM_TB)) {
        escape(out, HUST_PARAM_TB, params->tb);
    }
    if (given(params, HUST_PARAM_TTL)) {
        escape_u64(out, HUST_PARAM_TTL, params->ttl_s);
    }
    if (given(params, HUST_PARAM_VER)) {
        escape_u64(out, HUST_PARAM_VER, params->ver);
    }
    if (given(params, HUST_PARAM_SCORE)) {
        escape_i64(out, HUST_PARAM_SCORE, params->score);
    }
    if (given(params, HUST_PARAM_OPT)) {
        escape_i64(out, HUST_PARAM_OPT, params->opt);
    }
    if (given(params, HUST_PARAM_PEER)) {
        escape_u64(out, HUST_PARAM_PEER, params->peer);
    }
    if (given(params, HUST_PARAM_HOST)) {
        escape(out, HUST_PARAM_HOST, params->host);
    }
    if (given(params, HUST_PARAM_METHOD)) {
        escape_u64(out, HUST_PARAM_METHOD, params->method);
    }
    escape_listing(params, out);
}

static void check_same(const hust_params_t *a, const hust_params_t *b)
{
    FUZZ_CHECK(a->given == b->given);
    FUZZ_CHECK(hust_slice_equal(a->key, b->key) && hust_slice_equal(a->val, b->val));
    FUZZ_CHECK(hust_slice_equal(a->tb, b->tb) && hust_slice_equal(a->host, b->host));
    FUZZ_CHECK(a->ttl_s == b->ttl_s && a->ver == b->ver && a->peer == b->peer);
    FUZZ_CHECK(a->score == b->score && a->number == b->number && a->opt == b->opt);
    FUZZ_CHECK(a->decimal == b->decimal);
    FUZZ_CHECK(a->method == b->method);
    FUZZ_CHECK(a->offset == b->offset && a->size == b->size && a->file == b->file);
    FUZZ_CHECK(a->start == b->start && a->end == b->end && hust_slice_equal(a->cursor, b->cursor));
    FUZZ_CHECK(a->noval == b->noval && a->async == b->async && a->desc == b->desc);
    FUZZ_CHECK(a->min == b->min && a->max == b->max);
}

static void check_escaped(const input_t *input, const hust_params_t *params)
{
    hust_buf_t query = {0};
    hust_buf_t scratch = {0};
    hust_params_t again;
    input_t escaped = *input;
    escape_all(input->call, params, &query);
    escaped.request.query = hust_buf_slice(&query);
    escaped.request.body = (hust_slice_t){0};
    escaped.request.body_bytes = 0;
    FUZZ_CHECK(parse(&escaped, &scratch, &again) == 0);
    check_same(params, &again);
    hust_buf_free(&query);
    hust_buf_free(&scratch);
}

/* The body once more, as a header. */
static void check_op(const input_t *input, const hust_params_t *params)
{
    const hust_conditions_t conditions = {.if_match = input->request.body};
    hust_op_t op;
    char number[24];
    char message[HUST_MESSAGE_BYTES];
    unsigned status =
        hust_params_to_op(input->call, params, &conditions, 1700000000000, number, &op, message);
    FUZZ_CHECK(status == 0 || (status == 400 && fuzz_is_one_line(message)));
    FUZZ_CHECK(hust_element_valid(&op.element));
    if (status == 0 && (op.flags & HUST_OPF_HAS_IF_MATCH) != 0 && op.if_match.time != UINT64_MAX) {
        FUZZ_CHECK(hust_etag_match(conditions.if_match, op.if_match));
    }
    hust_stamp_t other = {.time = op.if_match.time + 1, .writer = op.if_match.writer};
    if (hust_etag_match(conditions.if_match, other)) {
        FUZZ_CHECK((op.flags & HUST_OPF_HAS_IF_MATCH) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const input_t input = read_input(hust_slice_of(data, size));
    hust_buf_t scratch = {0};
    hust_params_t params;
    if (parse(&input, &scratch, &params) == 0) {
        check_escaped(&input, &params);
        if (input.call->code != 0) {
            check_op(&input, &params);
        }
    }
    hust_buf_free(&scratch);
    return 0;
}
