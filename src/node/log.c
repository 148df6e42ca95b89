#include "node/log.h"

#include <assert.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 2048 };

static struct {
    int fd;
    hust_log_level_t level;
} sink = {STDERR_FILENO, HUST_LOG_INFO};

hust_error_t hust_log_open(const char *path, hust_log_level_t level)
{
    int fd = STDERR_FILENO;
    assert(level <= HUST_LOG_DEBUG);
    if (path != NULL) {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        if (fd < 0) {
            return HUST_ERR_IO;
        }
    }
    hust_log_close();
    sink.fd = fd;
    sink.level = level;
    return HUST_OK;
}

void hust_log_close(void)
{
    if (sink.fd != STDERR_FILENO) {
        close(sink.fd);
        sink.fd = STDERR_FILENO;
    }
}

static size_t put_head(char *line, size_t size, hust_log_level_t level)
{
    static const char *const words[] = {"error", "warn", "info", "debug"};
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t len = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &utc);
    int more = snprintf(line + len, size - len, ".%03ldZ %s ", now.tv_nsec / 1000000, words[level]);
    assert(more > 0);
    return len + (size_t)more;
}

void hust_log(hust_log_level_t level, const char *format, ...)
{
    char line[LINE_BYTES_MAX];
    va_list args;
    if (level > sink.level) {
        return;
    }
    size_t head = put_head(line, sizeof(line), level);
    va_start(args, format);
    int more = vsnprintf(line + head, sizeof(line) - head - 1, format, args);
    va_end(args);
    size_t len = head + (more < 0 ? 0 : (size_t)more);
    if (len > sizeof(line) - 2) {
        len = sizeof(line) - 2;
    }
    for (size_t i = head; i < len; i++) {
        if ((unsigned char)line[i] < ' ') {
            line[i] = ' ';
        }
    }
    assert(len < sizeof(line));
    line[len++] = '\n';
    /* There is nowhere to report that the log cannot be written. */
    ssize_t ignored = write(sink.fd, line, len);
    (void)ignored;
}
