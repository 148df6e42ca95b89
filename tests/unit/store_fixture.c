#include "store_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "node/log.h"
#include "unit.h"

static void open_store(store_fixture_t *fixture)
{
    char message[HUST_STORE_MESSAGE_BYTES];
    const hust_store_options_t options = {.path = fixture->path,
                                          .sync = HUST_SYNC_OS,
                                          .block_cache_bytes = 8 << 20,
                                          .memtable_bytes = 8 << 20,
                                          .wal_bytes_max = 64 << 20};
    if (hust_store_open(&options, &fixture->store, message) != HUST_OK) {
        fail_msg("%s", message);
    }
}

store_fixture_t *store_fixture_new(void)
{
    store_fixture_t *fixture = calloc(1, sizeof(*fixture));
    snprintf(fixture->path, sizeof(fixture->path), "/tmp/hust_store_XXXXXX");
    assert_non_null(mkdtemp(fixture->path));
    assert_int_equal(hust_log_open(NULL, HUST_LOG_ERROR), HUST_OK);
    open_store(fixture);
    return fixture;
}

void store_fixture_reopen(store_fixture_t *fixture)
{
    hust_store_close(fixture->store);
    open_store(fixture);
}

/* The engine keeps its files flat in the directory. */
static void remove_directory(const char *path)
{
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *item; (item = readdir(directory)) != NULL;) {
        char file[512];
        snprintf(file, sizeof(file), "%s/%s", path, item->d_name);
        if (item->d_name[0] != '.') {
            unlink(file);
        }
    }
    closedir(directory);
    rmdir(path);
}

void store_fixture_free(store_fixture_t *fixture)
{
    hust_store_close(fixture->store);
    remove_directory(fixture->path);
    free(fixture);
}
