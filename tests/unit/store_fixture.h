/*
 * A real store in a directory of its own, for unit tests of what is above it.
 */
#ifndef HUST_STORE_FIXTURE_H
#define HUST_STORE_FIXTURE_H

#include "node/store.h"

typedef struct {
    char path[64];
    hust_store_t *store;
} store_fixture_t;

/* A new, empty store; fails the test if there cannot be one. */
store_fixture_t *store_fixture_new(void);

/* Close it and open it again. */
void store_fixture_reopen(store_fixture_t *fixture);

/* Close it and remove its directory. */
void store_fixture_free(store_fixture_t *fixture);

#endif /* HUST_STORE_FIXTURE_H */
