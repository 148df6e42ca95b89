#include "core/apply.h"

#include <assert.h>
#include <xxhash.h>

#include "core/params.h"
#include "core/reconcile.h"

static const hust_stamp_t NO_STAMP = {0, 0};

/* In a conflict each node answers read2 with the side it accepted itself. */
static const hust_side_t *side_to_show(const hust_stored_t *held, bool own)
{
    const hust_record_t *record = &held->record;
    assert(record->side_count > 0);
    bool second = own && record->side_count == 2 &&
                  hust_stamp_compare(record->sides[1].stamp, held->hint.own) == 0;
    return &record->sides[second ? 1 : 0];
}

static unsigned held_flags(const hust_stored_t *held)
{
    unsigned flags = held->record.side_count == 2 ? HUST_RESULT_CONFLICT : 0;
    if (held->hint.present) {
        flags |= held->hint.has_target ? HUST_RESULT_HINTED : HUST_RESULT_MARKED;
    }
    return flags;
}

static void result_describe(const hust_side_t *side, hust_result_t *result)
{
    result->stamp = side->stamp;
    result->expire_at_ms = side->expire_at_ms;
    result->flags |= HUST_RESULT_HAS_STAMP;
}

void hust_read(const hust_stored_t *held, const hust_op_t *op, hust_result_t *result)
{
    assert(op->code == HUST_OP_GET);
    *result = (hust_result_t){.status = 404, .flags = held_flags(held)};
    if (held->record.side_count == 0) {
        return;
    }
    const hust_side_t *side = side_to_show(held, (op->flags & HUST_OPF_OWN) != 0);
    result_describe(side, result);
    if (!hust_side_is_live(side, op->now_ms)) {
        result->flags |= HUST_RESULT_DELETED;
        return;
    }
    result->version = side->version;
    if ((op->flags & HUST_OPF_HAS_IF_MATCH) != 0 &&
        hust_stamp_compare(side->stamp, op->if_match) != 0) {
        result->status = 412;
        result->flags |= HUST_RESULT_IF_FAILED;
        return;
    }
    result->status = 200;
    if ((op->flags & HUST_OPF_NO_VALUE) == 0) {
        result->value = side->value;
    }
}

/* The newest side if it is live by the operation's time, else NULL. */
static const hust_side_t *live_side(const hust_stored_t *held, const hust_op_t *op)
{
    if (held->record.side_count == 0 || !hust_side_is_live(&held->record.sides[0], op->now_ms)) {
        return NULL;
    }
    return &held->record.sides[0];
}

/* The version a write goes on from: the larger of two sides, 0 when nothing is live. */
static uint64_t live_version(const hust_stored_t *held, const hust_op_t *op)
{
    const hust_side_t *live = live_side(held, op);
    if (live == NULL) {
        return 0;
    }
    uint64_t version = live->version;
    if (held->record.side_count == 2 && held->record.sides[1].version > version) {
        version = held->record.sides[1].version;
    }
    return version;
}

static uint64_t version_after(uint64_t version)
{
    return version == UINT64_MAX ? version : version + 1;
}

static void refuse(hust_applied_t *out, unsigned status, unsigned flags, uint64_t version)
{
    assert(!out->changed);
    assert(!out->hint_added);
    out->result.status = status;
    out->result.flags |= flags;
    out->result.version = version;
}

/* False if a condition of the operation does not hold; then `out` says so. */
static bool conditions_hold(const hust_stored_t *held, const hust_op_t *op, hust_applied_t *out)
{
    const hust_side_t *live = live_side(held, op);
    uint64_t version = live == NULL ? 0 : live->version;
    if ((op->flags & HUST_OPF_HAS_VER) != 0 && op->ver != version) {
        refuse(out, 401, 0, version);
        return false;
    }
    bool failed = ((op->flags & HUST_OPF_HAS_IF_MATCH) != 0 &&
                   (live == NULL || hust_stamp_compare(live->stamp, op->if_match) != 0)) ||
                  ((op->flags & HUST_OPF_IF_EXISTS) != 0 && live == NULL) ||
                  ((op->flags & HUST_OPF_IF_ABSENT) != 0 && live != NULL);
    if (failed) {
        refuse(out, 412, HUST_RESULT_IF_FAILED, version);
    }
    return !failed;
}

