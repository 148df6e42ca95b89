/*
 * load: many clients for a given time, every answer checked.
 *
 *   load --address HOST:PORT --ms MILLISECONDS [--clients 200] [--what ha|stock] [--seed 1]
 *        [--attempts 3] [--deadline-ms 10000]
 *
 * Every client works on elements of its own and always knows what they hold (load_plan.h), so
 * there is no answer that it cannot judge. With `stock` it asks for /stock only, which must answer
 * 200 and the body "stock": the same traffic in number and shape against nginx alone. Clients are
 * of four classes in turn: keep-alive or not, pipelined or not. Standard output: a JSON object
 * with a summary (tally.c) in `all` and one per class. Exit: 0 if every exchange was answered
 * rightly, 1 if not, 2 for a bad command line, 3 if it did not end.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "load_plan.h"
#include "options.h"
#include "tally.h"

enum {
    PIPELINE_DEPTH = 8,
    /* After the time is up, what is under way may take this long. */
    END_DEADLINE_MS = 60 * 1000,
};

typedef struct {
    const char *name;
    client_mode_t mode;
} load_class_t;

static const load_class_t classes[] = {
    {"keepalive", {.depth = 1, .per_connection = 0}},
    {"keepalive_pipelined", {.depth = PIPELINE_DEPTH, .per_connection = 0}},
    {"single", {.depth = 1, .per_connection = 1}},
    {"pipelined", {.depth = PIPELINE_DEPTH, .per_connection = PIPELINE_DEPTH}},
};

enum { CLASS_COUNT = sizeof(classes) / sizeof(classes[0]) };

typedef struct {
    load_plan_t *plan; /* NULL: stock */
    uint64_t end_us;
    uint64_t stock_sent;
    tally_t tallies[CLASS_COUNT];
} load_t;

static void stock_exchange(uint64_t id, exchange_t *out)
{
    *out = (exchange_t){
        .id = id,
        .line = hust_slice_str("GET /stock HTTP/1.1\r\n"),
        .rest = hust_slice_str("Host: localhost\r\n\r\n"),
        .statuses = {200},
        .expected_body = hust_slice_str("stock"),
    };
}

static bool load_next(void *context, unsigned client, unsigned slot, exchange_t *out)
{
    load_t *load = context;
    if (client_now_us() >= load->end_us) {
        return false;
    }
    if (load->plan == NULL) {
        stock_exchange(load->stock_sent++, out);
    } else {
        load_plan_next(load->plan, client, slot, out);
    }
    return true;
}

static void load_done(void *context, unsigned client, const exchange_t *exchange,
                      const exchange_result_t *result)
{
    load_t *load = context;
    tally_exchange(&load->tallies[client % CLASS_COUNT], client, exchange, result);
    if (load->plan != NULL && result->fault != FAULT_NONE) {
        load_plan_failed(load->plan, client, exchange);
    }
}

static void load_lost(void *context, unsigned client, fault_t fault, unsigned requests)
{
    load_t *load = context;
    tally_lost(&load->tallies[client % CLASS_COUNT], fault, requests);
}

static void load_connected(void *context, unsigned client)
{
    load_t *load = context;
    tally_connected(&load->tallies[client % CLASS_COUNT]);
}

typedef struct {
    const char *address;
    const char *what;
    unsigned clients;
    unsigned ms;
    unsigned seed;
    unsigned attempts;
    unsigned deadline_ms;
} load_options_t;

static load_options_t read_options(int argc, char **argv)
{
    load_options_t got = {
        .what = "ha",
        .clients = 200,
        .seed = 1,
        .attempts = 3,
        .deadline_ms = 10000,
    };
    const option_t table[] = {
        {.name = "address", .text = &got.address},
        {.name = "what", .text = &got.what},
        {"clients", NULL, &got.clients, 1, CLIENT_COUNT_MAX},
        {"ms", NULL, &got.ms, 1, 36000000},
        {"seed", NULL, &got.seed, 0, 4000000000},
        {"attempts", NULL, &got.attempts, 1, 1000},
        {"deadline-ms", NULL, &got.deadline_ms, 1, 3600000},
    };
    options_parse(argc, argv, table, sizeof(table) / sizeof(table[0]));
    bool known = strcmp(got.what, "ha") == 0 || strcmp(got.what, "stock") == 0;
    if (got.address == NULL || got.ms == 0 || !known) {
        fprintf(stderr, "load: --address and --ms are needed, --what is ha or stock\n");
        exit(2);
    }
    return got;
}

/* Print the summary; true if all was well. */
static bool summarize(const load_t *load, double seconds)
{
    static tally_t all;
    json_t *object = json_object();
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        tally_add(&all, &load->tallies[i]);
        json_object_set_new(object, classes[i].name, tally_json(&load->tallies[i], seconds));
    }
    json_object_set_new(object, "all", tally_json(&all, seconds));
    if (load->plan != NULL) {
        json_object_set_new(object, "calls", load_plan_json(load->plan));
    }
    return tally_print(object) == 0 && tally_is_clean(&all);
}

static int run(load_t *load, const client_options_t *options)
{
    const client_source_t source = {
        .context = load,
        .next = load_next,
        .done = load_done,
        .lost = load_lost,
        .connected = load_connected,
    };
    client_engine_t *engine = client_engine_new(options, &source);
    if (engine == NULL) {
        perror("load");
        return 2;
    }
    uint64_t started_us = client_now_us();
    int failed = client_engine_run(engine);
    if (failed != 0) {
        fprintf(stderr, "load: %s\n", strerror(errno));
    }
    client_engine_free(engine);
    bool clean = summarize(load, (double)(client_now_us() - started_us) / 1e6);
    return failed != 0 ? 3 : (clean ? 0 : 1);
}

int main(int argc, char **argv)
{
    static load_t load;
    static client_mode_t modes[CLIENT_COUNT_MAX];
    load_options_t got = read_options(argc, argv);
    for (unsigned i = 0; i < got.clients; i++) {
        modes[i] = classes[i % CLASS_COUNT].mode;
    }
    char address[64];
    snprintf(address, sizeof(address), "%s", got.address);
    client_options_t options = {
        .client_count = got.clients,
        .modes = modes,
        .attempts_max = got.attempts,
        .deadline_ms = got.deadline_ms,
        .total_deadline_ms = got.ms + END_DEADLINE_MS,
    };
    options_split_address(address, &options.host, &options.port);
    if (strcmp(got.what, "ha") == 0) {
        load.plan = load_plan_new(got.clients, PIPELINE_DEPTH, got.seed);
        if (load.plan == NULL) {
            perror("load");
            return 2;
        }
    }
    load.end_us = client_now_us() + (uint64_t)got.ms * 1000;
    int status = run(&load, &options);
    load_plan_free(load.plan);
    return status;
}
