#include "node/hints.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/wire.h"
#include "node/hash.h"
#include "node/keys.h"
#include "node/log.h"

/* Stored as "hints/" | target -> count u64. */
static const char META_PREFIX[] = "hints/";

enum {
    META_PREFIX_BYTES = sizeof(META_PREFIX) - 1,
    /* One-second slots that remember how many of the counted hints are that young. */
    SLOT_COUNT = 4,
    SLOT_MS = 1000,
};

typedef struct {
    uint64_t second; /* wall time / SLOT_MS */
    uint64_t count;
} slot_t;

typedef struct target {
    UT_hash_handle hh;
    uint64_t count; /* committed */
    int64_t change; /* not yet */
    slot_t slots[SLOT_COUNT];
    size_t name_len;
    uint8_t name[HUST_TARGET_BYTES_MAX];
} target_t;

/* A list entry that the current changes touch. */
typedef struct pending {
    UT_hash_handle hh;
    target_t *target;
    bool stored; /* was listed before the changes */
    bool listed; /* is listed after them */
    uint64_t gen;
    uint64_t since_ms;
    size_t key_len;
    uint8_t key[];
} pending_t;

struct hust_hints {
    hust_store_t *store;
    pthread_mutex_t lock; /* of the targets */
    target_t *targets;
    pending_t *pending; /* the committer's own */
    atomic_bool any;    /* false: no target has a hint; spares readers the lock */
};

static target_t *find_target(const hust_hints_t *hints, hust_slice_t name)
{
    target_t *target = NULL;
    HASH_FIND(hh, hints->targets, name.data, name.len, target);
    return target;
}

static target_t *add_target(hust_hints_t *hints, hust_slice_t name)
{
    target_t *target = calloc(1, sizeof(*target));
    assert(find_target(hints, name) == NULL);
    assert(name.len >= 1 && name.len <= HUST_TARGET_BYTES_MAX);
    if (target == NULL) {
        return NULL;
    }
    target->name_len = name.len;
    memcpy(target->name, name.data, name.len);
    pthread_mutex_lock(&hints->lock);
    HASH_ADD(hh, hints->targets, name, name.len, target);
    pthread_mutex_unlock(&hints->lock);
    if (target->hh.tbl == NULL) {
        free(target);
        return NULL;
    }
    return target;
}

static hust_error_t load_one(hust_hints_t *hints, hust_slice_t key, hust_slice_t value)
{
    hust_slice_t name = hust_slice_of(key.data + META_PREFIX_BYTES, key.len - META_PREFIX_BYTES);
    if (name.len < 1 || name.len > HUST_TARGET_BYTES_MAX || value.len != 8) {
        return HUST_ERR_MALFORMED;
    }
    target_t *target = add_target(hints, name);
    if (target == NULL) {
        return HUST_ERR_NOMEM;
    }
    target->count = hust_get_u64(value.data);
    if (target->count > 0) {
        atomic_store(&hints->any, true);
    }
    return HUST_OK;
}

static hust_error_t load_all(hust_hints_t *hints)
{
    hust_error_t err = HUST_OK;
    hust_slice_t prefix = hust_slice_str(META_PREFIX);
    hust_scan_t *scan = hust_scan_begin(hints->store, HUST_CF_META);
    if (scan == NULL) {
        return HUST_ERR_NOMEM;
    }
    hust_scan_seek(scan, prefix);
    while (err == HUST_OK && hust_scan_within(scan, prefix)) {
        err = load_one(hints, hust_scan_key(scan), hust_scan_value(scan));
        hust_scan_next(scan);
    }
    hust_scan_end(scan);
    return err;
}

hust_error_t hust_hints_load(hust_store_t *store, hust_hints_t **out)
{
    hust_hints_t *hints = calloc(1, sizeof(*hints));
    *out = NULL;
    if (hints == NULL) {
        return HUST_ERR_NOMEM;
    }
    hints->store = store;
    pthread_mutex_init(&hints->lock, NULL);
    hust_error_t err = load_all(hints);
    if (err != HUST_OK) {
        hust_log(HUST_LOG_ERROR, "store: cannot read the hint counts: %s", hust_error_text(err));
        hust_hints_free(hints);
        return err;
    }
    *out = hints;
    return HUST_OK;
}

