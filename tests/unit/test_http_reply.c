/* The head of a node's reply, whole and in pieces. (RFC 9112) */
#include <stdio.h>

#include "core/http_reply.h"
#include "unit.h"

#define OK_200 "HTTP/1.1 200 OK\r\n"
#define LENGTH_5 "Content-Length: 5\r\n"
#define END "\r\n"

static hust_error_t read_whole(hust_slice_t in, hust_http_reply_t *reply)
{
    *reply = (hust_http_reply_t){0};
    return hust_http_reply_read(reply, in);
}

/* Feed one byte more at a time, each time from other memory that ends exactly there. */
static hust_error_t read_in_pieces(hust_slice_t in, hust_http_reply_t *reply)
{
    hust_error_t err = HUST_ERR_TRUNCATED;
    *reply = (hust_http_reply_t){0};
    for (size_t len = 0; len <= in.len && err == HUST_ERR_TRUNCATED; len++) {
        uint8_t *exact = test_malloc(len + 1);
        memcpy(exact, in.data, len);
        err = hust_http_reply_read(reply, hust_slice_of(exact, len));
        test_free(exact);
    }
    return err;
}

static void test_a_reply_of_a_node(void **state)
{
    (void)state;
    hust_slice_t in = BYTES("HTTP/1.1 200 OK\r\n"
                            "Date: Tue, 18 Apr 2017 10:31:13 GMT\r\n"
                            "Content-Type: application/octet-stream\r\n"
                            "Content-Length: 7\r\n"
                            "\r\nbody\r\n\r\n");
    hust_http_reply_t reply;
    assert_int_equal(read_whole(in, &reply), HUST_OK);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body_bytes, 7);
    assert_true(reply.keep_alive);
    assert_int_equal(reply.head_bytes, in.len - 8);
}

static void test_statuses(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        unsigned status;
    } good[] = {
        {"HTTP/1.1 200 OK\r\n", 200},
        {"HTTP/1.1 400 Bad Request\r\n", 400},
        {"HTTP/1.1 599 \r\n", 599},
        {"HTTP/1.0 507 Insufficient Storage\r\n", 507},
        {"HTTP/1.1 404 \xE4\xB8\xAD\t\r\n", 404},
        {"HTTP/1.7 200 OK\r\n", 200},
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        char head[128];
        hust_http_reply_t reply;
        int len = snprintf(head, sizeof(head), "%s" LENGTH_5 END, good[i].line);
        assert_row(read_whole(hust_slice_of(head, (size_t)len), &reply) == HUST_OK, good[i].line);
        assert_row(reply.status == good[i].status, good[i].line);
        assert_row(reply.body_bytes == 5, good[i].line);
    }
}

static void test_status_lines_that_are_none(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "HTTP/1.1 200\r\n",
        "HTTP/1.1 20 OK\r\n",
        "HTTP/1.1 2000 OK\r\n",
        "HTTP/1.1  200 OK\r\n",
        "HTTP/1.1 2x0 OK\r\n",
        "HTTP/1.1 -20 OK\r\n",
        "HTTP/2.0 200 OK\r\n",
        "HTTP/1. 200 OK\r\n",
        "HTTP/1.10 200 OK\r\n",
        "http/1.1 200 OK\r\n",
        " HTTP/1.1 200 OK\r\n",
        "HTTP/1.1\t200 OK\r\n",
        "HTTP/1.1 600 OK\r\n",
        "HTTP/1.1 099 OK\r\n",
        "HTTP/1.1 100 Continue\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n",
        "HTTP/1.1 000 \r\n",
        "HTTP/1.1 200 O\x01K\r\n",
        "HTTP/1.1 200 OK\n",
        "HTTP/1.1 200 OK\r\r\n",
        "\r\n",
        "\n",
        "ICY 200 OK\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "\x16\x03\x01",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        char head[128];
        hust_http_reply_t reply;
        int len = snprintf(head, sizeof(head), "%s" LENGTH_5 END, wrong[i]);
        hust_slice_t in = hust_slice_of(head, (size_t)len);
        assert_row(read_whole(in, &reply) == HUST_ERR_MALFORMED, wrong[i]);
        assert_row(read_in_pieces(in, &reply) == HUST_ERR_MALFORMED, wrong[i]);
    }
}

/* A peer that speaks something else is found out at its first byte, not after a time-out. */
static void test_garbage_is_not_waited_for(void **state)
{
    (void)state;
    hust_http_reply_t reply;
    assert_int_equal(read_whole(BYTES("\x16"), &reply), HUST_ERR_MALFORMED);
    assert_int_equal(read_whole(BYTES("HTTP/2"), &reply), HUST_ERR_MALFORMED);
    assert_int_equal(read_whole(BYTES("HTTP/1"), &reply), HUST_ERR_TRUNCATED);
    assert_int_equal(read_whole(BYTES(""), &reply), HUST_ERR_TRUNCATED);
    assert_int_equal(read_whole((hust_slice_t){0}, &reply), HUST_ERR_TRUNCATED);
}

