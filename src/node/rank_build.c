#include "node/rank_build.h"

#include <assert.h>

#include "core/wire.h"
#include "node/keys.h"
#include "node/log.h"
#include "node/rank.h"

enum { CHUNK_MEMBERS = 1024 }; /* put into the order at a time */

typedef struct {
    hust_store_t *store;
    hust_rank_t *rank;
    hust_write_t *write;
} build_t;

static hust_error_t commit(build_t *build)
{
    if (hust_write_count(build->write) == 0) {
        return HUST_OK;
    }
    hust_rank_stage(build->rank, build->write);
    unsigned failure = hust_store_commit_lazily(build->store, build->write);
    hust_write_clear(build->write);
    if (failure != 0) {
        hust_rank_forget(build->rank);
        return HUST_ERR_IO;
    }
    hust_rank_settle(build->rank);
    return HUST_OK;
}

/* What an interrupted attempt left behind. */
static hust_error_t clear_rows(build_t *build)
{
    hust_scan_t *scan = hust_scan_begin(build->store, HUST_CF_RANK);
    hust_error_t err = scan == NULL ? HUST_ERR_NOMEM : HUST_OK;
    if (err == HUST_OK) {
        hust_scan_seek(scan, hust_slice_str(""));
    }
    while (err == HUST_OK && hust_scan_valid(scan)) {
        hust_write_delete(build->write, HUST_CF_RANK, hust_scan_key(scan));
        hust_scan_next(scan);
        if (hust_write_count(build->write) >= CHUNK_MEMBERS) {
            err = commit(build);
        }
    }
    hust_scan_end(scan);
    return err == HUST_OK ? commit(build) : err;
}

static hust_error_t add_member(build_t *build, hust_slice_t data_key, hust_slice_t value)
{
    static const hust_record_t nothing = {0};
    hust_element_t element;
    hust_stored_t held;
    hust_error_t err = hust_data_key_parse(data_key, &element);
    if (err == HUST_OK) {
        err = hust_stored_decode(value, &held);
    }
    if (err != HUST_OK) {
        return err;
    }
    assert(element.type == HUST_TYPE_ZSET);
    return hust_rank_change(build->rank, &element, &nothing, &held.record, build->write);
}

static hust_error_t add_members(build_t *build)
{
    hust_scan_t *scan = hust_scan_begin(build->store, HUST_CF_DATA);
    hust_error_t err = scan == NULL ? HUST_ERR_NOMEM : HUST_OK;
    if (err == HUST_OK) {
        hust_scan_seek(scan, hust_slice_str("Z"));
    }
    while (err == HUST_OK && hust_scan_within(scan, hust_slice_str("Z"))) {
        err = add_member(build, hust_scan_key(scan), hust_scan_value(scan));
        hust_scan_next(scan);
        if (err == HUST_OK && hust_write_count(build->write) >= CHUNK_MEMBERS) {
            err = commit(build);
        }
    }
    err = err == HUST_OK && scan != NULL ? hust_scan_error(scan) : err;
    hust_scan_end(scan);
    return err == HUST_OK ? commit(build) : err;
}

static hust_error_t set_format(build_t *build)
{
    uint8_t format[4];
    assert(hust_write_count(build->write) == 0);
    hust_put_u32(format, HUST_STORE_FORMAT);
    hust_write_put(build->write, HUST_CF_META, hust_slice_str("format"),
                   hust_slice_of(format, sizeof(format)));
    if (hust_store_commit(build->store, build->write) != 0) {
        return HUST_ERR_IO;
    }
    hust_store_sync(build->store);
    return hust_store_failure(build->store) == 0 ? HUST_OK : HUST_ERR_IO;
}

hust_error_t hust_rank_build(hust_store_t *store)
{
    assert(hust_store_format(store) == HUST_STORE_FORMAT_UNRANKED);
    build_t build = {.store = store, .rank = hust_rank_new(store), .write = hust_write_new(store)};
    hust_error_t err =
        build.rank == NULL || build.write == NULL ? HUST_ERR_NOMEM : clear_rows(&build);
    hust_log(HUST_LOG_INFO, "store: of an earlier release, bringing it up to date");
    if (err == HUST_OK) {
        err = add_members(&build);
    }
    if (err == HUST_OK) {
        err = set_format(&build);
    }
    if (err == HUST_OK) {
        hust_log(HUST_LOG_INFO, "store: up to date");
    } else {
        hust_log(HUST_LOG_ERROR, "store: cannot be brought up to date: %s", hust_error_text(err));
    }
    hust_rank_free(build.rank);
    hust_write_free(build.write);
    return err;
}