static void forget_pending(hust_hints_t *hints)
{
    pending_t *pending;
    pending_t *next;
    HASH_ITER(hh, hints->pending, pending, next)
    {
        HASH_DEL(hints->pending, pending);
        free(pending);
    }
    for (target_t *target = hints->targets; target != NULL; target = target->hh.next) {
        target->change = 0;
    }
}

void hust_hints_free(hust_hints_t *hints)
{
    target_t *target;
    target_t *next;
    if (hints == NULL) {
        return;
    }
    forget_pending(hints);
    HASH_ITER(hh, hints->targets, target, next)
    {
        HASH_DEL(hints->targets, target);
        free(target);
    }
    pthread_mutex_destroy(&hints->lock);
    free(hints);
}

/* What the store has under the entry's key. */
static hust_error_t look_up(hust_hints_t *hints, pending_t *pending)
{
    hust_pinned_t found;
    assert(!pending->stored && !pending->listed);
    hust_error_t err = hust_store_get(hints->store, HUST_CF_HINTS,
                                      hust_slice_of(pending->key, pending->key_len), &found);
    if (err == HUST_OK && found.pin != NULL) {
        err = hust_hint_value_parse(found.bytes, &pending->gen, &pending->since_ms);
        pending->stored = true;
        pending->listed = true;
    }
    hust_pin_release(found.pin);
    return err;
}

static hust_error_t add_pending(hust_hints_t *hints, hust_slice_t key, target_t *target,
                                pending_t **out)
{
    pending_t *pending = calloc(1, sizeof(*pending) + key.len);
    if (pending == NULL) {
        return HUST_ERR_NOMEM;
    }
    assert(key.len > target->name_len && key.len <= HUST_HINT_KEY_BYTES_MAX);
    pending->target = target;
    pending->key_len = key.len;
    memcpy(pending->key, key.data, key.len);
    hust_error_t err = look_up(hints, pending);
    if (err == HUST_OK) {
        HASH_ADD_KEYPTR(hh, hints->pending, pending->key, pending->key_len, pending);
        err = pending->hh.tbl == NULL ? HUST_ERR_NOMEM : HUST_OK;
    }
    if (err != HUST_OK) {
        free(pending);
        return err;
    }
    *out = pending;
    return HUST_OK;
}

/* The entry of an element and a target among the current changes, made if need be. */
static hust_error_t touch(hust_hints_t *hints, hust_slice_t name, hust_slice_t data_key,
                          pending_t **out)
{
    uint8_t bytes[HUST_HINT_KEY_BYTES_MAX];
    hust_slice_t key = hust_slice_of(bytes, hust_hint_key(name, data_key, bytes));
    target_t *target = find_target(hints, name);
    if (target == NULL) {
        target = add_target(hints, name);
    }
    if (target == NULL) {
        return HUST_ERR_NOMEM;
    }
    HASH_FIND(hh, hints->pending, key.data, key.len, *out);
    return *out != NULL ? HUST_OK : add_pending(hints, key, target, out);
}

hust_error_t hust_hints_add(hust_hints_t *hints, hust_slice_t target, hust_slice_t data_key,
                            uint64_t gen, uint64_t now_ms)
{
    pending_t *pending = NULL;
    hust_error_t err = touch(hints, target, data_key, &pending);
    if (err != HUST_OK) {
        return err;
    }
    assert(pending->target->name_len == target.len);
    if (!pending->listed) {
        pending->listed = true;
        pending->since_ms = now_ms;
        pending->target->change++;
    }
    pending->gen = gen;
    return HUST_OK;
}

hust_error_t hust_hints_drop(hust_hints_t *hints, hust_slice_t target, hust_slice_t data_key)
{
    pending_t *pending = NULL;
    hust_error_t err = touch(hints, target, data_key, &pending);
    if (err == HUST_OK && pending->listed) {
        pending->listed = false;
        pending->target->change--;
    }
    return err;
}

static void stage_count(const target_t *target, hust_write_t *write)
{
    uint8_t key[META_PREFIX_BYTES + HUST_TARGET_BYTES_MAX];
    uint8_t value[8];
    memcpy(key, META_PREFIX, META_PREFIX_BYTES);
    memcpy(key + META_PREFIX_BYTES, target->name, target->name_len);
    assert(target->change >= 0 || target->count >= (uint64_t)-target->change);
    hust_put_u64(value, target->count + (uint64_t)target->change);
    hust_write_put(write, HUST_CF_META, hust_slice_of(key, META_PREFIX_BYTES + target->name_len),
                   hust_slice_of(value, sizeof(value)));
}

