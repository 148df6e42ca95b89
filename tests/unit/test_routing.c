/* The routing table: what is accepted, what it says, what is refused and why. */
#include <stdio.h>
#include <stdlib.h>

#include "core/routing.h"
#include "unit.h"

#define SECTION(start, end, a, b)                                                                  \
    "{\"item\":{\"key\":[" #start "," #end "],\"val\":[\"" a "\",\"" b "\"]}}"
#define TABLE(sections) "{\"table\":[" sections "]}"
#define ONE TABLE(SECTION(0, 1024, "a:1", "b:1"))

static hust_routing_t *parse(const char *json)
{
    hust_routing_t *routing;
    char message[HUST_ROUTING_MESSAGE_BYTES];
    hust_error_t err = hust_routing_parse(hust_slice_str(json), &routing, message);
    if (err != HUST_OK) {
        fail_msg("refused: %s: %s", message, json);
    }
    assert_string_equal(message, "");
    return routing;
}

static void assert_masters(const hust_routing_t *routing, unsigned bucket, const char *master1,
                           const char *master2)
{
    unsigned masters[2];
    hust_routing_masters(routing, bucket, masters);
    assert_string_equal(hust_routing_peer(routing, masters[0])->address, master1);
    assert_string_equal(hust_routing_peer(routing, masters[1])->address, master2);
}

static void test_one_section(void **state)
{
    (void)state;
    hust_routing_t *routing = parse(ONE);
    assert_int_equal(hust_routing_peer_count(routing), 2);
    for (unsigned bucket = 0; bucket < HUST_BUCKET_COUNT; bucket++) {
        assert_masters(routing, bucket, "a:1", "b:1");
    }
    hust_routing_free(routing);
}

static void test_sections_meet_at_their_borders(void **state)
{
    (void)state;
    hust_routing_t *routing =
        parse(TABLE(SECTION(0, 1, "a:1", "b:1") "," SECTION(1, 512, "b:1", "c:1") "," SECTION(
            512, 1023, "[::1]:9", "a:1") "," SECTION(1023, 1024, "d:1", "c:1")));
    assert_masters(routing, 0, "a:1", "b:1");
    assert_masters(routing, 1, "b:1", "c:1");
    assert_masters(routing, 511, "b:1", "c:1");
    assert_masters(routing, 512, "[::1]:9", "a:1");
    assert_masters(routing, 1022, "[::1]:9", "a:1");
    assert_masters(routing, 1023, "d:1", "c:1");
    hust_routing_free(routing);
}

static void test_peers_in_order_of_first_appearance(void **state)
{
    (void)state;
    hust_routing_t *routing = parse(TABLE(SECTION(0, 9, "c:1", "a:1") "," SECTION(
        9, 99, "a:1", "[::1]:1") "," SECTION(99, 1024, "b:1", "C:1")));
    static const char *const expected[] = {"c:1", "a:1", "[::1]:1", "b:1"};
    assert_int_equal(hust_routing_peer_count(routing), COUNT_OF(expected));
    for (unsigned i = 0; i < COUNT_OF(expected); i++) {
        assert_string_equal(hust_routing_peer(routing, i)->address, expected[i]);
        assert_int_equal(hust_routing_peer(routing, i)->port, 1);
    }
    assert_string_equal(hust_routing_peer(routing, 2)->host, "::1");
    hust_routing_free(routing);
}

/* As many sections as there are buckets, each with two nodes of its own. */
static void test_the_largest_table(void **state)
{
    (void)state;
    size_t cap = 100 * HUST_SECTIONS_MAX;
    char *json = test_malloc(cap);
    size_t len = (size_t)snprintf(json, cap, "{\"table\":[");
    for (unsigned i = 0; i < HUST_SECTIONS_MAX; i++) {
        len += (size_t)snprintf(json + len, cap - len,
                                "%s{\"item\":{\"key\":[%u,%u],\"val\":[\"a%u:1\",\"b%u:1\"]}}",
                                i == 0 ? "" : ",", i, i + 1, i, i);
    }
    snprintf(json + len, cap - len, "]}");
    hust_routing_t *routing = parse(json);
    assert_int_equal(hust_routing_peer_count(routing), HUST_PEERS_MAX);
    assert_masters(routing, 0, "a0:1", "b0:1");
    assert_masters(routing, 1023, "a1023:1", "b1023:1");
    hust_routing_free(routing);
    test_free(json);
}

/* ---- a cluster that changes ----------------------------------------------------------------- */

