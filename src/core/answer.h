/*
 * The answer of HA: an outcome in the words of HTTP. Pure, so that the seed pages' samples are
 * unit tests as well.
 */
#ifndef HUST_ANSWER_H
#define HUST_ANSWER_H

#include "core/coord.h"
#include "core/params.h"

enum { HUST_ANSWER_HEADERS_MAX = 10, HUST_ANSWER_HEADER_BYTES = 280 };

typedef struct {
    const char *name; /* constant */
    char value[HUST_ANSWER_HEADER_BYTES];
    size_t value_len;
} hust_answer_header_t;

typedef struct {
    unsigned status;
    unsigned header_count; /* in the order in which they are to be sent */
    hust_answer_header_t headers[HUST_ANSWER_HEADERS_MAX];
    uint64_t body_bytes;  /* Content-Length */
    const char *text;     /* body of an error: one line with its newline, or NULL */
    unsigned value_count; /* body of a success: outcome->values[0 .. value_count) in order */
} hust_answer_t;

/* `conditions` may be NULL. Read calls answer 304 and 412 by them (RFC 9110, 13.2). */
void hust_answer_make(const hust_call_t *call, const hust_outcome_t *outcome,
                      const hust_conditions_t *conditions, hust_answer_t *answer);

#endif /* HUST_ANSWER_H */
