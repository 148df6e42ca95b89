#include "core/answer.h"

#include <assert.h>

static hust_answer_header_t *add_header(hust_answer_t *answer, const char *name)
{
    assert(answer->header_count < HUST_ANSWER_HEADERS_MAX);
    hust_answer_header_t *header = &answer->headers[answer->header_count++];
    header->name = name;
    header->value_len = 0;
    return header;
}

static void add_text(hust_answer_t *answer, const char *name, hust_slice_t text)
{
    hust_answer_header_t *header = add_header(answer, name);
    assert(text.len < HUST_ANSWER_HEADER_BYTES);
    memcpy(header->value, text.data, text.len);
    header->value_len = text.len;
}

static void add_number(hust_answer_t *answer, const char *name, uint64_t number)
{
    hust_answer_header_t *header = add_header(answer, name);
    header->value_len = hust_format_u64(number, header->value);
}

static void add_etag(hust_answer_t *answer, hust_stamp_t stamp)
{
    hust_answer_header_t *header = add_header(answer, "ETag");
    header->value[0] = '"';
    hust_stamp_to_hex(stamp, header->value + 1);
    header->value[1 + HUST_STAMP_HEX_CHARS] = '"';
    header->value_len = HUST_STAMP_HEX_CHARS + 2;
}

static void add_versions(const hust_outcome_t *outcome, hust_answer_t *answer)
{
    if (outcome->differ) {
        add_number(answer, "Version1", outcome->versions[0]);
        add_number(answer, "Version2", outcome->versions[1]);
    } else if (outcome->has_version) {
        add_number(answer, "Version", outcome->version);
    }
}

/* If-Match and If-None-Match of a read that found a value with one stamp (RFC 9110, 13.2.2). */
static void apply_conditions(const hust_outcome_t *outcome, const hust_conditions_t *conditions,
                             hust_answer_t *answer)
{
    if (conditions == NULL || outcome->status != 200 || !outcome->has_etag) {
        return;
    }
    if (conditions->if_match.len > 0 && !hust_etag_match(conditions->if_match, outcome->etag)) {
        answer->status = 412;
        answer->text = "If-Match: is not the ETag held\n";
    } else if (conditions->if_none_match.len > 0 &&
               hust_etag_match(conditions->if_none_match, outcome->etag)) {
        answer->status = 304;
    }
}

static void add_body(const hust_outcome_t *outcome, hust_answer_t *answer)
{
    if (answer->status == 200 || answer->status == 409) {
        answer->value_count = outcome->value_count;
        for (unsigned i = 0; i < outcome->value_count; i++) {
            answer->body_bytes += hust_result_value_bytes(&outcome->values[i]);
        }
    } else if (answer->status != 304 && answer->status != 404) {
        if (answer->text == NULL) {
            answer->text = outcome->reason;
        }
        answer->body_bytes = answer->text == NULL ? 0 : strlen(answer->text);
    }
}

static void add_trouble(const hust_call_t *call, const hust_outcome_t *outcome,
                        hust_answer_t *answer)
{
    if (outcome->newer != 0) {
        add_number(answer, "Newer", outcome->newer);
    }
    if (outcome->sync_pending.len > 0) {
        add_text(answer, "Sync-Pending", outcome->sync_pending);
    }
    if (outcome->sync.len > 0) {
        add_text(answer, "Sync", outcome->sync);
    }
    if (outcome->unreachable.len > 0) {
        add_text(answer, "Unreachable", outcome->unreachable);
    }
    if (outcome->status == 503) {
        add_text(answer, "Retry-After", hust_slice_str("1"));
    }
    bool refused = outcome->has_version && outcome->status >= 401 && outcome->status != 404;
    if (call->class_ == HUST_CLASS_WRITE && refused) {
        add_text(answer, "VerError", hust_slice_str(outcome->ver_error ? "true" : "false"));
    }
}

void hust_answer_make(const hust_call_t *call, const hust_outcome_t *outcome,
                      const hust_conditions_t *conditions, hust_answer_t *answer)
{
    assert(outcome->status >= 200 && outcome->status <= 599);
    assert(outcome->value_count <= 2);
    answer->status = outcome->status;
    answer->header_count = 0;
    answer->body_bytes = 0;
    answer->text = NULL;
    answer->value_count = 0;
    if (call->class_ != HUST_CLASS_WRITE) {
        apply_conditions(outcome, conditions, answer);
    }
    add_versions(outcome, answer);
    if (outcome->has_val_offset) {
        bool first = outcome->value_count > 0 && outcome->value_master[0] == 0;
        add_number(answer, "Val-Offset", first ? hust_result_value_bytes(&outcome->values[0]) : 0);
    }
    if (outcome->has_etag) {
        add_etag(answer, outcome->etag);
    }
    add_trouble(call, outcome, answer);
    add_body(outcome, answer);
}
