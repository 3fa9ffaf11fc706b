/* What the header promises of each function when it is misused, and that nothing else is touched then: run under sanitisers.
 *
 *     misuse INTEGER_BLOB F32_BLOB        of the model of tests/goldens: a user; item and category
 */
#include "check.h"

static unsigned char *integer_blob, *f32_blob;
static size_t integer_len, f32_len;

static const din_value profile[] = { DIN_ID(7) };
static const din_value clicks[] = { DIN_ID(3), DIN_ID(1), DIN_ID(9), DIN_ID(2), DIN_MISSING, DIN_ID(4) };
static const din_value slate[] = { DIN_ID(17), DIN_ID(3), DIN_ID(4), DIN_ID(2), DIN_ID(999), DIN_MISSING };
static const din_value numbers[] = { DIN_FIXED(65536), DIN_ID(1) };
static const din_value unknown[] = { { 4u, 0u, 0u }, DIN_ID(1) };
static const din_behaviours history[] = { { NULL, 0, clicks, COUNT(clicks) } };
static const din_user good = { profile, 1, NULL, 0, history, 1 };

/* A pointer that is one byte off. */
#define OFF(type, pointer) ((type *)(uintptr_t)((uintptr_t)(pointer) + 1))

static void errors_have_words(void) {
    static const din_error all[] = { DIN_OK, DIN_ERROR_NULL, DIN_ERROR_LENGTH, DIN_ERROR_BLOB, DIN_ERROR_SCORE };
    size_t i;
    for (i = 0; i < COUNT(all); i++) HOLDS(strcmp(din_error_string(all[i]), "unknown error") != 0);
    HOLDS(strcmp(din_error_string(4711), "unknown error") == 0);
    HOLDS(strcmp(din_error_string(-1), "unknown error") == 0);
    HOLDS(din_version() == DIN_VERSION);
    HOLDS(strlen(din_version_string()) >= 5);
    HOLDS(din_blob_version() >> 16 == 1);
}

static void hashes(void) {
    HOLDS(din_crc32("123456789", 9) == 0xcbf43926u);
    HOLDS(din_crc32(NULL, 9) == 0);
    HOLDS(din_crc32("1", SIZE_MAX) == 0);
    HOLDS(din_hash_text("a", 1) == 0xaf63dc4c8601ec8cu);
    HOLDS(din_hash_text(NULL, 0) == 0xcbf29ce484222325u);
    HOLDS(din_hash_text(NULL, 4) == 0xcbf29ce484222325u);
}

