/* Checks for the C tests: what fails is printed with its line, `failures` counts, the program's exit code says. */
#ifndef CHECK_H
#define CHECK_H

#include "din.h"

#include <stdio.h>
#include <stdlib.h>

static int failures;
static int checks;

/* The call gives this error. */
#define GIVES(expected, call)                                                                        \
    do {                                                                                             \
        const din_error given = (call);                                                              \
        checks++;                                                                                    \
        if (given != (expected)) {                                                                   \
            failures++;                                                                              \
            printf("%s:%d: %s gives \"%s\" (%d), expected %s\n", __FILE__, __LINE__, #call,          \
                   din_error_string(given), (int)given, #expected);                                  \
        }                                                                                            \
    } while (0)

#define HOLDS(condition)                                                                             \
    do {                                                                                             \
        checks++;                                                                                    \
        if (!(condition)) {                                                                          \
            failures++;                                                                              \
            printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                           \
        }                                                                                            \
    } while (0)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A file's bytes, allocated exactly: a sanitiser sees a read behind them. */
static unsigned char *read_file(const char *path, size_t *len) {
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = NULL;
    long size = -1;
    *len = 0;
    if (file && fseek(file, 0, SEEK_END) == 0) size = ftell(file);
    if (size > 0 && fseek(file, 0, SEEK_SET) == 0) bytes = (unsigned char *)malloc((size_t)size);
    if (bytes) *len = fread(bytes, 1, (size_t)size, file);
    if (file) fclose(file);
    if (!bytes || *len != (size_t)size) {
        printf("cannot read %s\n", path);
        exit(2);
    }
    return bytes;
}

#endif
