/*
 * Stamps and the hybrid logical clock that issues them.
 *
 * A stamp orders writes: 48 bits of milliseconds since 1970, 16 of counter, then 32 bits that name
 * the writer (random, drawn at every start of a process). Stamps of one clock never repeat and
 * never go back. (Kulkarni et al., Logical Physical Clocks, 2014.)
 */
#ifndef HUST_CLOCK_H
#define HUST_CLOCK_H

#include "core/slice.h"

/* How far a clock lets itself be pushed past its own wall clock: 10 minutes. */
#define HUST_CLOCK_AHEAD_MAX_MS (10 * 60 * 1000ULL)

enum {
    HUST_STAMP_BYTES = 12,     /* encoded size */
    HUST_STAMP_HEX_CHARS = 24, /* as in an ETag */
};

typedef struct {
    uint64_t time;   /* milliseconds << 16 | counter; 0 together with writer 0: no stamp */
    uint32_t writer; /* breaks ties between clocks */
} hust_stamp_t;

typedef struct {
    uint64_t last;   /* time part of the newest stamp issued or seen */
    uint32_t writer; /* constant for the life of the clock */
} hust_clock_t;

/* Negative, 0 or positive: a before, same as or after b. */
static inline int hust_stamp_compare(hust_stamp_t a, hust_stamp_t b)
{
    if (a.time != b.time) {
        return a.time < b.time ? -1 : 1;
    }
    return a.writer < b.writer ? -1 : (a.writer > b.writer ? 1 : 0);
}

static inline bool hust_stamp_is_none(hust_stamp_t stamp)
{
    return stamp.time == 0 && stamp.writer == 0;
}

static inline uint64_t hust_stamp_ms(hust_stamp_t stamp)
{
    return stamp.time >> 16;
}

void hust_stamp_encode(hust_stamp_t stamp, uint8_t out[HUST_STAMP_BYTES]);
hust_stamp_t hust_stamp_decode(const uint8_t in[HUST_STAMP_BYTES]);

/* Lower-case hex, NUL-terminated. */
void hust_stamp_to_hex(hust_stamp_t stamp, char out[HUST_STAMP_HEX_CHARS + 1]);

/* False unless `hex` is exactly 24 hex digits of either case. */
bool hust_stamp_from_hex(hust_slice_t hex, hust_stamp_t *out);

/* The next stamp: later than every one issued or seen before. `wall_ms`: the wall clock. */
hust_stamp_t hust_clock_next(hust_clock_t *clock, uint64_t wall_ms);

/*
 * Move past a stamp seen elsewhere, but never more than HUST_CLOCK_AHEAD_MAX_MS past `wall_ms`:
 * then false, and the clock is as it was.
 */
bool hust_clock_see(hust_clock_t *clock, hust_stamp_t seen, uint64_t wall_ms);

/* The smallest stamp of `writer` that follows `stamp`, whatever any clock says. */
hust_stamp_t hust_stamp_successor(hust_stamp_t stamp, uint32_t writer);

/* True if the stamp is further past `wall_ms` than a sane clock can be. */
bool hust_stamp_too_far_ahead(hust_stamp_t stamp, uint64_t wall_ms);

#endif /* HUST_CLOCK_H */