#define RANGE(start, end, a, b) "{\"key\":[" #start "," #end "],\"val\":[\"" a "\",\"" b "\"]}"
#define GROWING(low, high)                                                                         \
    TABLE("{\"item\":" RANGE(0, 1024, "a:1", "b:1") ",\"increase\":{\"low\":" low                  \
                                                    ",\"high\":" high "}}")
#define SHRINKING(removed, added)                                                                  \
    TABLE("{\"item\":" RANGE(0, 1024, "a:1", "b:1") ",\"decrease\":{\"remove\":\"" removed         \
                                                    "\",\"replace_by\":\"" added "\"}}")

/* The old pair stays authoritative; the new node is known, as it receives every write. */
static void test_a_section_that_is_split(void **state)
{
    (void)state;
    static const char *const files[] = {
        GROWING(RANGE(0, 512, "a:1", "n:1"), RANGE(512, 1024, "n:1", "b:1")),
        GROWING(RANGE(0, 1, "n:1", "a:1"), RANGE(1, 1024, "b:1", "n:1")),
    };
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        hust_routing_t *routing = parse(files[i]);
        assert_int_equal(hust_routing_peer_count(routing), 3);
        assert_string_equal(hust_routing_peer(routing, 2)->address, "n:1");
        assert_masters(routing, 0, "a:1", "b:1");
        assert_masters(routing, 600, "a:1", "b:1");
        hust_routing_free(routing);
    }
}

static void test_a_master_that_is_replaced(void **state)
{
    (void)state;
    static const char *const files[] = {SHRINKING("a:1", "n:1"), SHRINKING("B:1", "n:1")};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        hust_routing_t *routing = parse(files[i]);
        assert_int_equal(hust_routing_peer_count(routing), 3);
        assert_masters(routing, 0, "a:1", "b:1");
        hust_routing_free(routing);
    }
}

/* Sections whose masters are all different, each of them being replaced by yet another node. */
static void test_too_many_nodes(void **state)
{
    (void)state;
    size_t cap = 200 * HUST_SECTIONS_MAX;
    char *json = test_malloc(cap);
    hust_routing_t *routing;
    char message[HUST_ROUTING_MESSAGE_BYTES];
    size_t len = (size_t)snprintf(json, cap, "{\"table\":[");
    for (unsigned i = 0; i < HUST_SECTIONS_MAX; i++) {
        len += (size_t)snprintf(json + len, cap - len,
                                "%s{\"item\":{\"key\":[%u,%u],\"val\":[\"a%u:1\",\"b%u:1\"]},"
                                "\"decrease\":{\"remove\":\"a%u:1\",\"replace_by\":\"c%u:1\"}}",
                                i == 0 ? "" : ",", i, i + 1, i, i, i, i);
    }
    snprintf(json + len, cap - len, "]}");
    assert_int_equal(hust_routing_parse(hust_slice_str(json), &routing, message),
                     HUST_ERR_MALFORMED);
    assert_string_equal(message, "section 682: decrease.replace_by: more than 2048 nodes");
    test_free(json);
}

/* ---- form and meaning ----------------------------------------------------------------------- */

static void test_canonical_json(void **state)
{
    (void)state;
    hust_routing_t *routing = parse("\n{ \"table\" : [ { \"item\":\t{\"val\":[\"a:1\",\"b:1\"],"
                                    "\"key\":[0, 1024]} } ] }\n");
    assert_bytes(hust_routing_json(routing), ONE);
    hust_routing_free(routing);
}

static void test_canonical_json_reads_back(void **state)
{
    (void)state;
    hust_routing_t *routing =
        parse(GROWING(RANGE(0, 512, "a:1", "n:1"), RANGE(512, 1024, "n:1", "b:1")));
    hust_slice_t json = hust_routing_json(routing);
    hust_routing_t *again;
    char message[HUST_ROUTING_MESSAGE_BYTES];
    assert_int_equal(hust_routing_parse(json, &again, message), HUST_OK);
    assert_true(hust_slice_equal(hust_routing_json(again), json));
    assert_true(hust_routing_epoch(again) == hust_routing_epoch(routing));
    hust_routing_free(again);
    hust_routing_free(routing);
}

static uint64_t epoch_of(const char *json)
{
    hust_routing_t *routing = parse(json);
    uint64_t epoch = hust_routing_epoch(routing);
    hust_routing_free(routing);
    return epoch;
}

