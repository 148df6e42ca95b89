/*
 * host:port as the routing table, hints and `Sync` write it.
 */
#include "core/routing.h"

#include <arpa/inet.h>
#include <assert.h>
#include <strings.h>

#include "core/params.h"

enum {
    PORT_DIGITS_MAX = 5,
    LABEL_CHARS_MAX = 63, /* RFC 1035, 2.3.4 */
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_byte(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/* One way to write each port: 1..65535 without leading zeros. */
static bool parse_port(hust_slice_t text, uint16_t *port)
{
    uint64_t value;
    if (text.len > PORT_DIGITS_MAX || !hust_parse_u64(text, &value) || text.data[0] == '0' ||
        value > UINT16_MAX) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

/* One part of a name between dots; `_` is no letter of host names, but container names have it. */
static bool label_valid(hust_slice_t label)
{
    if (label.len == 0 || label.len > LABEL_CHARS_MAX || label.data[0] == '-' ||
        label.data[label.len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < label.len; i++) {
        if (!is_name_byte(label.data[i])) {
            return false;
        }
    }
    return true;
}

static bool all_digits(hust_slice_t text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i])) {
            return false;
        }
    }
    return true;
}

/* A name or an IPv4 address; what ends in a number is meant as the latter. (RFC 1123, 2.1.) */
static bool name_valid(const char *host, size_t len)
{
    struct in_addr address;
    assert(host[len] == '\0');
    hust_slice_t label = hust_slice_of(host, 0);
    for (size_t i = 0; i <= len; i++) {
        if (i < len && host[i] != '.') {
            label.len++;
            continue;
        }
        if (!label_valid(label)) {
            return false;
        }
        if (i < len) {
            label = hust_slice_of(host + i + 1, 0);
        }
    }
    return !all_digits(label) || inet_pton(AF_INET, host, &address) == 1;
}

static bool bracketed(const hust_peer_t *peer)
{
    return peer->address[0] == '[';
}

static bool host_valid(const hust_peer_t *peer, size_t len)
{
    struct in6_addr address;
    return bracketed(peer) ? inet_pton(AF_INET6, peer->host, &address) == 1
                           : name_valid(peer->host, len);
}

/* Where the last colon is; the length of the text if there is none. */
static size_t last_colon(hust_slice_t text)
{
    for (size_t i = text.len; i > 0; i--) {
        if (text.data[i - 1] == ':') {
            return i - 1;
        }
    }
    return text.len;
}

hust_error_t hust_address_parse(hust_slice_t text, hust_peer_t *out)
{
    assert(out != NULL);
    if (text.len == 0 || text.len > HUST_ADDRESS_BYTES_MAX) {
        return HUST_ERR_MALFORMED;
    }
    /* A NUL would end the text early for whoever reads it as a string. */
    size_t colon = last_colon(text);
    if (colon == text.len || memchr(text.data, '\0', text.len) != NULL) {
        return HUST_ERR_MALFORMED;
    }
    hust_slice_t host = hust_slice_of(text.data, colon);
    hust_slice_t port = hust_slice_of(text.data + colon + 1, text.len - colon - 1);
    if (host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']') {
        host = hust_slice_of(host.data + 1, host.len - 2);
    }
    *out = (hust_peer_t){0};
    assert(text.len < sizeof(out->address) && host.len < sizeof(out->host));
    memcpy(out->address, text.data, text.len);
    memcpy(out->host, host.data, host.len);
    return parse_port(port, &out->port) && host_valid(out, host.len) ? HUST_OK : HUST_ERR_MALFORMED;
}

bool hust_address_same(const hust_peer_t *a, const hust_peer_t *b)
{
    struct in6_addr address_a;
    struct in6_addr address_b;
    assert(a->port != 0 && b->port != 0);
    if (a->port != b->port || bracketed(a) != bracketed(b)) {
        return false;
    }
    if (!bracketed(a)) {
        return strcasecmp(a->host, b->host) == 0;
    }
    return inet_pton(AF_INET6, a->host, &address_a) == 1 &&
           inet_pton(AF_INET6, b->host, &address_b) == 1 &&
           memcmp(&address_a, &address_b, sizeof(address_a)) == 0;
}
