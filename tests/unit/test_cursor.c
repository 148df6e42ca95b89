/* Cursors: separators of neighbours, and their text. */
#include <stdlib.h>

#include "core/cursor.h"
#include "support.h"
#include "unit.h"

static void test_shortest_separators(void **state)
{
    (void)state;
    assert_bytes(hust_cursor_separator(BYTES("abc"), BYTES("abd")), "abd");
    assert_bytes(hust_cursor_separator(BYTES("abc"), BYTES("bcd")), "b");
    assert_bytes(hust_cursor_separator(BYTES("ab"), BYTES("abcdef")), "abc");
    assert_bytes(hust_cursor_separator(BYTES(""), BYTES("xyz")), "x");
    assert_bytes(hust_cursor_separator(BYTES("a"), BYTES("a\0\0")), "a\0");
    assert_bytes(hust_cursor_separator(BYTES("a\xff"), BYTES("b")), "b");
}

/* Whatever the neighbours: low < separator <= high. */
static void test_separators_separate(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t bytes[2][6];
        hust_slice_t sides[2];
        for (unsigned side = 0; side < 2; side++) {
            size_t len = 1 + test_pick(&random, 6);
            for (size_t at = 0; at < len; at++) {
                bytes[side][at] = (uint8_t)(test_pick(&random, 3) * 127);
            }
            sides[side] = hust_slice_of(bytes[side], len);
        }
        int order = hust_slice_compare(sides[0], sides[1]);
        if (order != 0) {
            hust_slice_t low = sides[order < 0 ? 0 : 1];
            hust_slice_t high = sides[order < 0 ? 1 : 0];
            hust_slice_t separator = hust_cursor_separator(low, high);
            assert_true(hust_slice_compare(low, separator) < 0);
            assert_true(hust_slice_compare(separator, high) <= 0);
        }
    }
}

static void test_text(void **state)
{
    (void)state;
    hust_buf_t text = {0};
    hust_buf_t out = {0};
    assert_int_equal(hust_cursor_encode(HUST_CURSOR_SCORE, BYTES("\x80\0\0\xff"), &text), HUST_OK);
    assert_bytes(hust_buf_slice(&text), "sgAAA_w");
    assert_int_equal(hust_cursor_decode(HUST_CURSOR_SCORE, hust_buf_slice(&text), &out), HUST_OK);
    assert_bytes(hust_buf_slice(&out), "\x80\0\0\xff");
    assert_int_equal(hust_cursor_decode(HUST_CURSOR_REVERSE, hust_buf_slice(&text), &out),
                     HUST_ERR_MALFORMED);
    hust_buf_free(&text);
    hust_buf_free(&out);
}

static void test_outside_input(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "s", "t", "f", "sA", "s*", "sAA=", "xAA", "sAB"};
    hust_buf_t out = {0};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_row(hust_cursor_decode(HUST_CURSOR_SCORE, hust_slice_str(wrong[i]), &out) ==
                       HUST_ERR_MALFORMED,
                   wrong[i]);
    }
    hust_buf_free(&out);
}

static void test_the_longest(void **state)
{
    (void)state;
    static uint8_t bytes[HUST_CURSOR_BYTES_MAX + 3];
    hust_slice_t longest = hust_slice_of(bytes, HUST_CURSOR_BYTES_MAX);
    hust_buf_t text = {0};
    hust_buf_t out = {0};
    assert_int_equal(hust_cursor_encode(HUST_CURSOR_FILE, longest, &text), HUST_OK);
    assert_int_equal(hust_cursor_decode(HUST_CURSOR_FILE, hust_buf_slice(&text), &out), HUST_OK);
    assert_true(hust_slice_equal(hust_buf_slice(&out), longest));
    assert_int_equal(hust_buf_append(&text, "AAAA", 4), HUST_OK);
    assert_int_equal(hust_cursor_decode(HUST_CURSOR_FILE, hust_buf_slice(&text), &out),
                     HUST_ERR_MALFORMED);
    hust_buf_free(&text);
    hust_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shortest_separators),
        cmocka_unit_test(test_separators_separate),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_outside_input),
        cmocka_unit_test(test_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
