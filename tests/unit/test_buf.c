/* The growable buffer, and the texts of errors. */
#include "core/buf.h"
#include "unit.h"

static void test_empty_buffer(void **state)
{
    (void)state;
    hust_buf_t buf = {0};
    assert_int_equal(hust_buf_slice(&buf).len, 0);
    assert_int_equal(hust_buf_append(&buf, NULL, 0), HUST_OK);
    assert_null(buf.data);
    hust_buf_clear(&buf);
    hust_buf_free(&buf);
    assert_null(buf.data);
}

static void test_append_keeps_what_was_there(void **state)
{
    (void)state;
    hust_buf_t buf = {0};
    assert_int_equal(hust_buf_append(&buf, "ab\0c", 4), HUST_OK);
    assert_int_equal(hust_buf_append_slice(&buf, BYTES("de")), HUST_OK);
    assert_int_equal(hust_buf_append_slice(&buf, BYTES("")), HUST_OK);
    assert_bytes(hust_buf_slice(&buf), "ab\0cde");
    hust_buf_free(&buf);
}

static void test_content_survives_growth(void **state)
{
    (void)state;
    hust_buf_t buf = {0};
    for (size_t i = 0; i < 100000; i++) {
        uint8_t byte = (uint8_t)(i * 31);
        assert_int_equal(hust_buf_append(&buf, &byte, 1), HUST_OK);
        assert_true(buf.len <= buf.cap);
    }
    assert_int_equal(buf.len, 100000);
    for (size_t i = 0; i < buf.len; i++) {
        assert_int_equal(buf.data[i], (uint8_t)(i * 31));
    }
    hust_buf_free(&buf);
}

static void test_reserve_makes_room_once(void **state)
{
    (void)state;
    hust_buf_t buf = {0};
    assert_int_equal(hust_buf_reserve(&buf, 5000), HUST_OK);
    assert_true(buf.cap >= 5000);
    assert_int_equal(buf.len, 0);
    const uint8_t *data = buf.data;
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(hust_buf_append(&buf, "x", 1), HUST_OK);
    }
    assert_ptr_equal(buf.data, data);
    hust_buf_free(&buf);
}

static void test_clear_keeps_the_memory(void **state)
{
    (void)state;
    hust_buf_t buf = {0};
    assert_int_equal(hust_buf_append(&buf, "abc", 3), HUST_OK);
    const uint8_t *data = buf.data;
    size_t cap = buf.cap;
    hust_buf_clear(&buf);
    assert_int_equal(buf.len, 0);
    assert_int_equal(buf.cap, cap);
    assert_int_equal(hust_buf_append(&buf, "z", 1), HUST_OK);
    assert_ptr_equal(buf.data, data);
    assert_bytes(hust_buf_slice(&buf), "z");
    hust_buf_free(&buf);
}

static void test_usable_again_after_free(void **state)
{
    (void)state;
    hust_buf_t buf = {0};
    assert_int_equal(hust_buf_append(&buf, "abc", 3), HUST_OK);
    hust_buf_free(&buf);
    assert_int_equal(buf.len, 0);
    assert_int_equal(buf.cap, 0);
    assert_int_equal(hust_buf_append(&buf, "d", 1), HUST_OK);
    assert_bytes(hust_buf_slice(&buf), "d");
    hust_buf_free(&buf);
}

static void test_impossible_sizes_are_refused(void **state)
{
    (void)state;
    hust_buf_t buf = {0};
    assert_int_equal(hust_buf_append(&buf, "abc", 3), HUST_OK);
    assert_int_equal(hust_buf_reserve(&buf, SIZE_MAX), HUST_ERR_NOMEM);
    assert_int_equal(hust_buf_reserve(&buf, SIZE_MAX - 2), HUST_ERR_NOMEM);
    assert_int_equal(hust_buf_reserve(&buf, SIZE_MAX / 2), HUST_ERR_NOMEM);
    assert_bytes(hust_buf_slice(&buf), "abc");
    hust_buf_free(&buf);
}

static void test_every_error_has_its_text(void **state)
{
    (void)state;
    assert_string_equal(hust_error_text(HUST_OK), "ok");
    assert_string_equal(hust_error_text(HUST_ERR_NOMEM), "out of memory");
    assert_string_equal(hust_error_text(HUST_ERR_IO), "input or output failed");
    for (int a = HUST_OK; a <= HUST_ERR_IO; a++) {
        for (int b = HUST_OK; b < a; b++) {
            assert_string_not_equal(hust_error_text((hust_error_t)a),
                                    hust_error_text((hust_error_t)b));
        }
    }
    assert_string_equal(hust_error_text((hust_error_t)(HUST_ERR_IO + 1)), "unknown error");
    assert_string_equal(hust_error_text((hust_error_t)-1), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_buffer),
        cmocka_unit_test(test_append_keeps_what_was_there),
        cmocka_unit_test(test_content_survives_growth),
        cmocka_unit_test(test_reserve_makes_room_once),
        cmocka_unit_test(test_clear_keeps_the_memory),
        cmocka_unit_test(test_usable_again_after_free),
        cmocka_unit_test(test_impossible_sizes_are_refused),
        cmocka_unit_test(test_every_error_has_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
