#include "options.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void refuse(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(2);
}

static unsigned parse_number(const char *name, const char *text, unsigned min, unsigned max)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-') {
        refuse(name, "not a number");
    }
    if (value < min || value > max) {
        refuse(name, "out of range");
    }
    return (unsigned)value;
}

static const option_t *find(const option_t *options, unsigned count, const char *argument)
{
    for (unsigned i = 0; i < count; i++) {
        if (strncmp(argument, "--", 2) == 0 && strcmp(argument + 2, options[i].name) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

void options_parse(int argc, char **argv, const option_t *options, unsigned count)
{
    for (int i = 1; i < argc; i += 2) {
        const option_t *option = find(options, count, argv[i]);
        if (option == NULL) {
            refuse(argv[i], "unknown option");
            return;
        }
        if (i + 1 == argc) {
            refuse(argv[i], "value missing");
        }
        if (option->number != NULL) {
            *option->number =
                parse_number(argv[i], argv[i + 1], option->number_min, option->number_max);
        } else {
            assert(option->text != NULL);
            *option->text = argv[i + 1];
        }
    }
}

void options_split_address(char *address, const char **host, uint16_t *port)
{
    char *colon = strrchr(address, ':');
    if (colon == NULL) {
        refuse(address, "not host:port");
        return;
    }
    *port = (uint16_t)parse_number(address, colon + 1, 1, 65535);
    *colon = '\0';
    *host = address;
}
