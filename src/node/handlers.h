/*
 * The handlers of the node's calls, and what they share. A handler answers its request or holds
 * it and sees to it that it is answered; it owns nothing after that.
 */
#ifndef HUST_NODE_HANDLERS_H
#define HUST_NODE_HANDLERS_H

#include "core/api.h"
#include "node/http.h"
#include "node/node.h"

typedef void (*hust_handler_t)(hust_node_t *node, hust_http_request_t *request,
                               const hust_call_t *call);

void hust_handle_element_read(hust_node_t *node, hust_http_request_t *request,
                              const hust_call_t *call);
void hust_handle_element_write(hust_node_t *node, hust_http_request_t *request,
                               const hust_call_t *call);
void hust_handle_binlog(hust_node_t *node, hust_http_request_t *request, const hust_call_t *call);
void hust_handle_batch(hust_node_t *node, hust_http_request_t *request, const hust_call_t *call);
void hust_handle_cache(hust_node_t *node, hust_http_request_t *request, const hust_call_t *call);
void hust_handle_stat(hust_node_t *node, hust_http_request_t *request, const hust_call_t *call);
void hust_handle_stat_all(hust_node_t *node, hust_http_request_t *request, const hust_call_t *call);
void hust_handle_file_count(hust_node_t *node, hust_http_request_t *request,
                            const hust_call_t *call);
void hust_handle_listing(hust_node_t *node, hust_http_request_t *request, const hust_call_t *call);
void hust_handle_version(hust_node_t *node, hust_http_request_t *request, const hust_call_t *call);
void hust_handle_status(hust_node_t *node, hust_http_request_t *request, const hust_call_t *call);

/* --- shared --- */

/* A batch may carry a value of the largest size, and its heads. */
enum { HUST_BATCH_EXTRA_BYTES = 1 << 20 };

/* An answer of one line of text; `text` lives until the request has been answered. */
void hust_answer_text(hust_http_answer_t *answer, unsigned status, const char *text);

/* Answer with JSON and so on from a buffer, which is taken over. 500 if `err` says so. */
void hust_answer_buf(hust_http_request_t *request, const char *content_type, hust_buf_t *buf,
                     hust_error_t err);

void hust_answer_add_version(hust_http_answer_t *answer, uint64_t version);
void hust_answer_add_etag(hust_http_answer_t *answer, hust_stamp_t stamp);

/* If `status` is an error, see to it that its message ends in a newline. Returns `status`. */
unsigned hust_end_line(unsigned status, char message[HUST_MESSAGE_BYTES]);

/* Check and decode the parameters; as hust_params_parse, and `message` ends in a newline. */
unsigned hust_handler_params(const hust_node_t *node, const hust_http_request_t *request,
                             const hust_call_t *call, hust_buf_t *scratch, hust_params_t *out,
                             char message[HUST_MESSAGE_BYTES]);

/*
 * The answer of a single-element call that gave `result`: status, Version, VerError and ETag, and a
 * line of text on errors. A value is left to the caller.
 */
void hust_answer_element(const hust_call_t *call, const hust_result_t *result,
                         hust_http_answer_t *answer);

/* The same for an error found before there was a result; `message` lives until the answer. */
void hust_answer_element_error(const hust_call_t *call, unsigned status, const char *message,
                               hust_http_answer_t *answer);

#endif /* HUST_NODE_HANDLERS_H */
