/*
 * The routing table: which two masters own a bucket (the JSON file of docs/operations.md).
 *
 * Rules: sections contiguous, first start 0, last end 1024, start < end; `val` exactly two
 * different host:port (name, IPv4 or [IPv6]); `increase` and `decrease` sections are validated,
 * never both kinds in one file.
 */
#ifndef HUST_ROUTING_H
#define HUST_ROUTING_H

#include "core/element.h"
#include "core/error.h"
#include "core/slice.h"

enum {
    HUST_ADDRESS_BYTES_MAX = 255,
    HUST_SECTIONS_MAX = HUST_BUCKET_COUNT,
    HUST_PEERS_MAX = 2 * HUST_SECTIONS_MAX,
    HUST_ROUTING_MESSAGE_BYTES = 256,
};

typedef struct {
    char address[HUST_ADDRESS_BYTES_MAX + 1]; /* host:port as written, NUL-terminated */
    char host[HUST_ADDRESS_BYTES_MAX + 1];    /* without brackets, NUL-terminated */
    uint16_t port;                            /* 1..65535 */
} hust_peer_t;

typedef struct hust_routing hust_routing_t;

/* An address: 1..255 bytes host:port. HUST_ERR_MALFORMED otherwise. */
hust_error_t hust_address_parse(hust_slice_t text, hust_peer_t *out);

/* True if two addresses name the same node: case and the spelling of an IPv6 address aside. */
bool hust_address_same(const hust_peer_t *a, const hust_peer_t *b);

/*
 * Parse and validate a whole file. On success `*out` is owned by the caller; otherwise `message`
 * says in one line what is wrong and in which section, and `*out` is NULL. MALFORMED or NOMEM.
 */
hust_error_t hust_routing_parse(hust_slice_t json, hust_routing_t **out,
                                char message[HUST_ROUTING_MESSAGE_BYTES]);
void hust_routing_free(hust_routing_t *routing);

/* Distinct nodes in order of first appearance: peer i of the API. */
unsigned hust_routing_peer_count(const hust_routing_t *routing);
const hust_peer_t *hust_routing_peer(const hust_routing_t *routing, unsigned index);

/* The peers that own a bucket: [0] is master1, [1] master2; both < peer_count. */
void hust_routing_masters(const hust_routing_t *routing, unsigned bucket, unsigned masters[2]);

/* A hash of the table's meaning, to tell tables apart; never 0. */
uint64_t hust_routing_epoch(const hust_routing_t *routing);

/* The table in canonical JSON (as get_table answers), borrowed from the routing. */
hust_slice_t hust_routing_json(const hust_routing_t *routing);

#endif /* HUST_ROUTING_H */
