#include "node/config.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/params.h"
#include "node/cache.h"

enum {
    KEY_COUNT_MAX = 32,
    REASON_BYTES = 160,
};

#define KIB (1ULL << 10)
#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

typedef struct reader {
    hust_config_t *config;
    const char *path;
    uint32_t given;            /* bit per row of the table */
    char reason[REASON_BYTES]; /* of the first line that is wrong; empty: none */
    unsigned line;             /* lines read so far */
    unsigned reason_line;
} reader_t;

typedef struct row row_t;

/* Check a value and put it at `field`; false: it is wrong. */
typedef bool (*setter_t)(const row_t *row, const char *value, reader_t *reader, void *field);

struct row {
    const char *section;
    const char *name;
    setter_t set;
    size_t offset; /* of the field in hust_config_t */
    uint64_t min;  /* of numbers and sizes, in seconds or bytes */
    uint64_t max;
    const char *expected; /* what a right value looks like */
};

static bool parse_number(const row_t *row, const char *value, uint64_t *out)
{
    return hust_parse_u64(hust_slice_str(value), out) && *out >= row->min && *out <= row->max;
}

static bool set_unsigned(const row_t *row, const char *value, reader_t *reader, void *field)
{
    uint64_t number;
    (void)reader;
    if (!parse_number(row, value, &number)) {
        return false;
    }
    *(unsigned *)field = (unsigned)number;
    return true;
}

static bool set_u64(const row_t *row, const char *value, reader_t *reader, void *field)
{
    (void)reader;
    return parse_number(row, value, field);
}

/* What a last letter multiplies by; 1 if there is none of them. */
static uint64_t size_unit(char letter)
{
    switch (letter) {
    case 'K':
    case 'k':
        return KIB;
    case 'M':
    case 'm':
        return MIB;
    case 'G':
    case 'g':
        return GIB;
    default:
        return 1;
    }
}

static bool set_size(const row_t *row, const char *value, reader_t *reader, void *field)
{
    uint64_t number;
    assert(row->max > 0);
    size_t len = strlen(value);
    uint64_t unit = len == 0 ? 1 : size_unit(value[len - 1]);
    hust_slice_t digits = hust_slice_of(value, unit == 1 ? len : len - 1);
    (void)reader;
    if (!hust_parse_u64(digits, &number) || number > row->max / unit || number * unit < row->min) {
        return false;
    }
    assert(number * unit <= row->max);
    *(size_t *)field = (size_t)(number * unit);
    return true;
}

/* A size, or 0 for none at all. */
static bool set_size_or_none(const row_t *row, const char *value, reader_t *reader, void *field)
{
    if (strcmp(value, "0") == 0) {
        *(size_t *)field = 0;
        return true;
    }
    return set_size(row, value, reader, field);
}

static bool set_bool(const row_t *row, const char *value, reader_t *reader, void *field)
{
    (void)row;
    (void)reader;
    *(bool *)field = strcmp(value, "true") == 0;
    return *(bool *)field || strcmp(value, "false") == 0;
}

/* One of the words of `expected`, which are in the order of the enumeration. */
static bool set_word(const row_t *row, const char *value, reader_t *reader, void *field)
{
    unsigned index = 0;
    size_t len = strlen(value);
    (void)reader;
    for (const char *word = row->expected; len > 0; index++) {
        size_t word_len = strcspn(word, " ");
        if (word_len == len && memcmp(word, value, len) == 0) {
            _Static_assert(sizeof(hust_sync_t) == sizeof(unsigned), "an enumeration is unsigned");
            memcpy(field, &index, sizeof(index));
            return true;
        }
        if (word[word_len] == '\0') {
            break;
        }
        word += word_len + 1;
    }
    return false;
}

static bool set_path(const row_t *row, const char *value, reader_t *reader, void *field)
{
    const char *slash = value[0] == '/' ? NULL : strrchr(reader->path, '/');
    int directory = slash == NULL ? 0 : (int)(slash - reader->path) + 1;
    int len = snprintf(field, HUST_CONFIG_PATH_BYTES, "%.*s%s", directory, reader->path, value);
    (void)row;
    return value[0] != '\0' && len > 0 && len < HUST_CONFIG_PATH_BYTES;
}

