#include "node/committer.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/apply.h"
#include "core/wire.h"
#include "node/group.h"
#include "node/keys.h"
#include "node/log.h"
#include "node/tables.h"
#include "node/wall.h"

enum {
    GROUP_OPS_MAX = 4096,
    GROUP_BYTES_MAX = 32 << 20,  /* one job may exceed it alone */
    ANSWER_BYTES_KEPT = 1 << 20, /* a buffer that grew larger for a large value is given back */
};

static const char META_CLOCK[] = "clock";

struct hust_committer {
    hust_committer_env_t env;
    hust_group_t *group;
    hust_rank_t *rank;
    hust_write_t *write;
    hust_clock_t clock;
    atomic_uint_least64_t published_clock;
    atomic_uint_least64_t ops_done;
    atomic_uint_least64_t ops_waiting;
    hust_buf_t answer;            /* what a result borrows that is made for it */
    hust_room_t room;             /* on the disk, for the group */
    bool room_told;               /* that there is none for everything is in the log */
    hust_group_entry_t **entries; /* of the operations of the group, in order */
    size_t entries_room;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    hust_job_t *first; /* waiting jobs */
    hust_job_t *last;
    bool stopping;
};

static size_t job_ops(const hust_job_t *job)
{
    assert(job->op_count == 0 || job->expired_count == 0);
    return job->op_count + job->expired_count;
}

/* --- applying --- */

static bool set_entry(hust_committer_t *committer, hust_group_entry_t *entry,
                      const hust_stored_t *next)
{
    hust_footprint_t after = hust_footprint(entry->element.key, &next->record);
    assert(entry->loaded && entry->error == HUST_OK);
    if (hust_counters_change(committer->env.counters, &entry->element, &entry->footprint, &after) !=
        HUST_OK) {
        return false;
    }
    hust_group_set(entry, next);
    return true;
}

static hust_error_t list_hint(hust_committer_t *committer, const hust_group_entry_t *entry,
                              const hust_op_t *op, const hust_applied_t *applied, uint64_t wall_ms)
{
    if ((op->flags & HUST_OPF_HAS_TARGET) == 0) {
        return HUST_OK;
    }
    if (applied->hint_added) {
        return hust_hints_add(committer->env.hints, op->target, entry->key, applied->next.hint.gen,
                              wall_ms);
    }
    if (applied->hint_dropped) {
        return hust_hints_drop(committer->env.hints, op->target, entry->key);
    }
    return HUST_OK;
}

/* A table that is not there is worth telling, whatever the status. */
static void judge(hust_committer_t *committer, const hust_op_t *op, hust_result_t *result)
{
    if (op->code == HUST_OP_GET && result->status == 404) {
        hust_tables_judge_read(committer->env.counters, committer->env.store, op, result);
    }
}

/* A reconciliation that leaves something to do is answered with what was held. */
static hust_error_t answer_held(hust_committer_t *committer, const hust_stored_t *held,
                                hust_applied_t *applied)
{
    hust_buf_clear(&committer->answer);
    hust_error_t err = hust_stored_encode(held, &committer->answer);
    applied->result.value = hust_buf_slice(&committer->answer);
    return err;
}

/*
 * Returns the result, which is good until the next one; NULL: no memory, nothing done.
 */
static const hust_result_t *apply(hust_committer_t *committer, hust_group_entry_t *entry,
                                  const hust_op_t *op, hust_error_t *err)
{
    uint64_t wall_ms = hust_wall_ms();
    assert(entry->loaded && entry->error == HUST_OK);
    hust_apply_env_t env = {
        .wall_ms = wall_ms, .clock = &committer->clock, .replicated = committer->env.replicated};
    hust_applied_t *applied = hust_group_alloc(committer->group, sizeof(*applied));
    if (applied == NULL) {
        *err = HUST_ERR_NOMEM;
        return NULL;
    }
    if (hust_op_is_write(op) &&
        !hust_tables_allow_write(committer->env.counters, committer->env.store, op,
                                 &applied->result)) {
        return &applied->result;
    }
    hust_apply(&env, &entry->stored, op, applied);
    assert(hust_op_is_write(op) || !applied->changed);
    assert(!applied->hint_added || !applied->hint_dropped);
    assert(!applied->hint_added || applied->next.hint.present);
    if (applied->answer_held) {
        *err = answer_held(committer, &entry->stored, applied);
    }
    if (*err != HUST_OK) {
        return NULL;
    }
    if (applied->changed && !set_entry(committer, entry, &applied->next)) {
        *err = HUST_ERR_NOMEM;
        return NULL;
    }
    *err = list_hint(committer, entry, op, applied, wall_ms);
    judge(committer, op, &applied->result);
    return &applied->result;
}

