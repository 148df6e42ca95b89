/* The sweeper: what has expired is marked deleted, and nothing else. */
#include <pthread.h>
#include <stdio.h>

#include "fixture.h"

typedef struct {
    hust_sweep_t sweep;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
} request_t;

static void on_done(hust_sweep_t *sweep)
{
    request_t *request = (request_t *)sweep;
    pthread_mutex_lock(&request->lock);
    request->done = true;
    pthread_cond_signal(&request->wake);
    pthread_mutex_unlock(&request->lock);
}

static void sweep(fixture_t *fixture, const char *tb)
{
    hust_sweeper_t *sweeper;
    request_t request = {.sweep = {.tb = hust_slice_str(tb), .on_done = on_done}};
    pthread_mutex_init(&request.lock, NULL);
    pthread_cond_init(&request.wake, NULL);
    assert_int_equal(hust_sweeper_start(fixture->store, fixture->committer, &sweeper), HUST_OK);
    hust_sweeper_submit(sweeper, &request.sweep);
    pthread_mutex_lock(&request.lock);
    while (!request.done) {
        pthread_cond_wait(&request.wake, &request.lock);
    }
    pthread_mutex_unlock(&request.lock);
    hust_sweeper_stop(sweeper);
    pthread_cond_destroy(&request.wake);
    pthread_mutex_destroy(&request.lock);
}

/* An element that expired a moment ago; the operation itself lies before that. */
static void put_expired(fixture_t *fixture, hust_element_t of, const char *value)
{
    uint64_t now_ms = hust_wall_ms();
    hust_op_t op = expiring(direct(HUST_OP_PUT, of, value), now_ms - 1);
    op.now_ms = now_ms - 1000;
    assert_int_equal(fixture_do(fixture, op).status, 200);
}

static uint64_t count(fixture_t *fixture, hust_type_t type)
{
    return hust_counters_total(fixture->counters, type).count;
}

static void test_only_what_has_expired_goes(void **state)
{
    fixture_t *fixture = *state;
    put_expired(fixture, element(HUST_TYPE_KV, NULL, "gone"), "v");
    fixture_do(fixture, direct(HUST_OP_PUT, element(HUST_TYPE_KV, NULL, "stays"), "v"));
    fixture_do(fixture, expiring(direct(HUST_OP_PUT, element(HUST_TYPE_KV, NULL, "later"), "v"),
                                 hust_wall_ms() + 100000));
    assert_int_equal(count(fixture, HUST_TYPE_KV), 3);
    sweep(fixture, "");
    assert_int_equal(count(fixture, HUST_TYPE_KV), 2);
    assert_int_equal(fixture_count_keys(fixture, HUST_CF_EXPIRY, ""), 1);
    fixture_check(fixture);
}

static void test_stamp_and_expiry_stay(void **state)
{
    fixture_t *fixture = *state;
    hust_element_t kv = element(HUST_TYPE_KV, NULL, "k");
    put_expired(fixture, kv, "v");
    hust_op_t get = direct(HUST_OP_GET, kv, "");
    hust_result_t before = fixture_do(fixture, get);
    sweep(fixture, "");
    hust_result_t after = fixture_do(fixture, get);
    assert_int_equal(after.status, 404);
    assert_int_equal(hust_stamp_compare(before.stamp, after.stamp), 0);
    assert_int_equal(before.expire_at_ms, after.expire_at_ms);
    /* The key starts again at 1. */
    assert_int_equal(fixture_do(fixture, direct(HUST_OP_PUT, kv, "v")).version, 1);
    fixture_check(fixture);
}

static void test_one_table_alone(void **state)
{
    fixture_t *fixture = *state;
    put_expired(fixture, element(HUST_TYPE_HASH, "t", "f"), "v");
    put_expired(fixture, element(HUST_TYPE_HASH, "tt", "f"), "v");
    put_expired(fixture, element(HUST_TYPE_KV, NULL, "k"), "v");
    sweep(fixture, "t");
    assert_int_equal(count(fixture, HUST_TYPE_HASH), 1);
    assert_int_equal(count(fixture, HUST_TYPE_KV), 1);
    fixture_check(fixture);
}

