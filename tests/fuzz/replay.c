/*
 * Runs a fuzz target over every file of the directories given as arguments, so that the kept
 * corpus is part of the ordinary test run, without clang. Fails if there is nothing to run.
 */
#include <dirent.h>
#include <errno.h>

#include "fuzz.h"

enum { FILE_BYTES_MAX = 1 << 20 };

static void die(const char *what, const char *path)
{
    fprintf(stderr, "%s: %s: %s\n", what, path, strerror(errno));
    exit(1);
}

/* The target gets memory that ends where the input does, so that a sanitizer sees every step past
 * it. */
static void run_file(const char *path)
{
    static uint8_t content[FILE_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        die("cannot open", path);
    }
    size_t size = fread(content, 1, sizeof(content), file);
    if (ferror(file) || size == sizeof(content)) {
        die("cannot read, or too large", path);
    }
    fclose(file);
    uint8_t *exact = malloc(size == 0 ? 1 : size);
    if (exact == NULL) {
        die("no memory", path);
    }
    memcpy(exact, content, size);
    fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static unsigned run_directory(const char *directory)
{
    unsigned count = 0;
    DIR *entries = opendir(directory);
    if (entries == NULL) {
        die("cannot open", directory);
    }
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        char path[4096];
        if (entry->d_name[0] == '.') {
            continue;
        }
        int len = snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        if (len < 0 || (size_t)len >= sizeof(path)) {
            die("name too long", directory);
        }
        run_file(path);
        count++;
    }
    closedir(entries);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        count += run_directory(argv[i]);
    }
    printf("%u inputs\n", count);
    return count > 0 ? 0 : 1;
}
