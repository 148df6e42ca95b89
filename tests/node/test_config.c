/* The node's configuration file: what is taken, and what is refused with which line. */
#include "node/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

static char path[] = "/tmp/hust-config-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static hust_error_t read_text(const char *text, hust_config_t *config, char *message)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    message[0] = '\0';
    return hust_config_read(path, config, message);
}

static void test_defaults(void **state)
{
    (void)state;
    hust_config_t config;
    char message[HUST_CONFIG_MESSAGE_BYTES];
    assert_int_equal(read_text("[store]\npath = /data\n", &config, message), HUST_OK);
    assert_string_equal(config.listen.address, "127.0.0.1:8085");
    assert_int_equal(config.worker_count, 2);
    assert_int_equal(config.body_bytes_max, 32 << 20);
    assert_int_equal(config.connection_limit, 4096);
    assert_int_equal(config.idle_timeout_s, 75);
    assert_false(config.replicated);
    assert_int_equal(config.peer_count, 0);
    assert_string_equal(config.log_file, "");
    assert_int_equal(config.log_level, HUST_LOG_INFO);
    assert_string_equal(config.store_path, "/data");
    assert_int_equal(config.sync, HUST_SYNC_ALWAYS);
    assert_int_equal(config.ttl_max_s, 2592000);
    assert_int_equal(config.block_cache_bytes, 256 << 20);
    assert_int_equal(config.memtable_bytes, 64 << 20);
    assert_int_equal(config.wal_bytes_max, 256 << 20);
    assert_int_equal(config.cache_bytes_max, 64 << 20);
}

static void test_everything_given(void **state)
{
    (void)state;
    hust_config_t config;
    char message[HUST_CONFIG_MESSAGE_BYTES];
    const char *text = "; a comment\n# another\n"
                       "[server]\nlisten = [::1]:9\nworker_count=256\nmax_body_size = 1G\n"
                       "connection_limit = 1\nidle_timeout = 86400\nreplicated = true\n"
                       "peers = 10.0.0.2:8085 ,host.name:1\nlog_file = /l\nlog_level = debug\n"
                       "[store]\npath = /d ; where it is\nsync = os\nttl_maximum = 1\n"
                       "block_cache = 1M\nmemtable = 2048k\nwal_maximum = 1073741824\n"
                       "[cachedb]\ncache_size = 1024G\n";
    assert_int_equal(read_text(text, &config, message), HUST_OK);
    assert_string_equal(config.listen.host, "::1");
    assert_int_equal(config.listen.port, 9);
    assert_int_equal(config.worker_count, 256);
    assert_int_equal(config.body_bytes_max, 1 << 30);
    assert_int_equal(config.connection_limit, 1);
    assert_int_equal(config.idle_timeout_s, 86400);
    assert_true(config.replicated);
    assert_int_equal(config.peer_count, 2);
    assert_string_equal(config.peers[1].address, "host.name:1");
    assert_string_equal(config.log_file, "/l");
    assert_int_equal(config.log_level, HUST_LOG_DEBUG);
    assert_string_equal(config.store_path, "/d");
    assert_int_equal(config.sync, HUST_SYNC_OS);
    assert_int_equal(config.ttl_max_s, 1);
    assert_int_equal(config.block_cache_bytes, 1 << 20);
    assert_int_equal(config.memtable_bytes, 2 << 20);
    assert_int_equal(config.wal_bytes_max, 1 << 30);
    assert_true(config.cache_bytes_max == (size_t)1 << 40);
}

static void test_the_cache_may_be_off(void **state)
{
    (void)state;
    hust_config_t config;
    char message[HUST_CONFIG_MESSAGE_BYTES];
    const char *text = "[store]\npath = /d\n[cachedb]\ncache_size = 0\n";
    assert_int_equal(read_text(text, &config, message), HUST_OK);
    assert_int_equal(config.cache_bytes_max, 0);
}

