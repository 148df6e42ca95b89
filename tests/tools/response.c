#include "response.h"

#include <assert.h>
#include <strings.h>

void response_begin(response_t *response, bool head_request)
{
    /* Not the head buffer: clearing 16 KiB for every answer would be most of the work. */
    response->status = 0;
    response->header_count = 0;
    response->body_bytes = 0;
    response->body_seen = 0;
    response->started = false;
    response->head_done = false;
    response->closes = false;
    response->without_body = head_request;
    response->problem = NULL;
    response->head_len = 0;
}

static bool bad(response_t *response, const char *problem)
{
    response->problem = problem;
    return false;
}

static bool name_equal(hust_slice_t a, hust_slice_t b)
{
    return a.len == b.len && strncasecmp((const char *)a.data, (const char *)b.data, a.len) == 0;
}

bool response_find(const response_t *response, hust_slice_t name, hust_slice_t *value)
{
    for (unsigned i = 0; i < response->header_count; i++) {
        if (name_equal(response->headers[i].name, name)) {
            *value = response->headers[i].value;
            return true;
        }
    }
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A character of a header name (RFC 9110, 5.6.2). */
static bool is_token(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* "HTTP/1.1 200 OK", without the line end. */
static bool parse_status_line(response_t *response, const char *line, size_t len)
{
    static const char version[] = "HTTP/1.1 ";
    const size_t prefix = sizeof(version) - 1;
    if (len < prefix + 4 || memcmp(line, version, prefix) != 0) {
        return bad(response, "the status line does not begin with HTTP/1.1");
    }
    const char *digits = line + prefix;
    if (!is_digit(digits[0]) || !is_digit(digits[1]) || !is_digit(digits[2]) || digits[3] != ' ') {
        return bad(response, "no three-digit status");
    }
    response->status = (unsigned)(digits[0] - '0') * 100 + (unsigned)(digits[1] - '0') * 10 +
                       (unsigned)(digits[2] - '0');
    if (response->status < 200 || response->status > 599) {
        return bad(response, "status out of range");
    }
    return true;
}

/* "Name: value", without the line end. */
static bool parse_header(response_t *response, const char *line, size_t len)
{
    size_t name_len = 0;
    while (name_len < len && is_token(line[name_len])) {
        name_len++;
    }
    if (name_len == 0 || name_len == len || line[name_len] != ':') {
        return bad(response, "malformed header name");
    }
    size_t at = name_len + 1;
    while (at < len && line[at] == ' ') {
        at++;
    }
    for (size_t i = at; i < len; i++) {
        if ((unsigned char)line[i] < 0x20) {
            return bad(response, "control character in a header");
        }
    }
    response_header_t header = {
        .name = hust_slice_of(line, name_len),
        .value = hust_slice_of(line + at, len - at),
    };
    hust_slice_t earlier;
    if (response_find(response, header.name, &earlier)) {
        return bad(response, "a header comes twice");
    }
    if (response->header_count == RESPONSE_HEADERS_MAX) {
        return bad(response, "too many headers");
    }
    response->headers[response->header_count++] = header;
    return true;
}

static bool parse_length(response_t *response, hust_slice_t text)
{
    if (text.len == 0 || text.len > 15) {
        return bad(response, "malformed Content-Length");
    }
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit((char)text.data[i])) {
            return bad(response, "malformed Content-Length");
        }
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    response->body_bytes = value;
    return true;
}

/* How long the body is and whether the connection goes on. */
static bool parse_framing(response_t *response)
{
    hust_slice_t value;
    if (response_find(response, hust_slice_str("Transfer-Encoding"), &value)) {
        return bad(response, "Transfer-Encoding instead of Content-Length");
    }
    bool has_length = response_find(response, hust_slice_str("Content-Length"), &value);
    bool never_body = response->status == 204 || response->status == 304;
    if (!has_length && !never_body) {
        return bad(response, "no Content-Length");
    }
    if (has_length && !parse_length(response, value)) {
        return false;
    }
    if (never_body || response->without_body) {
        response->body_bytes = 0;
    }
    response->closes = response_find(response, hust_slice_str("Connection"), &value) &&
                       name_equal(value, hust_slice_str("close"));
    return true;
}

/* `head` holds everything up to and with the empty line. */
static bool parse_head(response_t *response)
{
    const char *at = response->head;
    const char *end = response->head + response->head_len - 2;
    bool first = true;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        assert(line_end != NULL);
        if (line_end == at || line_end[-1] != '\r') {
            return bad(response, "a line ends without CR");
        }
        size_t len = (size_t)(line_end - 1 - at);
        if (first ? !parse_status_line(response, at, len) : !parse_header(response, at, len)) {
            return false;
        }
        first = false;
        at = line_end + 1;
    }
    assert(!first);
    return parse_framing(response);
}

/* Copy bytes into `head` until the empty line; returns how many were taken. */
static size_t gather_head(response_t *response, hust_slice_t in, bool *complete)
{
    size_t taken = 0;
    *complete = false;
    while (taken < in.len && response->head_len < RESPONSE_HEAD_BYTES_MAX && !*complete) {
        response->head[response->head_len++] = (char)in.data[taken++];
        *complete = response->head_len >= 4 &&
                    memcmp(response->head + response->head_len - 4, "\r\n\r\n", 4) == 0;
    }
    return taken;
}

static response_progress_t feed_head(response_t *response, hust_slice_t in, size_t *used)
{
    bool complete;
    *used = gather_head(response, in, &complete);
    if (!complete) {
        if (response->head_len < RESPONSE_HEAD_BYTES_MAX) {
            return RESPONSE_MORE;
        }
        bad(response, "the head of the answer is too long");
        return RESPONSE_BAD;
    }
    if (!parse_head(response)) {
        assert(response->problem != NULL);
        return RESPONSE_BAD;
    }
    response->head_done = true;
    return response->body_bytes == 0 ? RESPONSE_DONE : RESPONSE_MORE;
}

response_progress_t response_feed(response_t *response, hust_slice_t in, size_t *used,
                                  hust_slice_t *part)
{
    assert(in.len > 0);
    *part = (hust_slice_t){0};
    response->started = true;
    if (!response->head_done) {
        return feed_head(response, in, used);
    }
    assert(response->body_seen < response->body_bytes);
    uint64_t left = response->body_bytes - response->body_seen;
    *used = in.len < left ? in.len : (size_t)left;
    *part = hust_slice_of(in.data, *used);
    response->body_seen += *used;
    return response->body_seen == response->body_bytes ? RESPONSE_DONE : RESPONSE_MORE;
}
