/* The log: whole lines, one per event. */
#include "node/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static size_t read_file(const char *path, char *out, size_t room)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(out, 1, room - 1, file);
    out[len] = '\0';
    fclose(file);
    return len;
}

static void test_lines(void **state)
{
    (void)state;
    char path[] = "/tmp/hust-log-XXXXXX";
    char text[8192];
    static char overlong[4096];
    close(mkstemp(path));
    memset(overlong, 'x', sizeof(overlong) - 1);
    assert_int_equal(hust_log_open(path, HUST_LOG_WARN), HUST_OK);
    hust_log(HUST_LOG_ERROR, "one %d", 1);
    hust_log(HUST_LOG_WARN, "a\nb\rc");
    hust_log(HUST_LOG_INFO, "not grave enough");
    hust_log(HUST_LOG_ERROR, "%s", overlong);
    hust_log_close();
    read_file(path, text, sizeof(text));
    unlink(path);

    char *second = strchr(text, '\n') + 1;
    char *third = strchr(second, '\n') + 1;
    assert_int_equal(text[4], '-');
    assert_int_equal(text[10], 'T');
    assert_memory_equal(text + strlen("2023-01-01T00:00:00.000"), "Z error one 1\n", 14);
    assert_memory_equal(second + strlen("2023-01-01T00:00:00.000"), "Z warn a b c\n", 13);
    assert_null(strstr(text, "grave"));
    assert_true(strlen(third) < sizeof(overlong));
    assert_int_equal(strchr(third, '\n')[1], '\0');
}

static void test_a_file_that_cannot_be_opened(void **state)
{
    (void)state;
    assert_int_equal(hust_log_open("/tmp/no/such/log", HUST_LOG_INFO), HUST_ERR_IO);
    assert_int_equal(errno, ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_a_file_that_cannot_be_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
