/*
 * Two masters and a coordinator in one process: requests run through the production coordinator
 * against replicas that apply operations with the production code. Faults are set per master.
 */
#ifndef HUST_TEST_WORLD_H
#define HUST_TEST_WORLD_H

#include "support.h"

#include "core/answer.h"
#include "core/coord.h"

typedef enum {
    LINK_OK,
    LINK_REFUSES,     /* nothing arrives: surely not executed */
    LINK_LOSES,       /* the request is lost, and nobody knows */
    LINK_LOSES_REPLY, /* executed, but the reply is lost */
    LINK_STATUS,      /* the node answers `refuse_status`, having done nothing */
} link_t;

typedef struct {
    replica_t master[2];
    hust_master_state_t state[2];
    link_t link[2];
    unsigned refuse_status[2];
    unsigned refuse_flags[2];
    unsigned sent[2]; /* operations that left, per master */
    unsigned background;
    hust_clock_t clock; /* of the coordinating worker */
    uint64_t now_ms;
    hust_buf_t replies[64]; /* what results borrow from, until the next request */
    unsigned reply_count;
    hust_coord_t coord;
    hust_answer_t answer;
    /* called before every timer tick, so that a test can let time bring something */
    void (*on_timer)(void *context);
    void *context;
} world_t;

void world_init(world_t *world);
void world_free(world_t *world);

/* Run one request to its end; the answer is world->answer. */
void world_run(world_t *world, hust_call_id_t call, hust_op_t op);

/* The operation of a call on test_element() or on a field of table "t", with `value`. */
void world_put(world_t *world, const char *value);
void world_del(world_t *world);
void world_get(world_t *world);
void world_get2(world_t *world);

/* A header of the answer as text, or NULL. */
const char *world_header(world_t *world, const char *name);

/* The body of the answer: values in order, NUL-terminated in a static buffer. */
const char *world_body(world_t *world);

/* Both masters hold the same, and neither keeps a hint. */
bool world_is_settled(const world_t *world);

#endif /* HUST_TEST_WORLD_H */
