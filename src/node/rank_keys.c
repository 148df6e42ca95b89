#include "node/rank_keys.h"

#include <assert.h>

#include "core/params.h"
#include "core/wire.h"

static const uint64_t SIGN = 1ULL << 63;

size_t hust_rank_prefix(hust_slice_t tb, unsigned level, uint8_t out[HUST_RANK_PREFIX_BYTES_MAX])
{
    assert(tb.len >= 1 && tb.len <= HUST_TB_BYTES_MAX);
    assert(level <= HUST_RANK_LEVELS_MAX);
    memcpy(out, tb.data, tb.len);
    out[tb.len] = 0;
    out[tb.len + 1] = (uint8_t)(0xff - level);
    return tb.len + 2;
}

size_t hust_rank_key(hust_slice_t tb, unsigned level, hust_slice_t position,
                     uint8_t out[HUST_RANK_KEY_BYTES_MAX])
{
    size_t len = hust_rank_prefix(tb, level, out);
    assert(position.len <= HUST_RANK_POSITION_BYTES_MAX);
    if (position.len > 0) {
        memcpy(out + len, position.data, position.len);
    }
    return len + position.len;
}

/* With the sign turned over, negative numbers come before the others. */
void hust_rank_score(int64_t score, uint8_t out[HUST_RANK_SCORE_BYTES])
{
    hust_put_u64(out, (uint64_t)score ^ SIGN);
}

int64_t hust_rank_score_of(const uint8_t bytes[HUST_RANK_SCORE_BYTES])
{
    return (int64_t)(hust_get_u64(bytes) ^ SIGN);
}

size_t hust_rank_position(int64_t score, hust_slice_t member,
                          uint8_t out[HUST_RANK_POSITION_BYTES_MAX])
{
    assert(member.len >= 1 && member.len <= HUST_KEY_BYTES_MAX);
    hust_rank_score(score, out);
    memcpy(out + HUST_RANK_SCORE_BYTES, member.data, member.len);
    return HUST_RANK_SCORE_BYTES + member.len;
}

hust_error_t hust_rank_position_parse(hust_slice_t position, int64_t *score, hust_slice_t *member)
{
    if (position.len <= HUST_RANK_SCORE_BYTES) {
        return HUST_ERR_MALFORMED;
    }
    *score = hust_rank_score_of(position.data);
    *member =
        hust_slice_of(position.data + HUST_RANK_SCORE_BYTES, position.len - HUST_RANK_SCORE_BYTES);
    return HUST_OK;
}

int64_t hust_rank_score_in(hust_slice_t value)
{
    int64_t score = 0;
    return hust_parse_i64(value, &score) ? score : 0;
}

static void put_two(uint64_t first, uint64_t second, uint8_t out[HUST_RANK_VALUE_BYTES])
{
    hust_put_u64(out, first);
    hust_put_u64(out + 8, second);
}

void hust_rank_count_value(const hust_rank_count_t *count, uint8_t out[HUST_RANK_VALUE_BYTES])
{
    put_two(count->entries, count->children, out);
}

void hust_rank_entry_value(const hust_rank_entry_t *entry, uint8_t out[HUST_RANK_VALUE_BYTES])
{
    put_two(entry->version, entry->expire_at_ms, out);
}

hust_error_t hust_rank_count_parse(hust_slice_t value, hust_rank_count_t *out)
{
    if (value.len != HUST_RANK_VALUE_BYTES) {
        return HUST_ERR_MALFORMED;
    }
    *out = (hust_rank_count_t){.entries = hust_get_u64(value.data),
                               .children = hust_get_u64(value.data + 8)};
    return HUST_OK;
}

hust_error_t hust_rank_entry_parse(hust_slice_t value, hust_rank_entry_t *out)
{
    if (value.len != HUST_RANK_VALUE_BYTES) {
        return HUST_ERR_MALFORMED;
    }
    *out = (hust_rank_entry_t){.version = hust_get_u64(value.data),
                               .expire_at_ms = hust_get_u64(value.data + 8)};
    return HUST_OK;
}
