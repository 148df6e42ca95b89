/* Records: the total order and merge as properties, the encodings byte by byte. */
#include "support.h"

/* Small domains, so that equal stamps, versions and values meet often. */
static hust_side_t random_side(uint64_t *seed)
{
    static const char *const values[] = {"", "a", "b", "ab"};
    hust_side_t side = {
        .stamp = {.time = 1 + test_pick(seed, 3), .writer = test_pick(seed, 2)},
        .expire_at_ms = test_pick(seed, 2) * 1000,
        .deleted = test_pick(seed, 4) == 0,
    };
    if (!side.deleted) {
        side.version = 1 + test_pick(seed, 3);
        side.value = hust_slice_str(values[test_pick(seed, 4)]);
    }
    return side;
}

static hust_record_t random_record(uint64_t *seed)
{
    hust_record_t record = {.side_count = test_pick(seed, 3)};
    for (unsigned i = 0; i < record.side_count; i++) {
        record.sides[i] = random_side(seed);
    }
    if (record.side_count == 2) {
        record.sides[0].stamp.time = record.sides[1].stamp.time + 1;
    }
    return record;
}

static bool equal(hust_record_t a, hust_record_t b)
{
    return hust_record_compare(&a, &b) == 0;
}

static hust_record_t merge(hust_record_t a, hust_record_t b)
{
    return hust_record_merge(&a, &b);
}

static void merge_is_a_join(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        uint64_t random = seed;
        hust_record_t a = random_record(&random);
        hust_record_t b = random_record(&random);
        hust_record_t c = random_record(&random);
        assert_true(equal(merge(a, b), merge(b, a)));
        assert_true(equal(merge(merge(a, b), c), merge(a, merge(b, c))));
        assert_true(equal(merge(a, a), a));
        hust_record_t joined = merge(a, b);
        assert_true(equal(joined, a) || equal(joined, b));
        assert_true(hust_record_compare(&joined, &a) >= 0);
        assert_true(hust_record_compare(&joined, &b) >= 0);
    }
}

static void compare_is_a_total_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        uint64_t random = seed;
        hust_record_t a = random_record(&random);
        hust_record_t b = random_record(&random);
        hust_record_t c = random_record(&random);
        int ab = hust_record_compare(&a, &b);
        int bc = hust_record_compare(&b, &c);
        assert_int_equal(ab<0, hust_record_compare(&b, &a)> 0);
        if (ab <= 0 && bc <= 0) {
            assert_true(hust_record_compare(&a, &c) <= 0);
        }
    }
}

/* Records that compare equal must be the same bytes: otherwise masters could stay apart unseen. */
static void equal_means_same_bytes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        uint64_t random = seed;
        hust_record_t a = random_record(&random);
        hust_record_t b = random_record(&random);
        hust_buf_t x = {0};
        hust_buf_t y = {0};
        assert_int_equal(hust_record_encode(&a, &x), HUST_OK);
        assert_int_equal(hust_record_encode(&b, &y), HUST_OK);
        assert_int_equal(hust_record_compare(&a, &b) == 0,
                         hust_slice_equal(hust_buf_slice(&x), hust_buf_slice(&y)));
        hust_buf_free(&x);
        hust_buf_free(&y);
    }
}

static void later_stamp_wins_then_deletion(void **state)
{
    (void)state;
    hust_side_t old = {.stamp = {5, 1}, .version = 9, .value = hust_slice_str("z")};
    hust_side_t new = {.stamp = {6, 1}, .version = 1, .value = hust_slice_str("a")};
    hust_side_t gone = {.stamp = {6, 1}, .deleted = true};
    assert_true(hust_side_compare(&new, &old) > 0);
    assert_true(hust_side_compare(&gone, &new) > 0);
    hust_record_t live = {1, {new}};
    hust_record_t swept = {1, {gone}};
    assert_true(hust_record_compare(&swept, &live) > 0);
}

