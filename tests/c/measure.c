/* On a Cortex-M: what the C API adds in code, and the stack that its calls use. Linked twice, with and without
 * -DWITHOUT_DIN; the difference in size is the library's, all of it that ranking needs. */
#define DIN_NO_FLOAT
#include "din.h"

#include "requests.h"

#include <stdio.h>

extern const unsigned char din_blob[], din_blob_end[];

enum { PAINTED = 8192, PAINT = 0x5a };

static volatile unsigned char *deepest;

/* Paints the stack below the caller's frame. */
static __attribute__((noinline)) void paint(void) {
    volatile unsigned char here;
    volatile unsigned char *byte = &here - 64;
    deepest = byte - PAINTED;
    while (byte > deepest) *--byte = PAINT;
}

/* Bytes of it that were used since. */
static __attribute__((noinline)) unsigned used(void) {
    volatile unsigned char here;
    volatile unsigned char *byte = deepest;
    while (byte < &here - 64 && *byte == PAINT) byte++;
    return (unsigned)(&here - 64 - byte);
}

#ifdef WITHOUT_DIN
#define MEASURE(name, call) (paint(), printf(name " %u\n", used()))
#else
static din_model model;
static din_integer_ranker ranker;
static uint32_t scratch[2864 / 4];

#define MEASURE(name, call)                                        \
    do {                                                           \
        din_error error;                                           \
        paint();                                                   \
        error = (call);                                            \
        printf(name " %u\n", used());                              \
        if (error != DIN_OK) return 1;                             \
    } while (0)
#endif

int main(void) {
#ifndef WITHOUT_DIN
    din_value profile[1], behaviours[20 * 2], slate[SLATE * 2];
    din_behaviours histories[1] = { { NULL, 0, NULL, 0 } };
    din_user user = { NULL, 1, NULL, 0, NULL, 1 };
    din_integer_ranked top[3];
    size_t i, kept;
    profile[0] = din_id(requests[0].user);
    for (i = 0; i < 2 * requests[0].history_len; i++) behaviours[i] = din_id(requests[0].history[i / 2][i % 2]);
    for (i = 0; i < 2 * SLATE; i++) slate[i] = din_id(requests[0].slate[i / 2][i % 2]);
    histories[0].newer = behaviours;
    histories[0].newer_len = 2 * requests[0].history_len;
    user.profile = profile;
    user.histories = histories;
#endif
    MEASURE("nothing", DIN_OK);
    MEASURE("din_model_init", din_model_init(&model, din_blob, (size_t)(din_blob_end - din_blob)));
    MEASURE("din_integer_ranker_init", din_integer_ranker_init(&ranker, &model, scratch, sizeof scratch));
    MEASURE("din_integer_ranker_set_user", din_integer_ranker_set_user(&ranker, &user));
    MEASURE("din_integer_ranker_rank", din_integer_ranker_rank(&ranker, slate, SLATE * 2, top, 3, &kept));
    printf("blob %u\n", din_blob[0] == 0x89);
    return 0;
}
