/*
 * The files of `replay`: a script of exchanges, mapped read-only, and a result for each, mapped
 * shared, so that another process can watch while they come. Little-endian; tests/tools/script.py
 * writes and reads them.
 *
 *   script: "HUSTSCR1", u64 count, then per exchange
 *     u32 request bytes, u32 expected body bytes (0xffffffff = any), u32 header rule bytes,
 *     u16 flags (1 = HEAD), u16 status_if_repeated, u16 statuses[4], then those three byte strings
 *   result: 16 bytes per exchange
 *     u16 status, u8 fault, u8 flags, u32 attempts, u32 latency in microseconds, u32 finished (1)
 */
#ifndef HUST_TEST_SCRIPT_H
#define HUST_TEST_SCRIPT_H

#include "exchange.h"

typedef struct {
    uint16_t status;
    uint8_t fault; /* fault_t */
    uint8_t flags; /* EXCHANGE_* */
    uint32_t attempts;
    uint32_t latency_us;
    uint32_t finished;
} script_result_t;

typedef struct {
    hust_slice_t file; /* mapped */
    size_t at;         /* of the next exchange */
    uint64_t count;
    uint64_t next;
    script_result_t *results; /* mapped, `count` of them; NULL if none are wanted */
} script_t;

/*
 * Map the script, and create the result file unless `result_path` is NULL. False with a message
 * on standard error if a file cannot be used.
 */
bool script_open(script_t *script, const char *path, const char *result_path);

/*
 * The next exchange, borrowing from the script; false after the last. A script that ends in the
 * middle of an exchange or holds no request line stops the program: it is the test's own error.
 */
bool script_next(script_t *script, exchange_t *exchange);

/* Keep the result of exchange `id`, its number in the script. */
void script_record(script_t *script, uint64_t id, const exchange_result_t *result);

void script_close(script_t *script);

#endif /* HUST_TEST_SCRIPT_H */
