#include "core/http_reply.h"

#include <assert.h>
#include <strings.h>

#include "core/params.h"

static const char status_prefix[] = "HTTP/1.";

enum {
    STATUS_PREFIX_CHARS = sizeof(status_prefix) - 1,
    STATUS_LINE_CHARS_MIN = STATUS_PREFIX_CHARS + 6, /* minor, blank, three digits, blank */
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* A byte of a header's name. (RFC 9110, 5.6.2: token.) */
static bool is_token_byte(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* A byte of a header's value or of a reason phrase. */
static bool is_text_byte(uint8_t c)
{
    return c == '\t' || (c >= ' ' && c != 127);
}

static bool is_text(hust_slice_t slice)
{
    for (size_t i = 0; i < slice.len; i++) {
        if (!is_text_byte(slice.data[i])) {
            return false;
        }
    }
    return true;
}

static bool is_word(hust_slice_t slice, const char *word)
{
    return slice.len == strlen(word) && strncasecmp((const char *)slice.data, word, slice.len) == 0;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static hust_slice_t trim(hust_slice_t slice)
{
    while (slice.len > 0 && is_blank(slice.data[0])) {
        slice = hust_slice_of(slice.data + 1, slice.len - 1);
    }
    while (slice.len > 0 && is_blank(slice.data[slice.len - 1])) {
        slice.len--;
    }
    return slice;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static bool read_status_line(hust_http_reply_t *reply, hust_slice_t line)
{
    if (line.len < STATUS_LINE_CHARS_MIN ||
        memcmp(line.data, status_prefix, STATUS_PREFIX_CHARS) != 0 || !is_text(line)) {
        return false;
    }
    const uint8_t *at = line.data + STATUS_PREFIX_CHARS; /* "1 200 " */
    if (!is_digit(at[0]) || at[1] != ' ' || !is_digit(at[2]) || !is_digit(at[3]) ||
        !is_digit(at[4]) || at[5] != ' ') {
        return false;
    }
    reply->minor_0 = at[0] == '0';
    reply->status = (at[2] - '0') * 100u + (at[3] - '0') * 10u + (at[4] - '0');
    return reply->status >= 200 && reply->status <= 599;
}

/* The options of one Connection header; others than these two do not concern us. */
static void read_connection(hust_http_reply_t *reply, hust_slice_t value)
{
    while (value.len > 0) {
        const uint8_t *comma = memchr(value.data, ',', value.len);
        size_t len = comma == NULL ? value.len : (size_t)(comma - value.data);
        hust_slice_t option = trim(hust_slice_of(value.data, len));
        reply->has_close |= is_word(option, "close");
        reply->has_keep_alive |= is_word(option, "keep-alive");
        len += comma == NULL ? 0 : 1;
        value = hust_slice_of(value.data + len, value.len - len);
    }
}

/* A second length is refused even if it is the same: ours send one. */
static bool read_length(hust_http_reply_t *reply, hust_slice_t value)
{
    if (reply->has_length) {
        return false;
    }
    reply->has_length = true;
    return hust_parse_u64(value, &reply->length);
}

static bool read_header(hust_http_reply_t *reply, hust_slice_t line)
{
    size_t name_len = 0;
    while (name_len < line.len && is_token_byte(line.data[name_len])) {
        name_len++;
    }
    if (name_len == 0 || name_len == line.len || line.data[name_len] != ':' || !is_text(line)) {
        return false;
    }
    assert(name_len > 0 && name_len < line.len);
    hust_slice_t name = hust_slice_of(line.data, name_len);
    hust_slice_t value = hust_slice_of(line.data + name_len + 1, line.len - name_len - 1);
    value = trim(value);
    if (is_word(name, "content-length")) {
        return read_length(reply, value);
    }
    if (is_word(name, "connection")) {
        read_connection(reply, value);
    }
    return !is_word(name, "transfer-encoding");
}

/* ---- the head ------------------------------------------------------------------------------- */

/*
 * The line that begins at `at`, without its end; TRUNCATED if its end has not come yet. A line
 * that cannot end within the limit is LIMIT, however the head came in pieces.
 */
static hust_error_t take_line(hust_slice_t in, size_t at, hust_slice_t *line)
{
    assert(at <= in.len && at <= HUST_HTTP_HEAD_BYTES_MAX);
    size_t end = in.len < HUST_HTTP_HEAD_BYTES_MAX ? in.len : HUST_HTTP_HEAD_BYTES_MAX;
    const uint8_t *feed = at == end ? NULL : memchr(in.data + at, '\n', end - at);
    if (feed == NULL) {
        return end == HUST_HTTP_HEAD_BYTES_MAX ? HUST_ERR_LIMIT : HUST_ERR_TRUNCATED;
    }
    *line = hust_slice_of(in.data + at, (size_t)(feed - in.data) - at);
    assert(at + line->len < end);
    if (line->len == 0 || line->data[line->len - 1] != '\r') {
        return HUST_ERR_MALFORMED;
    }
    line->len--;
    return HUST_OK;
}

/* The empty line has come: what follows from the headers. */
static hust_error_t finish(hust_http_reply_t *reply)
{
    assert(reply->status >= 200 && reply->line_at > STATUS_LINE_CHARS_MIN);
    bool bodiless = reply->status == 204 || reply->status == 304;
    if (!reply->has_length && !bodiless) {
        return HUST_ERR_MALFORMED;
    }
    reply->head_bytes = reply->line_at;
    reply->body_bytes = bodiless ? 0 : reply->length;
    reply->keep_alive = !reply->has_close && (!reply->minor_0 || reply->has_keep_alive);
    assert(reply->head_bytes <= HUST_HTTP_HEAD_BYTES_MAX);
    return HUST_OK;
}

/* Garbage need not be waited for: every reply begins with the same bytes. */
static bool may_be_reply(hust_slice_t in)
{
    size_t len = in.len < STATUS_PREFIX_CHARS ? in.len : STATUS_PREFIX_CHARS;
    return len == 0 || memcmp(in.data, status_prefix, len) == 0;
}

hust_error_t hust_http_reply_read(hust_http_reply_t *reply, hust_slice_t in)
{
    assert(reply->line_at <= in.len);
    if (reply->line_at == 0 && !may_be_reply(in)) {
        return HUST_ERR_MALFORMED;
    }
    for (;;) {
        hust_slice_t line;
        hust_error_t err = take_line(in, reply->line_at, &line);
        if (err != HUST_OK) {
            return err;
        }
        bool first = reply->line_at == 0;
        reply->line_at += line.len + 2;
        assert(reply->line_at <= in.len);
        if (line.len == 0 && !first) {
            return finish(reply);
        }
        if (!(first ? read_status_line(reply, line) : read_header(reply, line))) {
            return HUST_ERR_MALFORMED;
        }
    }
}
