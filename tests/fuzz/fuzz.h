/*
 * What the fuzz targets share. A target is one function over any bytes; it stops the program when
 * a property does not hold, and the sanitizers stop it for everything else.
 */
#ifndef HUST_FUZZ_H
#define HUST_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "core/slice.h"

/* Called by libFuzzer, or by replay.c for every file of the corpus. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property of the code under test: in force in every kind of build. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A message of the core is one line of text, without the newline. */
static inline bool fuzz_is_one_line(const char *message)
{
    for (const char *c = message; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 127) {
            return false;
        }
    }
    return message[0] != '\0';
}

/* Take the first byte off the input; 0 when there is none. */
static inline uint8_t fuzz_take_byte(hust_slice_t *input)
{
    if (input->len == 0) {
        return 0;
    }
    uint8_t byte = input->data[0];
    *input = hust_slice_of(input->data + 1, input->len - 1);
    return byte;
}

#endif /* HUST_FUZZ_H */
