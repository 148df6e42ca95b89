/* The keys of the store: their order and their way back. (src/node/keys.h) */
#include "node/keys.h"

#include <stdlib.h>

#include "unit.h"

static hust_element_t element(hust_type_t type, hust_slice_t tb, hust_slice_t key)
{
    return (hust_element_t){.type = type, .tb = tb, .key = key};
}

static void test_layout(void **state)
{
    (void)state;
    uint8_t out[HUST_DATA_KEY_BYTES_MAX];
    hust_element_t kv = element(HUST_TYPE_KV, BYTES(""), BYTES("k1"));
    hust_element_t zset = element(HUST_TYPE_ZSET, BYTES("test_table"), BYTES("k1"));
    /* Buckets of the contract: k1 is in 294 = 0x126, test_table in 481 = 0x1e1. */
    assert_bytes(hust_slice_of(out, hust_data_key(&kv, out)), "K\0\x01\x26k1");
    assert_bytes(hust_slice_of(out, hust_data_key(&zset, out)), "Ztest_table\0\x01\xe1k1");
}

static void test_data_keys_come_back(void **state)
{
    (void)state;
    static uint8_t longest[HUST_KEY_BYTES_MAX];
    static uint8_t out[HUST_DATA_KEY_BYTES_MAX];
    static const char tb64[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:";
    const hust_element_t elements[] = {
        element(HUST_TYPE_KV, BYTES(""), BYTES("\0")),
        element(HUST_TYPE_HASH, BYTES("t"), BYTES("\xff\0\xff")),
        element(HUST_TYPE_SET, BYTES("a.b-c"), hust_slice_of(longest, sizeof(longest))),
        element(HUST_TYPE_ZSET, BYTES(tb64), hust_slice_of(longest, sizeof(longest))),
    };
    for (size_t i = 0; i < COUNT_OF(elements); i++) {
        hust_element_t back;
        size_t len = hust_data_key(&elements[i], out);
        assert_int_equal(len, hust_data_key_bytes(&elements[i]));
        assert_int_equal(hust_data_key_parse(hust_slice_of(out, len), &back), HUST_OK);
        assert_int_equal(back.type, elements[i].type);
        assert_true(hust_slice_equal(back.tb, elements[i].tb));
        assert_true(hust_slice_equal(back.key, elements[i].key));
    }
    assert_int_equal(hust_data_key_bytes(&elements[3]), HUST_DATA_KEY_BYTES_MAX);
}

static void test_damaged_data_keys_are_refused(void **state)
{
    (void)state;
    static const hust_slice_t damaged[] = {
        {NULL, 0},
        {(const uint8_t *)"K", 1},
        {(const uint8_t *)"K\0", 2},
        {(const uint8_t *)"K\0\x01\x26", 4},      /* no key */
        {(const uint8_t *)"K\0\x01\x27k1", 6},    /* another bucket */
        {(const uint8_t *)"Kt\0\x01\x26k1", 7},   /* KV with a tb */
        {(const uint8_t *)"H\0\x01\x26k1", 6},    /* table without one */
        {(const uint8_t *)"X\0\x01\x26k1", 6},    /* no such type */
        {(const uint8_t *)"Ht t\0\x01\x26k1", 9}, /* not a tb */
        {(const uint8_t *)"Httttt", 6},           /* no end of the tb */
    };
    for (size_t i = 0; i < COUNT_OF(damaged); i++) {
        hust_element_t out;
        assert_int_equal(hust_data_key_parse(damaged[i], &out), HUST_ERR_MALFORMED);
    }
}

/* A table is one contiguous range: no other table's keys lie between its own. */
static void test_tables_do_not_mix(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "a-", "a.", "a:", "aa", "b"};
    uint8_t before[HUST_DATA_KEY_BYTES_MAX];
    uint8_t after[HUST_DATA_KEY_BYTES_MAX];
    for (size_t i = 1; i < COUNT_OF(names); i++) {
        hust_element_t low =
            element(HUST_TYPE_HASH, hust_slice_str(names[i - 1]), BYTES("\xff\xff"));
        hust_element_t high = element(HUST_TYPE_HASH, hust_slice_str(names[i]), BYTES("\0"));
        hust_slice_t low_key = hust_slice_of(before, hust_data_key(&low, before));
        hust_slice_t high_key = hust_slice_of(after, hust_data_key(&high, after));
        assert_true(hust_slice_compare(low_key, high_key) < 0);
    }
}

static void test_expiry_keys_order_by_time(void **state)
{
    (void)state;
    static const uint64_t rising[] = {1, 255, 256, 65536, 1700000000000, UINT64_MAX};
    uint8_t data[HUST_DATA_KEY_BYTES_MAX];
    uint8_t keys[2][2][HUST_EXPIRY_KEY_BYTES_MAX];
    hust_element_t of = element(HUST_TYPE_HASH, BYTES("t"), BYTES("k"));
    hust_slice_t data_key = hust_slice_of(data, hust_data_key(&of, data));
    for (size_t i = 0; i + 1 < COUNT_OF(rising); i++) {
        hust_slice_t slices[2][2];
        for (size_t j = 0; j < 2; j++) {
            uint64_t instant = rising[i + j];
            slices[0][j] =
                hust_slice_of(keys[0][j], hust_expiry_key(instant, data_key, keys[0][j]));
            slices[1][j] =
                hust_slice_of(keys[1][j], hust_table_expiry_key(instant, &of, keys[1][j]));
        }
        assert_true(hust_slice_compare(slices[0][0], slices[0][1]) < 0);
        assert_true(hust_slice_compare(slices[1][0], slices[1][1]) < 0);
    }
}