static void test_epoch_is_that_of_the_meaning(void **state)
{
    (void)state;
    uint64_t epoch = epoch_of(ONE);
    assert_true(epoch != 0);
    assert_true(epoch == epoch_of("{\"table\": [{\"item\":{\"val\":[\"a:1\", \"b:1\"],"
                                  "\"key\":[0,1024]}}]}"));
    static const char *const others[] = {
        TABLE(SECTION(0, 1024, "b:1", "a:1")),
        TABLE(SECTION(0, 1024, "a:1", "b:2")),
        TABLE(SECTION(0, 511, "a:1", "b:1") "," SECTION(511, 1024, "b:1", "a:1")),
        TABLE(SECTION(0, 512, "a:1", "b:1") "," SECTION(512, 1024, "b:1", "a:1")),
        SHRINKING("a:1", "n:1"),
        SHRINKING("b:1", "n:1"),
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_row(epoch_of(others[i]) != epoch, others[i]);
        for (size_t j = 0; j < i; j++) {
            assert_row(epoch_of(others[i]) != epoch_of(others[j]), others[i]);
        }
    }
}

/* ---- refusals ------------------------------------------------------------------------------- */

typedef struct {
    const char *json;
    const char *message;
} refused_t;

#define ITEM(content) TABLE("{\"item\":{" content "}}")
#define VAL "\"val\":[\"a:1\",\"b:1\"]"
#define KEY "\"key\":[0,1024]"

static const refused_t refused[] = {
    {"[]", "not an object of one array `table`"},
    {"{}", "not an object of one array `table`"},
    {"{\"table\":{}}", "not an object of one array `table`"},
    {"{\"table\":[],\"version\":1}", "not an object of one array `table`"},
    {"{\"tables\":[]}", "not an object of one array `table`"},
    {"{\"table\":[]}", "the sections end at 0, not at 1024"},
    {TABLE("1"), "section 0: not an object with an item"},
    {TABLE("{}"), "section 0: not an object with an item"},
    {TABLE("{\"item\":{" KEY "," VAL "},\"increse\":{}}"),
     "section 0: a member other than item, increase and decrease"},
    {TABLE("{\"item\":7}"), "section 0: item: not an object of key and val"},
    {ITEM(KEY), "section 0: item: not an object of key and val"},
    {ITEM(VAL), "section 0: item: not an object of key and val"},
    {ITEM(KEY "," VAL ",\"x\":1"), "section 0: item: not an object of key and val"},
    {ITEM("\"key\":1024," VAL), "section 0: item.key: not two whole numbers 0..1024"},
    {ITEM("\"key\":[0]," VAL), "section 0: item.key: not two whole numbers 0..1024"},
    {ITEM("\"key\":[0,512,1024]," VAL), "section 0: item.key: not two whole numbers 0..1024"},
    {ITEM("\"key\":[0,1024.0]," VAL), "section 0: item.key: not two whole numbers 0..1024"},
    {ITEM("\"key\":[\"0\",1024]," VAL), "section 0: item.key: not two whole numbers 0..1024"},
    {ITEM("\"key\":[0,1025]," VAL), "section 0: item.key: not two whole numbers 0..1024"},
    {ITEM("\"key\":[-1,1024]," VAL), "section 0: item.key: not two whole numbers 0..1024"},
    {ITEM("\"key\":[0,4294968320]," VAL), "section 0: item.key: not two whole numbers 0..1024"},
    {ITEM("\"key\":[0,0]," VAL), "section 0: item.key: start 0 is not before end 0"},
    {ITEM("\"key\":[9,8]," VAL), "section 0: item.key: start 9 is not before end 8"},
    {ITEM(KEY ",\"val\":\"a:1\""), "section 0: item.val: not exactly two host:port"},
    {ITEM(KEY ",\"val\":[\"a:1\"]"), "section 0: item.val: not exactly two host:port"},
    {ITEM(KEY ",\"val\":[\"a:1\",\"b:1\",\"c:1\"]"),
     "section 0: item.val: not exactly two host:port"},
    {ITEM(KEY ",\"val\":[\"a:1\",2]"), "section 0: item.val[1]: not a string host:port"},
    {ITEM(KEY ",\"val\":[\"a\",\"b:1\"]"), "section 0: item.val[0]: not host:port"},
    {ITEM(KEY ",\"val\":[\"a:1\",\"b:0\"]"), "section 0: item.val[1]: not host:port"},
    {ITEM(KEY ",\"val\":[\"a:1\",\"a:1\"]"), "section 0: item.val: twice the same node"},
    {ITEM(KEY ",\"val\":[\"a:1\",\"A:1\"]"), "section 0: item.val: twice the same node"},
    {ITEM(KEY ",\"val\":[\"[::1]:1\",\"[0::1]:1\"]"), "section 0: item.val: twice the same node"},
    {TABLE(SECTION(1, 1024, "a:1", "b:1")), "section 0: item.key: begins at 1, not at 0"},
    {TABLE(SECTION(0, 1023, "a:1", "b:1")), "the sections end at 1023, not at 1024"},
    {TABLE(SECTION(0, 512, "a:1", "b:1") "," SECTION(513, 1024, "a:1", "b:1")),
     "section 1: item.key: begins at 513, not at 512"},
    {TABLE(SECTION(0, 512, "a:1", "b:1") "," SECTION(511, 1024, "a:1", "b:1")),
     "section 1: item.key: begins at 511, not at 512"},
    {TABLE(SECTION(512, 1024, "a:1", "b:1") "," SECTION(0, 512, "a:1", "b:1")),
     "section 0: item.key: begins at 512, not at 0"},
    {TABLE(SECTION(0, 1024, "a:1", "b:1") "," SECTION(0, 1024, "a:1", "b:1")),
     "section 1: item.key: begins at 0, not at 1024"},
};

