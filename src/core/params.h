/*
 * Parameters: the raw query string and the body of a request become checked values. Node and HA
 * use the same code, so that every parameter is decoded the same way everywhere, exactly once.
 *
 * Rules: percent-decoded to raw bytes, `+` is a plus, only `&` separates, unknown parameters are
 * ignored, a duplicate known one is an error, numbers are strict decimal.
 */
#ifndef HUST_PARAMS_H
#define HUST_PARAMS_H

#include "core/api.h"
#include "core/buf.h"
#include "core/op.h"
#include "core/slice.h"

enum {
    HUST_MESSAGE_BYTES = 128,
    HUST_FILE_COUNT = 10, /* parts in which a node's data is listed */
    HUST_PAGE_MAX = 1000, /* elements in a page of a listing */
};

/* Limits that are configuration. */
typedef struct {
    uint64_t ttl_max_s;
    size_t value_bytes_max;
} hust_limits_t;

#define HUST_LIMITS_DEFAULT ((hust_limits_t){.ttl_max_s = 2592000, .value_bytes_max = 32u << 20})

typedef struct {
    unsigned where;     /* HUST_AT_HA: made at HA, where HUST_PRESENCE_AT_HA counts; else a node */
    unsigned method;    /* one HUST_METHOD_* bit, allowed for the call */
    hust_slice_t query; /* raw, without the '?'; may be empty */
    size_t body_bytes;  /* 0: none or empty */
    hust_slice_t body;  /* the bytes; data may be NULL when they lie in a file (values only) */
} hust_request_t;

typedef struct {
    uint32_t given;   /* bit per hust_param_id_t: was in the query or came as the body */
    bool val_in_body; /* val is the body: val.len is its length, val.data may be NULL */
    hust_slice_t key, val, tb, host;
    uint64_t ttl_s, ver;
    int64_t score;       /* zadd */
    int64_t number;      /* hincrby: val as int64 */
    long double decimal; /* hincrbyfloat: val */
    int opt;             /* zadd: 0, 1 or -1 */
    uint64_t peer;
    unsigned method; /* binlog: 1..8 */
    /* Listings. */
    uint64_t offset;     /* where the page begins, unless there is a cursor */
    hust_slice_t cursor; /* as it was answered (core/cursor.h) */
    unsigned size;       /* elements wanted, 0..HUST_PAGE_MAX */
    unsigned start, end; /* only buckets start <= b < end; by default all of them */
    bool noval, async, desc;
    int64_t min, max; /* scores, both included; min <= max */
    unsigned file;    /* 0..HUST_FILE_COUNT - 1 */
} hust_params_t;

/*
 * Check and decode the parameters of `call`. Decoded bytes are put into `scratch` (grown once,
 * before the first slice is made) or borrow from the request.
 * Returns 0 when all is well, else the HTTP status (400, 413; 500 for no memory) with one line in
 * `message` that names the parameter.
 */
unsigned hust_params_parse(const hust_call_t *call, const hust_request_t *request,
                           const hust_limits_t *limits, hust_buf_t *scratch, hust_params_t *out,
                           char message[HUST_MESSAGE_BYTES]);

/*
 * What is said (400) of a raw # in a request target: it would be a fragment, which is never sent,
 * so programs on the way disagree about what it means.
 */
#define HUST_MESSAGE_FRAGMENT "#: write %23 for a # in a parameter"

/* True if a body of this request stands for a parameter (so the shell must read it). */
bool hust_call_takes_body(const hust_call_t *call, unsigned method);

/*
 * Conditions that came as headers, raw; data NULL where there was none. One that is there and empty
 * is malformed: whoever sent it meant a condition.
 */
typedef struct {
    hust_slice_t if_match;
    hust_slice_t if_none_match;
} hust_conditions_t;

/*
 * Make the operation of a read, read2 or write call. `number` receives the text of a zadd score
 * (op->value borrows it). expire_at_ms is fixed here: now_ms + ttl. The stamp is the caller's.
 * Write calls take If-Match ("tag" or *) and If-None-Match (* only) into the operation; anything
 * else in them: 400. Read calls ignore them here (see hust_etag_match).
 * Returns 0, or 400 with a message.
 */
unsigned hust_params_to_op(const hust_call_t *call, const hust_params_t *params,
                           const hust_conditions_t *conditions, uint64_t now_ms, char number[24],
                           hust_op_t *op, char message[HUST_MESSAGE_BYTES]);

/*
 * True if `header` (a raw If-Match or If-None-Match: `*` or a list of entity tags, W/ allowed)
 * names `stamp`. (RFC 9110, 13.1.)
 */
bool hust_etag_match(hust_slice_t header, hust_stamp_t stamp);

/* The instant `ttl_s` seconds from now, 0 for ever: a ttl of 0, or past the end of time. */
uint64_t hust_expiry_instant(uint64_t now_ms, uint64_t ttl_s);

/* Strict decimal over the whole slice; false for anything else. */
bool hust_parse_u64(hust_slice_t text, uint64_t *out);
bool hust_parse_i64(hust_slice_t text, int64_t *out);

/* Decimal text of a number; returns its length, no NUL is counted. */
size_t hust_format_u64(uint64_t value, char out[24]);
size_t hust_format_i64(int64_t value, char out[24]);

enum { HUST_DECIMAL_CHARS_MAX = 64 };

/*
 * A decimal fraction: -12.5, 3, 1e-7, 1.5E+300; no blanks, no hex, no infinity, at most
 * HUST_DECIMAL_CHARS_MAX characters and within the range of a double.
 */
bool hust_parse_decimal(hust_slice_t text, long double *out);

/*
 * The shortest text of 17 significant digits; returns its length, or 0 if `value` is beyond the
 * range of a double. hust_parse_decimal takes what this writes.
 */
size_t hust_format_decimal(long double value, char out[HUST_DECIMAL_CHARS_MAX]);

#endif /* HUST_PARAMS_H */