static void test_peers_are_compared_as_written(void **state)
{
    (void)state;
    hust_config_t config;
    char message[HUST_CONFIG_MESSAGE_BYTES];
    assert_int_equal(read_text("[server]\npeers = a:1,b:2\n[store]\npath = /d\n", &config, message),
                     HUST_OK);
    assert_true(hust_config_is_peer(&config, BYTES("a:1")));
    assert_true(hust_config_is_peer(&config, BYTES("b:2")));
    assert_false(hust_config_is_peer(&config, BYTES("a:2")));
    assert_false(hust_config_is_peer(&config, BYTES("a:")));
    assert_false(hust_config_is_peer(&config, BYTES("a:11")));
    assert_false(hust_config_is_peer(&config, BYTES("")));
}

static void test_relative_paths_are_seen_from_the_file(void **state)
{
    (void)state;
    hust_config_t config;
    char message[HUST_CONFIG_MESSAGE_BYTES];
    assert_int_equal(read_text("[server]\nlog_file = l\n[store]\npath = d/e\n", &config, message),
                     HUST_OK);
    assert_string_equal(config.store_path, "/tmp/d/e");
    assert_string_equal(config.log_file, "/tmp/l");
}

/* `%s` stands for the line that is wrong: line 2 of [server] or of [store]. */
static void test_wrong_lines_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *section;
        const char *line;
        const char *reason; /* the message begins with path:2: and this */
    } rows[] = {
        {"server", "colour = red", "colour: unknown key in section [server]"},
        {"server", "path = /d", "path: unknown key in section [server]"},
        {"store", "listen = 127.0.0.1:1", "listen: unknown key in section [store]"},
        {"stores", "path = /d", "path: unknown key in section [stores]"},
        {"server", "listen = 127.0.0.1:0", "listen: \"127.0.0.1:0\" is wrong"},
        {"server", "listen = 127.0.0.1", "listen: \"127.0.0.1\" is wrong"},
        {"server", "worker_count = 0", "worker_count: \"0\" is wrong"},
        {"server", "worker_count = 257", "worker_count: \"257\" is wrong"},
        {"server", "worker_count = two", "worker_count: \"two\" is wrong"},
        {"server", "worker_count = -1", "worker_count: \"-1\" is wrong"},
        {"server", "worker_count =", "worker_count: \"\" is wrong"},
        {"server", "max_body_size = 32MB", "max_body_size: \"32MB\" is wrong"},
        {"server", "max_body_size = M", "max_body_size: \"M\" is wrong"},
        {"server", "max_body_size = 2G", "max_body_size: \"2G\" is wrong"},
        {"server", "max_body_size = 17179869185G", "max_body_size: \"17179869185G\" is wrong"},
        {"server", "max_body_size = 1", "max_body_size: \"1\" is wrong"},
        {"server", "replicated = yes", "replicated: \"yes\" is wrong"},
        {"server", "peers = ", "peers: \"\" is wrong"},
        {"server", "peers = a:1,", "peers: \"a:1,\" is wrong"},
        {"server", "peers = a:1 b:2", "peers: \"a:1 b:2\" is wrong"},
        {"server", "peers = a:1,a:1", "peers: \"a:1,a:1\" is wrong"},
        {"server", "log_level = loud", "log_level: \"loud\" is wrong"},
        {"server", "log_level = error warn", "log_level: \"error warn\" is wrong"},
        {"server", "log_file =", "log_file: \"\" is wrong"},
        {"cachedb", "cache_size = 1023K", "cache_size: \"1023K\" is wrong"},
        {"cachedb", "cache_size = 1025G", "cache_size: \"1025G\" is wrong"},
        {"cachedb", "cache_size = 0M", "cache_size: \"0M\" is wrong"},
        {"cachedb", "cache_size = none", "cache_size: \"none\" is wrong"},
        {"cachedb", "cache = 1M", "cache: unknown key in section [cachedb]"},
        {"store", "sync = never", "sync: \"never\" is wrong"},
        {"store", "sync =", "sync: \"\" is wrong"},
        {"store", "ttl_maximum = 0", "ttl_maximum: \"0\" is wrong"},
        {"store", "block_cache = 1K", "block_cache: \"1K\" is wrong"},
        {"store", "nonsense", "neither [section] nor key = value"},
        {"store", "[server", "neither [section] nor key = value"},
    };
    hust_config_t config;
    char text[256];
    char message[HUST_CONFIG_MESSAGE_BYTES];
    char expected[HUST_CONFIG_MESSAGE_BYTES];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(text, sizeof(text), "[%s]\n%s\n[store]\nblock_cache = 1M\n", rows[i].section,
                 rows[i].line);
        snprintf(expected, sizeof(expected), "%s:2: %s", path, rows[i].reason);
        assert_row(read_text(text, &config, message) == HUST_ERR_MALFORMED, rows[i].line);
        assert_row(strncmp(message, expected, strlen(expected)) == 0, message);
        assert_row(strchr(message, '\n') == NULL, rows[i].line);
    }
}

