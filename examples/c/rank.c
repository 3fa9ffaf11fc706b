/* Ranks a slate for one user with the model that is linked in (blob.S), and says why.
 *
 * The same file runs on a workstation and on a Cortex-M; scores are integers, so both print the same.
 * The model is one of users, items and categories with one behaviour sequence of items and categories.
 */
#include "din.h"

#include <stdio.h>

extern const unsigned char din_blob[], din_blob_end[];

enum { CAPACITY = 20, FIELDS = 2, CANDIDATES = 10, TOP = 3 };

/* Memory of the application: for a known model SCRATCH is what `din-export inspect` prints, here it has room for several. */
#ifndef SCRATCH
#define SCRATCH 16384
#endif
static uint32_t scratch[SCRATCH / sizeof(uint32_t)];
static din_model model;
static din_integer_ranker ranker;
static din_value behaviours[CAPACITY * FIELDS];
static din_history history;

/* item, category */
static const din_value slate[CANDIDATES * FIELDS] = {
    DIN_ID(5),  DIN_ID(1), DIN_ID(12), DIN_ID(3), DIN_ID(33), DIN_ID(7), DIN_ID(48), DIN_ID(2), DIN_ID(7), DIN_ID(4),
    DIN_ID(19), DIN_ID(5), DIN_ID(60), DIN_ID(8), DIN_ID(21), DIN_ID(0), DIN_ID(2),  DIN_ID(6), DIN_ID(55), DIN_ID(1),
};

/* 0 if all went well; else says what did not. */
static int failed(din_error error, const char *doing) {
    if (error != DIN_OK) printf("%s: %s (error %d)\n", doing, din_error_string(error), (int)error);
    return error != DIN_OK;
}

/* A score of 0.1234 as "0.1234", without floating point. */
static void print_score(uint16_t score) {
    printf("0.%04u", (unsigned)(((uint32_t)score * 10000u + 32768u) >> 16));
}

/* What the user did, as an application would note it down as it happens. */
static int remember(void) {
    unsigned i;
    if (failed(din_history_init(&history, behaviours, CAPACITY * FIELDS, FIELDS), "history")) return 1;
    for (i = 0; i < 25; i++) {
        din_value behaviour[FIELDS];
        behaviour[0] = din_id(1 + i * 7 % 50);
        behaviour[1] = din_id(i * 5 % 9);
        if (failed(din_history_push(&history, behaviour, FIELDS), "behaviour")) return 1;
    }
    return 0;
}

static int set_user(void) {
    static const din_value profile[] = { DIN_ID(7) };
    din_behaviours histories[1];
    din_user user = { NULL, 0, NULL, 0, NULL, 1 };
    user.profile = profile;
    user.profile_len = 1;
    user.histories = histories;
    return remember() || failed(din_history_behaviours(&history, histories), "history") ||
           failed(din_integer_ranker_set_user(&ranker, &user), "user");
}

/* Scores a candidate again, and prints how much each behaviour weighed, oldest first, in thousandths. */
static int explain(const din_value *candidate) {
    static int32_t weights[CAPACITY];
    uint16_t score;
    int32_t fraction;
    size_t len, i;
    if (failed(din_integer_ranker_score(&ranker, candidate, FIELDS, &score), "score") ||
        failed(din_integer_ranker_attention(&ranker, 0, weights, CAPACITY, &len), "attention") ||
        failed(din_integer_ranker_attention_fraction(&ranker, 0, &fraction), "attention")) {
        return 1;
    }
    printf("   attention");
    for (i = 0; i < len; i++) {
        const int64_t thousandths = (int64_t)weights[i] * 1000;
        printf(" %ld", (long)(fraction < 0 ? thousandths * ((int64_t)1 << -fraction) : thousandths / ((int64_t)1 << fraction)));
    }
    printf("\n");
    return 0;
}

int main(void) {
    din_model_info info;
    din_integer_ranked top[TOP];
    uint16_t scores[CANDIDATES];
    uint8_t bytes[2 * CANDIDATES];
    size_t kept, i;

    if (din_version() != DIN_VERSION) {
        printf("din.h does not belong to the library %s\n", din_version_string());
        return 1;
    }
    if (failed(din_model_init(&model, din_blob, (size_t)(din_blob_end - din_blob)), "blob")) {
        din_details details;
        if (din_model_error(&model, &details) == DIN_OK) {
            printf("  %.*s: expected %lu, found %lu\n", (int)details.what.len, details.what.bytes,
                   (unsigned long)details.needed, (unsigned long)details.found);
        }
        return 1;
    }
    if (failed(din_model_describe(&model, &info), "model")) return 1;
    printf("model %.*s, version %lu: %lu bytes of blob\n", (int)info.name.len, info.name.bytes,
           (unsigned long)info.model_version, (unsigned long)(din_blob_end - din_blob));
    if (failed(din_integer_ranker_init(&ranker, &model, scratch, sizeof scratch), "ranker")) {
        return 1;
    }
    if (set_user() || failed(din_integer_ranker_rank(&ranker, slate, CANDIDATES * FIELDS, top, TOP, &kept), "rank")) return 1;
    for (i = 0; i < kept; i++) {
        const din_value *candidate = slate + top[i].index * FIELDS;
        printf("%u. item %lu, score ", (unsigned)i + 1, (unsigned long)candidate[0].id);
        print_score(top[i].score);
        printf("\n");
        if (explain(candidate)) return 1;
    }

    /* Of all scores, little-endian: what another machine must give, too. */
    if (failed(din_integer_ranker_score_slate(&ranker, slate, CANDIDATES * FIELDS, scores, CANDIDATES), "slate")) return 1;
    for (i = 0; i < CANDIDATES; i++) {
        bytes[2 * i] = (uint8_t)(scores[i] & 0xff);
        bytes[2 * i + 1] = (uint8_t)(scores[i] >> 8);
    }
    printf("CRC-32 of the scores %08lx\n", (unsigned long)din_crc32(bytes, sizeof bytes));
    return 0;
}
