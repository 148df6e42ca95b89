/*
 * Between the sending and the receiving half of a lane only.
 */
#ifndef NGX_HTTP_HUSTDB_HA_LANE_H
#define NGX_HTTP_HUSTDB_HA_LANE_H

#include "ngx_http_hustdb_ha.h"

/* The first operation of the exchange; there must be one. */
static inline hust_ha_op_t *hust_ha_lane_first_op(hust_ha_lane_t *lane)
{
    ngx_queue_t *head = ngx_queue_head(&lane->ops);
    return ngx_queue_data(head, hust_ha_op_t, link);
}

/* Likewise, taken out of it. */
static inline hust_ha_op_t *hust_ha_lane_take_op(hust_ha_lane_t *lane)
{
    hust_ha_op_t *op = hust_ha_lane_first_op(lane);
    ngx_queue_remove(&op->link);
    return op;
}

/* The exchange is a plain GET. */
static inline bool hust_ha_lane_is_forward(hust_ha_lane_t *lane)
{
    return lane->op_count == 1 && hust_ha_lane_first_op(lane)->is_forward;
}

/* Read what there is, and act when the reply is complete. */
void hust_ha_lane_receive(hust_ha_lane_t *lane);

/* Something has come, or the timer has run out. */
void hust_ha_lane_read_handler(ngx_event_t *event);

/* The reply is taken and the operations are gone: on to the next ones. */
void hust_ha_lane_finish(hust_ha_lane_t *lane);

/* The exchange has failed: close, fail its operations or repeat it. `err`: errno or 0. */
void hust_ha_lane_fail(hust_ha_lane_t *lane, hust_ha_cause_t cause, ngx_err_t err);

/* Close the connection, whatever is on it. */
void hust_ha_lane_close(hust_ha_lane_t *lane);

#endif /* NGX_HTTP_HUSTDB_HA_LANE_H */
