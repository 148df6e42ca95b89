/*
 * The coordinator: read, read2 and write of one element over its two masters, as state machines
 * without I/O. The shell (the HA module, the simulator, a test) sends what it is told to send,
 * feeds results, failures and timer ticks, and in the end renders the answer.
 *
 *   hust_coord_begin(&coord, &input, now);
 *   loop: while (hust_coord_next(&coord, &action)) do what `action` says;
 *         if (hust_coord_done(&coord)) render with hust_answer_make (answer.h)
 *         on an event: hust_coord_on_result / on_failure / on_timer, then again
 *
 * Caveats: slices given in (element, values, result values, targets) are borrowed until the
 * coordinator is done with: the shell keeps them. At most one operation per master is under way.
 * A SEND whose `background` is set is to be sent after the answer as well; its result is not
 * wanted. A value that is not in memory is given as in.op.value with data NULL and its length; the
 * SENDs that carry it then say `body_follows`: the value on the wire is op.value and then the body.
 */
#ifndef HUST_COORD_H
#define HUST_COORD_H

#include "core/api.h"
#include "core/clock.h"
#include "core/op.h"
#include "core/record.h"

/* Masters are numbered 0 and 1 here; clients see 1 and 2. */
typedef enum {
    HUST_MASTER_UP,
    HUST_MASTER_CATCHING_UP, /* its partner holds hints for it: asked last, not believed */
    HUST_MASTER_DOWN,
} hust_master_state_t;

/* Why no result came. The difference that matters is whether it may have been executed. */
typedef enum {
    HUST_FAILED_UNSENT,  /* surely not executed: refused, known down, never left */
    HUST_FAILED_UNKNOWN, /* sent, and then silence, a lost connection or garbage */
} hust_failure_t;

enum {
    HUST_READ2_WAIT_MS = 50,     /* a write on its way is waited for at most this long */
    HUST_READ2_SEEN_MAX = 32,    /* how many results per master are remembered meanwhile */
    HUST_COORD_RETRIES_MAX = 64, /* BEHIND answers before a deciding write gives up */
    HUST_COORD_ACTIONS_MAX = 4,
};

typedef struct {
    const hust_call_t *call;
    hust_op_t op;        /* from hust_params_to_op, without a stamp */
    hust_clock_t *clock; /* the worker's: issues stamps, moves past those in results */
    hust_master_state_t state[2];
    hust_slice_t address[2]; /* host:port of the masters */
} hust_coord_input_t;

typedef enum {
    HUST_ACTION_SEND,  /* send `op` to `master` */
    HUST_ACTION_TIMER, /* call hust_coord_on_timer after `delay_ms` */
} hust_action_kind_t;

typedef struct {
    hust_action_kind_t kind;
    unsigned master;   /* SEND */
    bool background;   /* SEND: nobody waits for the result */
    hust_op_t op;      /* SEND: borrowed slices as in the input */
    bool body_follows; /* SEND: the request's body, which is not in memory, follows op.value */
    uint64_t delay_ms; /* TIMER */
} hust_action_t;

/* What came out, before it is put in the words of HTTP. */
typedef struct {
    unsigned status;      /* 200 401 403 404 409 412 503 507 ... */
    bool differ;          /* read2: the versions differ: Version1 and Version2 */
    uint64_t version;     /* single version, or the larger */
    uint64_t versions[2]; /* read2 */
    bool has_version;
    bool ver_error;
    unsigned newer;           /* 0 none, 1 or 2 */
    unsigned value_count;     /* values in the body, in this order: 0, 1 or 2 */
    hust_result_t values[2];  /* value, or LARGE with stamp, length and hash */
    unsigned value_master[2]; /* which master each came from */
    bool has_val_offset;
    bool has_etag;
    hust_stamp_t etag;
    hust_slice_t sync;         /* write: address of the master that missed it, or empty */
    hust_slice_t sync_pending; /* read2: address a hint waits for, or empty */
    hust_slice_t unreachable;  /* address that gave no answer, or empty */
    bool diverged;             /* write: the masters' replies differ in stamp or version */
    const char *reason;        /* one line with its newline for an error, or NULL */
} hust_outcome_t;

typedef struct hust_coord hust_coord_t;

struct hust_coord {
    hust_coord_input_t in;
    hust_outcome_t outcome;
    bool done;
    unsigned phase; /* of the class's own state machine */
    uint64_t started_ms;

    struct {
        bool pending;  /* an operation is under way */
        bool answered; /* `result` is this round's */
        bool failed;
        hust_failure_t failure;
        hust_result_t result;
    } master[2];

    /* read2: results seen on each master while a difference settles */
    hust_result_t *seen[2]; /* HUST_READ2_SEEN_MAX each, owned; NULL until a difference shows */
    unsigned seen_count[2];
    unsigned rounds;

    /* write */
    hust_op_t op; /* as sent: stamped */
    unsigned decider;
    unsigned retries; /* BEHIND answers so far */
    bool decided;     /* the decider's result is `decision` */
    hust_result_t decision;
    hust_result_t stored_result; /* of a plain write, while its hint is made durable */
    hust_buf_t record;           /* MERGE: the decider's record, encoded; owned */

    hust_action_t actions[HUST_COORD_ACTIONS_MAX];
    unsigned action_count;
};

/* Start. `now_ms` here and below: the shell's wall clock. */
void hust_coord_begin(hust_coord_t *coord, const hust_coord_input_t *in, uint64_t now_ms);

/* Take the next thing to do; false when there is none. */
bool hust_coord_next(hust_coord_t *coord, hust_action_t *action);

/* The result of what was sent to `master`; its slices are borrowed from now on. */
void hust_coord_on_result(hust_coord_t *coord, unsigned master, const hust_result_t *result,
                          uint64_t now_ms);

/* No result came, or will come, from `master`. */
void hust_coord_on_failure(hust_coord_t *coord, unsigned master, hust_failure_t failure,
                           uint64_t now_ms);

/* The delay of a TIMER action is over. */
void hust_coord_on_timer(hust_coord_t *coord, uint64_t now_ms);

static inline bool hust_coord_done(const hust_coord_t *coord)
{
    return coord->done;
}

/* Free what the coordinator owns. */
void hust_coord_end(hust_coord_t *coord);

#endif /* HUST_COORD_H */
