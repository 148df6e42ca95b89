/*
 * Reconciling one element: two masters show each other what they store of it, hints included, and
 * each works out by itself what it has to store so that both hold the same.
 *
 *   equal          nothing is left to do
 *   stale          one holds what the other's hint says was replaced: it takes the newer
 *   conflict       both have a hint, what they hold differs, and neither is stale: both keep both
 *                  sides, and each remembers in hint.own which one it accepted itself
 *   anything else  the newer wins (hust_record_merge)
 *
 * Both masters, given the same pair, work out the same record, whoever asked whom.
 *
 * Caveats: what the other one showed may be old by the time it is looked at. Being old is harmless
 * where records are merely merged; a conflict made of it would bring back what has been replaced
 * since. So whoever asked goes by the answer only if it still holds what it showed (apply.c).
 */
#ifndef HUST_RECONCILE_H
#define HUST_RECONCILE_H

#include "core/record.h"

typedef struct {
    hust_stored_t next; /* what is to be held; values borrow from either input */
    bool changed;       /* `next` is not what was held */
    bool agreed;        /* the other one already holds the record of `next` */
} hust_reconciled_t;

/*
 * What a node that holds `mine` is to hold when another one holds `theirs`. What is expired at
 * `now_ms` counts as deleted.
 *
 * The hint: in a conflict it stays, at least as a mark, because it holds `own`. Otherwise, once
 * both hold the same, a mark is dropped, and a hint with a target stays on its list but says that
 * nothing is missing (base is what both hold, solo is none): it goes when it is delivered.
 */
void hust_reconcile(const hust_stored_t *mine, const hust_stored_t *theirs, uint64_t now_ms,
                    hust_reconciled_t *out);

#endif /* HUST_RECONCILE_H */
