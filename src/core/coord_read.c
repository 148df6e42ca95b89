/*
 * read: one master answers, the other stands in (docs/http-api.md, "Reads").
 */
#include <assert.h>

#include "core/coord_internal.h"

/* Who is asked first: an up-to-date master before one that is catching up, master1 on a tie. */
static unsigned first_master(const hust_coord_t *coord)
{
    return coord->in.state[1] < coord->in.state[0] ? 1 : 0;
}

void hust_coord_read_begin(hust_coord_t *coord)
{
    coord->decider = first_master(coord);
    hust_coord_send(coord, coord->decider, &coord->in.op);
}

static void finish_present(hust_coord_t *coord, unsigned master)
{
    assert(master < 2);
    assert(coord->master[master].answered);
    hust_outcome_t *outcome = &coord->outcome;
    const hust_result_t *result = &coord->master[master].result;
    outcome->version = result->version;
    outcome->has_version = true;
    outcome->etag = result->stamp;
    outcome->has_etag = coord->in.call->reply == HUST_REPLY_VALUE;
    outcome->value_count = coord->in.call->reply == HUST_REPLY_VALUE ? 1 : 0;
    outcome->values[0] = *result;
    outcome->value_master[0] = master;
    hust_coord_finish(coord, 200, NULL);
}

/* Neither has the value, and both have been asked. */
static void finish_without_value(hust_coord_t *coord)
{
    bool absent_believed = false;
    unsigned absent = 0;
    for (unsigned m = 0; m < 2; m++) {
        hust_seen_t seen = hust_coord_seen(coord, m);
        if (seen == HUST_SEEN_OTHER_TYPE) {
            hust_coord_finish_absent(coord, 412, "tb: is of another type\n");
            return;
        }
        absent += seen == HUST_SEEN_ABSENT;
        absent_believed |= seen == HUST_SEEN_ABSENT && coord->in.state[m] == HUST_MASTER_UP;
    }
    if (absent == 2 || absent_believed) {
        hust_coord_finish_absent(coord, 404, NULL);
    } else {
        hust_coord_finish(coord, 503, "no master could answer\n");
    }
}

void hust_coord_read_step(hust_coord_t *coord)
{
    unsigned first = coord->decider;
    unsigned second = 1 - first;
    bool second_asked = coord->master[second].answered || coord->master[second].failed;
    unsigned last = second_asked ? second : first;
    assert(coord->master[first].answered || coord->master[first].failed);
    if (hust_coord_seen(coord, last) == HUST_SEEN_PRESENT) {
        finish_present(coord, last);
        return;
    }
    if (!second_asked) {
        bool known_deleted = hust_coord_seen(coord, first) == HUST_SEEN_ABSENT &&
                             (coord->master[first].result.flags & HUST_RESULT_DELETED) != 0 &&
                             coord->in.state[first] == HUST_MASTER_UP;
        if (known_deleted) {
            hust_coord_finish_absent(coord, 404, NULL);
            return;
        }
        hust_coord_send(coord, second, &coord->in.op);
        if (coord->master[second].pending) {
            return;
        }
    }
    finish_without_value(coord);
}
