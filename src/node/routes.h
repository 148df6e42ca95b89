/*
 * From a request's path and method to the handler of its call.
 */
#ifndef HUST_NODE_ROUTES_H
#define HUST_NODE_ROUTES_H

#include "node/http.h"
#include "node/node.h"

/* What the HTTP server is to call; `node` is borrowed. */
hust_http_app_t hust_routes(hust_node_t *node);

#endif /* HUST_NODE_ROUTES_H */