/* What takes things away, so that there is room again. */
static bool makes_room(const hust_op_t *op)
{
    return op->code == HUST_OP_DEL || op->code == HUST_OP_UNHINT;
}

/* Look how much the disk has room for, and say so once when it changes. */
static void look_for_room(hust_committer_t *committer, const hust_job_t *jobs)
{
    size_t bytes = 0;
    for (const hust_job_t *job = jobs; job != NULL; job = job->next) {
        bytes += job->bytes;
    }
    committer->room = hust_store_room(committer->env.store, bytes);
    bool tight = committer->room != HUST_ROOM_ALL;
    if (tight != committer->room_told) {
        hust_log(HUST_LOG_WARN, tight ? "store: the disk is nearly full: writes are refused (507)"
                                      : "store: the disk has room again: writes are taken");
        committer->room_told = tight;
    }
}

/*
 * Refused before anything is looked at: 500 for an unreadable record, 507 when read-only or when
 * the disk has no room.
 */
static unsigned refusal(hust_committer_t *committer, const hust_group_entry_t *entry,
                        const hust_op_t *op)
{
    assert(entry->loaded);
    if (entry->error != HUST_OK) {
        return 500;
    }
    if (!hust_op_is_write(op)) {
        return 0;
    }
    hust_room_t needed = makes_room(op) ? HUST_ROOM_DELETES : HUST_ROOM_ALL;
    return committer->room < needed ? 507 : hust_store_failure(committer->env.store);
}

static hust_error_t run_ops(hust_committer_t *committer, hust_job_t *job,
                            hust_group_entry_t **entries)
{
    hust_error_t err = HUST_OK;
    assert(job->expired_count == 0);
    for (size_t i = 0; i < job->op_count && err == HUST_OK; i++) {
        const hust_op_t *op = &job->ops[i];
        hust_result_t refused = {.status = refusal(committer, entries[i], op)};
        const hust_result_t *result = &refused;
        if (refused.status == 0) {
            result = apply(committer, entries[i], op, &err);
        }
        if (err == HUST_OK && job->on_result != NULL) {
            job->on_result(job, i, result);
        }
    }
    return err;
}

/* The sweeper is no writer: the record keeps stamp and expiry and loses only its content. */
static hust_error_t mark_expired(hust_committer_t *committer, hust_group_entry_t *entry)
{
    hust_stored_t next = entry->stored;
    hust_side_t *side = &next.record.sides[0];
    assert(next.record.side_count > 0 && !side->deleted);
    side->deleted = true;
    side->version = 0;
    side->value = (hust_slice_t){NULL, 0};
    return set_entry(committer, entry, &next) ? HUST_OK : HUST_ERR_NOMEM;
}

static hust_error_t run_expired(hust_committer_t *committer, const hust_job_t *job,
                                hust_group_entry_t **entries)
{
    hust_error_t err = HUST_OK;
    assert(job->op_count == 0);
    if (hust_store_failure(committer->env.store) != 0) {
        return HUST_OK;
    }
    for (size_t i = 0; err == HUST_OK && i < job->expired_count; i++) {
        hust_group_entry_t *entry = entries[i];
        uint64_t instant_ms = job->expired[i].instant_ms;
        if (entry->error != HUST_OK) {
            continue;
        }
        if (entry->footprint.expire_at_ms == instant_ms) {
            err = mark_expired(committer, entry);
        } else if (entry->on_store.expire_at_ms != instant_ms) {
            /* Belongs to nothing, so nothing would ever take it away. */
            hust_group_drop_expiry(entry, instant_ms, committer->write);
        }
    }
    return err;
}

/* --- a group --- */

static bool make_room(hust_committer_t *committer, size_t count)
{
    if (count <= committer->entries_room) {
        return true;
    }
    hust_group_entry_t **entries =
        realloc(committer->entries, count * sizeof(hust_group_entry_t *));
    if (entries == NULL) {
        return false;
    }
    committer->entries = entries;
    committer->entries_room = count;
    assert(committer->entries_room > 0);
    return true;
}

static hust_error_t touch_job(hust_committer_t *committer, const hust_job_t *job,
                              hust_group_entry_t **entries)
{
    hust_error_t err = HUST_OK;
    for (size_t i = 0; err == HUST_OK && i < job_ops(job); i++) {
        hust_element_t element;
        if (job->expired_count == 0) {
            element = job->ops[i].element;
        } else {
            err = hust_data_key_parse(job->expired[i].data_key, &element);
        }
        if (err == HUST_OK) {
            err = hust_group_touch(committer->group, &element, &entries[i]);
        }
    }
    return err;
}

