/* Base64 in both spellings (RFC 4648, section 10 has the first samples). */
#include "core/base64.h"
#include "unit.h"

static void test_samples(void **state)
{
    (void)state;
    static const struct {
        const char *in, *standard, *query;
    } rows[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xff\xfe", "+//+", "-__-"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        hust_buf_t out = {0};
        hust_slice_t in = hust_slice_str(rows[i].in);
        assert_int_equal(hust_base64_append(&out, in), HUST_OK);
        assert_row(hust_slice_equal(hust_buf_slice(&out), hust_slice_str(rows[i].standard)),
                   rows[i].standard);
        hust_buf_clear(&out);
        assert_int_equal(hust_base64_append_query(&out, in), HUST_OK);
        assert_row(hust_slice_equal(hust_buf_slice(&out), hust_slice_str(rows[i].query)),
                   rows[i].query);
        hust_buf_free(&out);
    }
}

static void test_every_length_and_byte_comes_back(void **state)
{
    (void)state;
    uint8_t bytes[256 + 7];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 167);
    }
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        hust_buf_t text = {0};
        hust_buf_t out = {0};
        assert_int_equal(hust_base64_append_query(&text, hust_slice_of(bytes, len)), HUST_OK);
        assert_int_equal(hust_base64_decode_query(hust_buf_slice(&text), &out), HUST_OK);
        assert_true(hust_slice_equal(hust_buf_slice(&out), hust_slice_of(bytes, len)));
        hust_buf_free(&text);
        hust_buf_free(&out);
    }
}

static void test_what_is_no_text(void **state)
{
    (void)state;
    static const char *const wrong[] = {"A",    "AAAAA", "AB",    "AAB",      "AA=", "AA==", "+AAA",
                                        "/AAA", "A A",   "AAA\n", "AAAA\x80", "Zh",  "Zm9"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        hust_buf_t out = {0};
        assert_int_equal(hust_buf_append(&out, "x", 1), HUST_OK);
        assert_row(hust_base64_decode_query(hust_slice_str(wrong[i]), &out) == HUST_ERR_MALFORMED,
                   wrong[i]);
        assert_bytes(hust_buf_slice(&out), "x");
        hust_buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_every_length_and_byte_comes_back),
        cmocka_unit_test(test_what_is_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
