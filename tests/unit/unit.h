/*
 * What every unit test needs: cmocka with the headers it expects, and checks for byte slices.
 */
#ifndef HUST_UNIT_H
#define HUST_UNIT_H

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/slice.h"

/* The bytes of a string literal, NULs inside it included. */
#define BYTES(literal) hust_slice_of(literal, sizeof(literal) - 1)

/* A slice holds exactly the bytes of a string literal. */
#define assert_bytes(slice, literal)                                                               \
    do {                                                                                           \
        hust_slice_t assert_bytes_got = (slice);                                                   \
        assert_int_equal(assert_bytes_got.len, sizeof(literal) - 1);                               \
        if (sizeof(literal) > 1) {                                                                 \
            assert_memory_equal(assert_bytes_got.data, literal, sizeof(literal) - 1);              \
        }                                                                                          \
    } while (0)

/* A condition inside a table-driven test: a failure says which row it was. */
#define assert_row(condition, row)                                                                 \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fail_msg("%s: not so: %s", (row), #condition);                                         \
        }                                                                                          \
    } while (0)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif /* HUST_UNIT_H */
