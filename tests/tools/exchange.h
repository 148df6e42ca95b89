/*
 * One exchange: a request, what its answer must be, and what came of it.
 */
#ifndef HUST_TEST_EXCHANGE_H
#define HUST_TEST_EXCHANGE_H

#include "core/slice.h"
#include "response.h"

/* Everything that can be wrong with an exchange. The texts are keys of the JSON summary. */
#define FAULT_MAP(X)                                                                               \
    X(NONE, "none")                                                                                \
    /* a wrong answer */                                                                           \
    X(STATUS, "status")                                                                            \
    X(BODY, "body")                                                                                \
    X(HEADER, "header")                                                                            \
    X(MALFORMED, "malformed")                                                                      \
    X(EXTRA, "extra_bytes")                                                                        \
    /* no answer */                                                                                \
    X(CLOSED, "closed_before_any_byte")                                                            \
    X(RESET, "reset_before_any_byte")                                                              \
    X(CUT, "cut_short")                                                                            \
    X(TIMEOUT, "timeout")                                                                          \
    X(REFUSED, "refused")

typedef enum {
#define FAULT_ENUM(id, text) FAULT_##id,
    FAULT_MAP(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_COUNT,
} fault_t;

/* The text of a fault: a constant. */
const char *fault_text(fault_t fault);

/* True for the faults of an answer that came; false for none and for those without an answer. */
bool fault_is_wrong_answer(fault_t fault);

enum { EXCHANGE_STATUSES_MAX = 4 };

/* All slices are borrowed by the client until the exchange is reported done. */
typedef struct {
    uint64_t id;                              /* the source's own */
    hust_slice_t line;                        /* request line with its CRLF */
    hust_slice_t rest;                        /* headers, the empty line, perhaps a body */
    hust_slice_t body;                        /* or the body apart */
    bool head_request;                        /* HEAD: the answer has no body */
    unsigned statuses[EXCHANGE_STATUSES_MAX]; /* accepted; 0 fills up */
    unsigned status_if_repeated; /* also accepted when the request was sent before; 0 = none */
    bool any_body;
    hust_slice_t expected_body; /* holds for the first status only, as do the headers */
    /* Lines ended by LF: "Name: value" equal, "Name" present, "!Name" absent. */
    hust_slice_t expected_headers;
} exchange_t;

enum {
    EXCHANGE_LOST_CLOSED = 1 << 0, /* an attempt ended: closed before any byte of the answer */
    EXCHANGE_LOST_RESET = 1 << 1,  /* likewise, but with a reset */
    EXCHANGE_REFUSED = 1 << 2,     /* a connection was refused meanwhile */
    EXCHANGE_SYNC = 1 << 3,        /* the answer has a Sync header */
};

enum { EXCHANGE_DETAIL_BYTES = 256 };

typedef struct {
    unsigned status; /* 0: no answer */
    fault_t fault;
    unsigned flags;                     /* EXCHANGE_* */
    unsigned attempts;                  /* how often it was sent, 1 when all is well */
    uint64_t latency_us;                /* from the first attempt to the whole answer */
    char sync[64];                      /* value of Sync, cut to fit, NUL-terminated */
    char detail[EXCHANGE_DETAIL_BYTES]; /* of a fault, printable */
} exchange_result_t;

/* Checks an answer while it comes. */
typedef struct {
    bool compare; /* the body is expected to equal expected_body */
    bool differs;
    uint64_t differs_at; /* offset of the first wrong byte */
    uint64_t body_seen;
    size_t excerpt_len;
    char excerpt[48]; /* what came from there on */
} exchange_check_t;

/* The head of the answer is whole: decide what the body must be. */
void exchange_check_begin(exchange_check_t *check, const exchange_t *exchange,
                          const response_t *response);

/* A piece of the body came. */
void exchange_check_body(exchange_check_t *check, const exchange_t *exchange, hust_slice_t part);

/*
 * The answer is whole: sets status, fault, the Sync flag and detail. `repeated`: the request was
 * sent more than once.
 */
void exchange_check_end(const exchange_check_t *check, const exchange_t *exchange,
                        const response_t *response, bool repeated, exchange_result_t *result);

/* Write bytes as printable text, escaped as in C, into `out` (always NUL-terminated). */
void text_escape(hust_slice_t bytes, char *out, size_t out_bytes);

#endif /* HUST_TEST_EXCHANGE_H */
