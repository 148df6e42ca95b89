#define _GNU_SOURCE /* nftw */
#include "fixture.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- life --- */

void fixture_start(fixture_t *fixture)
{
    char message[HUST_STORE_MESSAGE_BYTES] = "";
    if (hust_store_open(&fixture->options, &fixture->store, message) != HUST_OK) {
        fail_msg("%s", message);
    }
    assert_int_equal(hust_counters_load(fixture->store, &fixture->counters), HUST_OK);
    assert_int_equal(hust_hints_load(fixture->store, &fixture->hints), HUST_OK);
    const hust_committer_env_t env = {.store = fixture->store,
                                      .counters = fixture->counters,
                                      .hints = fixture->hints,
                                      .replicated = true};
    assert_int_equal(hust_committer_start(&env, &fixture->committer), HUST_OK);
}

void fixture_stop(fixture_t *fixture)
{
    if (fixture->store != NULL) {
        hust_committer_stop(fixture->committer);
        hust_hints_free(fixture->hints);
        hust_counters_free(fixture->counters);
        hust_store_close(fixture->store);
        fixture->store = NULL;
    }
}

void fixture_restart(fixture_t *fixture)
{
    fixture_stop(fixture);
    fixture_start(fixture);
}

int fixture_setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/hust-node-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    fixture->options = (hust_store_options_t){.path = fixture->directory,
                                              .sync = HUST_SYNC_OS,
                                              .block_cache_bytes = 8 << 20,
                                              .memtable_bytes = 4 << 20,
                                              .wal_bytes_max = 16 << 20};
    fixture_start(fixture);
    *state = fixture;
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

int fixture_teardown(void **state)
{
    fixture_t *fixture = *state;
    fixture_stop(fixture);
    nftw(fixture->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(fixture);
    return 0;
}

/* --- running jobs --- */

typedef struct {
    hust_job_t job;
    answer_t *answers;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
    unsigned failure;
} run_t;

static void on_result(hust_job_t *job, size_t index, const hust_result_t *result)
{
    answer_t *answer = &((run_t *)job)->answers[index];
    answer->result = *result;
    answer->value.len = 0;
    hust_buf_append_slice(&answer->value, result->value);
    answer->result.value = hust_buf_slice(&answer->value);
}

static void on_done(hust_job_t *job, unsigned failure)
{
    run_t *run = (run_t *)job;
    pthread_mutex_lock(&run->lock);
    run->done = true;
    run->failure = failure;
    pthread_cond_signal(&run->wake);
    pthread_mutex_unlock(&run->lock);
}

static unsigned run_job(fixture_t *fixture, run_t *run)
{
    run->job.on_done = on_done;
    pthread_mutex_init(&run->lock, NULL);
    pthread_cond_init(&run->wake, NULL);
    hust_committer_submit(fixture->committer, &run->job);
    pthread_mutex_lock(&run->lock);
    while (!run->done) {
        pthread_cond_wait(&run->wake, &run->lock);
    }
    pthread_mutex_unlock(&run->lock);
    pthread_cond_destroy(&run->wake);
    pthread_mutex_destroy(&run->lock);
    return run->failure;
}

unsigned fixture_run(fixture_t *fixture, const hust_op_t *ops, size_t count, answer_t *answers)
{
    run_t run = {.job = {.ops = ops, .op_count = count, .on_result = on_result},
                 .answers = answers};
    return run_job(fixture, &run);
}

void answers_free(answer_t *answers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        hust_buf_free(&answers[i].value);
    }
}

hust_result_t fixture_do(fixture_t *fixture, hust_op_t op)
{
    answer_t answer = {0};
    assert_int_equal(fixture_run(fixture, &op, 1, &answer), 0);
    answers_free(&answer, 1);
    answer.result.value = (hust_slice_t){NULL, 0};
    return answer.result;
}

unsigned fixture_expire(fixture_t *fixture, const hust_element_t *expired, uint64_t instant_ms)
{
    uint8_t key[HUST_DATA_KEY_BYTES_MAX];
    const hust_expired_t one = {.data_key = {key, hust_data_key(expired, key)},
                                .instant_ms = instant_ms};
    run_t run = {.job = {.expired = &one, .expired_count = 1}};
    return run_job(fixture, &run);
}

/* --- operations --- */

hust_element_t element(hust_type_t type, const char *tb, const char *key)
{
    return (hust_element_t){
        .type = type, .tb = hust_slice_str(tb == NULL ? "" : tb), .key = hust_slice_str(key)};
}

hust_op_t direct(hust_op_code_t code, hust_element_t of, const char *value)
{
    return (hust_op_t){.code = code,
                       .flags = HUST_OPF_DIRECT,
                       .element = of,
                       .now_ms = hust_wall_ms(),
                       .value = hust_slice_str(value)};
}

hust_op_t expiring(hust_op_t op, uint64_t expire_at_ms)
{
    op.expire_at_ms = expire_at_ms;
    return op;
}

