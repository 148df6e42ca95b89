/* Stamps and the hybrid logical clock. */
#include "core/clock.h"
#include "unit.h"

static const uint64_t NOON_MS = 1700000000000;

static hust_stamp_t stamp(uint64_t time, uint32_t writer)
{
    return (hust_stamp_t){.time = time, .writer = writer};
}

static void test_compare_by_time_then_writer(void **state)
{
    (void)state;
    assert_true(hust_stamp_compare(stamp(1, 9), stamp(2, 0)) < 0);
    assert_true(hust_stamp_compare(stamp(2, 0), stamp(1, 9)) > 0);
    assert_true(hust_stamp_compare(stamp(5, 1), stamp(5, 2)) < 0);
    assert_true(hust_stamp_compare(stamp(5, 2), stamp(5, 1)) > 0);
    assert_int_equal(hust_stamp_compare(stamp(5, 2), stamp(5, 2)), 0);
    /* Differences that do not fit an int. */
    assert_true(hust_stamp_compare(stamp(0, 0), stamp(UINT64_MAX, 0)) < 0);
    assert_true(hust_stamp_compare(stamp(0, UINT32_MAX), stamp(0, 0)) > 0);
}

static void test_no_stamp(void **state)
{
    (void)state;
    assert_true(hust_stamp_is_none(stamp(0, 0)));
    assert_false(hust_stamp_is_none(stamp(0, 1)));
    assert_false(hust_stamp_is_none(stamp(1, 0)));
}

static void test_milliseconds_are_the_upper_48_bits(void **state)
{
    (void)state;
    assert_int_equal(hust_stamp_ms(stamp(NOON_MS << 16 | 65535, 7)), NOON_MS);
}

static void test_encoding_is_big_endian(void **state)
{
    (void)state;
    static const uint8_t expected[] = {1, 2, 3, 4, 5, 6, 7, 8, 0xa1, 0xa2, 0xa3, 0xa4};
    uint8_t bytes[HUST_STAMP_BYTES];
    hust_stamp_t given = stamp(0x0102030405060708, 0xa1a2a3a4);
    hust_stamp_encode(given, bytes);
    assert_memory_equal(bytes, expected, sizeof(expected));
    assert_int_equal(hust_stamp_compare(hust_stamp_decode(bytes), given), 0);
}

/* Encoded stamps order as stamps do: the store and the wire rely on it. */
static void test_encoding_keeps_the_order(void **state)
{
    (void)state;
    static const hust_stamp_t rising[] = {{0, 0},          {0, 1},
                                          {1, 0},          {1, 1u << 31},
                                          {1u << 16, 0},   {0x0102030405060708, 1},
                                          {UINT64_MAX, 0}, {UINT64_MAX, UINT32_MAX}};
    for (size_t i = 1; i < COUNT_OF(rising); i++) {
        uint8_t before[HUST_STAMP_BYTES];
        uint8_t after[HUST_STAMP_BYTES];
        hust_stamp_encode(rising[i - 1], before);
        hust_stamp_encode(rising[i], after);
        assert_true(memcmp(before, after, sizeof(before)) < 0);
    }
}

static void test_hex(void **state)
{
    (void)state;
    char hex[HUST_STAMP_HEX_CHARS + 1];
    hust_stamp_t read;
    hust_stamp_to_hex(stamp(0x018bcfe568000001, 0xdeadbeef), hex);
    assert_string_equal(hex, "018bcfe568000001deadbeef");
    assert_true(hust_stamp_from_hex(hust_slice_str(hex), &read));
    assert_int_equal(hust_stamp_compare(read, stamp(0x018bcfe568000001, 0xdeadbeef)), 0);
    assert_true(hust_stamp_from_hex(BYTES("018BCFE568000001DEADBEEF"), &read));
    assert_int_equal(hust_stamp_compare(read, stamp(0x018bcfe568000001, 0xdeadbeef)), 0);
}

static void test_hex_of_another_form_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "0",
        "018bcfe568000001deadbee",
        "018bcfe568000001deadbeef0",
        "018bcfe568000001deadbeeg",
        "g18bcfe568000001deadbeef",
        " 18bcfe568000001deadbeef",
        "0x8bcfe568000001deadbeef",
        "018bcfe568000001deadbe-f",
        "018bcfe568000001deadbe@f",
        "018bcfe568000001deadbe`f",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        hust_stamp_t read = stamp(1, 1);
        assert_row(!hust_stamp_from_hex(hust_slice_str(wrong[i]), &read), wrong[i]);
        assert_row(read.time == 1 && read.writer == 1, wrong[i]);
    }
}