static void a_model(void) {
    static din_model model, copy;
    din_details details;
    din_model_info info;
    din_sequence_info sequence;
    din_field_info field;
    unsigned char *broken = (unsigned char *)malloc(integer_len + 1);

    /* Before it is initialised. */
    GIVES(DIN_ERROR_NOT_INITIALIZED, din_model_describe(&model, &info));
    GIVES(DIN_ERROR_NOT_INITIALIZED, din_model_error(&model, &details));
    memset(&model, 0xa5, sizeof model);
    GIVES(DIN_ERROR_NOT_INITIALIZED, din_model_describe(&model, &info));

    GIVES(DIN_ERROR_NULL, din_model_init(NULL, integer_blob, integer_len));
    GIVES(DIN_ERROR_NULL, din_model_init(&model, NULL, integer_len));
    GIVES(DIN_ERROR_NULL, din_model_init(&model, NULL, 0));
    GIVES(DIN_ERROR_MISALIGNED, din_model_init(OFF(din_model, &model), integer_blob, integer_len));
    GIVES(DIN_ERROR_LENGTH, din_model_init(&model, integer_blob, SIZE_MAX));
    GIVES(DIN_ERROR_LENGTH, din_model_init(&model, integer_blob, SIZE_MAX / 2 + 1));
    GIVES(DIN_ERROR_OVERLAP, din_model_init(&model, &model, sizeof model));
    GIVES(DIN_ERROR_OVERLAP, din_model_init(&model, (char *)&model + sizeof model - 1, 1));
    GIVES(DIN_ERROR_NOT_INITIALIZED, din_model_describe(&model, &info));

    /* Blobs that are refused, with their numbers. */
    memcpy(broken, integer_blob, integer_len);
    broken[integer_len] = 0;
    GIVES(DIN_ERROR_BLOB_TOO_SHORT, din_model_init(&model, broken, 0));
    GIVES(DIN_ERROR_BLOB_TOO_SHORT, din_model_init(&model, broken, 63));
    GIVES(DIN_OK, din_model_error(&model, &details));
    HOLDS(details.error == DIN_ERROR_BLOB_TOO_SHORT && details.needed == 64 && details.found == 63);
    GIVES(DIN_ERROR_BLOB_TOO_SHORT, din_model_init(&model, broken, integer_len - 1));
    GIVES(DIN_OK, din_model_error(&model, &details));
    HOLDS(details.needed == integer_len && details.found == integer_len - 1);
    GIVES(DIN_ERROR_NOT_INITIALIZED, din_model_describe(&model, &info));
    GIVES(DIN_ERROR_BLOB_TOO_LONG, din_model_init(&model, broken, integer_len + 1));
    broken[integer_len - 1] ^= 1;
    GIVES(DIN_ERROR_BLOB_CHECKSUM, din_model_init(&model, broken, integer_len));
    broken[40] ^= 1;
    GIVES(DIN_ERROR_BLOB_HEADER_CHECKSUM, din_model_init(&model, broken, integer_len));
    broken[8] = 2;
    GIVES(DIN_ERROR_BLOB_VERSION, din_model_init(&model, broken, integer_len));
    GIVES(DIN_OK, din_model_error(&model, &details));
    HOLDS(details.needed == 1 && details.found == 2);
    broken[0] = 'D';
    GIVES(DIN_ERROR_BLOB_MAGIC, din_model_init(&model, broken, integer_len));

    /* Anywhere in memory, one byte off a word included. */
    memmove(broken + 1, integer_blob, integer_len);
    GIVES(DIN_OK, din_model_init(&model, broken + 1, integer_len));
    GIVES(DIN_OK, din_model_describe(&model, &info));
    HOLDS(info.path == DIN_PATH_INTEGER && info.profile_fields == 1 && info.context_fields == 0);
    HOLDS(info.candidate_fields == 2 && info.sequences == 1 && info.scratch_bytes > 0 && info.candidate_macs > 0);
    HOLDS(info.name.len == 13 && memcmp(info.name.bytes, "paper-integer", 13) == 0);
    GIVES(DIN_OK, din_model_error(&model, &details));
    HOLDS(details.error == DIN_OK);

    GIVES(DIN_ERROR_NULL, din_model_describe(NULL, &info));
    GIVES(DIN_ERROR_NULL, din_model_describe(&model, NULL));
    GIVES(DIN_ERROR_MISALIGNED, din_model_describe(OFF(din_model, &model), &info));
    GIVES(DIN_ERROR_MISALIGNED, din_model_describe(&model, OFF(din_model_info, &info)));
    GIVES(DIN_ERROR_OVERLAP, din_model_describe(&model, (din_model_info *)(void *)&model));
    GIVES(DIN_ERROR_NULL, din_model_error(NULL, &details));
    GIVES(DIN_ERROR_NULL, din_model_error(&model, NULL));
    GIVES(DIN_ERROR_OVERLAP, din_model_error(&model, (din_details *)(void *)&model));

    GIVES(DIN_OK, din_model_describe_sequence(&model, 0, &sequence));
    HOLDS(sequence.capacity == 12 && sequence.fields == 2 && sequence.has_attention);
    GIVES(DIN_ERROR_NO_SUCH_INDEX, din_model_describe_sequence(&model, 1, &sequence));
    GIVES(DIN_ERROR_NO_SUCH_INDEX, din_model_describe_sequence(&model, SIZE_MAX, &sequence));
    GIVES(DIN_ERROR_NULL, din_model_describe_sequence(&model, 0, NULL));
    GIVES(DIN_ERROR_NULL, din_model_describe_sequence(NULL, 0, &sequence));

    GIVES(DIN_OK, din_model_describe_field(&model, DIN_GROUP_CANDIDATE, 1, &field));
    HOLDS(field.name.len == 8 && memcmp(field.name.bytes, "category", 8) == 0 && !field.is_number);
    GIVES(DIN_OK, din_model_describe_field(&model, DIN_GROUP_BEHAVIOUR, 0, &field));
    GIVES(DIN_ERROR_NO_SUCH_INDEX, din_model_describe_field(&model, DIN_GROUP_CANDIDATE, 2, &field));
    GIVES(DIN_ERROR_NO_SUCH_INDEX, din_model_describe_field(&model, DIN_GROUP_CONTEXT, 0, &field));
    GIVES(DIN_ERROR_NO_SUCH_INDEX, din_model_describe_field(&model, DIN_GROUP_BEHAVIOUR + 1, 0, &field));
    GIVES(DIN_ERROR_NO_SUCH_INDEX, din_model_describe_field(&model, 3, 0, &field));
    GIVES(DIN_ERROR_NO_SUCH_INDEX, din_model_describe_field(&model, UINT32_MAX, SIZE_MAX, &field));
    GIVES(DIN_ERROR_NULL, din_model_describe_field(&model, DIN_GROUP_PROFILE, 0, NULL));

    /* A copy of a model is none. */
    memcpy(&copy, &model, sizeof model);
    GIVES(DIN_ERROR_NOT_INITIALIZED, din_model_describe(&copy, &info));
    free(broken);
}

