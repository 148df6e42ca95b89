/*
 * sync_status: how the delivery of hints stands with each peer (docs/http-api.md).
 */
#include <assert.h>
#include <stdio.h>

#include "node/handlers.h"

enum { PIECE_BYTES = 512 };

static hust_error_t put_status(const char *lead, const char *name,
                               const hust_deliver_status_t *status, hust_buf_t *out)
{
    char piece[PIECE_BYTES];
    int len = snprintf(piece, sizeof(piece),
                       "%s\"%s\":{\"processed_items\":%lu,\"synced_items\":%lu,"
                       "\"pending_items\":%lu,\"oldest_pending_seconds\":%lu}",
                       lead, name, status->processed, status->synced, status->pending,
                       status->oldest_pending_s);
    assert(len > 0 && len < PIECE_BYTES);
    return hust_buf_append(out, piece, (size_t)len);
}

static void add_up(hust_deliver_status_t *total, const hust_deliver_status_t *status)
{
    total->processed += status->processed;
    total->synced += status->synced;
    total->pending += status->pending;
    if (status->oldest_pending_s > total->oldest_pending_s) {
        total->oldest_pending_s = status->oldest_pending_s;
    }
}

/* Addresses need no escaping: see hust_address_parse. */
void hust_handle_sync_status(hust_node_t *node, hust_http_request_t *request,
                             const hust_call_t *call)
{
    hust_deliver_status_t peers[HUST_CONFIG_PEERS_MAX];
    hust_deliver_status_t total = {0};
    hust_buf_t out = {0};
    unsigned count = hust_deliver_status(node->deliver, peers);
    hust_error_t err = hust_buf_append_slice(&out, hust_slice_str("{\"status\":{"));
    (void)call;
    assert(count <= HUST_CONFIG_PEERS_MAX);
    for (unsigned i = 0; err == HUST_OK && i < count; i++) {
        add_up(&total, &peers[i]);
        err = put_status(i == 0 ? "" : ",", peers[i].target, &peers[i], &out);
    }
    if (err == HUST_OK) {
        err = put_status("},", "total_status", &total, &out);
    }
    if (err == HUST_OK) {
        err = hust_buf_append_slice(&out, hust_slice_str("}"));
    }
    hust_answer_buf(request, "application/json", &out, err);
}