static bool same_reply(const hust_http_reply_t *a, const hust_http_reply_t *b)
{
    return a->status == b->status && a->keep_alive == b->keep_alive &&
           a->head_bytes == b->head_bytes && a->body_bytes == b->body_bytes;
}

static hust_error_t with_headers(const char *headers, hust_http_reply_t *reply)
{
    char head[512];
    hust_http_reply_t again;
    int len = snprintf(head, sizeof(head), OK_200 "%s" END "body", headers);
    assert_true(len > 0 && (size_t)len < sizeof(head));
    hust_error_t err = read_whole(hust_slice_of(head, (size_t)len), reply);
    /* However it comes in pieces, it is the same reply. */
    assert_row(read_in_pieces(hust_slice_of(head, (size_t)len), &again) == err, headers);
    assert_row(err != HUST_OK || same_reply(reply, &again), headers);
    return err;
}

static void test_headers(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        uint64_t body_bytes;
        bool keep_alive;
    } good[] = {
        {"Content-Length: 0\r\n", 0, true},
        {"content-length:5\r\n", 5, true},
        {"CONTENT-LENGTH: \t 5 \t\r\n", 5, true},
        {"Content-Length: 18446744073709551615\r\n", UINT64_MAX, true},
        {"Content-Length: 005\r\n", 5, true},
        {LENGTH_5 "Connection: close\r\n", 5, false},
        {LENGTH_5 "Connection: Close\r\n", 5, false},
        {"Connection: close\r\n" LENGTH_5, 5, false},
        {LENGTH_5 "Connection: keep-alive\r\n", 5, true},
        {LENGTH_5 "Connection: keep-alive, close\r\n", 5, false},
        {LENGTH_5 "Connection: upgrade , CLOSE,\r\n", 5, false},
        {LENGTH_5 "Connection: close\r\nConnection: keep-alive\r\n", 5, false},
        {LENGTH_5 "Connection: closed\r\n", 5, true},
        {LENGTH_5 "Connection:\r\n", 5, true},
        {LENGTH_5 "X-Connection: close\r\n", 5, true},
        {LENGTH_5 "X-Content-Length: 6\r\n", 5, true},
        {LENGTH_5 "Content-Lengt: 6\r\nContent-Lengthy: 6\r\n", 5, true},
        {LENGTH_5 "X: a: b: c\r\nY:\r\n!#$%&'*+-.^_`|~09azAZ: token\r\n", 5, true},
        {LENGTH_5 "X: \xE4\xB8\xAD\r\n", 5, true},
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        hust_http_reply_t reply;
        assert_row(with_headers(good[i].headers, &reply) == HUST_OK, good[i].headers);
        assert_row(reply.body_bytes == good[i].body_bytes, good[i].headers);
        assert_row(reply.keep_alive == good[i].keep_alive, good[i].headers);
        assert_row(reply.head_bytes == sizeof(OK_200 END) - 1 + strlen(good[i].headers),
                   good[i].headers);
    }
}

static void test_headers_that_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", /* where would the body end? */
        "Content-Length:\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +1\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5;\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5\x0b\r\n",
        "Content-Length: 18446744073709551616\r\n",
        LENGTH_5 LENGTH_5,
        LENGTH_5 "Content-Length: 6\r\n",
        "Transfer-Encoding: chunked\r\n",
        LENGTH_5 "Transfer-Encoding: chunked\r\n",
        LENGTH_5 "transfer-encoding: identity\r\n",
        LENGTH_5 "Transfer-Encoding:\r\n",
        LENGTH_5 "X : y\r\n",
        LENGTH_5 "X\r\n",
        LENGTH_5 ": y\r\n",
        LENGTH_5 "X y: z\r\n",
        LENGTH_5 "X\xE4: z\r\n",
        LENGTH_5 " X: folded\r\n",
        LENGTH_5 "X: a\r\n\tfolded\r\n",
        LENGTH_5 "X: a\x01\r\n",
        LENGTH_5 "X: a\x7f\r\n",
        LENGTH_5 "X: a\rb\r\n",
        LENGTH_5 "X: a\n",
        "\n" LENGTH_5,
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        hust_http_reply_t reply;
        assert_row(with_headers(wrong[i], &reply) == HUST_ERR_MALFORMED, wrong[i]);
    }
    hust_http_reply_t reply;
    assert_int_equal(read_whole(BYTES(OK_200 LENGTH_5 "X: a\0b\r\n\r\n"), &reply),
                     HUST_ERR_MALFORMED);
    assert_int_equal(read_whole(BYTES(OK_200 LENGTH_5 "X\0: a\r\n\r\n"), &reply),
                     HUST_ERR_MALFORMED);
}