/*
 * The stamp a write gets. A direct write is stamped here, after everything that is held; a
 * coordinated one brings its stamp, which must be sane: a single bad clock must not poison a key.
 */
static bool take_stamp(const hust_apply_env_t *env, const hust_stored_t *held, const hust_op_t *op,
                       hust_stamp_t *stamp)
{
    hust_stamp_t before = hust_record_stamp(&held->record);
    if ((op->flags & HUST_OPF_DIRECT) != 0) {
        (void)hust_clock_see(env->clock, before, env->wall_ms);
        *stamp = hust_clock_next(env->clock, env->wall_ms);
        if (hust_stamp_compare(*stamp, before) <= 0) {
            *stamp = hust_stamp_successor(before, env->clock->writer);
        }
        assert(hust_stamp_compare(*stamp, before) > 0);
        return true;
    }
    *stamp = op->stamp;
    return hust_clock_see(env->clock, op->stamp, env->wall_ms) || op->stamp.time == before.time + 1;
}

/* A stored write that the other master is known to miss, or that was made on this node alone. */
static void hint_write(const hust_stored_t *held, hust_stamp_t stamp, bool has_target,
                       hust_applied_t *out)
{
    hust_hint_t *hint = &out->next.hint;
    hust_stamp_t before = hust_record_stamp(&held->record);
    assert(!hust_stamp_is_none(stamp));
    assert(held->hint.present || !held->hint.has_target);
    bool follows_solo = held->hint.present && !hust_stamp_is_none(held->hint.solo) &&
                        hust_stamp_compare(held->hint.solo, before) == 0;
    bool took_effect = hust_stamp_compare(stamp, before) > 0;
    if (took_effect) {
        hint->base = follows_solo ? held->hint.base : before;
        hint->solo = stamp;
    } else if (!held->hint.present) {
        hint->base = before;
        hint->solo = NO_STAMP;
    }
    hint->present = true;
    hint->has_target = held->hint.has_target || has_target;
    hint->gen = held->hint.gen + 1;
    out->hint_added = has_target;
    out->result.gen = hint->gen;
    out->result.flags |= HUST_RESULT_HAS_GEN;
    out->changed = true;
}

static void note_solo(const hust_apply_env_t *env, const hust_stored_t *held, const hust_op_t *op,
                      hust_stamp_t stamp, hust_applied_t *out)
{
    bool has_target = (op->flags & HUST_OPF_HAS_TARGET) != 0;
    if ((op->flags & (HUST_OPF_SOLO | HUST_OPF_DECIDE)) != 0 && has_target) {
        hint_write(held, stamp, true, out);
    } else if ((op->flags & HUST_OPF_DIRECT) != 0 && env->replicated) {
        hint_write(held, stamp, false, out);
    }
}

/* The reply of a write that took part: what is held now, and what it found. */
static void result_of_write(const hust_stored_t *held, hust_applied_t *out)
{
    hust_result_t *result = &out->result;
    result->replaced = hust_record_stamp(&held->record);
    result->flags &= ~(unsigned)(HUST_RESULT_HINTED | HUST_RESULT_MARKED | HUST_RESULT_CONFLICT);
    result->flags |= HUST_RESULT_STORED | HUST_RESULT_HAS_REPLACED | held_flags(&out->next);
    if (out->next.record.side_count > 0) {
        result_describe(&out->next.record.sides[0], result);
    }
}

/* The two sides of a conflict are being replaced; a mark had to remember which one is ours. */
static void forget_own(hust_applied_t *out)
{
    if (out->next.record.side_count == 2 && !out->next.hint.has_target) {
        out->next.hint = (hust_hint_t){0};
    }
    out->next.hint.own = NO_STAMP;
}

static void replace_record(hust_applied_t *out, const hust_side_t *side)
{
    assert(side->deleted == (side->version == 0));
    assert(hust_stamp_compare(side->stamp, hust_record_stamp(&out->next.record)) > 0);
    forget_own(out);
    out->next.record = (hust_record_t){.side_count = 1, .sides = {*side}};
    out->changed = true;
}