/* More than one chunk. */
static void test_many(void **state)
{
    fixture_t *fixture = *state;
    char key[16];
    for (unsigned i = 0; i < 700; i++) {
        snprintf(key, sizeof(key), "k%u", i);
        put_expired(fixture, element(HUST_TYPE_SET, "s", key), "");
    }
    assert_int_equal(count(fixture, HUST_TYPE_SET), 700);
    sweep(fixture, "");
    assert_int_equal(count(fixture, HUST_TYPE_SET), 0);
    assert_int_equal(fixture_count_keys(fixture, HUST_CF_EXPIRY, ""), 0);
    fixture_restart(fixture);
    fixture_check(fixture);
}

/* Written again between the scan and its turn, an element is no longer what was to be swept. */
static void test_an_element_written_again_stays(void **state)
{
    fixture_t *fixture = *state;
    hust_element_t kv = element(HUST_TYPE_KV, NULL, "k");
    uint64_t instant_ms = hust_wall_ms() + 50000;
    fixture_do(fixture, expiring(direct(HUST_OP_PUT, kv, "v"), instant_ms));
    assert_int_equal(fixture_expire(fixture, &kv, instant_ms - 1), 0);
    assert_int_equal(count(fixture, HUST_TYPE_KV), 1);
    fixture_check(fixture);
    assert_int_equal(fixture_expire(fixture, &kv, instant_ms), 0);
    assert_int_equal(count(fixture, HUST_TYPE_KV), 0);
    fixture_check(fixture);
}

/* An expiry entry that belongs to nothing does not stay for ever. */
static void test_stray_entries_go(void **state)
{
    fixture_t *fixture = *state;
    uint8_t data[HUST_DATA_KEY_BYTES_MAX];
    uint8_t key[HUST_EXPIRY_KEY_BYTES_MAX];
    hust_element_t field = element(HUST_TYPE_HASH, "t", "nothing");
    hust_slice_t data_key = hust_slice_of(data, hust_data_key(&field, data));
    hust_write_t *write = hust_write_new(fixture->store);
    hust_write_put(write, HUST_CF_EXPIRY, hust_slice_of(key, hust_expiry_key(5, data_key, key)),
                   BYTES(""));
    hust_write_put(write, HUST_CF_EXPIRY, hust_slice_of(key, hust_table_expiry_key(5, &field, key)),
                   BYTES(""));
    assert_int_equal(hust_store_commit(fixture->store, write), 0);
    hust_write_free(write);
    sweep(fixture, "");
    assert_int_equal(fixture_count_keys(fixture, HUST_CF_EXPIRY, ""), 0);
    fixture_check(fixture);
}

/* What cannot be read is passed by: neither in the way of the others nor met for ever. */
static void test_damage_is_passed_by(void **state)
{
    fixture_t *fixture = *state;
    uint8_t data[HUST_DATA_KEY_BYTES_MAX];
    uint8_t key[HUST_EXPIRY_KEY_BYTES_MAX];
    hust_element_t unreadable = element(HUST_TYPE_KV, NULL, "unreadable");
    hust_slice_t data_key = hust_slice_of(data, hust_data_key(&unreadable, data));
    hust_write_t *write = hust_write_new(fixture->store);
    hust_write_put(write, HUST_CF_DATA, data_key, BYTES("garbage"));
    hust_write_put(write, HUST_CF_EXPIRY, hust_slice_of(key, hust_expiry_key(5, data_key, key)),
                   BYTES(""));
    hust_write_put(write, HUST_CF_EXPIRY, BYTES("I\0\0\0\0\0\0\0\x05garbage"), BYTES(""));
    assert_int_equal(hust_store_commit(fixture->store, write), 0);
    hust_write_free(write);
    put_expired(fixture, element(HUST_TYPE_KV, NULL, "k"), "v");
    sweep(fixture, "");
    assert_int_equal(count(fixture, HUST_TYPE_KV), 0);
}

int main(void)
{
#define ON_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        ON_FIXTURE(test_only_what_has_expired_goes),
        ON_FIXTURE(test_stamp_and_expiry_stay),
        ON_FIXTURE(test_one_table_alone),
        ON_FIXTURE(test_many),
        ON_FIXTURE(test_an_element_written_again_stays),
        ON_FIXTURE(test_stray_entries_go),
        ON_FIXTURE(test_damage_is_passed_by),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
