#define _GNU_SOURCE
#include "script.h"

#include <assert.h>
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "HUSTSCR1";
static const uint32_t any_body = 0xffffffff;

enum {
    FILE_HEAD_BYTES = 16,
    ENTRY_HEAD_BYTES = 24,
    ENTRY_FLAG_HEAD = 1,
};

static uint16_t get_u16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof(value));
    return le16toh(value);
}

static uint32_t get_u32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static bool map_script(script_t *script, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat facts;
    if (fd < 0 || fstat(fd, &facts) != 0) {
        perror(path);
        return false;
    }
    size_t bytes = (size_t)facts.st_size;
    void *data =
        bytes < FILE_HEAD_BYTES ? MAP_FAILED : mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (data == MAP_FAILED || memcmp(data, magic, sizeof(magic)) != 0) {
        fprintf(stderr, "%s: not a script\n", path);
        return false;
    }
    uint64_t count;
    script->file = hust_slice_of(data, bytes);
    script->at = FILE_HEAD_BYTES;
    memcpy(&count, script->file.data + sizeof(magic), sizeof(count));
    script->count = le64toh(count);
    return true;
}

static bool map_results(script_t *script, const char *path)
{
    size_t bytes = script->count * sizeof(script_result_t);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0) {
        perror(path);
        return false;
    }
    void *data = bytes == 0 ? NULL : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (data == MAP_FAILED) {
        perror(path);
        return false;
    }
    script->results = data;
    return true;
}

bool script_open(script_t *script, const char *path, const char *result_path)
{
    *script = (script_t){0};
    return map_script(script, path) && (result_path == NULL || map_results(script, result_path));
}

static void broken(const script_t *script, const char *why)
{
    fprintf(stderr, "script: exchange %llu: %s\n", (unsigned long long)script->next, why);
    exit(2);
}

/* The next `bytes` of the file. */
static hust_slice_t take(script_t *script, size_t bytes)
{
    if (bytes > script->file.len - script->at) {
        broken(script, "the file ends too early");
    }
    hust_slice_t slice = hust_slice_of(script->file.data + script->at, bytes);
    script->at += bytes;
    return slice;
}

static void split_request(const script_t *script, hust_slice_t request, exchange_t *exchange)
{
    const uint8_t *line_end = memchr(request.data, '\n', request.len);
    if (line_end == NULL) {
        broken(script, "no request line");
        return;
    }
    size_t line_bytes = (size_t)(line_end + 1 - request.data);
    exchange->line = hust_slice_of(request.data, line_bytes);
    exchange->rest = hust_slice_of(request.data + line_bytes, request.len - line_bytes);
}

bool script_next(script_t *script, exchange_t *exchange)
{
    if (script->next == script->count) {
        return false;
    }
    const uint8_t *head = take(script, ENTRY_HEAD_BYTES).data;
    uint32_t request_bytes = get_u32(head);
    uint32_t body_bytes = get_u32(head + 4);
    uint32_t rule_bytes = get_u32(head + 8);
    *exchange = (exchange_t){
        .id = script->next,
        .any_body = body_bytes == any_body,
        .head_request = (get_u16(head + 12) & ENTRY_FLAG_HEAD) != 0,
        .status_if_repeated = get_u16(head + 14),
    };
    for (unsigned i = 0; i < EXCHANGE_STATUSES_MAX; i++) {
        exchange->statuses[i] = get_u16(head + 16 + 2 * i);
    }
    split_request(script, take(script, request_bytes), exchange);
    exchange->expected_body = take(script, exchange->any_body ? 0 : body_bytes);
    exchange->expected_headers = take(script, rule_bytes);
    script->next++;
    return true;
}

void script_record(script_t *script, uint64_t id, const exchange_result_t *result)
{
    assert(id < script->count);
    if (script->results == NULL) {
        return;
    }
    script_result_t *to = &script->results[id];
    to->status = (uint16_t)result->status;
    to->fault = (uint8_t)result->fault;
    to->flags = (uint8_t)result->flags;
    to->attempts = result->attempts;
    to->latency_us = result->latency_us > UINT32_MAX ? UINT32_MAX : (uint32_t)result->latency_us;
    /* Last, so that a watcher sees a whole result or none. */
    __atomic_store_n(&to->finished, 1, __ATOMIC_RELEASE);
}

void script_close(script_t *script)
{
    if (script->results != NULL) {
        munmap(script->results, script->count * sizeof(script_result_t));
    }
    munmap((void *)(uintptr_t)script->file.data, script->file.len);
    *script = (script_t){0};
}
