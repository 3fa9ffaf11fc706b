/* The CRC-32 of what a blob scores for 40 random users, the users of din-core/tests/same_bits.rs, from C:
 *
 *     same_bits BLOB...        prints a line "name crc" for each
 */
#include "check.h"

enum { CANDIDATES = 6, USERS = 40, SEQUENCES = 8 };

static din_value pool[4096];
static size_t used;
static uint32_t state;

static uint32_t below(uint32_t n) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

static din_value draw(const din_field_info *field) {
    static const char *const words[] = { "comedy", "drama", "news" };
    if (below(20) == 0) return din_missing();
    if (field->is_number) return din_number((float)below(601) / 100.0f - 3.0f);
    if (below(4) == 0) {
        const char *word = words[below(3)];
        return din_id(din_hash_text(word, strlen(word)));
    }
    return din_id(below(64));
}

/* `rows` times the fields of a group, from the pool. */
static const din_value *draw_all(const din_model *model, uint32_t group, size_t fields, size_t rows) {
    din_value *values = pool + used;
    size_t row, field;
    for (row = 0; row < rows; row++) {
        for (field = 0; field < fields; field++) {
            din_field_info info;
            GIVES(DIN_OK, din_model_describe_field(model, group, field, &info));
            if (used == COUNT(pool)) {
                printf("the pool is too small\n");
                exit(2);
            }
            pool[used++] = draw(&info);
        }
    }
    return values;
}

static uint32_t crc_of(const din_model *model, const din_model_info *info) {
    static unsigned char logits[USERS * CANDIDATES * 4];
    unsigned char *next = logits;
    void *scratch = malloc(info->scratch_bytes);
    const bool is_integer = info->path == DIN_PATH_INTEGER;
    din_ranker ranker;
    din_integer_ranker integer_ranker;
    size_t index;
    int turn;
    GIVES(DIN_OK, is_integer ? din_integer_ranker_init(&integer_ranker, model, scratch, info->scratch_bytes)
                             : din_ranker_init(&ranker, model, scratch, info->scratch_bytes));
    state = 7;
    for (turn = 0; turn < USERS; turn++) {
        din_behaviours histories[SEQUENCES];
        din_user user = { NULL, info->profile_fields, NULL, info->context_fields, histories, info->sequences };
        const din_value *slate;
        used = 0;
        user.profile = draw_all(model, DIN_GROUP_PROFILE, info->profile_fields, 1);
        user.context = draw_all(model, DIN_GROUP_CONTEXT, info->context_fields, 1);
        for (index = 0; index < info->sequences && index < SEQUENCES; index++) {
            din_sequence_info sequence;
            size_t length, older;
            const din_value *values;
            GIVES(DIN_OK, din_model_describe_sequence(model, index, &sequence));
            length = below((uint32_t)sequence.capacity + 2);
            values = draw_all(model, (uint32_t)(DIN_GROUP_BEHAVIOUR + index), sequence.fields, length);
            /* Cut in two somewhere, as a ring would. */
            older = length * (size_t)turn % 5 / 4 * sequence.fields;
            histories[index].older = values;
            histories[index].older_len = older;
            histories[index].newer = values + older;
            histories[index].newer_len = length * sequence.fields - older;
        }
        slate = draw_all(model, DIN_GROUP_CANDIDATE, info->candidate_fields, CANDIDATES);
        GIVES(DIN_OK, is_integer ? din_integer_ranker_set_user(&integer_ranker, &user) : din_ranker_set_user(&ranker, &user));
        for (index = 0; index < CANDIDATES; index++) {
            const din_value *candidate = slate + index * info->candidate_fields;
            int32_t fixed = 0;
            float number = 0.0f;
            if (is_integer) {
                GIVES(DIN_OK, din_integer_ranker_logit(&integer_ranker, candidate, info->candidate_fields, &fixed));
                memcpy(next, &fixed, 4);
            } else {
                GIVES(DIN_OK, din_ranker_logit(&ranker, candidate, info->candidate_fields, &number));
                memcpy(next, &number, 4);
            }
            next += 4;
        }
    }
    free(scratch);
    return din_crc32(logits, sizeof logits);
}

int main(int argc, char **argv) {
    int argument;
    for (argument = 1; argument < argc; argument++) {
        static din_model model;
        din_model_info info;
        size_t len;
        unsigned char *blob = read_file(argv[argument], &len);
        GIVES(DIN_OK, din_model_init(&model, blob, len));
        GIVES(DIN_OK, din_model_describe(&model, &info));
        if (failures == 0) {
            printf("%.*s %08lx\n", (int)info.name.len, info.name.bytes, (unsigned long)crc_of(&model, &info));
        }
        free(blob);
    }
    return failures != 0;
}
