#include "tally.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- counting ----------------------------------------------------------------------------- */

/* Below the number of steps one bucket per microsecond, above it that many per power of two. */
static unsigned latency_bucket(uint64_t us)
{
    unsigned shift = 0;
    while (us >> shift >= 2 * TALLY_LATENCY_STEPS) {
        shift++;
    }
    unsigned bucket = shift * TALLY_LATENCY_STEPS + (unsigned)(us >> shift);
    return bucket < TALLY_LATENCY_BUCKETS ? bucket : TALLY_LATENCY_BUCKETS - 1;
}

/* The smallest latency that falls into a bucket. */
static uint64_t latency_of_bucket(unsigned bucket)
{
    if (bucket < 2 * TALLY_LATENCY_STEPS) {
        return bucket;
    }
    unsigned shift = bucket / TALLY_LATENCY_STEPS - 1;
    return (uint64_t)(bucket % TALLY_LATENCY_STEPS + TALLY_LATENCY_STEPS) << shift;
}

static void count_sync(tally_t *tally, const char *target, uint64_t count)
{
    tally->sync_count += count;
    for (unsigned i = 0; i < tally->sync_targets; i++) {
        if (strcmp(tally->sync[i].target, target) == 0) {
            tally->sync[i].count += count;
            return;
        }
    }
    if (tally->sync_targets < TALLY_SYNC_MAX) {
        tally_sync_t *sync = &tally->sync[tally->sync_targets++];
        snprintf(sync->target, sizeof(sync->target), "%s", target);
        sync->count = count;
    }
}

static void report(tally_t *tally, unsigned client, const exchange_t *exchange,
                   const exchange_result_t *result)
{
    if (tally->report_count == TALLY_REPORTS_MAX) {
        return;
    }
    tally_report_t *entry = &tally->reports[tally->report_count++];
    char request[80];
    text_escape(exchange->line, request, sizeof(request));
    *entry = (tally_report_t){
        .id = exchange->id,
        .client = client,
        .fault = result->fault,
        .status = result->status,
    };
    int written = snprintf(entry->detail, sizeof(entry->detail), "%s", request);
    assert(written > 0 && (size_t)written < sizeof(entry->detail));
    snprintf(entry->detail + written, sizeof(entry->detail) - (size_t)written, ": %.150s",
             result->detail);
}

void tally_exchange(tally_t *tally, unsigned client, const exchange_t *exchange,
                    const exchange_result_t *result)
{
    assert(result->status < 600 && result->fault < FAULT_COUNT);
    tally->exchanges++;
    tally->faults[result->fault]++;
    tally->sends += result->attempts;
    if (result->attempts > 1) {
        tally->repeated++;
    }
    if (result->status != 0) {
        tally->statuses[result->status]++;
        tally->latency[latency_bucket(result->latency_us)]++;
        if (result->latency_us > tally->latency_max_us) {
            tally->latency_max_us = result->latency_us;
        }
    }
    if ((result->flags & EXCHANGE_SYNC) != 0) {
        count_sync(tally, result->sync, 1);
    }
    if (result->fault != FAULT_NONE) {
        report(tally, client, exchange, result);
    }
}

void tally_lost(tally_t *tally, fault_t fault, unsigned requests)
{
    tally->lost_connections[fault]++;
    tally->lost_requests += requests;
}

void tally_connected(tally_t *tally)
{
    tally->connections++;
}

void tally_add(tally_t *tally, const tally_t *from)
{
    tally->exchanges += from->exchanges;
    tally->repeated += from->repeated;
    tally->sends += from->sends;
    tally->connections += from->connections;
    tally->lost_requests += from->lost_requests;
    for (unsigned i = 0; i < FAULT_COUNT; i++) {
        tally->faults[i] += from->faults[i];
        tally->lost_connections[i] += from->lost_connections[i];
    }
    for (unsigned i = 0; i < 600; i++) {
        tally->statuses[i] += from->statuses[i];
    }
    for (unsigned i = 0; i < from->sync_targets; i++) {
        count_sync(tally, from->sync[i].target, from->sync[i].count);
    }
    for (unsigned i = 0; i < TALLY_LATENCY_BUCKETS; i++) {
        tally->latency[i] += from->latency[i];
    }
    if (from->latency_max_us > tally->latency_max_us) {
        tally->latency_max_us = from->latency_max_us;
    }
    for (unsigned i = 0; i < from->report_count && tally->report_count < TALLY_REPORTS_MAX; i++) {
        tally->reports[tally->report_count++] = from->reports[i];
    }
}