static bool set_address(const row_t *row, const char *value, reader_t *reader, void *field)
{
    (void)row;
    (void)reader;
    return hust_address_parse(hust_slice_str(value), field) == HUST_OK;
}

static bool add_peer(hust_config_t *config, hust_slice_t address)
{
    hust_peer_t peer;
    if (config->peer_count == HUST_CONFIG_PEERS_MAX || hust_config_is_peer(config, address) ||
        hust_address_parse(address, &peer) != HUST_OK) {
        return false;
    }
    config->peers[config->peer_count++] = peer;
    assert(config->peer_count <= HUST_CONFIG_PEERS_MAX);
    return true;
}

static bool set_peers(const row_t *row, const char *value, reader_t *reader, void *field)
{
    static const char blanks[] = " \t";
    (void)row;
    (void)field;
    for (;;) {
        value += strspn(value, blanks);
        size_t len = strcspn(value, ", \t");
        if (!add_peer(reader->config, hust_slice_of(value, len))) {
            return false;
        }
        value += len;
        value += strspn(value, blanks);
        if (*value == '\0') {
            return true;
        }
        if (*value++ != ',') {
            return false;
        }
    }
}

#define FIELD(name) offsetof(hust_config_t, name)
#define PEERS_EXPECTED "different host:port, separated by commas"

/* clang-format off */
static const row_t rows[] = {
    {"server", "listen", set_address, FIELD(listen), 0, 0, "host:port, port 1..65535"},
    {"server", "worker_count", set_unsigned, FIELD(worker_count), 1, 256, "1..256"},
    {"server", "max_body_size", set_size, FIELD(body_bytes_max), 64 * KIB, GIB, "64K..1G"},
    {"server", "connection_limit", set_unsigned, FIELD(connection_limit), 1, 1000000, "1..1000000"},
    {"server", "idle_timeout", set_unsigned, FIELD(idle_timeout_s), 1, 86400, "1..86400 seconds"},
    {"server", "replicated", set_bool, FIELD(replicated), 0, 0, "true or false"},
    {"server", "peers", set_peers, 0, 0, 0, PEERS_EXPECTED},
    {"server", "log_file", set_path, FIELD(log_file), 0, 0, "a path"},
    {"server", "log_level", set_word, FIELD(log_level), 0, 0, "error warn info debug"},
    {"store", "path", set_path, FIELD(store_path), 0, 0, "a path"},
    {"store", "sync", set_word, FIELD(sync), 0, 0, "always everysec os"},
    {"store", "ttl_maximum", set_u64, FIELD(ttl_max_s), 1, 1ULL << 32, "1..4294967296 seconds"},
    {"store", "block_cache", set_size, FIELD(block_cache_bytes), MIB, 1024 * GIB, "1M..1024G"},
    {"store", "memtable", set_size, FIELD(memtable_bytes), MIB, 16 * GIB, "1M..16G"},
    {"store", "wal_maximum", set_size, FIELD(wal_bytes_max), MIB, 1024 * GIB, "1M..1024G"},
    {"cachedb", "cache_size", set_size_or_none, FIELD(cache_bytes_max), HUST_CACHE_BYTES_MIN,
     1024 * GIB, "0 or 1M..1024G"},
};
/* clang-format on */

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };
_Static_assert((int)ROW_COUNT <= (int)KEY_COUNT_MAX, "a bit for each");

static void set_defaults(hust_config_t *config)
{
    *config = (hust_config_t){
        .worker_count = 2,
        .body_bytes_max = 32 * MIB,
        .connection_limit = 4096,
        .idle_timeout_s = 75,
        .log_level = HUST_LOG_INFO,
        .sync = HUST_SYNC_ALWAYS,
        .ttl_max_s = 2592000,
        .block_cache_bytes = 256 * MIB,
        .memtable_bytes = 64 * MIB,
        .wal_bytes_max = 256 * MIB,
        .cache_bytes_max = 64 * MIB,
    };
    hust_error_t err = hust_address_parse(hust_slice_str("127.0.0.1:8085"), &config->listen);
    assert(err == HUST_OK);
    (void)err;
}

