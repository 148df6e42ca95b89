#include "core/clock.h"

#include <assert.h>

#include "core/wire.h"

void hust_stamp_encode(hust_stamp_t stamp, uint8_t out[HUST_STAMP_BYTES])
{
    hust_put_u64(out, stamp.time);
    hust_put_u32(out + 8, stamp.writer);
}

hust_stamp_t hust_stamp_decode(const uint8_t in[HUST_STAMP_BYTES])
{
    return (hust_stamp_t){.time = hust_get_u64(in), .writer = hust_get_u32(in + 8)};
}

void hust_stamp_to_hex(hust_stamp_t stamp, char out[HUST_STAMP_HEX_CHARS + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[HUST_STAMP_BYTES];
    hust_stamp_encode(stamp, bytes);
    for (size_t i = 0; i < HUST_STAMP_BYTES; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[HUST_STAMP_HEX_CHARS] = '\0';
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hust_stamp_from_hex(hust_slice_t hex, hust_stamp_t *out)
{
    uint8_t bytes[HUST_STAMP_BYTES];
    if (hex.len != HUST_STAMP_HEX_CHARS) {
        return false;
    }
    for (size_t i = 0; i < HUST_STAMP_BYTES; i++) {
        int high = hex_value(hex.data[2 * i]);
        int low = hex_value(hex.data[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = hust_stamp_decode(bytes);
    return true;
}

hust_stamp_t hust_clock_next(hust_clock_t *clock, uint64_t wall_ms)
{
    uint64_t wall = wall_ms << 16;
    assert(clock->last < UINT64_MAX);
    clock->last = wall > clock->last ? wall : clock->last + 1;
    return (hust_stamp_t){.time = clock->last, .writer = clock->writer};
}

bool hust_stamp_too_far_ahead(hust_stamp_t stamp, uint64_t wall_ms)
{
    return hust_stamp_ms(stamp) > wall_ms + HUST_CLOCK_AHEAD_MAX_MS;
}

bool hust_clock_see(hust_clock_t *clock, hust_stamp_t seen, uint64_t wall_ms)
{
    if (hust_stamp_too_far_ahead(seen, wall_ms)) {
        return false;
    }
    if (seen.time > clock->last) {
        clock->last = seen.time;
    }
    return true;
}

hust_stamp_t hust_stamp_successor(hust_stamp_t stamp, uint32_t writer)
{
    assert(stamp.time < UINT64_MAX);
    return (hust_stamp_t){.time = stamp.time + 1, .writer = writer};
}