static void test_expiry_keys_come_back(void **state)
{
    (void)state;
    static uint8_t longest[HUST_KEY_BYTES_MAX];
    static uint8_t data[HUST_DATA_KEY_BYTES_MAX];
    static uint8_t key[HUST_EXPIRY_KEY_BYTES_MAX];
    static uint8_t back[HUST_DATA_KEY_BYTES_MAX];
    const hust_element_t of =
        element(HUST_TYPE_SET, BYTES("t"), hust_slice_of(longest, sizeof(longest)));
    hust_slice_t data_key = hust_slice_of(data, hust_data_key(&of, data));
    const size_t lengths[] = {hust_expiry_key(77, data_key, key),
                              hust_table_expiry_key(78, &of, key)};
    for (uint64_t kind = 0; kind < 2; kind++) {
        uint64_t instant_ms = 0;
        hust_slice_t found;
        if (kind == 0) {
            hust_expiry_key(77, data_key, key);
        } else {
            hust_table_expiry_key(78, &of, key);
        }
        assert_int_equal(
            hust_expiry_key_parse(hust_slice_of(key, lengths[kind]), back, &instant_ms, &found),
            HUST_OK);
        assert_int_equal(instant_ms, 77 + kind);
        assert_true(hust_slice_equal(found, data_key));
    }
}

static void test_damaged_expiry_keys_are_refused(void **state)
{
    (void)state;
    static const hust_slice_t damaged[] = {
        {NULL, 0},
        {(const uint8_t *)"I", 1},
        {(const uint8_t *)"I12345678", 9},
        {(const uint8_t *)"T", 1},
        {(const uint8_t *)"THt12345678", 11},
        {(const uint8_t *)"THt\0"
                          "1234567",
         11},
        {(const uint8_t *)"X12345678K", 10},
    };
    uint8_t back[HUST_DATA_KEY_BYTES_MAX];
    for (size_t i = 0; i < COUNT_OF(damaged); i++) {
        uint64_t instant_ms;
        hust_slice_t found;
        assert_int_equal(hust_expiry_key_parse(damaged[i], back, &instant_ms, &found),
                         HUST_ERR_MALFORMED);
    }
}

/* The prefix of a table's expiry entries matches these and no other table's. */
static void test_table_expiry_prefix(void **state)
{
    (void)state;
    uint8_t prefix[1 + HUST_TABLE_PREFIX_BYTES_MAX];
    uint8_t key[HUST_EXPIRY_KEY_BYTES_MAX];
    size_t prefix_len = hust_table_expiry_prefix(HUST_TYPE_HASH, BYTES("t"), prefix);
    hust_element_t own = element(HUST_TYPE_HASH, BYTES("t"), BYTES("k"));
    hust_element_t longer = element(HUST_TYPE_HASH, BYTES("tt"), BYTES("k"));
    assert_true(hust_table_expiry_key(5, &own, key) > prefix_len);
    assert_memory_equal(key, prefix, prefix_len);
    hust_table_expiry_key(5, &longer, key);
    assert_memory_not_equal(key, prefix, prefix_len);
}

static void test_hint_keys_come_back(void **state)
{
    (void)state;
    uint8_t key[HUST_HINT_KEY_BYTES_MAX];
    uint8_t value[HUST_HINT_VALUE_BYTES];
    uint64_t gen;
    uint64_t since_ms;
    hust_slice_t target;
    hust_slice_t data_key;
    size_t len = hust_hint_key(BYTES("host:1"), BYTES("K\0\x01\x26k1"), key);
    assert_int_equal(hust_hint_key_parse(hust_slice_of(key, len), &target, &data_key), HUST_OK);
    assert_bytes(target, "host:1");
    assert_bytes(data_key, "K\0\x01\x26k1");
    hust_hint_value(3, 1700000000000, value);
    assert_int_equal(hust_hint_value_parse(hust_slice_of(value, sizeof(value)), &gen, &since_ms),
                     HUST_OK);
    assert_int_equal(gen, 3);
    assert_int_equal(since_ms, 1700000000000);
}

static void test_damaged_hints_are_refused(void **state)
{
    (void)state;
    static const hust_slice_t damaged[] = {
        {NULL, 0}, {(const uint8_t *)"\0K", 2}, {(const uint8_t *)"\x06host:1", 7}};
    hust_slice_t target;
    hust_slice_t data_key;
    uint64_t gen;
    uint64_t since_ms;
    for (size_t i = 0; i < COUNT_OF(damaged); i++) {
        assert_int_equal(hust_hint_key_parse(damaged[i], &target, &data_key), HUST_ERR_MALFORMED);
    }
    assert_int_equal(hust_hint_value_parse(BYTES("short"), &gen, &since_ms), HUST_ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_data_keys_come_back),
        cmocka_unit_test(test_damaged_data_keys_are_refused),
        cmocka_unit_test(test_tables_do_not_mix),
        cmocka_unit_test(test_expiry_keys_order_by_time),
        cmocka_unit_test(test_expiry_keys_come_back),
        cmocka_unit_test(test_damaged_expiry_keys_are_refused),
        cmocka_unit_test(test_table_expiry_prefix),
        cmocka_unit_test(test_hint_keys_come_back),
        cmocka_unit_test(test_damaged_hints_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
