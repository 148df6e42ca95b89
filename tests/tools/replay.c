/*
 * replay: send a script of requests over many connections and check every answer.
 *
 *   replay --script FILE --address HOST:PORT [--results FILE] [--clients 64] [--depth 1]
 *          [--per-connection 0] [--attempts 1] [--deadline-ms 10000] [--total-ms 0]
 *
 * Requests are taken in the script's order from one cursor by all clients; requests of different
 * clients overtake each other. --depth is how many a client has under way, --per-connection how
 * many it sends on a connection before it asks for its end (0: keep-alive without limit),
 * --attempts how often a request is sent at most when its connection ends before any byte of the
 * answer. Standard output: a JSON summary (tally.c). Exit: 0 if every exchange went as expected,
 * 1 if not, 2 for a bad command line or file, 3 if time ran out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "options.h"
#include "script.h"
#include "tally.h"

typedef struct {
    script_t script;
    tally_t tally;
} replay_t;

static bool replay_next(void *context, unsigned client, unsigned slot, exchange_t *out)
{
    (void)client;
    (void)slot;
    replay_t *replay = context;
    return script_next(&replay->script, out);
}

static void replay_done(void *context, unsigned client, const exchange_t *exchange,
                        const exchange_result_t *result)
{
    replay_t *replay = context;
    script_record(&replay->script, exchange->id, result);
    tally_exchange(&replay->tally, client, exchange, result);
}

static void replay_lost(void *context, unsigned client, fault_t fault, unsigned requests)
{
    (void)client;
    replay_t *replay = context;
    tally_lost(&replay->tally, fault, requests);
}

static void replay_connected(void *context, unsigned client)
{
    (void)client;
    replay_t *replay = context;
    tally_connected(&replay->tally);
}

typedef struct {
    const char *script;
    const char *address;
    const char *results;
    unsigned clients;
    unsigned depth;
    unsigned per_connection;
    unsigned attempts;
    unsigned deadline_ms;
    unsigned total_ms;
} replay_options_t;

static replay_options_t read_options(int argc, char **argv)
{
    replay_options_t got = {
        .clients = 64,
        .depth = 1,
        .attempts = 1,
        .deadline_ms = 10000,
    };
    const option_t table[] = {
        {.name = "script", .text = &got.script},
        {.name = "address", .text = &got.address},
        {.name = "results", .text = &got.results},
        {"clients", NULL, &got.clients, 1, CLIENT_COUNT_MAX},
        {"depth", NULL, &got.depth, 1, CLIENT_DEPTH_MAX},
        {"per-connection", NULL, &got.per_connection, 0, 1000000},
        {"attempts", NULL, &got.attempts, 1, 1000},
        {"deadline-ms", NULL, &got.deadline_ms, 1, 3600000},
        {"total-ms", NULL, &got.total_ms, 0, 36000000},
    };
    options_parse(argc, argv, table, sizeof(table) / sizeof(table[0]));
    if (got.script == NULL || got.address == NULL) {
        fprintf(stderr, "replay: --script and --address are needed\n");
        exit(2);
    }
    return got;
}

/* Run the client; the exit status. */
static int run(replay_t *replay, const replay_options_t *got, char *address)
{
    static client_mode_t modes[CLIENT_COUNT_MAX];
    for (unsigned i = 0; i < got->clients; i++) {
        modes[i] = (client_mode_t){.depth = got->depth, .per_connection = got->per_connection};
    }
    client_options_t options = {
        .client_count = got->clients,
        .modes = modes,
        .attempts_max = got->attempts,
        .deadline_ms = got->deadline_ms,
        .total_deadline_ms = got->total_ms,
    };
    options_split_address(address, &options.host, &options.port);
    const client_source_t source = {
        .context = replay,
        .next = replay_next,
        .done = replay_done,
        .lost = replay_lost,
        .connected = replay_connected,
    };
    client_engine_t *engine = client_engine_new(&options, &source);
    if (engine == NULL) {
        perror("replay");
        return 2;
    }
    uint64_t started_us = client_now_us();
    int failed = client_engine_run(engine);
    double seconds = (double)(client_now_us() - started_us) / 1e6;
    client_engine_free(engine);
    if (failed != 0) {
        fprintf(stderr, "replay: %s\n", strerror(errno));
    }
    if (tally_print(tally_json(&replay->tally, seconds)) != 0) {
        return 2;
    }
    return failed != 0 ? 3 : (tally_is_clean(&replay->tally) ? 0 : 1);
}

int main(int argc, char **argv)
{
    static replay_t replay;
    replay_options_t got = read_options(argc, argv);
    if (!script_open(&replay.script, got.script, got.results)) {
        return 2;
    }
    char address[64];
    snprintf(address, sizeof(address), "%s", got.address);
    int status = run(&replay, &got, address);
    script_close(&replay.script);
    return status;
}
