/*
 * The one log call: one line per event, with UTC time and level, to stderr or to a file. Lines are
 * written whole (one write each), so those of different threads do not mix.
 */
#ifndef HUST_NODE_LOG_H
#define HUST_NODE_LOG_H

#include "core/error.h"

typedef enum {
    HUST_LOG_ERROR,
    HUST_LOG_WARN,
    HUST_LOG_INFO,
    HUST_LOG_DEBUG,
} hust_log_level_t;

/*
 * Log to the file `path` from now on, or to stderr when it is NULL, what is at least as grave as
 * `level`. To be called before there are threads. HUST_ERR_IO (errno says why): all is as it was.
 */
hust_error_t hust_log_open(const char *path, hust_log_level_t level);

/* Close the file; later lines go to stderr. */
void hust_log_close(void);

/* Log one line. Control characters in it are replaced; an overlong line is cut. */
void hust_log(hust_log_level_t level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif /* HUST_NODE_LOG_H */
