/*
 * Entity tags as this project writes them: the stamp of a value in lower-case hex between quotes.
 * (docs/http-api.md, conditions; RFC 9110, 8.8.3 and 13.1.) The reading side, hust_etag_match, is
 * in params.h.
 */
#ifndef HUST_ETAG_H
#define HUST_ETAG_H

#include "core/op.h"
#include "core/params.h"

/*
 * Take the conditions of a write into its operation: If-Match is one strong tag or `*`,
 * If-None-Match only `*`. A well-formed tag that is not one of ours is a condition that cannot
 * hold, so the write will be refused with 412 rather than done.
 * Returns 0, or 400 with a message that names the header.
 */
unsigned hust_etag_write_conditions(const hust_conditions_t *conditions, hust_op_t *op,
                                    char message[HUST_MESSAGE_BYTES]);

#endif /* HUST_ETAG_H */