static void put_content(const hust_apply_env_t *env, const hust_stored_t *held, const hust_op_t *op,
                        hust_stamp_t stamp, hust_slice_t value, hust_applied_t *out)
{
    uint64_t version = live_version(held, op);
    bool counts = (op->flags & HUST_OPF_AGAIN) == 0;
    int order = hust_stamp_compare(stamp, hust_record_stamp(&held->record));
    if (order > 0) {
        version = counts || version == 0 ? version_after(version) : version;
        hust_side_t side = {
            .stamp = stamp, .version = version, .expire_at_ms = op->expire_at_ms, .value = value};
        replace_record(out, &side);
    } else if (order < 0 && counts && version > 0) {
        /* It arrives after a later write: content goes by stamp, but it counts all the same. */
        version = version_after(version);
        out->next.record.sides[0].version = version;
        out->changed = true;
    }
    note_solo(env, held, op, stamp, out);
    out->result.status = 200;
    out->result.version = version;
    result_of_write(held, out);
}

static void delete_content(const hust_apply_env_t *env, const hust_stored_t *held,
                           const hust_op_t *op, hust_stamp_t stamp, hust_applied_t *out)
{
    uint64_t version = live_version(held, op);
    if (hust_stamp_compare(stamp, hust_record_stamp(&held->record)) > 0) {
        hust_side_t tombstone = {.stamp = stamp, .deleted = true};
        replace_record(out, &tombstone);
    }
    note_solo(env, held, op, stamp, out);
    out->result.status = version > 0 ? 200 : 404;
    out->result.version = version;
    if (version == 0) {
        out->result.flags |= HUST_RESULT_DELETED;
    }
    result_of_write(held, out);
}

/* Add delta to the number held; false (403) if it is no int64 or would overflow. */
static bool incremented(const hust_stored_t *held, const hust_op_t *op, hust_applied_t *out,
                        hust_slice_t *value)
{
    assert((op->flags & HUST_OPF_HAS_DELTA) != 0);
    int64_t number = 0;
    const hust_side_t *live = live_side(held, op);
    bool ok = live == NULL || hust_parse_i64(live->value, &number);
    bool subtract = (op->flags & HUST_OPF_SUBTRACT) != 0;
    bool overflow = subtract ? __builtin_sub_overflow(number, op->delta, &number)
                             : __builtin_add_overflow(number, op->delta, &number);
    if (!ok || overflow) {
        refuse(out, 403, 0, live == NULL ? 0 : live->version);
        return false;
    }
    char text[24];
    size_t len = hust_format_i64(number, text);
    assert(len <= sizeof(out->number));
    memcpy(out->number, text, len);
    *value = hust_slice_of(out->number, len);
    return true;
}

static void apply_write(const hust_apply_env_t *env, const hust_stored_t *held, const hust_op_t *op,
                        hust_applied_t *out)
{
    hust_stamp_t stamp;
    hust_slice_t value = op->value;
    if (!conditions_hold(held, op, out)) {
        return;
    }
    if (op->code == HUST_OP_INCR && !incremented(held, op, out, &value)) {
        return;
    }
    if (!take_stamp(env, held, op, &stamp)) {
        refuse(out, 503, 0, live_version(held, op));
        return;
    }
    if ((op->flags & HUST_OPF_DECIDE) != 0 &&
        hust_stamp_compare(hust_record_stamp(&held->record), stamp) >= 0) {
        refuse(out, 200, HUST_RESULT_BEHIND, live_version(held, op));
        result_describe(&held->record.sides[0], &out->result);
        return;
    }
    if (op->code == HUST_OP_DEL) {
        delete_content(env, held, op, stamp, out);
        return;
    }
    put_content(env, held, op, stamp, value, out);
    if (op->code == HUST_OP_INCR) {
        out->result.value = value;
    }
}

static bool side_content_equal(const hust_side_t *a, const hust_side_t *b)
{
    return a->deleted == b->deleted && hust_slice_equal(a->value, b->value);
}

/*
 * A merge that carries the stamp its writer replaced meets a write of which that writer knew
 * nothing and which may be on this master only: both sides are kept.
 */