static void test_http_1_0_closes_unless_it_says_otherwise(void **state)
{
    (void)state;
    hust_http_reply_t reply;
    assert_int_equal(read_whole(BYTES("HTTP/1.0 200 OK\r\n" LENGTH_5 END), &reply), HUST_OK);
    assert_false(reply.keep_alive);
    assert_int_equal(
        read_whole(BYTES("HTTP/1.0 200 OK\r\n" LENGTH_5 "Connection: Keep-Alive\r\n" END), &reply),
        HUST_OK);
    assert_true(reply.keep_alive);
}

/* The length of a 304 is that of the body it would have had. */
static void test_statuses_without_a_body(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "HTTP/1.1 204 No Content\r\n" END,
        "HTTP/1.1 304 Not Modified\r\n" END,
        "HTTP/1.1 304 Not Modified\r\n" LENGTH_5 END,
    };
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        hust_http_reply_t reply;
        assert_row(read_whole(hust_slice_str(heads[i]), &reply) == HUST_OK, heads[i]);
        assert_row(reply.body_bytes == 0, heads[i]);
        assert_row(reply.head_bytes == strlen(heads[i]), heads[i]);
    }
}

static void test_every_prefix_needs_more(void **state)
{
    (void)state;
    hust_slice_t in = BYTES(OK_200 LENGTH_5 "Connection: close\r\n" END);
    for (size_t len = 0; len < in.len; len++) {
        hust_http_reply_t reply;
        assert_int_equal(read_whole(hust_slice_of(in.data, len), &reply), HUST_ERR_TRUNCATED);
    }
}

/* What follows the head is not looked at: it may be the next reply. */
static void test_bytes_after_the_head(void **state)
{
    (void)state;
    hust_slice_t in = BYTES(OK_200 LENGTH_5 END "12345" OK_200 "Content-Length: 6\r\n" END);
    hust_http_reply_t reply;
    assert_int_equal(read_whole(in, &reply), HUST_OK);
    assert_int_equal(reply.body_bytes, 5);
    size_t next = reply.head_bytes + 5;
    assert_int_equal(read_whole(hust_slice_of(in.data + next, in.len - next), &reply), HUST_OK);
    assert_int_equal(reply.body_bytes, 6);
}

/* A head whose only free part is padding: its length is exactly `head_bytes`. */
static size_t padded(uint8_t *head, size_t head_bytes)
{
    static const char front[] = OK_200 LENGTH_5 "X: ";
    memset(head, 'x', head_bytes);
    memcpy(head, front, sizeof(front) - 1);
    memcpy(head + head_bytes - 4, "\r\n\r\n", 4);
    return head_bytes;
}

static void test_head_limit(void **state)
{
    (void)state;
    static uint8_t head[HUST_HTTP_HEAD_BYTES_MAX + 100];
    hust_http_reply_t reply;
    size_t len = padded(head, HUST_HTTP_HEAD_BYTES_MAX);
    assert_int_equal(read_whole(hust_slice_of(head, len), &reply), HUST_OK);
    assert_int_equal(reply.head_bytes, HUST_HTTP_HEAD_BYTES_MAX);

    len = padded(head, HUST_HTTP_HEAD_BYTES_MAX + 1);
    assert_int_equal(read_whole(hust_slice_of(head, len), &reply), HUST_ERR_LIMIT);
    /* In pieces the limit is reached before the end has come. */
    reply = (hust_http_reply_t){0};
    assert_int_equal(
        hust_http_reply_read(&reply, hust_slice_of(head, HUST_HTTP_HEAD_BYTES_MAX - 1)),
        HUST_ERR_TRUNCATED);
    assert_int_equal(hust_http_reply_read(&reply, hust_slice_of(head, HUST_HTTP_HEAD_BYTES_MAX)),
                     HUST_ERR_LIMIT);
}

static void test_endless_headers_meet_the_limit(void **state)
{
    (void)state;
    static uint8_t head[HUST_HTTP_HEAD_BYTES_MAX + 100];
    hust_http_reply_t reply = {0};
    size_t len = sizeof(OK_200) - 1;
    hust_error_t err = HUST_ERR_TRUNCATED;
    memcpy(head, OK_200, len);
    while (err == HUST_ERR_TRUNCATED) {
        assert_true(len + 6 <= sizeof(head));
        memcpy(head + len, "X: y\r\n", 6);
        len += 6;
        err = hust_http_reply_read(&reply, hust_slice_of(head, len));
    }
    assert_int_equal(err, HUST_ERR_LIMIT);
    assert_in_range(len, HUST_HTTP_HEAD_BYTES_MAX, HUST_HTTP_HEAD_BYTES_MAX + 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reply_of_a_node),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_status_lines_that_are_none),
        cmocka_unit_test(test_garbage_is_not_waited_for),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_headers_that_are_refused),
        cmocka_unit_test(test_http_1_0_closes_unless_it_says_otherwise),
        cmocka_unit_test(test_statuses_without_a_body),
        cmocka_unit_test(test_every_prefix_needs_more),
        cmocka_unit_test(test_bytes_after_the_head),
        cmocka_unit_test(test_head_limit),
        cmocka_unit_test(test_endless_headers_meet_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
