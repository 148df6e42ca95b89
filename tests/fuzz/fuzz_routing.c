/*
 * A routing table: refused with one line, or complete, and then its canonical text says the same.
 * The same bytes are tried as an address.
 */
#include "core/routing.h"
#include "fuzz.h"

static void check_address(hust_slice_t text)
{
    hust_peer_t peer;
    if (hust_address_parse(text, &peer) == HUST_OK) {
        FUZZ_CHECK(strlen(peer.address) == text.len);
        FUZZ_CHECK(memcmp(peer.address, text.data, text.len) == 0);
        FUZZ_CHECK(peer.port != 0 && peer.host[0] != '\0');
        FUZZ_CHECK(hust_address_same(&peer, &peer));
    }
}

static void check_complete(const hust_routing_t *routing)
{
    unsigned count = hust_routing_peer_count(routing);
    FUZZ_CHECK(count >= 2 && count <= HUST_PEERS_MAX);
    for (unsigned i = 0; i < count; i++) {
        const hust_peer_t *peer = hust_routing_peer(routing, i);
        hust_peer_t again;
        FUZZ_CHECK(hust_address_parse(hust_slice_str(peer->address), &again) == HUST_OK);
        FUZZ_CHECK(hust_address_same(peer, &again));
    }
    for (unsigned bucket = 0; bucket < HUST_BUCKET_COUNT; bucket++) {
        unsigned masters[2];
        hust_routing_masters(routing, bucket, masters);
        FUZZ_CHECK(masters[0] < count && masters[1] < count && masters[0] != masters[1]);
    }
}

static void check_canonical(const hust_routing_t *routing)
{
    hust_routing_t *again;
    char message[HUST_ROUTING_MESSAGE_BYTES];
    hust_slice_t json = hust_routing_json(routing);
    FUZZ_CHECK(hust_routing_parse(json, &again, message) == HUST_OK);
    FUZZ_CHECK(hust_slice_equal(hust_routing_json(again), json));
    FUZZ_CHECK(hust_routing_epoch(again) == hust_routing_epoch(routing));
    FUZZ_CHECK(hust_routing_peer_count(again) == hust_routing_peer_count(routing));
    for (unsigned bucket = 0; bucket < HUST_BUCKET_COUNT; bucket++) {
        unsigned a[2];
        unsigned b[2];
        hust_routing_masters(routing, bucket, a);
        hust_routing_masters(again, bucket, b);
        FUZZ_CHECK(a[0] == b[0] && a[1] == b[1]);
    }
    hust_routing_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hust_routing_t *routing;
    char message[HUST_ROUTING_MESSAGE_BYTES];
    hust_slice_t in = hust_slice_of(data, size);
    check_address(in);
    hust_error_t err = hust_routing_parse(in, &routing, message);
    FUZZ_CHECK((err == HUST_OK) == (routing != NULL));
    if (err != HUST_OK) {
        FUZZ_CHECK(err == HUST_ERR_MALFORMED && fuzz_is_one_line(message));
        return 0;
    }
    check_complete(routing);
    check_canonical(routing);
    hust_routing_free(routing);
    return 0;
}