static bool makes_conflict(const hust_stored_t *held, const hust_op_t *op, const hust_record_t *in)
{
    if ((op->flags & HUST_OPF_HAS_BASE) == 0 || !held->hint.present ||
        held->record.side_count != 1 || in->side_count != 1) {
        return false;
    }
    const hust_side_t *mine = &held->record.sides[0];
    const hust_side_t *theirs = &in->sides[0];
    bool stale = hust_stamp_compare(mine->stamp, op->base) == 0 ||
                 hust_stamp_compare(theirs->stamp, held->hint.base) == 0;
    return !stale && hust_stamp_compare(mine->stamp, theirs->stamp) != 0 &&
           !side_content_equal(mine, theirs);
}

static hust_record_t both_sides(const hust_side_t *a, const hust_side_t *b)
{
    bool a_newer = hust_stamp_compare(a->stamp, b->stamp) > 0;
    assert(hust_stamp_compare(a->stamp, b->stamp) != 0);
    return (hust_record_t){.side_count = 2, .sides = {a_newer ? *a : *b, a_newer ? *b : *a}};
}

static void apply_merge(const hust_apply_env_t *env, const hust_stored_t *held, const hust_op_t *op,
                        hust_applied_t *out)
{
    assert(op->code == HUST_OP_MERGE);
    hust_record_t in;
    if (hust_record_decode(op->value, &in) != HUST_OK) {
        refuse(out, 400, 0, live_version(held, op));
        return;
    }
    hust_stamp_t before = hust_record_stamp(&held->record);
    hust_stamp_t top = hust_record_stamp(&in);
    if (!hust_clock_see(env->clock, top, env->wall_ms) && top.time != before.time + 1) {
        refuse(out, 503, 0, live_version(held, op));
        return;
    }
    if (makes_conflict(held, op, &in)) {
        out->next.record = both_sides(&held->record.sides[0], &in.sides[0]);
        out->next.hint.own = before;
        out->next.hint.gen = held->hint.gen + 1;
        out->changed = true;
    } else if (hust_record_compare(&in, &held->record) > 0) {
        if (in.side_count == 1) {
            forget_own(out);
        }
        out->next.record = in;
        out->changed = true;
    }
    out->result.status = 200;
    out->result.version = live_version(&out->next, op);
    result_of_write(held, out);
}

/* A write turned out to be solo after it was stored: the hint is made, or its chain extended. */
static void apply_hint(const hust_stored_t *held, const hust_op_t *op, hust_applied_t *out)
{
    hust_hint_t *hint = &out->next.hint;
    bool has_write = (op->flags & (HUST_OPF_HAS_STAMP | HUST_OPF_HAS_BASE)) ==
                     (HUST_OPF_HAS_STAMP | HUST_OPF_HAS_BASE);
    hust_stamp_t stamp = has_write ? op->stamp : NO_STAMP;
    hust_stamp_t base = has_write ? op->base : hust_record_stamp(&held->record);
    if (!held->hint.present) {
        hint->base = base;
        hint->solo = stamp;
    } else if (has_write && hust_stamp_compare(hint->base, stamp) == 0) {
        hint->base = base; /* a later solo write took this one for common knowledge */
    } else if (has_write && hust_stamp_compare(hint->solo, stamp) < 0) {
        bool follows_solo = hust_stamp_compare(hint->solo, base) == 0;
        hint->base = follows_solo ? hint->base : base;
        hint->solo = stamp;
    }
    assert((op->flags & HUST_OPF_HAS_TARGET) != 0);
    hint->present = true;
    hint->has_target = true;
    hint->gen = held->hint.gen + 1;
    out->hint_added = true;
    out->changed = true;
    out->result.status = 200;
    out->result.gen = hint->gen;
    out->result.flags |= HUST_RESULT_HAS_GEN;
    out->result.version = live_version(held, op);
    result_of_write(held, out);
}