static void test_next_follows_the_wall_clock(void **state)
{
    (void)state;
    hust_clock_t clock = {.writer = 7};
    hust_stamp_t first = hust_clock_next(&clock, NOON_MS);
    assert_int_equal(first.time, NOON_MS << 16);
    assert_int_equal(first.writer, 7);
    assert_int_equal(hust_clock_next(&clock, NOON_MS + 5).time, (NOON_MS + 5) << 16);
}

static void test_next_never_repeats_nor_goes_back(void **state)
{
    (void)state;
    hust_clock_t clock = {.writer = 7};
    hust_stamp_t last = hust_clock_next(&clock, NOON_MS);
    for (uint64_t i = 0; i < 200000; i++) {
        /* The wall clock stands, then jumps back an hour. */
        hust_stamp_t next = hust_clock_next(&clock, i < 100000 ? NOON_MS : NOON_MS - 3600000);
        assert_true(hust_stamp_compare(next, last) > 0);
        last = next;
    }
    /* More than 65,536 in one millisecond: the counter carries into the milliseconds. */
    assert_int_equal(last.time, (NOON_MS << 16) + 200000);
    assert_int_equal(hust_stamp_ms(last), NOON_MS + 3);
}

static void test_clock_moves_past_what_it_sees(void **state)
{
    (void)state;
    hust_clock_t clock = {.writer = 7};
    hust_stamp_t seen = stamp((NOON_MS + 1000) << 16 | 3, 9);
    (void)hust_clock_next(&clock, NOON_MS);
    assert_true(hust_clock_see(&clock, seen, NOON_MS));
    hust_stamp_t next = hust_clock_next(&clock, NOON_MS);
    assert_true(hust_stamp_compare(next, seen) > 0);
    assert_int_equal(next.time, seen.time + 1);
    assert_int_equal(next.writer, 7);
}

static void test_clock_ignores_older_stamps(void **state)
{
    (void)state;
    hust_clock_t clock = {.last = NOON_MS << 16, .writer = 7};
    assert_true(hust_clock_see(&clock, stamp((NOON_MS - 9) << 16, 9), NOON_MS));
    assert_int_equal(clock.last, NOON_MS << 16);
    assert_true(hust_clock_see(&clock, stamp(0, 0), NOON_MS));
    assert_int_equal(clock.last, NOON_MS << 16);
}

/* A single bad clock must not drag the others with it. */
static void test_clock_refuses_stamps_too_far_ahead(void **state)
{
    (void)state;
    hust_clock_t clock = {.last = NOON_MS << 16, .writer = 7};
    uint64_t limit_ms = NOON_MS + HUST_CLOCK_AHEAD_MAX_MS;
    hust_stamp_t at_limit = stamp(limit_ms << 16 | 65535, 9);
    hust_stamp_t past_limit = stamp((limit_ms + 1) << 16, 9);

    assert_false(hust_clock_see(&clock, past_limit, NOON_MS));
    assert_int_equal(clock.last, NOON_MS << 16);
    assert_true(hust_stamp_too_far_ahead(past_limit, NOON_MS));

    assert_false(hust_stamp_too_far_ahead(at_limit, NOON_MS));
    assert_true(hust_clock_see(&clock, at_limit, NOON_MS));
    assert_int_equal(clock.last, at_limit.time);
}

static void test_successor_is_the_next_time_of_any_writer(void **state)
{
    (void)state;
    hust_stamp_t before = stamp(NOON_MS << 16 | 65535, UINT32_MAX);
    hust_stamp_t after = hust_stamp_successor(before, 1);
    assert_true(hust_stamp_compare(after, before) > 0);
    assert_int_equal(after.time, before.time + 1);
    assert_int_equal(after.writer, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare_by_time_then_writer),
        cmocka_unit_test(test_no_stamp),
        cmocka_unit_test(test_milliseconds_are_the_upper_48_bits),
        cmocka_unit_test(test_encoding_is_big_endian),
        cmocka_unit_test(test_encoding_keeps_the_order),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_hex_of_another_form_is_refused),
        cmocka_unit_test(test_next_follows_the_wall_clock),
        cmocka_unit_test(test_next_never_repeats_nor_goes_back),
        cmocka_unit_test(test_clock_moves_past_what_it_sees),
        cmocka_unit_test(test_clock_ignores_older_stamps),
        cmocka_unit_test(test_clock_refuses_stamps_too_far_ahead),
        cmocka_unit_test(test_successor_is_the_next_time_of_any_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