hust_op_t coordinated(hust_op_code_t code, hust_element_t of, const char *value, uint64_t stamp_ms,
                      bool solo)
{
    return (hust_op_t){
        .code = code,
        .flags = HUST_OPF_HAS_STAMP | (solo ? HUST_OPF_SOLO | HUST_OPF_HAS_TARGET : 0u),
        .element = of,
        .now_ms = hust_wall_ms(),
        .stamp = {.time = stamp_ms << 16, .writer = 7},
        .target = solo ? hust_slice_str(PEER) : hust_slice_str(""),
        .value = hust_slice_str(value),
    };
}

/* --- checks --- */

size_t fixture_count_keys(const fixture_t *fixture, hust_cf_t cf, const char *prefix)
{
    size_t count = 0;
    hust_scan_t *scan = hust_scan_begin(fixture->store, cf);
    assert_non_null(scan);
    hust_scan_seek(scan, hust_slice_str(prefix));
    for (; hust_scan_within(scan, hust_slice_str(prefix)); hust_scan_next(scan)) {
        count++;
    }
    hust_scan_end(scan);
    return count;
}

static bool has_key(const fixture_t *fixture, hust_cf_t cf, hust_slice_t key)
{
    hust_pinned_t found;
    assert_int_equal(hust_store_get(fixture->store, cf, key, &found), HUST_OK);
    hust_pin_release(found.pin);
    return found.pin != NULL;
}

static void add(hust_count_t *to, const hust_count_t *what)
{
    to->count += what->count;
    to->size += what->size;
    to->capacity += what->capacity;
    to->expiring += what->expiring;
}

/* What the records say, gathered in one walk. */
typedef struct {
    hust_count_t totals[HUST_TYPE_COUNT];
    size_t expiry_keys;
    size_t hints;
} truth_t;

static void check_record(const fixture_t *fixture, hust_slice_t key, hust_slice_t value,
                         truth_t *truth)
{
    uint8_t bytes[HUST_EXPIRY_KEY_BYTES_MAX];
    hust_element_t of;
    hust_stored_t stored;
    assert_int_equal(hust_data_key_parse(key, &of), HUST_OK);
    assert_int_equal(hust_stored_decode(value, &stored), HUST_OK);
    hust_footprint_t footprint = hust_footprint(of.key, &stored.record);
    unsigned index = 0;
    while (HUST_TYPES[index] != of.type) {
        index++;
    }
    add(&truth->totals[index], &footprint.count);
    truth->hints += stored.hint.present && stored.hint.has_target;
    if (footprint.expire_at_ms != 0) {
        size_t len = hust_expiry_key(footprint.expire_at_ms, key, bytes);
        assert_true(has_key(fixture, HUST_CF_EXPIRY, hust_slice_of(bytes, len)));
        truth->expiry_keys++;
    }
    if (footprint.expire_at_ms != 0 && of.type != HUST_TYPE_KV) {
        size_t len = hust_table_expiry_key(footprint.expire_at_ms, &of, bytes);
        assert_true(has_key(fixture, HUST_CF_EXPIRY, hust_slice_of(bytes, len)));
        truth->expiry_keys++;
    }
}

static void assert_count(hust_count_t got, hust_count_t expected)
{
    assert_int_equal(got.count, expected.count);
    assert_int_equal(got.size, expected.size);
    assert_int_equal(got.capacity, expected.capacity);
    assert_int_equal(got.expiring, expected.expiring);
}

static void check_tables(const fixture_t *fixture, const truth_t *truth)
{
    hust_count_t sums[HUST_TYPE_COUNT] = {{0}};
    hust_table_t *tables;
    size_t count;
    assert_int_equal(hust_counters_tables(fixture->counters, &tables, &count), HUST_OK);
    for (size_t i = 0; i < count; i++) {
        unsigned index = 0;
        while (HUST_TYPES[index] != tables[i].type) {
            index++;
        }
        assert_true(tables[i].count.count > 0);
        add(&sums[index], &tables[i].count);
    }
    free(tables);
    for (unsigned i = 0; i < HUST_TYPE_COUNT; i++) {
        assert_count(hust_counters_total(fixture->counters, HUST_TYPES[i]), truth->totals[i]);
        if (i > 0) {
            assert_count(sums[i], truth->totals[i]);
        }
    }
}

void fixture_check(const fixture_t *fixture)
{
    hust_backlog_t backlogs[HUST_BATCH_BACKLOGS_MAX];
    truth_t truth = {0};
    hust_scan_t *scan = hust_scan_begin(fixture->store, HUST_CF_DATA);
    assert_non_null(scan);
    hust_scan_seek(scan, hust_slice_str(""));
    for (; hust_scan_valid(scan); hust_scan_next(scan)) {
        check_record(fixture, hust_scan_key(scan), hust_scan_value(scan), &truth);
    }
    hust_scan_end(scan);
    check_tables(fixture, &truth);
    assert_int_equal(fixture_count_keys(fixture, HUST_CF_EXPIRY, ""), truth.expiry_keys);
    assert_int_equal(fixture_count_keys(fixture, HUST_CF_HINTS, ""), truth.hints);
    /* Late enough for every hint to be old. */
    unsigned targets = hust_hints_backlogs(fixture->hints, hust_wall_ms() + 3600000, backlogs);
    assert_int_equal(targets, truth.hints > 0 ? 1 : 0);
    if (targets == 1) {
        assert_int_equal(backlogs[0].hint_count, truth.hints);
    }
}
