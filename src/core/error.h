/*
 * The errors of src/core: one table gives each its code and its text.
 */
#ifndef HUST_ERROR_H
#define HUST_ERROR_H

#define HUST_ERROR_MAP(X)                                                                          \
    X(OK, "ok")                                                                                    \
    X(ERR_NOMEM, "out of memory")                                                                  \
    X(ERR_END, "no more items")                                                                    \
    X(ERR_TRUNCATED, "input ends too early")                                                       \
    X(ERR_MALFORMED, "malformed input")                                                            \
    X(ERR_VERSION, "unknown format version")                                                       \
    X(ERR_RANGE, "value out of range")                                                             \
    X(ERR_LIMIT, "limit exceeded")                                                                 \
    X(ERR_IO, "input or output failed")

typedef enum {
#define HUST_ERROR_ENUM(name, text) HUST_##name,
    HUST_ERROR_MAP(HUST_ERROR_ENUM)
#undef HUST_ERROR_ENUM
} hust_error_t;

/* The text of an error: a constant string, never NULL, also for a code outside the table. */
const char *hust_error_text(hust_error_t error);

#endif /* HUST_ERROR_H */
