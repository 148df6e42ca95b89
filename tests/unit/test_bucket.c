/* Buckets and elements: where a key lives, and what makes a valid element. */
#include "core/element.h"
#include "unit.h"

static void test_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned bucket;
    } vectors[] = {
        {"a", 97},           {"abc", 98},          {"k1", 294},        {"test_key", 306},
        {"test_table", 481}, {"hustdbhakey", 282}, {"user:1001", 687}, {"\xE4\xB8\xAD", 729},
    };
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        assert_row(hust_bucket(hust_slice_str(vectors[i].text)) == vectors[i].bucket,
                   vectors[i].text);
    }
}

static void test_empty_and_nul_bytes(void **state)
{
    (void)state;
    assert_int_equal(hust_bucket(BYTES("")), 0);
    assert_int_equal(hust_bucket(BYTES("\0")), 0);
    assert_int_equal(hust_bucket(BYTES("\0a")), 97);
    assert_int_equal(hust_bucket(BYTES("a\0")), 97 * 31 % 1024);
}

static void test_bytes_are_unsigned(void **state)
{
    (void)state;
    assert_int_equal(hust_bucket(BYTES("\xff")), 255);
    assert_int_equal(hust_bucket(BYTES("\xff\xff")), (255 * 31 + 255) % 1024);
}

/* The hash wraps at 64 bits, which leaves its remainder by a power of two alone. */
static void test_long_keys_wrap(void **state)
{
    (void)state;
    static uint8_t key[HUST_KEY_BYTES_MAX];
    unsigned expected = 0;
    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)(i * 7 + 3);
        expected = (expected * 31 + key[i]) % 1024;
    }
    assert_int_equal(hust_bucket(hust_slice_of(key, sizeof(key))), expected);
}

static void test_every_bucket_is_reached(void **state)
{
    (void)state;
    bool reached[HUST_BUCKET_COUNT] = {false};
    unsigned count = 0;
    for (unsigned i = 0; i < 65536; i++) {
        uint8_t key[2] = {(uint8_t)(i >> 8), (uint8_t)i};
        unsigned bucket = hust_bucket(hust_slice_of(key, sizeof(key)));
        assert_true(bucket < HUST_BUCKET_COUNT);
        count += reached[bucket] ? 0 : 1;
        reached[bucket] = true;
    }
    assert_int_equal(count, HUST_BUCKET_COUNT);
}

/* KV, hash and set elements live where their key does; a sorted set lives whole with its tb. */
static void test_element_bucket_by_type(void **state)
{
    (void)state;
    hust_element_t element = {.tb = BYTES("test_table"), .key = BYTES("test_key")};
    element.type = HUST_TYPE_KV;
    assert_int_equal(hust_element_bucket(&element), 306);
    element.type = HUST_TYPE_HASH;
    assert_int_equal(hust_element_bucket(&element), 306);
    element.type = HUST_TYPE_SET;
    assert_int_equal(hust_element_bucket(&element), 306);
    element.type = HUST_TYPE_ZSET;
    assert_int_equal(hust_element_bucket(&element), 481);
}

static void test_types(void **state)
{
    (void)state;
    for (int letter = -1; letter < 300; letter++) {
        bool expected = letter == 'K' || letter == 'H' || letter == 'S' || letter == 'Z';
        assert_true(hust_type_valid(letter) == expected);
    }
}

static void test_tb_bytes(void **state)
{
    (void)state;
    static const char allowed[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:.-";
    for (unsigned c = 0; c < 256; c++) {
        uint8_t tb[2] = {'t', (uint8_t)c};
        bool expected = c != 0 && strchr(allowed, (int)c) != NULL;
        assert_true(hust_tb_valid(hust_slice_of(tb, 2)) == expected);
    }
}

static void test_tb_length(void **state)
{
    (void)state;
    char tb[HUST_TB_BYTES_MAX + 1];
    memset(tb, 't', sizeof(tb));
    assert_false(hust_tb_valid(BYTES("")));
    assert_true(hust_tb_valid(hust_slice_of(tb, 1)));
    assert_true(hust_tb_valid(hust_slice_of(tb, HUST_TB_BYTES_MAX)));
    assert_false(hust_tb_valid(hust_slice_of(tb, HUST_TB_BYTES_MAX + 1)));
}

static void test_element_needs_the_tb_its_type_has(void **state)
{
    (void)state;
    hust_element_t element = {.type = HUST_TYPE_KV, .key = BYTES("k")};
    assert_true(hust_element_valid(&element));
    element.tb = BYTES("t");
    assert_false(hust_element_valid(&element));

    static const hust_type_t with_tb[] = {HUST_TYPE_HASH, HUST_TYPE_SET, HUST_TYPE_ZSET};
    for (size_t i = 0; i < COUNT_OF(with_tb); i++) {
        element = (hust_element_t){.type = with_tb[i], .tb = BYTES("t"), .key = BYTES("k")};
        assert_true(hust_element_valid(&element));
        element.tb = BYTES("");
        assert_false(hust_element_valid(&element));
        element.tb = BYTES("a b");
        assert_false(hust_element_valid(&element));
    }
    element = (hust_element_t){.type = (hust_type_t)'X', .tb = BYTES("t"), .key = BYTES("k")};
    assert_false(hust_element_valid(&element));
}

static void test_element_key_length(void **state)
{
    (void)state;
    static const uint8_t key[HUST_KEY_BYTES_MAX + 1];
    hust_element_t element = {.type = HUST_TYPE_KV};
    assert_false(hust_element_valid(&element));
    element.key = hust_slice_of(key, 1);
    assert_true(hust_element_valid(&element));
    element.key = hust_slice_of(key, HUST_KEY_BYTES_MAX);
    assert_true(hust_element_valid(&element));
    element.key = hust_slice_of(key, HUST_KEY_BYTES_MAX + 1);
    assert_false(hust_element_valid(&element));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_empty_and_nul_bytes),
        cmocka_unit_test(test_bytes_are_unsigned),
        cmocka_unit_test(test_long_keys_wrap),
        cmocka_unit_test(test_every_bucket_is_reached),
        cmocka_unit_test(test_element_bucket_by_type),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_tb_bytes),
        cmocka_unit_test(test_tb_length),
        cmocka_unit_test(test_element_needs_the_tb_its_type_has),
        cmocka_unit_test(test_element_key_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
