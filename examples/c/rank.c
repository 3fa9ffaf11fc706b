/* Ranks slates with the model that is linked in (blob.S), and says why: in integers, so that a workstation and a Cortex-M
 * print the same. The model has one profile field (user), and items with categories as behaviours and candidates. */
#define DIN_NO_FLOAT
#include "din.h"

#include "requests.h"

#include <stdio.h>

extern const unsigned char din_blob[], din_blob_end[];

enum { CAPACITY = 20, FIELDS = 2, TOP = 3 };

/* What this model needs: `din-export inspect` prints it, din_model_info.scratch_bytes has it, less is an error. */
#if UINTPTR_MAX > UINT32_MAX
enum { SCRATCH_BYTES = 15612 };
#else
enum { SCRATCH_BYTES = 2864 };
#endif

/* Memory of the application's. */
static din_model model;
static din_integer_ranker ranker;
static uint32_t scratch[SCRATCH_BYTES / sizeof(uint32_t)];
static din_history history;
static din_value behaviours[CAPACITY * FIELDS];
static din_value slate[SLATE * FIELDS];

/* Says what went wrong, with the numbers behind it; 0 if nothing did. */
static int failed(din_error error, const char *doing) {
    din_details details = { DIN_OK, { "", 0 }, 0, 0, 0 };
    if (error == DIN_OK) return 0;
    printf("%s: %s\n", doing, din_error_string(error));
    if (din_integer_ranker_error(&ranker, &details) != DIN_OK) (void)din_model_error(&model, &details);
    if (details.error == error) {
        printf("  %.*s %lu: needed %lu, found %lu\n", (int)details.what.len, details.what.bytes,
               (unsigned long)details.index, (unsigned long)details.needed, (unsigned long)details.found);
    }
    return 1;
}

static int load(void) {
    const size_t blob_len = (size_t)(din_blob_end - din_blob);
    din_model_info info;
    if (failed(din_model_init(&model, din_blob, blob_len), "loading the blob") ||
        failed(din_model_describe(&model, &info), "describing the model")) {
        return 1;
    }
    printf("model %.*s: %lu bytes\n", (int)info.name.len, info.name.bytes, (unsigned long)blob_len);
    return failed(din_integer_ranker_init(&ranker, &model, scratch, sizeof scratch), "initialising the ranker");
}

/* Notes down what a user did, as an application would when it happens, and sets the user. */
static int set_user(size_t request) {
    din_value profile[1];
    din_behaviours histories[1];
    din_user user = { NULL, 1, NULL, 0, NULL, 1 };
    size_t i;
    if (failed(din_history_init(&history, behaviours, CAPACITY * FIELDS, FIELDS), "beginning a history")) return 1;
    for (i = 0; i < requests[request].history_len; i++) {
        din_value behaviour[FIELDS];
        behaviour[0] = din_id(requests[request].history[i][0]);
        behaviour[1] = din_id(requests[request].history[i][1]);
        if (failed(din_history_push(&history, behaviour, FIELDS), "noting a behaviour")) return 1;
    }
    profile[0] = din_id(requests[request].user);
    user.profile = profile;
    user.histories = histories;
    return failed(din_history_behaviours(&history, histories), "reading the history") ||
           failed(din_integer_ranker_set_user(&ranker, &user), "setting the user");
}

/* A score of 0.1234 as "0.1234". */
static void print_score(uint16_t score) {
    printf("0.%04u", (unsigned)(((uint32_t)score * 10000u) >> 16));
}

/* Scores a candidate again, and says which behaviour weighed most. */
static int explain(const din_value *candidate) {
    static int32_t weights[CAPACITY];
    uint16_t score;
    size_t len, i, most = 0;
    if (failed(din_integer_ranker_score(&ranker, candidate, FIELDS, &score), "scoring") ||
        failed(din_integer_ranker_attention(&ranker, 0, weights, CAPACITY, &len), "explaining")) {
        return 1;
    }
    for (i = 1; i < len; i++) {
        if (weights[i] > weights[most]) most = i;
    }
    if (len > 0) printf(", most for behaviour %lu of %lu", (unsigned long)most + 1, (unsigned long)len);
    return 0;
}

/* Ranks the slate of a request; its scores as bytes, little-endian. */
static int rank(size_t request, unsigned char *bytes) {
    din_integer_ranked top[TOP];
    uint16_t scores[SLATE];
    size_t kept, i;
    for (i = 0; i < SLATE; i++) {
        slate[i * FIELDS] = din_id(requests[request].slate[i][0]);
        slate[i * FIELDS + 1] = din_id(requests[request].slate[i][1]);
    }
    if (set_user(request) ||
        failed(din_integer_ranker_rank(&ranker, slate, SLATE * FIELDS, top, TOP, &kept), "ranking")) {
        return 1;
    }
    printf("user %u\n", (unsigned)requests[request].user);
    for (i = 0; i < kept; i++) {
        const din_value *candidate = slate + top[i].index * FIELDS;
        printf("  item %lu, score ", (unsigned long)candidate[0].id);
        print_score(top[i].score);
        if (explain(candidate)) return 1;
        printf("\n");
    }
    if (failed(din_integer_ranker_score_slate(&ranker, slate, SLATE * FIELDS, scores, SLATE), "scoring")) return 1;
    for (i = 0; i < SLATE; i++) {
        bytes[2 * i] = (unsigned char)(scores[i] & 0xff);
        bytes[2 * i + 1] = (unsigned char)(scores[i] >> 8);
    }
    return 0;
}

int main(void) {
    static unsigned char bytes[REQUESTS * SLATE * 2];
    size_t request;
    if (din_version() != DIN_VERSION) {
        printf("din.h does not belong to the library %s\n", din_version_string());
        return 1;
    }
    if (load()) return 1;
    for (request = 0; request < REQUESTS; request++) {
        if (rank(request, bytes + request * SLATE * 2)) return 1;
    }
    printf("crc-32 of the scores: 0x%08lx\n", (unsigned long)din_crc32(bytes, sizeof bytes));
    return 0;
}
