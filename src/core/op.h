/*
 * One operation on one element, and its result: what travels in a batch, what a node applies, and
 * what the coordinator reasons about.
 */
#ifndef HUST_OP_H
#define HUST_OP_H

#include "core/clock.h"
#include "core/element.h"
#include "core/slice.h"

/* The codes are part of the wire format. */
typedef enum {
    HUST_OP_GET = 1,   /* read the element */
    HUST_OP_PUT = 2,   /* value is the new content: put, hset, sadd, zadd opt=0 */
    HUST_OP_DEL = 3,   /* store a tombstone, also over nothing */
    HUST_OP_INCR = 4,  /* add delta to the number: hincrby, zadd opt=1 / -1; decides */
    HUST_OP_MERGE = 5, /* value is a wire record: merge it; base = the stamp it replaced */
    HUST_OP_HINT = 6,  /* remember to bring this element to target; base, stamp as in hust_hint_t */
    HUST_OP_UNHINT = 7, /* drop the hint for target if gen and stamp are still those given */
    /* Value is the stored record of the other master: hold what both are to hold (reconcile.h).
     * With stamp and gen: only if record and hint are still those. The result's value is what was
     * held before, as a stored record, or empty if the other master holds the outcome already. */
    HUST_OP_RECONCILE = 8,
} hust_op_code_t;

enum {
    /* meaning */
    HUST_OPF_NO_VALUE = 1 << 0,  /* GET: the value is not wanted (exist) */
    HUST_OPF_OWN = 1 << 1,       /* GET: in a conflict, the side this node accepted (read2) */
    HUST_OPF_WHOLE = 1 << 2,     /* GET: send the value however large */
    HUST_OPF_AGAIN = 1 << 3,     /* PUT, DEL: a second try, not counted twice in the version */
    HUST_OPF_SOLO = 1 << 4,      /* the other master misses this: store a hint in the same commit */
    HUST_OPF_IF_EXISTS = 1 << 5, /* If-Match: * */
    HUST_OPF_IF_ABSENT = 1 << 6, /* If-None-Match: * on a write */
    HUST_OPF_DECIDE = 1 << 7,    /* one master decides; answers BEHIND rather than lose by stamp */
    HUST_OPF_SUBTRACT =
        1 << 8, /* INCR: take delta away (the negative of the least int64 is none) */
    /* presence of optional fields, on the wire */
    HUST_OPF_HAS_STAMP = 1 << 9,     /* stamp and expire_at_ms */
    HUST_OPF_HAS_VER = 1 << 10,      /* ver; the operation is conditional */
    HUST_OPF_HAS_IF_MATCH = 1 << 11, /* if_match: go on only if this is the stamp held */
    HUST_OPF_HAS_DELTA = 1 << 12,
    HUST_OPF_HAS_BASE = 1 << 13,
    HUST_OPF_HAS_TARGET = 1 << 14,
    HUST_OPF_HAS_GEN = 1 << 15,
    /* never on the wire, which has 16 flags */
    HUST_OPF_DIRECT = 1 << 16, /* made on the node itself, which stamps it */
};

typedef struct {
    hust_op_code_t code;
    unsigned flags; /* HUST_OPF_*; the HAS_ flags say which of the optional fields count */
    hust_element_t element;
    uint64_t now_ms; /* the coordinator's time: what is expired is judged by it */
    hust_stamp_t stamp;
    uint64_t expire_at_ms; /* 0 = for ever */
    uint64_t ver;
    hust_stamp_t if_match;
    int64_t delta;
    hust_stamp_t base;
    hust_slice_t target; /* host:port of the master that missed the write, 1..255 bytes */
    uint64_t gen;
    hust_slice_t value; /* PUT: content; MERGE: a wire record; RECONCILE: a stored record */
} hust_op_t;

enum {
    HUST_RESULT_DELETED = 1 << 0,    /* known to be deleted or expired (status 404) */
    HUST_RESULT_NO_TABLE = 1 << 1,   /* 412: the tb does not exist here */
    HUST_RESULT_OTHER_TYPE = 1 << 2, /* 412: the tb is of another type */
    HUST_RESULT_HINTED = 1 << 3,     /* a hint with a target is waiting */
    HUST_RESULT_MARKED = 1 << 4,     /* a hint without a target is there */
    HUST_RESULT_BEHIND = 1 << 5,     /* nothing done: a newer stamp is held than the operation's */
    HUST_RESULT_STORED = 1 << 6,     /* the write took part, although the status may say 404 */
    HUST_RESULT_CONFLICT = 1 << 7,   /* two sides are held */
    HUST_RESULT_IF_FAILED = 1 << 8,  /* 412: If-Match or If-None-Match did not hold */
    /* presence of optional fields, on the wire */
    HUST_RESULT_HAS_STAMP = 1 << 9,     /* stamp and expire_at_ms */
    HUST_RESULT_HAS_REPLACED = 1 << 10, /* replaced: what a write found */
    HUST_RESULT_HAS_GEN = 1 << 11,
    HUST_RESULT_LARGE = 1 << 12, /* value left out: value_bytes and value_hash stand for it */
};

enum {
    HUST_VALUE_HASH_BYTES = 16,
    /* A value larger than this is answered LARGE unless the operation says WHOLE. */
    HUST_LARGE_BYTES = 256 * 1024,
};

typedef struct {
    unsigned status;       /* as HTTP: 200 401 403 404 412 500 503 507 */
    unsigned flags;        /* HUST_RESULT_* */
    uint64_t version;      /* 0 = absent; a delete: the version that was deleted */
    hust_stamp_t stamp;    /* held after the operation */
    uint64_t expire_at_ms; /* of what is held */
    hust_stamp_t replaced; /* held before a write */
    uint64_t gen;          /* of the hint, after a SOLO or DECIDE write */
    uint64_t value_bytes;  /* LARGE: length of the value */
    uint8_t value_hash[HUST_VALUE_HASH_BYTES]; /* LARGE: XXH3-128 of the value */
    hust_slice_t value; /* GET: the value; INCR: the new number; RECONCILE: see there; borrowed */
} hust_result_t;

/* Length of the value a result stands for, whether it is there or left out as LARGE. */
static inline uint64_t hust_result_value_bytes(const hust_result_t *result)
{
    return (result->flags & HUST_RESULT_LARGE) != 0 ? result->value_bytes : result->value.len;
}

/* True for an operation that changes something and so belongs to the committer. */
static inline bool hust_op_is_write(const hust_op_t *op)
{
    return op->code != HUST_OP_GET;
}

/* True if one master decides it (ver, If-Match, If-None-Match, numbers that are added to). */
static inline bool hust_op_is_deciding(const hust_op_t *op)
{
    const unsigned conditions =
        HUST_OPF_HAS_VER | HUST_OPF_HAS_IF_MATCH | HUST_OPF_IF_EXISTS | HUST_OPF_IF_ABSENT;
    return op->code == HUST_OP_INCR ||
           ((op->code == HUST_OP_PUT || op->code == HUST_OP_DEL) && (op->flags & conditions) != 0);
}

#endif /* HUST_OP_H */