static void a_history(void) {
    static din_value array[3 * 2];
    din_history ring, empty;
    din_behaviours view;
    uint64_t id;
    memset(&empty, 0, sizeof empty);

    GIVES(DIN_ERROR_NULL, din_history_init(NULL, array, 6, 2));
    GIVES(DIN_ERROR_NULL, din_history_init(&ring, NULL, 6, 2));
    GIVES(DIN_ERROR_MISALIGNED, din_history_init(&ring, OFF(din_value, array), 4, 2));
    GIVES(DIN_ERROR_LENGTH, din_history_init(&ring, array, SIZE_MAX / 8, 2));
    GIVES(DIN_ERROR_OVERLAP, din_history_init(&ring, (din_value *)(void *)&ring, 2, 1));
    GIVES(DIN_ERROR_OUTPUT_TOO_SMALL, din_history_init(&ring, array, 1, 2));
    GIVES(DIN_ERROR_OUTPUT_TOO_SMALL, din_history_init(&ring, array, 6, 0));
    GIVES(DIN_ERROR_NOT_INITIALIZED, din_history_push(&empty, clicks, 2));
    GIVES(DIN_ERROR_NOT_INITIALIZED, din_history_behaviours(&empty, &view));

    GIVES(DIN_OK, din_history_init(&ring, array, 6, 2));
    GIVES(DIN_OK, din_history_behaviours(&ring, &view));
    HOLDS(view.older_len == 0 && view.newer_len == 0);
    for (id = 1; id <= 5; id++) {
        din_value behaviour[2];
        behaviour[0] = din_id(id);
        behaviour[1] = din_missing();
        GIVES(DIN_OK, din_history_push(&ring, behaviour, 2));
        GIVES(DIN_OK, din_history_behaviours(&ring, &view));
        HOLDS(view.older_len + view.newer_len == (id < 3 ? (size_t)id * 2 : 6));
        HOLDS(view.newer_len > 0 && view.newer[view.newer_len - 2].id == id);
    }
    /* 4 and 5 went to the first two rows: 3 is older. */
    HOLDS(view.older_len == 2 && view.older[0].id == 3 && view.newer_len == 4 && view.newer[0].id == 4);

    GIVES(DIN_ERROR_NULL, din_history_push(NULL, clicks, 2));
    GIVES(DIN_ERROR_NULL, din_history_push(&ring, NULL, 2));
    GIVES(DIN_ERROR_FIELD_COUNT, din_history_push(&ring, clicks, 1));
    GIVES(DIN_ERROR_MISALIGNED, din_history_push(&ring, OFF(const din_value, clicks), 2));
    GIVES(DIN_ERROR_UNKNOWN_KIND, din_history_push(&ring, unknown, 2));
    GIVES(DIN_ERROR_OVERLAP, din_history_push(&ring, array, 2));
    GIVES(DIN_ERROR_NULL, din_history_behaviours(&ring, NULL));
    GIVES(DIN_ERROR_NULL, din_history_behaviours(NULL, &view));
    GIVES(DIN_ERROR_OVERLAP, din_history_behaviours(&ring, (din_behaviours *)(void *)array));
    ring.next = 3;
    GIVES(DIN_ERROR_NOT_INITIALIZED, din_history_push(&ring, clicks, 2));
}

/* The same of both rankers. */
#define RANKER(name) din_integer_ranker##name
#define OTHER(name) din_ranker##name
#define RANKED din_integer_ranked
#define SCORE uint16_t
#define NUMBER int32_t
#define BLOB integer_blob
#define BLOB_LEN integer_len
#define OTHER_BLOB f32_blob
#define OTHER_LEN f32_len
#define TOLERANCE
#define TEST an_integer_ranker
#include "misuse_ranker.h"

#define RANKER(name) din_ranker##name
#define OTHER(name) din_integer_ranker##name
#define RANKED din_ranked
#define SCORE float
#define NUMBER float
#define BLOB f32_blob
#define BLOB_LEN f32_len
#define OTHER_BLOB integer_blob
#define OTHER_LEN integer_len
#define TOLERANCE , 1e-6f
#define TEST a_ranker
#include "misuse_ranker.h"

int main(int argc, char **argv) {
    if (argc != 3) {
        printf("usage: misuse INTEGER_BLOB F32_BLOB\n");
        return 2;
    }
    integer_blob = read_file(argv[1], &integer_len);
    f32_blob = read_file(argv[2], &f32_len);
    errors_have_words();
    hashes();
    a_model();
    a_history();
    an_integer_ranker();
    a_ranker();
    free(integer_blob);
    free(f32_blob);
    printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