/* The two masters agreed on a record: the hint goes, unless something has happened since. */
static void apply_unhint(const hust_stored_t *held, const hust_op_t *op, hust_applied_t *out)
{
    bool agreed = held->hint.present && held->hint.gen == op->gen &&
                  hust_stamp_compare(hust_record_stamp(&held->record), op->stamp) == 0;
    if (agreed) {
        /* The generation lives on in a dropped hint only while something else is stored with it;
         * starting again at 1 is safe because the stamp is checked as well. */
        out->hint_dropped = held->hint.has_target;
        if (held->record.side_count == 2) {
            out->next.hint.has_target = false; /* a mark remembers which side is ours */
        } else {
            out->next.hint = (hust_hint_t){0};
        }
        out->changed = true;
    } else if (!held->hint.has_target) {
        out->hint_dropped = true; /* the list has it, if at all, for no reason */
    }
    out->result.status = 200;
    out->result.version = live_version(held, op);
    result_of_write(held, out);
}

/* True unless the operation is bound to a state, and it is another one by now. */
static bool is_as_shown(const hust_stored_t *held, const hust_op_t *op)
{
    const unsigned bound = HUST_OPF_HAS_STAMP | HUST_OPF_HAS_GEN;
    return (op->flags & bound) != bound ||
           (held->hint.gen == op->gen &&
            hust_stamp_compare(hust_record_stamp(&held->record), op->stamp) == 0);
}

/* The other master shows what it stores: hold what both are to hold. */
static void apply_reconcile(const hust_apply_env_t *env, const hust_stored_t *held,
                            const hust_op_t *op, hust_applied_t *out)
{
    hust_stored_t theirs;
    hust_reconciled_t reconciled;
    if (hust_stored_decode(op->value, &theirs) != HUST_OK) {
        refuse(out, 400, 0, live_version(held, op));
        return;
    }
    hust_stamp_t top = hust_record_stamp(&theirs.record);
    if (!hust_clock_see(env->clock, top, env->wall_ms) &&
        top.time != hust_record_stamp(&held->record).time + 1) {
        refuse(out, 503, 0, live_version(held, op));
        return;
    }
    if (!is_as_shown(held, op)) {
        refuse(out, 200, HUST_RESULT_BEHIND, live_version(held, op));
        return;
    }
    hust_reconcile(held, &theirs, op->now_ms, &reconciled);
    out->next = reconciled.next;
    out->changed = reconciled.changed;
    out->answer_held = !reconciled.agreed;
    out->result.status = 200;
    out->result.version = live_version(&out->next, op);
    result_of_write(held, out);
}

void hust_apply(const hust_apply_env_t *env, const hust_stored_t *held, const hust_op_t *op,
                hust_applied_t *out)
{
    assert(held->record.side_count <= 2);
    out->changed = false;
    out->hint_added = false;
    out->hint_dropped = false;
    out->answer_held = false;
    out->next = *held;
    out->result = (hust_result_t){.flags = held_flags(held)};
    switch (op->code) {
    case HUST_OP_GET:
        hust_read(held, op, &out->result);
        break;
    case HUST_OP_PUT:
    case HUST_OP_DEL:
    case HUST_OP_INCR:
        apply_write(env, held, op, out);
        break;
    case HUST_OP_MERGE:
        apply_merge(env, held, op, out);
        break;
    case HUST_OP_HINT:
        apply_hint(held, op, out);
        break;
    case HUST_OP_UNHINT:
        apply_unhint(held, op, out);
        break;
    case HUST_OP_RECONCILE:
        apply_reconcile(env, held, op, out);
        break;
    }
    assert(out->result.status != 0);
    assert(out->changed || !out->hint_added);
    assert(out->next.record.side_count >= held->record.side_count ||
           out->next.record.side_count == 1); /* nothing is ever forgotten here */
}

void hust_result_abridge(hust_result_t *result, size_t bytes_max, bool compared)
{
    if (result->value.len <= bytes_max) {
        return;
    }
    XXH128_canonical_t canonical = {{0}};
    _Static_assert(sizeof(canonical.digest) == HUST_VALUE_HASH_BYTES, "hash size");
    if (compared) {
        XXH128_canonicalFromHash(&canonical, XXH3_128bits(result->value.data, result->value.len));
    }
    memcpy(result->value_hash, canonical.digest, HUST_VALUE_HASH_BYTES);
    result->value_bytes = result->value.len;
    result->value = (hust_slice_t){NULL, 0};
    result->flags |= HUST_RESULT_LARGE;
}
