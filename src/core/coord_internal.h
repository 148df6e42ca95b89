/*
 * Between the parts of the coordinator only: what the three state machines share.
 *
 * Each class has a `begin` that sends the first operations and a `step` that is called whenever
 * nothing is under way any more, or a timer has ticked.
 */
#ifndef HUST_COORD_INTERNAL_H
#define HUST_COORD_INTERNAL_H

#include "core/coord.h"

/* What one master's answer to a read means. */
typedef enum {
    HUST_SEEN_NONE, /* no answer, or one that says nothing: 5xx, a refused login */
    HUST_SEEN_PRESENT,
    HUST_SEEN_ABSENT,     /* a missing table is an absent key */
    HUST_SEEN_OTHER_TYPE, /* the table is of another type there */
} hust_seen_t;

hust_seen_t hust_coord_seen(const hust_coord_t *coord, unsigned master);

/* Send to a master; one that is down has failed at once, and nothing leaves. */
void hust_coord_send(hust_coord_t *coord, unsigned master, const hust_op_t *op);

/* Send, and want no result. */
void hust_coord_send_background(hust_coord_t *coord, unsigned master, const hust_op_t *op);

void hust_coord_set_timer(hust_coord_t *coord, uint64_t delay_ms);

/* Set the final status; the rest of the outcome is the caller's. */
void hust_coord_finish(hust_coord_t *coord, unsigned status, const char *reason);

/* Likewise, with version 0: nothing is there. */
void hust_coord_finish_absent(hust_coord_t *coord, unsigned status, const char *reason);

void hust_coord_read_begin(hust_coord_t *coord);
void hust_coord_read_step(hust_coord_t *coord);
void hust_coord_read2_begin(hust_coord_t *coord);
void hust_coord_read2_step(hust_coord_t *coord, uint64_t now_ms);
void hust_coord_read2_tick(hust_coord_t *coord);
void hust_coord_write_begin(hust_coord_t *coord, uint64_t now_ms);
void hust_coord_write_step(hust_coord_t *coord, uint64_t now_ms);

#endif /* HUST_COORD_INTERNAL_H */
