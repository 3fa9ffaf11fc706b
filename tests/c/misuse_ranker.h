/* Part of misuse.c: one of the two rankers, which its macros name. No guard: it is included for each. */

static void TEST(void) {
    static din_model model, other_model;
    static RANKER() ranker, copy;
    din_model_info info;
    din_details details;
    RANKED top[4];
    SCORE score, scores[4];
    NUMBER logit, weights[12], total;
    size_t kept = 99, len, i;
    din_user user;
    din_behaviours many[9];
    unsigned char *scratch, *end;
    size_t bytes;

    GIVES(DIN_OK, din_model_init(&model, BLOB, BLOB_LEN));
    GIVES(DIN_OK, din_model_init(&other_model, OTHER_BLOB, OTHER_LEN));
    GIVES(DIN_OK, din_model_describe(&model, &info));
    bytes = info.scratch_bytes;
    scratch = (unsigned char *)malloc(bytes);
    end = scratch + bytes;

    /* Before it is initialised. */
    GIVES(DIN_ERROR_NOT_INITIALIZED, RANKER(_set_user)(&ranker, &good));
    GIVES(DIN_ERROR_NOT_INITIALIZED, RANKER(_score)(&ranker, slate, 2, &score));
    GIVES(DIN_ERROR_NOT_INITIALIZED, RANKER(_error)(&ranker, &details));
    memset(&ranker, 0x5a, sizeof ranker);
    GIVES(DIN_ERROR_NOT_INITIALIZED, RANKER(_rank)(&ranker, slate, 6, top, 4, &kept));
    GIVES(DIN_ERROR_NOT_INITIALIZED, RANKER(_attention)(&ranker, 0, weights, 12, &len));

    GIVES(DIN_ERROR_NULL, RANKER(_init)(NULL, &model, scratch, bytes));
    GIVES(DIN_ERROR_NULL, RANKER(_init)(&ranker, NULL, scratch, bytes));
    GIVES(DIN_ERROR_NULL, RANKER(_init)(&ranker, &model, NULL, bytes));
    GIVES(DIN_ERROR_MISALIGNED, RANKER(_init)(OFF(RANKER(), &ranker), &model, scratch, bytes));
    GIVES(DIN_ERROR_MISALIGNED, RANKER(_init)(&ranker, OFF(const din_model, &model), scratch, bytes));
    GIVES(DIN_ERROR_MISALIGNED, RANKER(_init)(&ranker, &model, scratch + 2, bytes - 4));
    GIVES(DIN_ERROR_NOT_INITIALIZED, RANKER(_init)(&ranker, (const din_model *)(const void *)&copy, scratch, bytes));
    GIVES(DIN_ERROR_OVERLAP, RANKER(_init)(&ranker, &model, &ranker, bytes));
    GIVES(DIN_ERROR_OVERLAP, RANKER(_init)(&ranker, &model, &model, bytes));
    GIVES(DIN_ERROR_OVERLAP, RANKER(_init)(&ranker, &model, BLOB + 64, bytes));
    GIVES(DIN_ERROR_OVERLAP, RANKER(_init)((RANKER() *)(void *)&model, &model, scratch, bytes));
    GIVES(DIN_ERROR_WRONG_PATH, RANKER(_init)(&ranker, &other_model, scratch, bytes));
    GIVES(DIN_OK, RANKER(_error)(&ranker, &details));
    HOLDS(details.error == DIN_ERROR_WRONG_PATH);
    GIVES(DIN_ERROR_NOT_INITIALIZED, RANKER(_set_user)(&ranker, &good));
    GIVES(DIN_ERROR_SCRATCH_TOO_SMALL, RANKER(_init)(&ranker, &model, scratch, 0));
    GIVES(DIN_ERROR_SCRATCH_TOO_SMALL, RANKER(_init)(&ranker, &model, scratch, bytes - 1));
    GIVES(DIN_OK, RANKER(_error)(&ranker, &details));
    HOLDS(details.needed == bytes && details.found == bytes - 4);
    GIVES(DIN_ERROR_NOT_INITIALIZED, RANKER(_score)(&ranker, slate, 2, &score));

    GIVES(DIN_OK, RANKER(_init)(&ranker, &model, scratch, bytes));
    GIVES(DIN_OK, RANKER(_error)(&ranker, &details));
    HOLDS(details.error == DIN_OK);

    /* The wrong order of calls, the other path's functions, a copy. */
    GIVES(DIN_ERROR_NO_USER, RANKER(_score)(&ranker, slate, 2, &score));
    GIVES(DIN_ERROR_NO_USER, RANKER(_logit)(&ranker, slate, 2, &logit));
    GIVES(DIN_ERROR_NO_USER, RANKER(_score_slate)(&ranker, slate, 6, scores, 4));
    GIVES(DIN_ERROR_NO_USER, RANKER(_rank)(&ranker, slate, 6, top, 4, &kept));
    HOLDS(kept == 0);
    GIVES(DIN_ERROR_NO_USER, RANKER(_attention)(&ranker, 0, weights, 12, &len));
    GIVES(DIN_ERROR_NOT_INITIALIZED, OTHER(_set_user)((OTHER() *)(void *)&ranker, &good));
    memcpy(&copy, &ranker, sizeof ranker);
    GIVES(DIN_ERROR_NOT_INITIALIZED, RANKER(_set_user)(&copy, &good));

    /* Users. */
    GIVES(DIN_ERROR_NULL, RANKER(_set_user)(&ranker, NULL));
    GIVES(DIN_ERROR_NULL, RANKER(_set_user)(NULL, &good));
    GIVES(DIN_ERROR_MISALIGNED, RANKER(_set_user)(&ranker, OFF(const din_user, &good)));
    user = good, user.profile = NULL;
    GIVES(DIN_ERROR_NULL, RANKER(_set_user)(&ranker, &user));
    user = good, user.histories = NULL;
    GIVES(DIN_ERROR_NULL, RANKER(_set_user)(&ranker, &user));
    user = good, user.profile = OFF(const din_value, profile);
    GIVES(DIN_ERROR_MISALIGNED, RANKER(_set_user)(&ranker, &user));
    user = good, user.profile_len = SIZE_MAX;
    GIVES(DIN_ERROR_LENGTH, RANKER(_set_user)(&ranker, &user));
    user = good, user.context = unknown, user.context_len = 1;
    GIVES(DIN_ERROR_UNKNOWN_KIND, RANKER(_set_user)(&ranker, &user));
    user = good, user.context = profile, user.context_len = 1;
    GIVES(DIN_ERROR_FIELD_COUNT, RANKER(_set_user)(&ranker, &user));
    GIVES(DIN_OK, RANKER(_error)(&ranker, &details));
    HOLDS(details.needed == 0 && details.found == 1 && details.what.len == 7);
    HOLDS(memcmp(details.what.bytes, "context", 7) == 0);
    user = good, user.histories_len = 0;
    GIVES(DIN_ERROR_SEQUENCE_COUNT, RANKER(_set_user)(&ranker, &user));
    for (i = 0; i < COUNT(many); i++) many[i] = history[0];
    user = good, user.histories = many, user.histories_len = COUNT(many);
    GIVES(DIN_ERROR_SEQUENCE_COUNT, RANKER(_set_user)(&ranker, &user));
    user = good, user.histories = many, user.histories_len = 1;
    many[0].newer_len = 5;
    GIVES(DIN_ERROR_RAGGED_HISTORY, RANKER(_set_user)(&ranker, &user));
    GIVES(DIN_OK, RANKER(_error)(&ranker, &details));
    HOLDS(details.needed == 2 && details.found == 5 && details.index == 0);
    many[0].newer = (const din_value *)(const void *)(scratch + bytes / 2 / 16 * 16), many[0].newer_len = 2;
    GIVES(DIN_ERROR_OVERLAP, RANKER(_set_user)(&ranker, &user));
    many[0].newer = (const din_value *)(const void *)&ranker;
    GIVES(DIN_ERROR_OVERLAP, RANKER(_set_user)(&ranker, &user));
    many[0].newer = NULL;
    GIVES(DIN_ERROR_NULL, RANKER(_set_user)(&ranker, &user));
    many[0].newer = numbers;
    GIVES(DIN_ERROR_WRONG_KIND, RANKER(_set_user)(&ranker, &user));
    GIVES(DIN_ERROR_NO_USER, RANKER(_score)(&ranker, slate, 2, &score));

    /* Scores. */
    GIVES(DIN_OK, RANKER(_set_user)(&ranker, &good));
    GIVES(DIN_ERROR_NOT_SCORED, RANKER(_attention)(&ranker, 0, weights, 12, &len));
    GIVES(DIN_OK, RANKER(_score)(&ranker, slate, 2, &score));
    GIVES(DIN_ERROR_NULL, RANKER(_score)(&ranker, NULL, 2, &score));
    GIVES(DIN_ERROR_NULL, RANKER(_score)(&ranker, slate, 2, NULL));
    GIVES(DIN_ERROR_NULL, RANKER(_logit)(&ranker, slate, 2, NULL));
    GIVES(DIN_ERROR_MISALIGNED, RANKER(_score)(&ranker, OFF(const din_value, slate), 2, &score));
    GIVES(DIN_ERROR_MISALIGNED, RANKER(_score)(&ranker, slate, 2, OFF(SCORE, scores)));
    GIVES(DIN_ERROR_LENGTH, RANKER(_score)(&ranker, slate, SIZE_MAX / 16 + 2, &score));
    GIVES(DIN_ERROR_FIELD_COUNT, RANKER(_score)(&ranker, slate, 1, &score));
    GIVES(DIN_ERROR_FIELD_COUNT, RANKER(_score)(&ranker, NULL, 0, &score));
    GIVES(DIN_ERROR_WRONG_KIND, RANKER(_score)(&ranker, numbers, 2, &score));
    GIVES(DIN_ERROR_UNKNOWN_KIND, RANKER(_score)(&ranker, unknown, 2, &score));
    GIVES(DIN_ERROR_OVERLAP, RANKER(_score)(&ranker, slate, 2, (SCORE *)(void *)&ranker));
    GIVES(DIN_ERROR_OVERLAP, RANKER(_score)(&ranker, slate, 2, (SCORE *)(void *)&model));
    GIVES(DIN_ERROR_OVERLAP, RANKER(_score)(&ranker, slate, 2, (SCORE *)(void *)(end - 4)));
    GIVES(DIN_ERROR_OVERLAP, RANKER(_score)(&ranker, slate, 2, (SCORE *)(void *)BLOB));
    GIVES(DIN_ERROR_OVERLAP, RANKER(_score)(&ranker, (const din_value *)(const void *)&ranker, 2, &score));

    GIVES(DIN_OK, RANKER(_score_slate)(&ranker, slate, 6, scores, 3));
    HOLDS(scores[0] == score);
    GIVES(DIN_OK, RANKER(_score_slate)(&ranker, NULL, 0, NULL, 0));
    GIVES(DIN_ERROR_FIELD_COUNT, RANKER(_score_slate)(&ranker, slate, 5, scores, 4));
    GIVES(DIN_ERROR_OUTPUT_TOO_SMALL, RANKER(_score_slate)(&ranker, slate, 6, scores, 2));
    GIVES(DIN_OK, RANKER(_error)(&ranker, &details));
    HOLDS(details.needed == 3 && details.found == 2);
    GIVES(DIN_ERROR_NULL, RANKER(_score_slate)(&ranker, slate, 6, NULL, 3));
    GIVES(DIN_ERROR_LENGTH, RANKER(_score_slate)(&ranker, slate, 6, scores, SIZE_MAX));

    {
        din_value own[4];
        memcpy(own, slate, sizeof own);
        GIVES(DIN_ERROR_OVERLAP, RANKER(_score_slate)(&ranker, own, 4, (SCORE *)(void *)(own + 1), 2));
        memcpy(own, slate, sizeof own);
        GIVES(DIN_ERROR_OVERLAP, RANKER(_rank)(&ranker, own, 4, top, 2, (size_t *)(void *)own));
        GIVES(DIN_OK, RANKER(_score_slate)(&ranker, own, 4, scores, 4));
    }

    /* Rankings. */
    GIVES(DIN_OK, RANKER(_rank)(&ranker, slate, 6, top, 4, &kept));
    HOLDS(kept == 3 && top[0].logit >= top[1].logit && top[1].logit >= top[2].logit);
    GIVES(DIN_OK, RANKER(_rank)(&ranker, slate, 6, top, 2, &kept));
    HOLDS(kept == 2);
    GIVES(DIN_OK, RANKER(_rank)(&ranker, slate, 6, NULL, 0, &kept));
    HOLDS(kept == 0);
    GIVES(DIN_ERROR_NULL, RANKER(_rank)(&ranker, slate, 6, NULL, 2, &kept));
    GIVES(DIN_ERROR_NULL, RANKER(_rank)(&ranker, slate, 6, top, 2, NULL));
    GIVES(DIN_ERROR_MISALIGNED, RANKER(_rank)(&ranker, slate, 6, OFF(RANKED, top), 2, &kept));
    GIVES(DIN_ERROR_OVERLAP, RANKER(_rank)(&ranker, slate, 6, top, 2, &top[1].index));
    GIVES(DIN_ERROR_OVERLAP, RANKER(_rank)(&ranker, slate, 6, top, 2, (size_t *)(void *)&model));
    GIVES(DIN_ERROR_FIELD_COUNT, RANKER(_rank)(&ranker, slate, 3, top, 2, &kept));
    HOLDS(kept == 0);

    /* Explanations. */
    GIVES(DIN_OK, RANKER(_score)(&ranker, slate, 2, &score));
    GIVES(DIN_OK, RANKER(_attention)(&ranker, 0, weights, 12, &len));
    for (i = 0, total = 0; i < len; i++) total += weights[i] < 0 ? -weights[i] : weights[i];
    HOLDS(len == 3 && total > 0);
    GIVES(DIN_ERROR_NO_SUCH_INDEX, RANKER(_attention)(&ranker, 1, weights, 12, &len));
    GIVES(DIN_ERROR_OUTPUT_TOO_SMALL, RANKER(_attention)(&ranker, 0, weights, 2, &len));
    GIVES(DIN_ERROR_NULL, RANKER(_attention)(&ranker, 0, NULL, 12, &len));
    GIVES(DIN_ERROR_NULL, RANKER(_attention)(&ranker, 0, weights, 12, NULL));
    GIVES(DIN_ERROR_OVERLAP, RANKER(_attention)(&ranker, 0, weights, 12, (size_t *)(void *)(scratch + bytes / 8 * 8 - 8)));

    /* Self-test. */
    GIVES(DIN_OK, RANKER(_score_slate)(&ranker, slate, 6, scores, 3));
    GIVES(DIN_OK, RANKER(_self_test)(&ranker, &good, slate, 6, scores, 3 TOLERANCE));
    GIVES(DIN_ERROR_FIELD_COUNT, RANKER(_self_test)(&ranker, &good, slate, 6, scores, 2 TOLERANCE));
    GIVES(DIN_ERROR_NULL, RANKER(_self_test)(&ranker, &good, slate, 6, NULL, 3 TOLERANCE));
    GIVES(DIN_ERROR_NULL, RANKER(_self_test)(&ranker, NULL, slate, 6, scores, 3 TOLERANCE));
    scores[2] = scores[2] / 2;
    GIVES(DIN_ERROR_SELF_TEST, RANKER(_self_test)(&ranker, &good, slate, 6, scores, 3 TOLERANCE));
    GIVES(DIN_OK, RANKER(_error)(&ranker, &details));
    HOLDS(details.index == 2 && details.needed != details.found);

    GIVES(DIN_ERROR_NULL, RANKER(_error)(&ranker, NULL));
    GIVES(DIN_ERROR_NULL, RANKER(_error)(NULL, &details));
    GIVES(DIN_ERROR_OVERLAP, RANKER(_error)(&ranker, (din_details *)(void *)&ranker));

    /* The model initialised again: with the same blob nothing changes, with another the ranker is of no use. */
    GIVES(DIN_OK, din_model_init(&model, BLOB, BLOB_LEN));
    GIVES(DIN_OK, RANKER(_score)(&ranker, slate, 2, &score));
    GIVES(DIN_OK, din_model_init(&model, OTHER_BLOB, OTHER_LEN));
    GIVES(DIN_ERROR_MODEL_CHANGED, RANKER(_score)(&ranker, slate, 2, &score));
    GIVES(DIN_ERROR_MODEL_CHANGED, RANKER(_set_user)(&ranker, &good));
    GIVES(DIN_ERROR_BLOB_TOO_SHORT, din_model_init(&model, BLOB, 10));
    GIVES(DIN_ERROR_MODEL_CHANGED, RANKER(_rank)(&ranker, slate, 6, top, 2, &kept));
    free(scratch);
}

#undef RANKER
#undef OTHER
#undef RANKED
#undef SCORE
#undef NUMBER
#undef BLOB
#undef BLOB_LEN
#undef OTHER_BLOB
#undef OTHER_LEN
#undef TOLERANCE
#undef TEST