static const refused_t refused_changes[] = {
    {TABLE("{\"item\":{" KEY "," VAL "},\"increase\":{}}"),
     "section 0: increase: not an object of low and high"},
    {TABLE("{\"item\":{" KEY "," VAL "},\"increase\":null}"),
     "section 0: increase: not an object of low and high"},
    {GROWING("1", RANGE(512, 1024, "n:1", "b:1")),
     "section 0: increase.low: not an object of key and val"},
    {GROWING(RANGE(0, 512, "a:1", "n:1"), RANGE(512, 1024, "n:1", "b")),
     "section 0: increase.high.val[1]: not host:port"},
    {GROWING(RANGE(0, 511, "a:1", "n:1"), RANGE(512, 1024, "n:1", "b:1")),
     "section 0: increase: low.key and high.key do not make up item.key"},
    {GROWING(RANGE(1, 512, "a:1", "n:1"), RANGE(512, 1024, "n:1", "b:1")),
     "section 0: increase: low.key and high.key do not make up item.key"},
    {GROWING(RANGE(0, 512, "a:1", "n:1"), RANGE(512, 1023, "n:1", "b:1")),
     "section 0: increase: low.key and high.key do not make up item.key"},
    {GROWING(RANGE(512, 1024, "a:1", "n:1"), RANGE(0, 512, "n:1", "b:1")),
     "section 0: increase: low.key and high.key do not make up item.key"},
    {GROWING(RANGE(0, 512, "b:1", "n:1"), RANGE(512, 1024, "n:1", "b:1")),
     "section 0: increase: low does not keep master1"},
    {GROWING(RANGE(0, 512, "a:1", "n:1"), RANGE(512, 1024, "n:1", "a:1")),
     "section 0: increase: high does not keep master2"},
    {GROWING(RANGE(0, 512, "a:1", "n:1"), RANGE(512, 1024, "m:1", "b:1")),
     "section 0: increase: low and high do not get the same new node"},
    {GROWING(RANGE(0, 512, "a:1", "b:1"), RANGE(512, 1024, "a:1", "b:1")),
     "section 0: increase: low and high do not get the same new node"},
    {TABLE("{\"item\":{" KEY "," VAL "},\"decrease\":{\"remove\":\"a:1\"}}"),
     "section 0: decrease: not an object of remove and replace_by"},
    {TABLE("{\"item\":{" KEY "," VAL "},\"decrease\":[]}"),
     "section 0: decrease: not an object of remove and replace_by"},
    {SHRINKING("n:1", "m:1"), "section 0: decrease.remove: not a master of the section"},
    {SHRINKING("a:1", "b:1"), "section 0: decrease.replace_by: already a master of the section"},
    {SHRINKING("a:1", "a:1"), "section 0: decrease.replace_by: already a master of the section"},
    {SHRINKING("a", "n:1"), "section 0: decrease.remove: not host:port"},
    {SHRINKING("a:1", "n"), "section 0: decrease.replace_by: not host:port"},
    {TABLE(
         "{\"item\":{" KEY "," VAL
         "},\"increase\":{\"low\":" RANGE(0, 512, "a:1", "n:1") ",\"high\":" RANGE(
             512, 1024, "n:1", "b:1") "},"
                                      "\"decrease\":{\"remove\":\"a:1\",\"replace_by\":\"n:1\"}}"),
     "section 0: increase and decrease in one file"},
    {TABLE("{\"item\":" RANGE(0, 512, "a:1",
                              "b:1") ",\"decrease\":{\"remove\":\"a:1\","
                                     "\"replace_by\":\"n:1\"}},{\"item\":" RANGE(
                                         512, 1024, "a:1",
                                         "b:1") ","
                                                "\"increase\":{\"low\":" RANGE(
                                                    512, 600, "a:1",
                                                    "n:1") ",\"high\":" RANGE(600, 1024, "n:1",
                                                                              "b:1") "}}"),
     "section 1: increase and decrease in one file"},
};

