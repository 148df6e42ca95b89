/* host:port: what is one, and when two name the same node. */
#include "core/routing.h"
#include "unit.h"

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host;
        uint16_t port;
    } good[] = {
        {"10.0.0.1:8085", "10.0.0.1", 8085},
        {"127.0.0.1:1", "127.0.0.1", 1},
        {"0.0.0.0:65535", "0.0.0.0", 65535},
        {"localhost:80", "localhost", 80},
        {"node-1.db.example.org:8085", "node-1.db.example.org", 8085},
        {"Node_1:8085", "Node_1", 8085},
        {"1node:8085", "1node", 8085},
        {"3.14.pi:8085", "3.14.pi", 8085},
        {"a:8085", "a", 8085},
        {"[::1]:8086", "::1", 8086},
        {"[2001:db8::8a2e:370:7334]:443", "2001:db8::8a2e:370:7334", 443},
        {"[::ffff:10.0.0.1]:443", "::ffff:10.0.0.1", 443},
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        hust_peer_t peer;
        assert_row(hust_address_parse(hust_slice_str(good[i].text), &peer) == HUST_OK,
                   good[i].text);
        assert_string_equal(peer.address, good[i].text);
        assert_string_equal(peer.host, good[i].host);
        assert_int_equal(peer.port, good[i].port);
    }
}

static void test_what_is_no_address(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        ":",
        "8085",
        "localhost",
        "localhost:",
        ":8085",
        "a:b",
        "a:0",
        "a:00",
        "a:080",
        "a:65536",
        "a:99999",
        "a:100000",
        "a:-1",
        "a:+1",
        "a: 1",
        "a:1 ",
        " a:1",
        "a b:1",
        "a:1:2",
        "::1:8085",
        "[::1]",
        "[::1]:",
        "[::1:8085",
        "::1]:8085",
        "[]:8085",
        "[a]:8085",
        "[10.0.0.1]:8085",
        "[::1]x:8085",
        "[:::1]:8085",
        "[fe80::1%eth0]:8085",
        "[::1]]:1",
        "10.0.0:8085",
        "10.0.0.256:8085",
        "10.0.0.1.2:8085",
        "10.0.0.01:8085",
        "1:8085",
        ".:8085",
        "a.:8085",
        ".a:8085",
        "a..b:8085",
        "-a:8085",
        "a-:8085",
        "a.-b:8085",
        "http://a:8085",
        "a/b:8085",
        "a%62:8085",
        "user@a:8085",
        "\xE4\xB8\xAD:8085",
        "a,b:8085",
        "a\"b:8085",
        "a\nb:8085",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        hust_peer_t peer;
        assert_row(hust_address_parse(hust_slice_str(wrong[i]), &peer) == HUST_ERR_MALFORMED,
                   wrong[i]);
    }
}

static void test_nul_does_not_end_an_address(void **state)
{
    (void)state;
    hust_peer_t peer;
    assert_int_equal(hust_address_parse(BYTES("a:8085\0"), &peer), HUST_ERR_MALFORMED);
    assert_int_equal(hust_address_parse(BYTES("a\0b:8085"), &peer), HUST_ERR_MALFORMED);
    assert_int_equal(hust_address_parse(BYTES("[::1\0]:8085"), &peer), HUST_ERR_MALFORMED);
    assert_int_equal(hust_address_parse(BYTES("10.0.0.1\0:1"), &peer), HUST_ERR_MALFORMED);
    assert_int_equal(hust_address_parse((hust_slice_t){0}, &peer), HUST_ERR_MALFORMED);
}

/* A name of 255 - 5 bytes: labels of 49 letters and a dot. */
static void test_length_limits(void **state)
{
    (void)state;
    char text[HUST_ADDRESS_BYTES_MAX + 2];
    hust_peer_t peer;
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = i % 50 == 49 ? '.' : 'a';
    }
    memcpy(text + 250, ":8085", 5);
    text[249] = 'a';
    assert_int_equal(hust_address_parse(hust_slice_of(text, 255), &peer), HUST_OK);
    assert_int_equal(strlen(peer.address), 255);
    assert_int_equal(strlen(peer.host), 250);

    memcpy(text + 250, "a:8085", 6);
    assert_int_equal(hust_address_parse(hust_slice_of(text, 256), &peer), HUST_ERR_MALFORMED);

    memset(text, 'a', sizeof(text));
    memcpy(text + 63, ":1", 2);
    assert_int_equal(hust_address_parse(hust_slice_of(text, 65), &peer), HUST_OK);
    memcpy(text + 63, "a:1", 3);
    assert_int_equal(hust_address_parse(hust_slice_of(text, 66), &peer), HUST_ERR_MALFORMED);
}

static bool same(const char *a, const char *b)
{
    hust_peer_t peer_a;
    hust_peer_t peer_b;
    assert_int_equal(hust_address_parse(hust_slice_str(a), &peer_a), HUST_OK);
    assert_int_equal(hust_address_parse(hust_slice_str(b), &peer_b), HUST_OK);
    assert_true(hust_address_same(&peer_a, &peer_b) == hust_address_same(&peer_b, &peer_a));
    return hust_address_same(&peer_a, &peer_b);
}

static void test_the_same_node(void **state)
{
    (void)state;
    assert_true(same("10.0.0.1:8085", "10.0.0.1:8085"));
    assert_true(same("Node.Example:1", "node.example:1"));
    assert_true(same("[::1]:1", "[0:0:0:0:0:0:0:1]:1"));
    assert_true(same("[2001:DB8::1]:1", "[2001:db8:0::1]:1"));
    assert_false(same("10.0.0.1:8085", "10.0.0.1:8086"));
    assert_false(same("10.0.0.1:8085", "10.0.0.2:8085"));
    assert_false(same("[::1]:1", "[::2]:1"));
    assert_false(same("[::1]:1", "localhost:1"));
    assert_false(same("a:1", "aa:1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_what_is_no_address),
        cmocka_unit_test(test_nul_does_not_end_an_address),
        cmocka_unit_test(test_length_limits),
        cmocka_unit_test(test_the_same_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