/* Read the records of everything that the jobs touch. */
static hust_error_t load_group(hust_committer_t *committer, const hust_job_t *jobs, size_t ops)
{
    size_t at = 0;
    if (!make_room(committer, ops)) {
        return HUST_ERR_NOMEM;
    }
    for (const hust_job_t *job = jobs; job != NULL; job = job->next) {
        hust_error_t err = touch_job(committer, job, committer->entries + at);
        if (err != HUST_OK) {
            return err;
        }
        at += job_ops(job);
    }
    assert(at == ops);
    return hust_group_load(committer->group);
}

static hust_error_t run_group(hust_committer_t *committer, hust_job_t *jobs, size_t ops)
{
    size_t at = 0;
    hust_error_t err = load_group(committer, jobs, ops);
    for (hust_job_t *job = jobs; err == HUST_OK && job != NULL; job = job->next) {
        hust_group_entry_t **entries = committer->entries + at;
        err = job->expired_count > 0 ? run_expired(committer, job, entries)
                                     : run_ops(committer, job, entries);
        at += job_ops(job);
        assert(at <= ops);
    }
    return err;
}

static void stage_clock(hust_committer_t *committer)
{
    uint8_t value[8];
    assert(committer->clock.last >= hust_committer_clock(committer));
    hust_put_u64(value, committer->clock.last);
    hust_write_put(committer->write, HUST_CF_META, hust_slice_str(META_CLOCK),
                   hust_slice_of(value, sizeof(value)));
}

static unsigned store_group(hust_committer_t *committer)
{
    hust_store_t *store = committer->env.store;
    hust_error_t err = hust_group_stage(committer->group, committer->rank, committer->write);
    if (err != HUST_OK) {
        hust_log(HUST_LOG_ERROR, "committer: %s", hust_error_text(err));
        return 500;
    }
    hust_hints_stage(committer->env.hints, committer->write);
    if (hust_write_count(committer->write) == 0) {
        return 0;
    }
    /* A sync in the background may have failed meanwhile. */
    if (hust_store_failure(store) != 0) {
        return hust_store_failure(store);
    }
    hust_counters_stage(committer->env.counters, committer->write);
    hust_rank_stage(committer->rank, committer->write);
    stage_clock(committer);
    return hust_store_commit(store, committer->write);
}

static unsigned commit_group(hust_committer_t *committer, hust_job_t *jobs, size_t ops)
{
    unsigned failure = 500;
    assert(jobs != NULL && ops > 0);
    assert(hust_write_count(committer->write) == 0);
    look_for_room(committer, jobs);
    hust_error_t err = run_group(committer, jobs, ops);
    if (err == HUST_OK) {
        failure = store_group(committer);
    } else {
        hust_log(HUST_LOG_ERROR, "committer: a group of %zu operations failed: %s", ops,
                 hust_error_text(err));
    }
    if (failure == 0) {
        hust_counters_commit(committer->env.counters);
        hust_hints_commit(committer->env.hints);
    } else {
        hust_counters_rollback(committer->env.counters);
        hust_hints_rollback(committer->env.hints);
        hust_rank_forget(committer->rank);
    }
    atomic_store_explicit(&committer->published_clock, committer->clock.last, memory_order_relaxed);
    atomic_fetch_add_explicit(&committer->ops_done, ops, memory_order_relaxed);
    atomic_fetch_sub_explicit(&committer->ops_waiting, ops, memory_order_relaxed);
    if (committer->answer.cap > ANSWER_BYTES_KEPT) {
        hust_buf_free(&committer->answer);
    }
    hust_write_clear(committer->write);
    hust_group_clear(committer->group);
    assert(failure == 0 || failure == 500 || failure == 507);
    return failure;
}

/* --- the queue --- */

/* Cut as many jobs off the queue as make one group. The lock is held and there is a job. */
static hust_job_t *take_group(hust_committer_t *committer, size_t *ops)
{
    hust_job_t *jobs = committer->first;
    hust_job_t *job = jobs;
    size_t bytes = jobs->bytes;
    *ops = job_ops(jobs);
    assert(*ops > 0);
    assert(committer->last->next == NULL);
    while (job->next != NULL && *ops + job_ops(job->next) <= GROUP_OPS_MAX &&
           bytes + job->next->bytes <= GROUP_BYTES_MAX) {
        job = job->next;
        *ops += job_ops(job);
        bytes += job->bytes;
    }
    committer->first = job->next;
    if (committer->first == NULL) {
        committer->last = NULL;
    }
    assert((committer->first == NULL) == (committer->last == NULL));
    job->next = NULL;
    return jobs;
}

