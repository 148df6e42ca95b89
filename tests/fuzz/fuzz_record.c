/*
 * Records as stored and as exchanged: [length][bytes of a][bytes of b]. What decodes encodes to
 * the same bytes, and two records merge alike from either side.
 */
#include "core/record.h"
#include "fuzz.h"

static void check_stored(hust_slice_t in)
{
    hust_stored_t stored;
    hust_buf_t again = {0};
    hust_error_t err = hust_stored_decode(in, &stored);
    if (err == HUST_OK) {
        FUZZ_CHECK(hust_stored_encode(&stored, &again) == HUST_OK);
        FUZZ_CHECK(hust_slice_equal(hust_buf_slice(&again), in));
    } else {
        FUZZ_CHECK(err == HUST_ERR_TRUNCATED || err == HUST_ERR_MALFORMED ||
                   err == HUST_ERR_VERSION);
    }
    hust_buf_free(&again);
}

static void check_encoding(const hust_record_t *record, hust_slice_t in)
{
    hust_buf_t again = {0};
    FUZZ_CHECK(hust_record_encode(record, &again) == HUST_OK);
    FUZZ_CHECK(hust_slice_equal(hust_buf_slice(&again), in));
    FUZZ_CHECK(hust_record_compare(record, record) == 0);
    hust_buf_free(&again);
}

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

static void check_merge(const hust_record_t *a, const hust_record_t *b, bool same_bytes)
{
    hust_record_t ab = hust_record_merge(a, b);
    hust_record_t ba = hust_record_merge(b, a);
    hust_record_t again = hust_record_merge(&ab, b);
    FUZZ_CHECK(sign(hust_record_compare(a, b)) == -sign(hust_record_compare(b, a)));
    FUZZ_CHECK(hust_record_compare(&ab, &ba) == 0);
    FUZZ_CHECK(hust_record_compare(&ab, &again) == 0);
    FUZZ_CHECK(hust_record_compare(&ab, a) >= 0 && hust_record_compare(&ab, b) >= 0);
    /* Records that the order does not tell apart must be the same, or masters would stay unequal.
     */
    FUZZ_CHECK((hust_record_compare(a, b) == 0) == same_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hust_slice_t in = hust_slice_of(data, size);
    size_t split = fuzz_take_byte(&in);
    split = split > in.len ? in.len : split;
    hust_slice_t first = hust_slice_of(in.data, split);
    hust_slice_t second = hust_slice_of(in.data + split, in.len - split);
    hust_record_t a;
    hust_record_t b;
    check_stored(in);
    bool has_a = hust_record_decode(first, &a) == HUST_OK;
    bool has_b = hust_record_decode(second, &b) == HUST_OK;
    if (has_a) {
        check_encoding(&a, first);
    }
    if (has_b) {
        check_encoding(&b, second);
    }
    if (has_a && has_b) {
        check_merge(&a, &b, hust_slice_equal(first, second));
    }
    return 0;
}
