/*
 * hustdb: the storage node. Options, signals, start and stop.
 */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/config.h"
#include "node/log.h"
#include "node/node.h"

typedef struct {
    const char *config_path;
    bool check;
} arguments_t;

static void print_help(FILE *to)
{
    fputs("usage: hustdb --config FILE [--check]\n"
          "\n"
          "  --config FILE  serve as FILE says, in the foreground\n"
          "  --check        say whether FILE is right, and end\n"
          "  --version      print the release, and end\n"
          "  --help         print this, and end\n",
          to);
}

/* Returns -1 to go on, else the exit status. */
static int read_arguments(int argc, char **argv, arguments_t *arguments)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 't'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            arguments->config_path = optarg;
            break;
        case 't':
            arguments->check = true;
            break;
        case 'v':
            puts("hustdb " HUST_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            print_help(stdout);
            return EXIT_SUCCESS;
        default:
            print_help(stderr);
            return EXIT_FAILURE;
        }
    }
    if (arguments->config_path == NULL || optind != argc) {
        print_help(stderr);
        return EXIT_FAILURE;
    }
    return -1;
}

/* Signals are waited for by the main thread alone; to be called before there are others. */
static void block_signals(sigset_t *ends)
{
    sigemptyset(ends);
    sigaddset(ends, SIGTERM);
    sigaddset(ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

static int serve(const hust_config_t *config)
{
    hust_node_t node;
    sigset_t ends;
    int received = 0;
    block_signals(&ends);
    if (hust_node_start(&node, config) != HUST_OK) {
        return EXIT_FAILURE;
    }
    hust_log(HUST_LOG_INFO, "hustdb " HUST_VERSION " serves %s from %s", config->listen.address,
             config->store_path);
    sigwait(&ends, &received);
    hust_log(HUST_LOG_INFO, "%s: stopping", strsignal(received));
    hust_node_stop(&node);
    hust_log(HUST_LOG_INFO, "stopped");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static hust_config_t config;
    char message[HUST_CONFIG_MESSAGE_BYTES];
    arguments_t arguments = {0};
    int status = read_arguments(argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    if (hust_config_read(arguments.config_path, &config, message) != HUST_OK) {
        fprintf(stderr, "%s\n", message);
        return EXIT_FAILURE;
    }
    if (arguments.check) {
        printf("%s: ok\n", arguments.config_path);
        return EXIT_SUCCESS;
    }
    const char *log_file = config.log_file[0] == '\0' ? NULL : config.log_file;
    if (hust_log_open(log_file, config.log_level) != HUST_OK) {
        fprintf(stderr, "%s: %m\n", log_file);
        return EXIT_FAILURE;
    }
    status = serve(&config);
    hust_log_close();
    return status;
}