/* The next group; NULL when the committer is to stop and nothing waits. */
static hust_job_t *wait_for_group(hust_committer_t *committer, size_t *ops)
{
    hust_job_t *jobs = NULL;
    pthread_mutex_lock(&committer->lock);
    while (committer->first == NULL && !committer->stopping) {
        pthread_cond_wait(&committer->wake, &committer->lock);
    }
    if (committer->first != NULL) {
        jobs = take_group(committer, ops);
    }
    pthread_mutex_unlock(&committer->lock);
    return jobs;
}

static void *run(void *arg)
{
    hust_committer_t *committer = arg;
    hust_job_t *jobs;
    size_t ops;
    while ((jobs = wait_for_group(committer, &ops)) != NULL) {
        unsigned failure = commit_group(committer, jobs, ops);
        while (jobs != NULL) {
            hust_job_t *job = jobs;
            jobs = job->next; /* the job is gone once it is done */
            job->on_done(job, failure);
        }
        hust_rank_settle(committer->rank);
    }
    return NULL;
}

void hust_committer_submit(hust_committer_t *committer, hust_job_t *job)
{
    assert(job->on_done != NULL);
    assert(job_ops(job) > 0);
    job->next = NULL;
    atomic_fetch_add_explicit(&committer->ops_waiting, job_ops(job), memory_order_relaxed);
    pthread_mutex_lock(&committer->lock);
    assert(!committer->stopping);
    bool idle = committer->first == NULL;
    if (idle) {
        committer->first = job;
    } else {
        committer->last->next = job;
    }
    committer->last = job;
    pthread_mutex_unlock(&committer->lock);
    if (idle) {
        pthread_cond_signal(&committer->wake);
    }
}

/* --- start and stop --- */

static hust_error_t load_clock(hust_committer_t *committer)
{
    hust_pinned_t found;
    hust_error_t err =
        hust_store_get(committer->env.store, HUST_CF_META, hust_slice_str(META_CLOCK), &found);
    if (err == HUST_OK && found.pin != NULL) {
        err = found.bytes.len == 8 ? HUST_OK : HUST_ERR_MALFORMED;
    }
    if (err == HUST_OK && found.pin != NULL) {
        committer->clock.last = hust_get_u64(found.bytes.data);
    }
    hust_pin_release(found.pin);
    uint32_t writer = 0;
    if (err == HUST_OK && getrandom(&writer, sizeof(writer), 0) != (ssize_t)sizeof(writer)) {
        err = HUST_ERR_IO;
    }
    committer->clock.writer = writer;
    atomic_store(&committer->published_clock, committer->clock.last);
    return err;
}

static void destroy(hust_committer_t *committer)
{
    hust_group_free(committer->group);
    hust_rank_free(committer->rank);
    hust_write_free(committer->write);
    free(committer->entries);
    hust_buf_free(&committer->answer);
    pthread_cond_destroy(&committer->wake);
    pthread_mutex_destroy(&committer->lock);
    free(committer);
}

hust_error_t hust_committer_start(const hust_committer_env_t *env, hust_committer_t **out)
{
    hust_committer_t *committer = calloc(1, sizeof(*committer));
    *out = NULL;
    if (committer == NULL) {
        return HUST_ERR_NOMEM;
    }
    assert(env->store != NULL && env->counters != NULL && env->hints != NULL);
    committer->env = *env;
    pthread_mutex_init(&committer->lock, NULL);
    pthread_cond_init(&committer->wake, NULL);
    committer->group = hust_group_new(env->store);
    committer->rank = hust_rank_new(env->store);
    committer->write = hust_write_new(env->store);
    hust_error_t err = load_clock(committer);
    if (committer->group == NULL || committer->rank == NULL || committer->write == NULL) {
        err = HUST_ERR_NOMEM;
    }
    if (err == HUST_OK && pthread_create(&committer->thread, NULL, run, committer) != 0) {
        err = HUST_ERR_IO;
    }
    if (err != HUST_OK) {
        hust_log(HUST_LOG_ERROR, "committer: cannot start: %s", hust_error_text(err));
        destroy(committer);
        return err;
    }
    *out = committer;
    return HUST_OK;
}

void hust_committer_stop(hust_committer_t *committer)
{
    pthread_mutex_lock(&committer->lock);
    committer->stopping = true;
    pthread_mutex_unlock(&committer->lock);
    pthread_cond_signal(&committer->wake);
    pthread_join(committer->thread, NULL);
    assert(committer->first == NULL);
    destroy(committer);
}

uint64_t hust_committer_clock(hust_committer_t *committer)
{
    return atomic_load_explicit(&committer->published_clock, memory_order_relaxed);
}

hust_committer_load_t hust_committer_load(hust_committer_t *committer)
{
    return (hust_committer_load_t){
        .done = atomic_load_explicit(&committer->ops_done, memory_order_relaxed),
        .waiting = atomic_load_explicit(&committer->ops_waiting, memory_order_relaxed),
    };
}
