/*
 * What the clients of `load` do at HA, and what must be answered.
 *
 * Every client has elements of its own, of all four kinds, and remembers of each a generation: 0
 * for absent, else the number from which its value is made. As a client's requests are answered
 * in order, it knows what the next answer must be already when it sends the request, pipelined or
 * not.
 */
#ifndef HUST_TEST_LOAD_PLAN_H
#define HUST_TEST_LOAD_PLAN_H

#include <jansson.h>

#include "exchange.h"

typedef struct load_plan load_plan_t;

/* For `clients` clients with up to `depth` exchanges under way each. NULL: no memory. */
load_plan_t *load_plan_new(unsigned clients, unsigned depth, unsigned seed);

/* The next exchange of a client; it borrows from the plan until `slot` is used again. */
void load_plan_next(load_plan_t *plan, unsigned client, unsigned slot, exchange_t *out);

/* The exchange failed: what its element holds is not known until the next write of it. */
void load_plan_failed(load_plan_t *plan, unsigned client, const exchange_t *exchange);

/* A new JSON object: how often each call was made. */
json_t *load_plan_json(const load_plan_t *plan);

void load_plan_free(load_plan_t *plan);

#endif /* HUST_TEST_LOAD_PLAN_H */