bool tally_is_clean(const tally_t *tally)
{
    return tally->faults[FAULT_NONE] == tally->exchanges &&
           tally->lost_connections[FAULT_EXTRA] == 0;
}

/* ---- JSON --------------------------------------------------------------------------------- */

static void set_count(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

static json_t *faults_json(const uint64_t counts[FAULT_COUNT])
{
    json_t *object = json_object();
    for (unsigned i = FAULT_NONE + 1; i < FAULT_COUNT; i++) {
        if (counts[i] != 0) {
            set_count(object, fault_text((fault_t)i), counts[i]);
        }
    }
    return object;
}

static json_t *statuses_json(const tally_t *tally)
{
    json_t *object = json_object();
    for (unsigned i = 0; i < 600; i++) {
        if (tally->statuses[i] != 0) {
            char name[8];
            snprintf(name, sizeof(name), "%u", i);
            set_count(object, name, tally->statuses[i]);
        }
    }
    return object;
}

static json_t *sync_json(const tally_t *tally)
{
    json_t *object = json_object();
    for (unsigned i = 0; i < tally->sync_targets; i++) {
        set_count(object, tally->sync[i].target, tally->sync[i].count);
    }
    return object;
}

static uint64_t latency_percentile(const tally_t *tally, double share)
{
    uint64_t answered = 0;
    for (unsigned i = 0; i < TALLY_LATENCY_BUCKETS; i++) {
        answered += tally->latency[i];
    }
    const double wanted = share * (double)answered;
    uint64_t below = 0;
    for (unsigned i = 0; i < TALLY_LATENCY_BUCKETS; i++) {
        below += tally->latency[i];
        if (below > 0 && (double)below >= wanted) {
            return latency_of_bucket(i);
        }
    }
    return 0;
}

static json_t *latency_json(const tally_t *tally)
{
    json_t *object = json_object();
    set_count(object, "p50", latency_percentile(tally, 0.50));
    set_count(object, "p90", latency_percentile(tally, 0.90));
    set_count(object, "p99", latency_percentile(tally, 0.99));
    set_count(object, "p999", latency_percentile(tally, 0.999));
    set_count(object, "max", tally->latency_max_us);
    return object;
}

static json_t *reports_json(const tally_t *tally)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < tally->report_count; i++) {
        const tally_report_t *entry = &tally->reports[i];
        json_t *object = json_object();
        set_count(object, "id", entry->id);
        set_count(object, "client", entry->client);
        set_count(object, "status", entry->status);
        json_object_set_new(object, "fault", json_string(fault_text(entry->fault)));
        json_object_set_new(object, "detail", json_string(entry->detail));
        json_array_append_new(array, object);
    }
    return array;
}

static uint64_t unanswered(const tally_t *tally)
{
    uint64_t count = 0;
    for (unsigned i = FAULT_EXTRA + 1; i < FAULT_COUNT; i++) {
        count += tally->faults[i];
    }
    return count;
}

json_t *tally_json(const tally_t *tally, double seconds)
{
    json_t *object = json_object();
    set_count(object, "exchanges", tally->exchanges);
    set_count(object, "good", tally->faults[FAULT_NONE]);
    set_count(object, "unanswered", unanswered(tally));
    json_object_set_new(object, "faults", faults_json(tally->faults));
    json_object_set_new(object, "statuses", statuses_json(tally));
    set_count(object, "sync_count", tally->sync_count);
    json_object_set_new(object, "sync", sync_json(tally));
    set_count(object, "sends", tally->sends);
    set_count(object, "repeated", tally->repeated);
    set_count(object, "connections", tally->connections);
    json_object_set_new(object, "lost_connections", faults_json(tally->lost_connections));
    set_count(object, "lost_requests", tally->lost_requests);
    json_object_set_new(object, "seconds", json_real(seconds));
    json_object_set_new(object, "latency_us", latency_json(tally));
    json_object_set_new(object, "reports", reports_json(tally));
    return object;
}

int tally_print(json_t *object)
{
    char *text = json_dumps(object, JSON_INDENT(1));
    json_decref(object);
    if (text == NULL || puts(text) < 0 || fflush(stdout) != 0) {
        free(text);
        return -1;
    }
    free(text);
    return 0;
}
