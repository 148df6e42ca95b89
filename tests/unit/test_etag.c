/* Entity tags: conditions of reads and of writes. (RFC 9110, 13.1) */
#include "core/etag.h"
#include "unit.h"

#define OURS "\"018bcfe568000001deadbeef\""
#define THEIRS "\"018bcfe568000002deadbeef\""

static const hust_stamp_t ours = {.time = 0x018bcfe568000001, .writer = 0xdeadbeef};

static void test_a_list_that_names_the_stamp(void **state)
{
    (void)state;
    static const char *const matching[] = {
        "*",
        " * ",
        "\t*",
        OURS,
        " " OURS "\t",
        "W/" OURS,
        THEIRS ", " OURS,
        THEIRS "," OURS,
        OURS ", " THEIRS,
        "W/" THEIRS " , W/" OURS,
        ", ,, " OURS,
        OURS ",",
        "\"\", " OURS,
        "\"some other server's, with a comma\", " OURS,
    };
    for (size_t i = 0; i < COUNT_OF(matching); i++) {
        assert_row(hust_etag_match(hust_slice_str(matching[i]), ours), matching[i]);
    }
}

static void test_a_list_that_does_not(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",
        " ",
        ",",
        "**",
        "*, " THEIRS,
        THEIRS,
        "W/" THEIRS,
        THEIRS ", " THEIRS,
        "\"\"",
        "\"018bcfe568000001deadbee\"",
        "\"018bcfe568000001deadbeef0\"",
        "\"018BCFE568000001DEADBEEF\"", /* tags compare byte for byte */
        "018bcfe568000001deadbeef",
        "\"018bcfe568000001deadbeef",
        "018bcfe568000001deadbeef\"",
        "w/" OURS,
        "W/ " OURS,
        "W/",
        "W",
        "\"",
        "W/\"",
        "garbage " OURS,
        "x" OURS,
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_row(!hust_etag_match(hust_slice_str(others[i]), ours), others[i]);
    }
    assert_false(hust_etag_match((hust_slice_t){0}, ours));
}

/* Nothing is read past the end of the header. */
static void test_every_prefix_is_safe(void **state)
{
    (void)state;
    static const char header[] = "W/" THEIRS ", \"x\", " OURS;
    for (size_t len = 0; len < sizeof(header) - 1; len++) {
        uint8_t *exact = test_malloc(len + 1);
        memcpy(exact, header, len);
        assert_false(hust_etag_match(hust_slice_of(exact, len), ours));
        test_free(exact);
    }
    assert_true(hust_etag_match(BYTES(header), ours));
}

static unsigned conditions(const char *if_match, const char *if_none_match, hust_op_t *op,
                           char message[HUST_MESSAGE_BYTES])
{
    hust_conditions_t given = {0};
    if (if_match != NULL) {
        given.if_match = hust_slice_str(if_match);
    }
    if (if_none_match != NULL) {
        given.if_none_match = hust_slice_str(if_none_match);
    }
    *op = (hust_op_t){.code = HUST_OP_PUT};
    message[0] = '\0';
    return hust_etag_write_conditions(&given, op, message);
}

static void test_a_write_without_conditions(void **state)
{
    (void)state;
    hust_op_t op;
    char message[HUST_MESSAGE_BYTES];
    assert_int_equal(conditions(NULL, NULL, &op, message), 0);
    assert_int_equal(op.flags, 0);
    assert_false(hust_op_is_deciding(&op));
}

static void test_a_write_if_the_stamp_is_held(void **state)
{
    (void)state;
    hust_op_t op;
    char message[HUST_MESSAGE_BYTES];
    assert_int_equal(conditions(" " OURS " ", NULL, &op, message), 0);
    assert_int_equal(op.flags, HUST_OPF_HAS_IF_MATCH);
    assert_int_equal(hust_stamp_compare(op.if_match, ours), 0);
    assert_true(hust_op_is_deciding(&op));
}

static void test_a_write_if_anything_or_nothing_is_there(void **state)
{
    (void)state;
    hust_op_t op;
    char message[HUST_MESSAGE_BYTES];
    assert_int_equal(conditions("*", NULL, &op, message), 0);
    assert_int_equal(op.flags, HUST_OPF_IF_EXISTS);
    assert_int_equal(conditions(NULL, " *", &op, message), 0);
    assert_int_equal(op.flags, HUST_OPF_IF_ABSENT);
    /* Contradicting each other they make a write that never happens, not one that always does. */
    assert_int_equal(conditions("*", "*", &op, message), 0);
    assert_int_equal(op.flags, HUST_OPF_IF_EXISTS | HUST_OPF_IF_ABSENT);
}

/* A strong tag that no node ever gave out cannot match: 412 at the node, not a write. */
static void test_a_foreign_tag_is_a_condition_that_fails(void **state)
{
    (void)state;
    static const char *const foreign[] = {"\"\"", "\"abc\"", "\"018BCFE568000001DEADBEEF\"",
                                          "\"a, b\""};
    for (size_t i = 0; i < COUNT_OF(foreign); i++) {
        hust_op_t op;
        char message[HUST_MESSAGE_BYTES];
        assert_row(conditions(foreign[i], NULL, &op, message) == 0, foreign[i]);
        assert_row(op.flags == HUST_OPF_HAS_IF_MATCH, foreign[i]);
        assert_row(op.if_match.time == UINT64_MAX, foreign[i]);
        assert_row(hust_stamp_compare(op.if_match, ours) != 0, foreign[i]);
    }
}

static void test_other_conditions_are_refused(void **state)
{
    (void)state;
    static const char *const wrong_match[] = {
        "W/" OURS, OURS ", " THEIRS, OURS ",", "abc", "**", "* *", "\"open", ",",
        "W/",      "\"a\"b",         "",       " ",
    };
    hust_op_t op;
    char message[HUST_MESSAGE_BYTES];
    for (size_t i = 0; i < COUNT_OF(wrong_match); i++) {
        assert_row(conditions(wrong_match[i], NULL, &op, message) == 400, wrong_match[i]);
        assert_string_equal(message, "If-Match: neither one strong entity tag nor *");
    }
    static const char *const wrong_none_match[] = {OURS, "W/" OURS, "\"\"", "**", "abc", "", " "};
    for (size_t i = 0; i < COUNT_OF(wrong_none_match); i++) {
        assert_row(conditions(NULL, wrong_none_match[i], &op, message) == 400, wrong_none_match[i]);
        assert_string_equal(message, "If-None-Match: only * on a write");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list_that_names_the_stamp),
        cmocka_unit_test(test_a_list_that_does_not),
        cmocka_unit_test(test_every_prefix_is_safe),
        cmocka_unit_test(test_a_write_without_conditions),
        cmocka_unit_test(test_a_write_if_the_stamp_is_held),
        cmocka_unit_test(test_a_write_if_anything_or_nothing_is_there),
        cmocka_unit_test(test_a_foreign_tag_is_a_condition_that_fails),
        cmocka_unit_test(test_other_conditions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
