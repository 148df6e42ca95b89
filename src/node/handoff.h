/*
 * Handing over: one exchange with another node about some elements. They are shown to it in one
 * batch, its answers are applied in one commit, and the hints of those on which the two agree are
 * dropped in that commit - if record and hint are still those that were shown.
 *
 * Everything is repeatable: whatever is lost or killed on the way, the next exchange does again.
 */
#ifndef HUST_NODE_HANDOFF_H
#define HUST_NODE_HANDOFF_H

#include "node/committer.h"
#include "node/hint_page.h"
#include "node/http_client.h"
#include "node/store.h"

typedef struct hust_handoff hust_handoff_t;

/* All borrowed for the life of the handoff. */
typedef struct {
    hust_store_t *store;
    hust_committer_t *committer;
    hust_http_client_t *client; /* posts batches to the other node */
    hust_slice_t target;        /* host:port, as hints name it */
} hust_handoff_env_t;

typedef struct {
    bool reached;     /* the other node answered */
    size_t handled;   /* elements of the page that need no second look in this pass */
    size_t synced;    /* whose hints were dropped */
    size_t changed;   /* of which this node took over the other one's side */
    size_t refused;   /* which the other node did not take, or this one cannot read */
    size_t committed; /* operations carried out by this node's committer */
    char message[HUST_HTTP_CLIENT_MESSAGE_BYTES]; /* why it was not reached or refused */
} hust_handoff_outcome_t;

/* NULL: no memory. */
hust_handoff_t *hust_handoff_new(const hust_handoff_env_t *env);
void hust_handoff_free(hust_handoff_t *handoff);

/*
 * Exchange as many elements of the page as fit into one batch, beginning with `from`. Blocks until
 * that is committed. HUST_ERR_NOMEM or IO (the committer or the store failed).
 */
hust_error_t hust_handoff_run(hust_handoff_t *handoff, const hust_hint_page_t *page, size_t from,
                              hust_handoff_outcome_t *out);

#endif /* HUST_NODE_HANDOFF_H */
