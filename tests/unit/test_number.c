/* Decimal numbers: strict when read, canonical when written. */
#include <inttypes.h>
#include <stdio.h>

#include "core/params.h"
#include "unit.h"

static void test_u64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        {"0", 0},
        {"7", 7},
        {"1024", 1024},
        {"00", 0},
        {"0012", 12},
        {"18446744073709551615", UINT64_MAX},
        {"0000000000000000000000000018446744073709551615", UINT64_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        uint64_t value = 99;
        assert_row(hust_parse_u64(hust_slice_str(good[i].text), &value), good[i].text);
        assert_row(value == good[i].value, good[i].text);
    }
}

static const char *const never_numbers[] = {
    "",    "-",     "+",   "+1", "--1", "1-",   "- 1",  " 1",  "1 ",
    "1\t", "1\n",   "1.0", "1.", ".5",  "1e3",  "0x10", "abc", "1a",
    "a1",  "1,000", "1_0", "1/", ":",   "true", "NaN",  "inf", "\xEF\xBC\x91", /* a full-width 1 */
};

static void test_what_is_no_number(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(never_numbers); i++) {
        uint64_t natural = 99;
        int64_t whole = 99;
        hust_slice_t text = hust_slice_str(never_numbers[i]);
        assert_row(!hust_parse_u64(text, &natural), never_numbers[i]);
        assert_row(!hust_parse_i64(text, &whole), never_numbers[i]);
        assert_row(natural == 99 && whole == 99, never_numbers[i]);
    }
}

static void test_nul_is_no_digit(void **state)
{
    (void)state;
    uint64_t natural;
    int64_t whole;
    assert_false(hust_parse_u64(BYTES("12\0"), &natural));
    assert_false(hust_parse_u64(BYTES("\0"), &natural));
    assert_false(hust_parse_i64(BYTES("-1\0002"), &whole));
}

static void test_u64_out_of_range(void **state)
{
    (void)state;
    static const char *const wrong[] = {"-1",
                                        "-0",
                                        "18446744073709551616",
                                        "18446744073709551620",
                                        "99999999999999999999",
                                        "184467440737095516150"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        uint64_t value;
        assert_row(!hust_parse_u64(hust_slice_str(wrong[i]), &value), wrong[i]);
    }
}

static void test_i64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"-1", -1},
        {"60", 60},
        {"-0012", -12},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775807", -INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        int64_t value = 99;
        assert_row(hust_parse_i64(hust_slice_str(good[i].text), &value), good[i].text);
        assert_row(value == good[i].value, good[i].text);
    }
}

static void test_i64_out_of_range(void **state)
{
    (void)state;
    static const char *const wrong[] = {"9223372036854775808", "-9223372036854775809",
                                        "18446744073709551615", "-18446744073709551616"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        int64_t value;
        assert_row(!hust_parse_i64(hust_slice_str(wrong[i]), &value), wrong[i]);
    }
}

/* Compared with the C library over the borders of every length. */
static void test_format_is_canonical_and_reads_back(void **state)
{
    (void)state;
    uint64_t power = 1;
    for (unsigned digits = 1; digits <= 20; digits++, power *= 10) {
        const uint64_t around[] = {power - 1, power, power + 1, UINT64_MAX - power};
        for (size_t i = 0; i < COUNT_OF(around); i++) {
            char text[24];
            char expected[32];
            uint64_t natural;
            int64_t whole;

            size_t len = hust_format_u64(around[i], text);
            snprintf(expected, sizeof(expected), "%" PRIu64, around[i]);
            assert_string_equal(text, expected);
            assert_int_equal(len, strlen(expected));
            assert_true(hust_parse_u64(hust_slice_of(text, len), &natural));
            assert_true(natural == around[i]);

            len = hust_format_i64((int64_t)around[i], text);
            snprintf(expected, sizeof(expected), "%" PRId64, (int64_t)around[i]);
            assert_string_equal(text, expected);
            assert_int_equal(len, strlen(expected));
            assert_true(hust_parse_i64(hust_slice_of(text, len), &whole));
            assert_true(whole == (int64_t)around[i]);
        }
    }
}