static void test_a_key_given_twice_is_refused(void **state)
{
    (void)state;
    hust_config_t config;
    char message[HUST_CONFIG_MESSAGE_BYTES];
    assert_int_equal(read_text("[store]\npath = /a\npath = /b\n", &config, message),
                     HUST_ERR_MALFORMED);
    assert_non_null(strstr(message, ":3: path: given twice"));
    /* A line that begins with a blank goes on with the key before it: the same. */
    assert_int_equal(read_text("[store]\npath = /a\n /b\n", &config, message), HUST_ERR_MALFORMED);
    assert_non_null(strstr(message, ":3: path: given twice"));
}

static void test_an_overlong_line_is_refused(void **state)
{
    (void)state;
    hust_config_t config;
    char text[1024];
    char message[HUST_CONFIG_MESSAGE_BYTES];
    snprintf(text, sizeof(text), "[store]\npath = /%0600d\n", 7);
    assert_int_equal(read_text(text, &config, message), HUST_ERR_MALFORMED);
    assert_non_null(strstr(message, ":2: longer than"));
}

static void test_what_a_whole_file_needs(void **state)
{
    (void)state;
    hust_config_t config;
    char message[HUST_CONFIG_MESSAGE_BYTES];
    assert_int_equal(read_text("", &config, message), HUST_ERR_MALFORMED);
    assert_non_null(strstr(message, "path: missing in section [store]"));
    assert_int_equal(read_text("[server]\nlisten = a:1\npeers = b:1, a:1\n[store]\npath = /d\n",
                               &config, message),
                     HUST_ERR_MALFORMED);
    assert_non_null(strstr(message, "peers: the node itself"));
}

static void test_unreadable_files(void **state)
{
    (void)state;
    hust_config_t config;
    char message[HUST_CONFIG_MESSAGE_BYTES];
    assert_int_equal(hust_config_read("/tmp/no/such/file", &config, message), HUST_ERR_IO);
    assert_non_null(strstr(message, "/tmp/no/such/file:0: No such file"));
    assert_int_equal(hust_config_read("/tmp", &config, message), HUST_ERR_IO);
    assert_non_null(strstr(message, "/tmp:0: cannot be read"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_everything_given),
        cmocka_unit_test(test_the_cache_may_be_off),
        cmocka_unit_test(test_peers_are_compared_as_written),
        cmocka_unit_test(test_relative_paths_are_seen_from_the_file),
        cmocka_unit_test(test_wrong_lines_are_named),
        cmocka_unit_test(test_a_key_given_twice_is_refused),
        cmocka_unit_test(test_an_overlong_line_is_refused),
        cmocka_unit_test(test_what_a_whole_file_needs),
        cmocka_unit_test(test_unreadable_files),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