static void assert_refused(const refused_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        hust_routing_t *routing = (hust_routing_t *)&routing;
        char message[HUST_ROUTING_MESSAGE_BYTES];
        hust_error_t err = hust_routing_parse(hust_slice_str(rows[i].json), &routing, message);
        assert_row(err == HUST_ERR_MALFORMED, rows[i].json);
        assert_row(routing == NULL, rows[i].json);
        assert_string_equal(message, rows[i].message);
    }
}

static void test_refusals_say_why_and_where(void **state)
{
    (void)state;
    assert_refused(refused, COUNT_OF(refused));
}

static void test_refused_changes(void **state)
{
    (void)state;
    assert_refused(refused_changes, COUNT_OF(refused_changes));
}

/* What is not JSON: a line number, and never more than one line of text. */
static void test_what_is_not_json(void **state)
{
    (void)state;
    static const char *const files[] = {
        "",
        " ",
        "{",
        ONE "x",
        ONE ONE,
        "{\"table\":[],\"table\":[]}",
        "{\"table\":\n\n[\n}",
        "{\"table\":[{\"item\":{\"key\":[0,1024],\"key\":[0,1024]," VAL "}}]}",
        "{\"ta\nble\":[]}",
        "{\"table\":[\"\\u0000\"]}",
        "{\"table\":[\"\xff\"]}",
        "{table:[]}",
        "{\"table\":[1,]}",
        "{\"table\":[01]}",
        "nonsense\x01\x02\x7f\r\nmore",
        "[\x01]",
        "[\x7f]",
        "/* no comments */ " ONE,
    };
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        hust_routing_t *routing;
        char message[HUST_ROUTING_MESSAGE_BYTES];
        hust_error_t err = hust_routing_parse(hust_slice_str(files[i]), &routing, message);
        assert_row(err == HUST_ERR_MALFORMED, files[i]);
        assert_row(routing == NULL, files[i]);
        assert_row(strncmp(message, "line ", 5) == 0, files[i]);
        for (const char *c = message; *c != '\0'; c++) {
            assert_row((unsigned char)*c >= ' ' && *c != 127, files[i]);
        }
    }
    hust_routing_t *routing;
    char message[HUST_ROUTING_MESSAGE_BYTES];
    assert_int_equal(hust_routing_parse((hust_slice_t){0}, &routing, message), HUST_ERR_MALFORMED);
}

static void test_json_errors_carry_the_line(void **state)
{
    (void)state;
    hust_routing_t *routing;
    char message[HUST_ROUTING_MESSAGE_BYTES];
    assert_int_equal(hust_routing_parse(BYTES("{\"table\":\n\n[\n}"), &routing, message),
                     HUST_ERR_MALFORMED);
    assert_int_equal(strncmp(message, "line 4: ", 8), 0);
}

/* A file that was cut off anywhere is refused. */
static void test_every_prefix_is_refused(void **state)
{
    (void)state;
    static const char file[] = GROWING(RANGE(0, 512, "a:1", "n:1"), RANGE(512, 1024, "n:1", "b:1"));
    for (size_t len = 0; len < sizeof(file) - 1; len++) {
        hust_routing_t *routing;
        char message[HUST_ROUTING_MESSAGE_BYTES];
        char *exact = test_malloc(len + 1);
        memcpy(exact, file, len);
        assert_int_equal(hust_routing_parse(hust_slice_of(exact, len), &routing, message),
                         HUST_ERR_MALFORMED);
        assert_null(routing);
        test_free(exact);
    }
}

static void test_nothing_is_freed(void **state)
{
    (void)state;
    hust_routing_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_section),
        cmocka_unit_test(test_sections_meet_at_their_borders),
        cmocka_unit_test(test_peers_in_order_of_first_appearance),
        cmocka_unit_test(test_the_largest_table),
        cmocka_unit_test(test_too_many_nodes),
        cmocka_unit_test(test_a_section_that_is_split),
        cmocka_unit_test(test_a_master_that_is_replaced),
        cmocka_unit_test(test_canonical_json),
        cmocka_unit_test(test_canonical_json_reads_back),
        cmocka_unit_test(test_epoch_is_that_of_the_meaning),
        cmocka_unit_test(test_refusals_say_why_and_where),
        cmocka_unit_test(test_refused_changes),
        cmocka_unit_test(test_what_is_not_json),
        cmocka_unit_test(test_json_errors_carry_the_line),
        cmocka_unit_test(test_every_prefix_is_refused),
        cmocka_unit_test(test_nothing_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