static void stored_record_round_trips(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        uint64_t random = seed;
        hust_stored_t stored = {.record = random_record(&random)};
        if (test_pick(&random, 2) == 0) {
            stored.hint = (hust_hint_t){.present = true,
                                        .has_target = test_pick(&random, 2) == 0,
                                        .base = {1, 2},
                                        .solo = {3, 4},
                                        .own = {5, 6},
                                        .gen = seed};
        }
        hust_buf_t bytes = {0};
        hust_stored_t back;
        assert_int_equal(hust_stored_encode(&stored, &bytes), HUST_OK);
        assert_int_equal(hust_stored_decode(hust_buf_slice(&bytes), &back), HUST_OK);
        assert_int_equal(hust_record_compare(&stored.record, &back.record), 0);
        assert_int_equal(back.hint.present, stored.hint.present);
        assert_int_equal(back.hint.has_target, stored.hint.has_target);
        assert_int_equal(back.hint.gen, stored.hint.gen);
        assert_stamp(back.hint.base, stored.hint.base);
        assert_stamp(back.hint.solo, stored.hint.solo);
        assert_stamp(back.hint.own, stored.hint.own);
        for (size_t cut = 0; cut < bytes.len; cut++) {
            assert_int_not_equal(hust_stored_decode(hust_slice_of(bytes.data, cut), &back),
                                 HUST_OK);
        }
        hust_buf_free(&bytes);
    }
}

static void encoding_is_what_the_document_says(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        1, 1,                                      /* stored format, hint present */
        0, 0, 0, 0, 0, 0,   0,   1,    0, 0, 0, 2, /* base */
        0, 0, 0, 0, 0, 0,   0,   3,    0, 0, 0, 4, /* solo */
        0, 0, 0, 0, 0, 0,   0,   5,    0, 0, 0, 6, /* own */
        0, 0, 0, 0, 0, 0,   0,   7,                /* generation */
        1, 1,                                      /* record format, one side */
        0, 0, 0, 0, 0, 0,   1,   0,    0, 0, 0, 9, /* stamp */
        0, 0, 0, 0, 0, 0,   0,   2,                /* version */
        0, 0, 0, 0, 0, 0,   3,   0xe8,             /* expires at 1000 ms */
        0, 0, 0, 0, 2, 'h', 'i',                   /* not deleted, 2 bytes */
    };
    hust_stored_t stored = {
        .hint = {.present = true, .base = {1, 2}, .solo = {3, 4}, .own = {5, 6}, .gen = 7},
        .record = {1,
                   {{.stamp = {256, 9},
                     .version = 2,
                     .expire_at_ms = 1000,
                     .value = hust_slice_str("hi")}}},
    };
    hust_buf_t bytes = {0};
    assert_int_equal(hust_stored_encode(&stored, &bytes), HUST_OK);
    assert_int_equal(bytes.len, sizeof(expected));
    assert_memory_equal(bytes.data, expected, sizeof(expected));
    hust_buf_free(&bytes);
}

/* Every single-byte change of a record is refused or decodes to something sane. */
static void broken_records_are_refused(void **state)
{
    (void)state;
    hust_record_t record = {2,
                            {{.stamp = {9, 1}, .version = 2, .value = hust_slice_str("new")},
                             {.stamp = {8, 1}, .deleted = true}}};
    hust_buf_t bytes = {0};
    hust_record_t back;
    assert_int_equal(hust_record_encode(&record, &bytes), HUST_OK);
    for (size_t i = 0; i < bytes.len * 256; i++) {
        uint8_t kept = bytes.data[i / 256];
        bytes.data[i / 256] = (uint8_t)i;
        if (hust_record_decode(hust_buf_slice(&bytes), &back) == HUST_OK) {
            assert_true(back.side_count <= 2);
            for (unsigned s = 0; s < back.side_count; s++) {
                assert_int_equal(back.sides[s].deleted, back.sides[s].version == 0);
            }
        }
        bytes.data[i / 256] = kept;
    }
    bytes.data[0] = 2;
    assert_int_equal(hust_record_decode(hust_buf_slice(&bytes), &back), HUST_ERR_VERSION);
    bytes.data[0] = 1;
    bytes.data[1] = 3;
    assert_int_equal(hust_record_decode(hust_buf_slice(&bytes), &back), HUST_ERR_MALFORMED);
    hust_buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_is_a_join),
        cmocka_unit_test(compare_is_a_total_order),
        cmocka_unit_test(equal_means_same_bytes),
        cmocka_unit_test(later_stamp_wins_then_deletion),
        cmocka_unit_test(stored_record_round_trips),
        cmocka_unit_test(encoding_is_what_the_document_says),
        cmocka_unit_test(broken_records_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
