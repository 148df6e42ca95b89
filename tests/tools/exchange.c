#include "exchange.h"

#include <assert.h>
#include <stdio.h>

const char *fault_text(fault_t fault)
{
    static const char *const texts[] = {
#define FAULT_TEXT(id, text) [FAULT_##id] = text,
        FAULT_MAP(FAULT_TEXT)
#undef FAULT_TEXT
    };
    assert(fault < FAULT_COUNT);
    return texts[fault];
}

bool fault_is_wrong_answer(fault_t fault)
{
    return fault >= FAULT_STATUS && fault <= FAULT_EXTRA;
}

void text_escape(hust_slice_t bytes, char *out, size_t out_bytes)
{
    assert(out_bytes >= 5);
    size_t at = 0;
    for (size_t i = 0; i < bytes.len && at + 5 <= out_bytes; i++) {
        unsigned char c = bytes.data[i];
        if (c >= 0x20 && c < 0x7f && c != '\\') {
            out[at++] = (char)c;
        } else {
            at += (size_t)snprintf(out + at, out_bytes - at, "\\x%02x", c);
        }
    }
    out[at] = '\0';
}

void exchange_check_begin(exchange_check_t *check, const exchange_t *exchange,
                          const response_t *response)
{
    *check = (exchange_check_t){
        .compare = !exchange->any_body && response->status == exchange->statuses[0] &&
                   !exchange->head_request,
    };
}

static void note_difference(exchange_check_t *check, uint64_t at, hust_slice_t from)
{
    check->differs = true;
    check->differs_at = at;
    check->excerpt_len = from.len < sizeof(check->excerpt) ? from.len : sizeof(check->excerpt);
    memcpy(check->excerpt, from.data, check->excerpt_len);
}

void exchange_check_body(exchange_check_t *check, const exchange_t *exchange, hust_slice_t part)
{
    const hust_slice_t expected = exchange->expected_body;
    if (!check->compare || check->differs || part.len == 0) {
        check->body_seen += part.len;
        return;
    }
    assert(check->body_seen <= expected.len);
    size_t room = expected.len - (size_t)check->body_seen;
    size_t common = part.len < room ? part.len : room;
    const uint8_t *want = expected.data + check->body_seen;
    size_t same = common;
    if (common > 0 && memcmp(part.data, want, common) != 0) {
        for (same = 0; part.data[same] == want[same];) {
            same++;
        }
    }
    if (same < part.len) {
        note_difference(check, check->body_seen + same,
                        hust_slice_of(part.data + same, part.len - same));
    }
    check->body_seen += part.len;
}

static bool status_accepted(const exchange_t *exchange, unsigned status, bool repeated)
{
    for (unsigned i = 0; i < EXCHANGE_STATUSES_MAX && exchange->statuses[i] != 0; i++) {
        if (exchange->statuses[i] == status) {
            return true;
        }
    }
    return repeated && exchange->status_if_repeated == status;
}

/* Does one line of expected_headers hold? */
static bool header_rule_holds(const response_t *response, hust_slice_t rule)
{
    hust_slice_t value;
    if (rule.data[0] == '!') {
        return !response_find(response, hust_slice_of(rule.data + 1, rule.len - 1), &value);
    }
    const uint8_t *colon = memchr(rule.data, ':', rule.len);
    size_t name_len = colon == NULL ? rule.len : (size_t)(colon - rule.data);
    if (!response_find(response, hust_slice_of(rule.data, name_len), &value)) {
        return false;
    }
    if (colon == NULL) {
        return true;
    }
    assert(rule.len >= name_len + 2);
    return hust_slice_equal(value, hust_slice_of(colon + 2, rule.len - name_len - 2));
}

/* The first rule that does not hold, or an empty slice. */
static hust_slice_t broken_header_rule(const exchange_t *exchange, const response_t *response)
{
    hust_slice_t left = exchange->expected_headers;
    while (left.len > 0) {
        const uint8_t *line_end = memchr(left.data, '\n', left.len);
        assert(line_end != NULL && line_end > left.data);
        hust_slice_t rule = hust_slice_of(left.data, (size_t)(line_end - left.data));
        if (!header_rule_holds(response, rule)) {
            return rule;
        }
        left = hust_slice_of(line_end + 1, left.len - rule.len - 1);
    }
    return (hust_slice_t){0};
}

static void take_sync(const response_t *response, exchange_result_t *result)
{
    hust_slice_t value;
    if (response_find(response, hust_slice_str("Sync"), &value)) {
        result->flags |= EXCHANGE_SYNC;
        text_escape(value, result->sync, sizeof(result->sync));
    }
}

void exchange_check_end(const exchange_check_t *check, const exchange_t *exchange,
                        const response_t *response, bool repeated, exchange_result_t *result)
{
    char excerpt[200];
    result->status = response->status;
    result->fault = FAULT_NONE;
    take_sync(response, result);
    if (!status_accepted(exchange, response->status, repeated)) {
        result->fault = FAULT_STATUS;
        text_escape(hust_slice_of(response->head, response->head_len), excerpt, sizeof(excerpt));
        snprintf(result->detail, sizeof(result->detail), "%u came: %s", response->status, excerpt);
        return;
    }
    if (response->status != exchange->statuses[0]) {
        return;
    }
    hust_slice_t rule = broken_header_rule(exchange, response);
    if (rule.len > 0) {
        result->fault = FAULT_HEADER;
        text_escape(hust_slice_of(response->head, response->head_len), excerpt, sizeof(excerpt));
        snprintf(result->detail, sizeof(result->detail), "not as wanted (%.*s): %s",
                 rule.len > 40 ? 40 : (int)rule.len, (const char *)rule.data, excerpt);
        return;
    }
    if (!check->compare || (!check->differs && check->body_seen == exchange->expected_body.len)) {
        return;
    }
    result->fault = FAULT_BODY;
    text_escape(hust_slice_of(check->excerpt, check->excerpt_len), excerpt, sizeof(excerpt));
    snprintf(result->detail, sizeof(result->detail),
             "%llu bytes came, %zu wanted, first difference at %llu: %s",
             (unsigned long long)check->body_seen, exchange->expected_body.len,
             (unsigned long long)(check->differs ? check->differs_at : check->body_seen), excerpt);
}
