/*
 * Command lines of the test tools: `--name value` with strict numbers.
 */
#ifndef HUST_TEST_OPTIONS_H
#define HUST_TEST_OPTIONS_H

#include <stdint.h>

typedef struct {
    const char *name;  /* without the dashes */
    const char **text; /* where a text goes, or NULL */
    unsigned *number;  /* where a number goes, or NULL */
    unsigned number_min;
    unsigned number_max;
} option_t;

/*
 * Fill in what the table of `count` options names. Anything unknown, missing or out of range ends
 * the program with status 2 and a line on standard error.
 */
void options_parse(int argc, char **argv, const option_t *options, unsigned count);

/* Split "host:port" in place; ends the program as above if it is not one. */
void options_split_address(char *address, const char **host, uint16_t *port);

#endif /* HUST_TEST_OPTIONS_H */
