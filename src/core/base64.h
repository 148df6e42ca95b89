/*
 * Base64 (RFC 4648): as listings write keys and values, with padding, and as cursors are written,
 * with the alphabet that needs no escape in a query and without padding.
 */
#ifndef HUST_BASE64_H
#define HUST_BASE64_H

#include "core/buf.h"

/* Append the text of `in`. HUST_ERR_NOMEM. */
hust_error_t hust_base64_append(hust_buf_t *out, hust_slice_t in);

/* Append the text of `in` in the alphabet of queries, without padding. HUST_ERR_NOMEM. */
hust_error_t hust_base64_append_query(hust_buf_t *out, hust_slice_t in);

/*
 * Append the bytes that a text of hust_base64_append_query stands for. HUST_ERR_MALFORMED if it is
 * none: every sequence of bytes has exactly one text. HUST_ERR_NOMEM.
 */
hust_error_t hust_base64_decode_query(hust_slice_t text, hust_buf_t *out);

#endif /* HUST_BASE64_H */
