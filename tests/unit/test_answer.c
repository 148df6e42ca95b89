/* Answers: conditions of readers, header order, lengths. */
#include "world.h"

static hust_outcome_t found(void)
{
    return (hust_outcome_t){.status = 200,
                            .has_version = true,
                            .version = 3,
                            .value_count = 1,
                            .values = {{.status = 200, .value = hust_slice_str("hello")}},
                            .has_etag = true,
                            .etag = {.time = 0x0123456789abcdef, .writer = 5}};
}

static void assert_header(const hust_answer_t *answer, unsigned at, const char *name,
                          const char *value)
{
    assert_true(at < answer->header_count);
    assert_string_equal(answer->headers[at].name, name);
    assert_slice(hust_slice_of(answer->headers[at].value, answer->headers[at].value_len), value);
}

static void a_value_has_version_and_etag(void **state)
{
    (void)state;
    hust_outcome_t outcome = found();
    hust_answer_t answer;
    hust_answer_make(hust_call(HUST_CALL_GET), &outcome, NULL, &answer);
    assert_int_equal(answer.status, 200);
    assert_header(&answer, 0, "Version", "3");
    assert_header(&answer, 1, "ETag", "\"0123456789abcdef00000005\"");
    assert_int_equal(answer.header_count, 2);
    assert_int_equal(answer.body_bytes, 5);
    assert_int_equal(answer.value_count, 1);
}

static hust_answer_t conditional(const char *if_match, const char *if_none_match)
{
    hust_outcome_t outcome = found();
    hust_answer_t answer;
    hust_conditions_t conditions = {.if_match = hust_slice_str(if_match),
                                    .if_none_match = hust_slice_str(if_none_match)};
    hust_answer_make(hust_call(HUST_CALL_GET), &outcome, &conditions, &answer);
    return answer;
}

static void readers_conditions(void **state)
{
    (void)state;
    const char *tag = "\"0123456789abcdef00000005\"";
    const char *other = "\"000000000000000000000001\"";
    assert_int_equal(conditional("", tag).status, 304);
    assert_int_equal(conditional("", tag).body_bytes, 0);
    assert_int_equal(conditional("", tag).value_count, 0);
    assert_int_equal(conditional("", other).status, 200);
    assert_int_equal(conditional(tag, "").status, 200);
    assert_int_equal(conditional("*", "").status, 200);
    hust_answer_t failed = conditional(other, "");
    assert_int_equal(failed.status, 412);
    assert_non_null(failed.text);
    assert_int_equal(failed.body_bytes, strlen(failed.text));
    assert_int_equal(failed.value_count, 0);
}

static void absence_has_no_body(void **state)
{
    (void)state;
    hust_outcome_t outcome = {.status = 404, .has_version = true};
    hust_answer_t answer;
    hust_answer_make(hust_call(HUST_CALL_GET), &outcome, NULL, &answer);
    assert_header(&answer, 0, "Version", "0");
    assert_int_equal(answer.header_count, 1);
    assert_int_equal(answer.body_bytes, 0);
}

static void large_values_count_by_their_length(void **state)
{
    (void)state;
    hust_outcome_t outcome = {.status = 409,
                              .differ = true,
                              .versions = {1, 2},
                              .newer = 2,
                              .has_val_offset = true,
                              .value_count = 2,
                              .value_master = {0, 1},
                              .values = {{.flags = HUST_RESULT_LARGE, .value_bytes = 1 << 20},
                                         {.value = hust_slice_str("small")}}};
    hust_answer_t answer;
    hust_answer_make(hust_call(HUST_CALL_GET2), &outcome, NULL, &answer);
    assert_header(&answer, 0, "Version1", "1");
    assert_header(&answer, 1, "Version2", "2");
    assert_header(&answer, 2, "Val-Offset", "1048576");
    assert_header(&answer, 3, "Newer", "2");
    assert_int_equal(answer.body_bytes, (1 << 20) + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_has_version_and_etag),
        cmocka_unit_test(readers_conditions),
        cmocka_unit_test(absence_has_no_body),
        cmocka_unit_test(large_values_count_by_their_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