static void test_format_of_the_extremes(void **state)
{
    (void)state;
    char text[24];
    assert_int_equal(hust_format_u64(0, text), 1);
    assert_string_equal(text, "0");
    assert_int_equal(hust_format_u64(UINT64_MAX, text), 20);
    assert_string_equal(text, "18446744073709551615");
    assert_int_equal(hust_format_i64(0, text), 1);
    assert_string_equal(text, "0");
    assert_int_equal(hust_format_i64(INT64_MIN, text), 20);
    assert_string_equal(text, "-9223372036854775808");
    assert_int_equal(hust_format_i64(INT64_MAX, text), 19);
    assert_string_equal(text, "9223372036854775807");
}

static void test_decimal_fractions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        long double value;
    } rows[] = {
        {"0", 0.0L},       {"-0", 0.0L},     {"12", 12.0L},     {"-1.5", -1.5L},
        {"0.25", 0.25L},   {"00.5", 0.5L},   {"1e3", 1000.0L},  {"1E+3", 1000.0L},
        {"-2e-2", -0.02L}, {"2.5e1", 25.0L}, {"1e308", 1e308L}, {"1e-400", 1e-400L},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        long double value;
        assert_row(hust_parse_decimal(hust_slice_str(rows[i].text), &value), rows[i].text);
        assert_row(value == rows[i].value, rows[i].text);
    }
}

static void test_what_is_no_decimal_fraction(void **state)
{
    (void)state;
    long double value;
    static const char *const texts[] = {
        "",
        "-",
        ".",
        ".5",
        "5.",
        "+1",
        " 1",
        "1 ",
        "1e",
        "1e+",
        "e1",
        "1.e1",
        "1,5",
        "0x1",
        "inf",
        "nan",
        "-inf",
        "1e309",
        "-1e309",
        "1e5000",
        "1.1.1",
        "--1",
        "1e1.5",
        "1f",
        "1e1e1",
        "11111111111111111111111111111111111111111111111111111111111111111", /* 65 of them */
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_row(!hust_parse_decimal(hust_slice_str(texts[i]), &value), texts[i]);
    }
    assert_false(hust_parse_decimal(BYTES("1\0"), &value));
    assert_false(hust_parse_decimal((hust_slice_t){0}, &value));
    assert_true(hust_parse_decimal(hust_slice_of(texts[COUNT_OF(texts) - 1], 64), &value));
}

static void test_format_of_decimal_fractions(void **state)
{
    (void)state;
    static const struct {
        long double value;
        const char *text;
    } rows[] = {
        {0.0L, "0"}, {-0.0L, "0"},       {0.1L + 0.2L, "0.3"}, {-12.5L, "-12.5"},
        {3.0L, "3"}, {1e300L, "1e+300"}, {1e-7L, "1e-07"},     {123456789.125L, "123456789.125"},
    };
    char text[HUST_DECIMAL_CHARS_MAX];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        long double value;
        size_t len = hust_format_decimal(rows[i].value, text);
        assert_int_equal(len, strlen(text));
        assert_true(hust_parse_decimal(hust_slice_of(text, len), &value));
        assert_string_equal(text, rows[i].text);
        long double off = value - rows[i].value;
        long double size = rows[i].value < 0 ? -rows[i].value : rows[i].value;
        assert_true(off <= size * 1e-16L && -off <= size * 1e-16L);
    }
    assert_int_equal(hust_format_decimal(1e308L * 10, text), 0);
    assert_int_equal(hust_format_decimal(-1e308L * 10, text), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_u64),
        cmocka_unit_test(test_what_is_no_number),
        cmocka_unit_test(test_nul_is_no_digit),
        cmocka_unit_test(test_u64_out_of_range),
        cmocka_unit_test(test_i64),
        cmocka_unit_test(test_i64_out_of_range),
        cmocka_unit_test(test_format_is_canonical_and_reads_back),
        cmocka_unit_test(test_format_of_the_extremes),
        cmocka_unit_test(test_decimal_fractions),
        cmocka_unit_test(test_what_is_no_decimal_fraction),
        cmocka_unit_test(test_format_of_decimal_fractions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