__attribute__((format(printf, 2, 3))) static int wrong(reader_t *reader, const char *format, ...)
{
    if (reader->reason[0] == '\0') {
        va_list args;
        va_start(args, format);
        vsnprintf(reader->reason, sizeof(reader->reason), format, args);
        va_end(args);
        reader->reason_line = reader->line;
    }
    return 0;
}

static int on_key(void *user, const char *section, const char *name, const char *value)
{
    reader_t *reader = user;
    for (unsigned i = 0; i < ROW_COUNT; i++) {
        const row_t *row = &rows[i];
        if (strcmp(section, row->section) != 0 || strcmp(name, row->name) != 0) {
            continue;
        }
        if ((reader->given & 1u << i) != 0) {
            return wrong(reader, "%s: given twice", name);
        }
        reader->given |= 1u << i;
        if (!row->set(row, value, reader, (char *)reader->config + row->offset)) {
            return wrong(reader, "%s: \"%s\" is wrong, expected: %s", name, value, row->expected);
        }
        return 1;
    }
    return wrong(reader, "%s: unknown key in section [%s]", name, section);
}

typedef struct {
    FILE *file;
    reader_t *reader;
} source_t;

/* Like fgets, but a line that does not fit is an error instead of two lines. */
static char *next_line(char *line, int size, void *stream)
{
    source_t *source = stream;
    assert(size > 2);
    if (fgets(line, size, source->file) == NULL) {
        return NULL;
    }
    source->reader->line++;
    size_t len = strlen(line);
    if (len + 1 == (size_t)size && line[len - 1] != '\n') {
        wrong(source->reader, "longer than %d characters", size - 2);
        return NULL;
    }
    return line;
}

static hust_error_t check_whole(reader_t *reader, char *message)
{
    const hust_config_t *config = reader->config;
    const char *reason = NULL;
    if (config->store_path[0] == '\0') {
        reason = "path: missing in section [store]";
    } else if (hust_config_is_peer(config, hust_slice_str(config->listen.address))) {
        reason = "peers: the node itself is among them";
    }
    if (reason == NULL) {
        return HUST_OK;
    }
    snprintf(message, HUST_CONFIG_MESSAGE_BYTES, "%s:%u: %s", reader->path, reader->line, reason);
    return HUST_ERR_MALFORMED;
}

hust_error_t hust_config_read(const char *path, hust_config_t *out,
                              char message[HUST_CONFIG_MESSAGE_BYTES])
{
    reader_t reader = {.config = out, .path = path};
    source_t source = {.file = fopen(path, "re"), .reader = &reader};
    set_defaults(out);
    if (source.file == NULL) {
        snprintf(message, HUST_CONFIG_MESSAGE_BYTES, "%s:0: %s", path, strerror(errno));
        return HUST_ERR_IO;
    }
    int line = ini_parse_stream(next_line, &source, on_key, &reader);
    bool unreadable = ferror(source.file) != 0;
    fclose(source.file);
    if (unreadable) {
        snprintf(message, HUST_CONFIG_MESSAGE_BYTES, "%s:0: cannot be read", path);
        return HUST_ERR_IO;
    }
    if (line == 0 && reader.reason[0] == '\0') {
        return check_whole(&reader, message);
    }
    /* The parser's own complaint comes without a reason, and counts if it is the earlier one. */
    bool own = reader.reason[0] == '\0' || (line > 0 && (unsigned)line < reader.reason_line);
    snprintf(message, HUST_CONFIG_MESSAGE_BYTES, "%s:%u: %s", path,
             own ? (unsigned)line : reader.reason_line,
             own ? "neither [section] nor key = value" : reader.reason);
    return HUST_ERR_MALFORMED;
}

bool hust_config_is_peer(const hust_config_t *config, hust_slice_t address)
{
    for (unsigned i = 0; i < config->peer_count; i++) {
        if (hust_slice_equal(hust_slice_str(config->peers[i].address), address)) {
            return true;
        }
    }
    return false;
}
