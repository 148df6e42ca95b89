/* The store: what it keeps, and what it refuses to open. */
#include <stdlib.h>
#include <sys/stat.h>

#include "core/wire.h"
#include "fixture.h"

static void put(fixture_t *fixture, hust_cf_t cf, const char *key, const char *value)
{
    hust_write_t *write = hust_write_new(fixture->store);
    hust_write_put(write, cf, hust_slice_str(key), hust_slice_str(value));
    assert_int_equal(hust_write_count(write), 1);
    assert_int_equal(hust_store_commit(fixture->store, write), 0);
    hust_write_free(write);
}

static void assert_value(fixture_t *fixture, hust_cf_t cf, const char *key, const char *value)
{
    hust_pinned_t found;
    assert_int_equal(hust_store_get(fixture->store, cf, hust_slice_str(key), &found), HUST_OK);
    assert_int_equal(found.pin != NULL, value != NULL);
    if (value != NULL) {
        assert_true(hust_slice_equal(found.bytes, hust_slice_str(value)));
    }
    hust_pin_release(found.pin);
}

static void test_families_are_apart(void **state)
{
    fixture_t *fixture = *state;
    put(fixture, HUST_CF_DATA, "k", "data");
    put(fixture, HUST_CF_HINTS, "k", "hints");
    assert_value(fixture, HUST_CF_DATA, "k", "data");
    assert_value(fixture, HUST_CF_HINTS, "k", "hints");
    assert_value(fixture, HUST_CF_EXPIRY, "k", NULL);
}

static void test_it_is_there_after_a_restart(void **state)
{
    fixture_t *fixture = *state;
    put(fixture, HUST_CF_DATA, "k", "v");
    put(fixture, HUST_CF_DATA, "empty", "");
    fixture_restart(fixture);
    assert_value(fixture, HUST_CF_DATA, "k", "v");
    assert_value(fixture, HUST_CF_DATA, "empty", "");
    assert_value(fixture, HUST_CF_DATA, "other", NULL);
}

static void test_large_values_come_back(void **state)
{
    fixture_t *fixture = *state;
    size_t len = 20u << 20;
    char *large = malloc(len + 1);
    assert_non_null(large);
    memset(large, 'x', len);
    large[len] = '\0';
    put(fixture, HUST_CF_DATA, "large", large);
    assert_value(fixture, HUST_CF_DATA, "large", large);
    fixture_restart(fixture);
    assert_value(fixture, HUST_CF_DATA, "large", large);
    free(large);
}

static void test_many_at_once(void **state)
{
    fixture_t *fixture = *state;
    put(fixture, HUST_CF_DATA, "a", "1");
    put(fixture, HUST_CF_DATA, "c", "3");
    const hust_slice_t keys[] = {BYTES("c"), BYTES("b"), BYTES("a"), BYTES("c")};
    hust_pinned_t found[COUNT_OF(keys)];
    assert_int_equal(hust_store_get_many(fixture->store, HUST_CF_DATA, keys, COUNT_OF(keys), found),
                     HUST_OK);
    assert_bytes(found[0].bytes, "3");
    assert_null(found[1].pin);
    assert_bytes(found[2].bytes, "1");
    assert_bytes(found[3].bytes, "3");
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        hust_pin_release(found[i].pin);
    }
}

static void test_scans(void **state)
{
    fixture_t *fixture = *state;
    put(fixture, HUST_CF_EXPIRY, "aa", "1");
    put(fixture, HUST_CF_EXPIRY, "ab", "2");
    put(fixture, HUST_CF_EXPIRY, "b", "3");
    hust_scan_t *scan = hust_scan_begin(fixture->store, HUST_CF_EXPIRY);
    hust_scan_seek(scan, BYTES("a"));
    assert_bytes(hust_scan_key(scan), "aa");
    assert_true(hust_scan_within(scan, BYTES("a")));
    hust_scan_next(scan);
    assert_bytes(hust_scan_value(scan), "2");
    hust_scan_next(scan);
    assert_false(hust_scan_within(scan, BYTES("a")));
    assert_true(hust_scan_valid(scan));
    hust_scan_next(scan);
    assert_false(hust_scan_valid(scan));
    hust_scan_seek_last(scan, BYTES("az"));
    assert_bytes(hust_scan_key(scan), "ab");
    hust_scan_end(scan);
}

static hust_error_t open_again(fixture_t *fixture, char *message)
{
    hust_store_t *second = NULL;
    hust_error_t err = hust_store_open(&fixture->options, &second, message);
    assert_null(second);
    return err;
}

static void test_a_directory_in_use_is_refused(void **state)
{
    fixture_t *fixture = *state;
    char message[HUST_STORE_MESSAGE_BYTES] = "";
    assert_int_equal(open_again(fixture, message), HUST_ERR_IO);
    assert_non_null(strstr(message, "in use"));
}

static void test_an_unknown_format_is_refused(void **state)
{
    fixture_t *fixture = *state;
    char message[HUST_STORE_MESSAGE_BYTES] = "";
    uint8_t next[4];
    hust_put_u32(next, HUST_STORE_FORMAT + 1);
    hust_write_t *write = hust_write_new(fixture->store);
    hust_write_put(write, HUST_CF_META, BYTES("format"), hust_slice_of(next, sizeof(next)));
    assert_int_equal(hust_store_commit(fixture->store, write), 0);
    hust_write_free(write);
    fixture_stop(fixture);
    assert_int_equal(open_again(fixture, message), HUST_ERR_VERSION);
    assert_non_null(strstr(message, "format version 2"));
}

/* Data without a format version is not ours to interpret. */
static void test_a_missing_format_is_refused(void **state)
{
    fixture_t *fixture = *state;
    char message[HUST_STORE_MESSAGE_BYTES] = "";
    hust_write_t *write = hust_write_new(fixture->store);
    hust_write_delete(write, HUST_CF_META, BYTES("format"));
    assert_int_equal(hust_store_commit(fixture->store, write), 0);
    hust_write_free(write);
    fixture_stop(fixture);
    assert_int_equal(open_again(fixture, message), HUST_ERR_VERSION);
}

static void test_a_directory_that_cannot_be_made_is_refused(void **state)
{
    fixture_t *fixture = *state;
    char message[HUST_STORE_MESSAGE_BYTES] = "";
    fixture_stop(fixture);
    fixture->options.path = "/proc/no/such/directory";
    assert_int_equal(open_again(fixture, message), HUST_ERR_IO);
    assert_non_null(strstr(message, "/proc/no/such/directory"));
}

int main(void)
{
#define ON_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        ON_FIXTURE(test_families_are_apart),
        ON_FIXTURE(test_it_is_there_after_a_restart),
        ON_FIXTURE(test_large_values_come_back),
        ON_FIXTURE(test_many_at_once),
        ON_FIXTURE(test_scans),
        ON_FIXTURE(test_a_directory_in_use_is_refused),
        ON_FIXTURE(test_an_unknown_format_is_refused),
        ON_FIXTURE(test_a_missing_format_is_refused),
        ON_FIXTURE(test_a_directory_that_cannot_be_made_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