void hust_hints_stage(hust_hints_t *hints, hust_write_t *write)
{
    for (const pending_t *pending = hints->pending; pending != NULL; pending = pending->hh.next) {
        hust_slice_t key = hust_slice_of(pending->key, pending->key_len);
        uint8_t value[HUST_HINT_VALUE_BYTES];
        if (pending->listed) {
            hust_hint_value(pending->gen, pending->since_ms, value);
            hust_write_put(write, HUST_CF_HINTS, key, hust_slice_of(value, sizeof(value)));
        } else if (pending->stored) {
            hust_write_delete(write, HUST_CF_HINTS, key);
        }
    }
    for (const target_t *target = hints->targets; target != NULL; target = target->hh.next) {
        if (target->change != 0) {
            stage_count(target, write);
        }
    }
}

/* A listed hint came or went: keep the slot of the second in which it was made in step. */
static void count_in_slot(target_t *target, uint64_t since_ms, bool came)
{
    uint64_t second = since_ms / SLOT_MS;
    slot_t *slot = &target->slots[second % SLOT_COUNT];
    if (came && slot->second != second) {
        *slot = (slot_t){.second = second};
    }
    if (slot->second == second && (came || slot->count > 0)) {
        slot->count += came ? 1 : UINT64_MAX; /* wraps to one less */
    }
}

void hust_hints_commit(hust_hints_t *hints)
{
    bool any = false;
    if (hints->pending == NULL) {
        return;
    }
    pthread_mutex_lock(&hints->lock);
    for (const pending_t *pending = hints->pending; pending != NULL; pending = pending->hh.next) {
        if (pending->listed != pending->stored) {
            count_in_slot(pending->target, pending->since_ms, pending->listed);
        }
    }
    for (target_t *target = hints->targets; target != NULL; target = target->hh.next) {
        assert(target->change >= 0 || target->count >= (uint64_t)-target->change);
        target->count += (uint64_t)target->change;
        any = any || target->count > 0;
    }
    atomic_store(&hints->any, any);
    pthread_mutex_unlock(&hints->lock);
    forget_pending(hints);
    assert(hints->pending == NULL);
}

void hust_hints_rollback(hust_hints_t *hints)
{
    forget_pending(hints);
}

static uint64_t old_count(const target_t *target, uint64_t now_ms)
{
    uint64_t oldest_young = now_ms < HUST_HINT_BACKLOG_MS ? 0 : now_ms - HUST_HINT_BACKLOG_MS;
    uint64_t young = 0;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        /* After the clock was set back nothing from the future is young. */
        if (target->slots[i].second >= oldest_young / SLOT_MS &&
            target->slots[i].second <= now_ms / SLOT_MS) {
            young += target->slots[i].count;
        }
    }
    assert(oldest_young <= now_ms);
    return young > target->count ? 0 : target->count - young;
}

uint64_t hust_hints_old(hust_hints_t *hints, hust_slice_t target, uint64_t now_ms)
{
    uint64_t count = 0;
    if (!atomic_load_explicit(&hints->any, memory_order_relaxed)) {
        return 0;
    }
    pthread_mutex_lock(&hints->lock);
    const target_t *found = find_target(hints, target);
    if (found != NULL) {
        count = old_count(found, now_ms);
    }
    pthread_mutex_unlock(&hints->lock);
    return count;
}

unsigned hust_hints_backlogs(hust_hints_t *hints, uint64_t now_ms,
                             hust_backlog_t out[HUST_BATCH_BACKLOGS_MAX])
{
    unsigned found = 0;
    if (!atomic_load_explicit(&hints->any, memory_order_relaxed)) {
        return 0;
    }
    pthread_mutex_lock(&hints->lock);
    for (const target_t *target = hints->targets; target != NULL && found < HUST_BATCH_BACKLOGS_MAX;
         target = target->hh.next) {
        uint64_t count = old_count(target, now_ms);
        if (count > 0) {
            out[found++] =
                (hust_backlog_t){.target = {target->name, target->name_len}, .hint_count = count};
        }
    }
    pthread_mutex_unlock(&hints->lock);
    assert(found <= HUST_BATCH_BACKLOGS_MAX);
    return found;
}
