/* DIN on the edge, for C99 and C++: ranks items on the device with a Deep Interest Network.
 *
 * This file is generated from din-core/ffi/src: see cbindgen.toml there.
 *
 *     static uint32_t scratch[SCRATCH_BYTES / 4];            // din_model_info.scratch_bytes: `din-export inspect`
 *     static din_model model;
 *     static din_integer_ranker ranker;
 *
 *     din_error error = din_model_init(&model, blob, blob_len);                               // once: checks all
 *     if (!error) error = din_integer_ranker_init(&ranker, &model, scratch, sizeof scratch);
 *     if (!error) error = din_integer_ranker_set_user(&ranker, &user);                        // once a user
 *     if (!error) error = din_integer_ranker_rank(&ranker, slate, slate_len, top, 3, &kept);
 *     if (error) puts(din_error_string(error));
 *
 * A blob is for one of two numeric paths, chosen when it is exported. `din_ranker` scores in f32, `din_integer_ranker` in
 * integers, without any floating point; a program links the code of the one that it calls. Define DIN_NO_FLOAT before
 * including this file to be told by the compiler where floating point is used.
 *
 * Memory is the caller's: nothing is allocated, there are no globals. Objects (`din_model`, rankers) and scratch memory
 * must stay where they are while they are used; so must the blob. Arguments are read during the call alone.
 *
 * Lengths count elements, not bytes, but for a blob and for scratch memory. With a length of 0 a pointer may be null.
 * Every argument is checked as far as it can be, also that of the memory that is written nothing is anything else's. An
 * error other than DIN_OK means that nothing was done, but for what a function says of its results.
 *
 * Threads: a model may be shared once it is initialised; a ranker is for one thread at a time.
 */
#ifndef DIN_H
#define DIN_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef DIN_NO_FLOAT
#define DIN_F32
#endif


/*
 Version of this header, `major << 16 | minor << 8 | patch`. `din_version()` is that of the library.
 */
#define DIN_VERSION 256

/*
 Words of a `din_model`, after its first eight bytes.
 */
#define DIN_MODEL_WORDS 76

/*
 Words of a `din_ranker` or a `din_integer_ranker`, after its first eight bytes.
 */
#define DIN_RANKER_WORDS 24

/*
 What every function returns: `DIN_OK` or why it did nothing. The numbers stay as they are; later versions add others.

 `din_error_string` says each in words; for those from 16 on, `din_model_error`, `din_ranker_error` and
 `din_integer_ranker_error` have the numbers.
 */
enum din_error
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /*
     Done.
     */
    DIN_OK = 0,
    /*
     A pointer is null where there must be something.
     */
    DIN_ERROR_NULL = 1,
    /*
     A pointer is not aligned to what it points to.
     */
    DIN_ERROR_MISALIGNED = 2,
    /*
     A length is larger than memory can be.
     */
    DIN_ERROR_LENGTH = 3,
    /*
     Two pieces of memory that must be apart overlap.
     */
    DIN_ERROR_OVERLAP = 4,
    /*
     The object was never initialised, or its initialisation failed, or it was moved, copied or overwritten.
     */
    DIN_ERROR_NOT_INITIALIZED = 5,
    /*
     The ranker's model was initialised again, with another blob: initialise the ranker again, too.
     */
    DIN_ERROR_MODEL_CHANGED = 6,
    /*
     The `kind` of a value is none of `din_kind`.
     */
    DIN_ERROR_UNKNOWN_KIND = 7,
    /*
     There is no field, group or sequence with this index.
     */
    DIN_ERROR_NO_SUCH_INDEX = 8,
    /*
     Blob: fewer bytes than its header says. `needed`, `found`: bytes.
     */
    DIN_ERROR_BLOB_TOO_SHORT = 16,
    /*
     Blob: more bytes than its header says. `needed`, `found`: bytes.
     */
    DIN_ERROR_BLOB_TOO_LONG = 17,
    /*
     Blob: the first bytes are those of something else.
     */
    DIN_ERROR_BLOB_MAGIC = 18,
    /*
     Blob: another major version of the format. `needed`: supported, `found`: of the blob.
     */
    DIN_ERROR_BLOB_VERSION = 19,
    /*
     Blob: it needs features that this library does not have. `found`: their bits.
     */
    DIN_ERROR_BLOB_FEATURES = 20,
    /*
     Blob: its header is corrupt. `needed`: the CRC-32 in it, `found`: that of the bytes.
     */
    DIN_ERROR_BLOB_HEADER_CHECKSUM = 21,
    /*
     Blob: it is corrupt. `needed`: the CRC-32 in its header, `found`: that of the bytes.
     */
    DIN_ERROR_BLOB_CHECKSUM = 22,
    /*
     Blob: `what` does not decode.
     */
    DIN_ERROR_BLOB_MALFORMED = 23,
    /*
     Blob: `what` is `found`, outside what the format allows; `needed`: the limit.
     */
    DIN_ERROR_BLOB_OUT_OF_RANGE = 24,
    /*
     Blob: `what` of record `index` is `found`; `needed`: what the rest of the blob implies.
     */
    DIN_ERROR_BLOB_MISMATCH = 25,
    /*
     Blob: number `index` of `what` is infinite, not a number, or not positive where it must be.
     */
    DIN_ERROR_BLOB_NUMBER = 26,
    /*
     Blob: key `index` of the vocabulary of table `found` does not ascend.
     */
    DIN_ERROR_BLOB_KEYS = 27,
    /*
     Blob: a reason that this header does not know.
     */
    DIN_ERROR_BLOB = 31,
    /*
     The scratch memory is too small. `needed`, `found`: bytes.
     */
    DIN_ERROR_SCRATCH_TOO_SMALL = 32,
    /*
     The blob holds the other numeric path: f32 for an integer ranker or the other way round.
     */
    DIN_ERROR_WRONG_PATH = 33,
    /*
     No user is set, or the last user was refused.
     */
    DIN_ERROR_NO_USER = 34,
    /*
     `what` has `needed` fields, `found` values were given (of a slate: not a multiple of it).
     */
    DIN_ERROR_FIELD_COUNT = 35,
    /*
     The model has `needed` sequences, `found` histories were given.
     */
    DIN_ERROR_SEQUENCE_COUNT = 36,
    /*
     History `index` has `found` values in a run, not a multiple of its `needed` fields.
     */
    DIN_ERROR_RAGGED_HISTORY = 37,
    /*
     `what`, field `index`: an id for a number or a number for an id.
     */
    DIN_ERROR_WRONG_KIND = 38,
    /*
     `what`, field `index`: a number that is infinite or not a number. For unknown there is DIN_MISSING.
     */
    DIN_ERROR_NOT_FINITE = 39,
    /*
     There is room for `found` results, `needed` are to be written.
     */
    DIN_ERROR_OUTPUT_TOO_SMALL = 40,
    /*
     There are no attention weights: no candidate was scored since the user was set.
     */
    DIN_ERROR_NOT_SCORED = 41,
    /*
     Self-test: the score of candidate `index` is `found`, not `needed` (of f32 scores: their bits).
     */
    DIN_ERROR_SELF_TEST = 42,
    /*
     A request refused for a reason that this header does not know.
     */
    DIN_ERROR_SCORE = 47,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum din_error din_error;
#else
typedef int32_t din_error;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 What a value is.
 */
enum din_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /*
     Nothing known: row 0 of a field of ids, 0 for a numeric one.
     */
    DIN_KIND_MISSING = 0,
    /*
     `id`: an integer id, or `din_hash_text` of a text.
     */
    DIN_KIND_ID = 1,
    /*
     `bits`: those of a float, before the normaliser.
     */
    DIN_KIND_NUMBER = 2,
    /*
     `bits`: a number in Q16.16 (an int32_t, the number times 65536), before the normaliser: for machines without
     floating point.
     */
    DIN_KIND_FIXED = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum din_kind din_kind;
#else
typedef uint32_t din_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 Which arithmetic a blob is for.
 */
enum din_path
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /*
     Floating point: `din_ranker`.
     */
    DIN_PATH_F32 = 0,
    /*
     Integers: `din_integer_ranker`.
     */
    DIN_PATH_INTEGER = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum din_path din_path;
#else
typedef uint32_t din_path;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 A group of fields. Those of the behaviours of sequence s are group `DIN_GROUP_BEHAVIOUR + s`.
 */
enum din_group
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /*
     User features.
     */
    DIN_GROUP_PROFILE = 0,
    /*
     Remaining features of a request.
     */
    DIN_GROUP_CONTEXT = 1,
    /*
     Features of the item being scored.
     */
    DIN_GROUP_CANDIDATE = 2,
    /*
     Features of a behaviour of the first sequence.
     */
    DIN_GROUP_BEHAVIOUR = 16,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum din_group din_group;
#else
typedef uint32_t din_group;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 One raw field value. Write `DIN_ID(7)`, `DIN_FIXED(-32768)` or `DIN_MISSING` in initialisers; call `din_id`,
 `din_number`, `din_fixed` or `din_missing` elsewhere.
 */
typedef struct din_value {
    /*
     One of `din_kind`.
     */
    uint32_t kind;
    /*
     The number.
     */
    uint32_t bits;
    /*
     The id.
     */
    uint64_t id;
} din_value;

/*
 The newest behaviours of one sequence, in an array of the caller's. Its members are the library's to change; the object
 and the array may be saved and restored as bytes, if `values` is set to where the array then lies.
 */
typedef struct din_history {
    /*
     [capacity, fields]
     */
    struct din_value *values;
    /*
     Behaviours that the array holds.
     */
    size_t capacity;
    /*
     Values of a behaviour.
     */
    size_t fields;
    /*
     Row that the next behaviour goes to.
     */
    size_t next;
    /*
     Behaviours held.
     */
    size_t len;
} din_history;

/*
 Behaviours, oldest first, in up to two runs, because a ring is seldom in one piece: `older`, then `newer`. Each run is
 row-major, [behaviours, fields]; its length counts values, and is a multiple of the sequence's fields. An empty run may
 be null.
 */
typedef struct din_behaviours {
    /*
     The older run; empty if all are in one run.
     */
    const struct din_value *older;
    /*
     Values in it.
     */
    size_t older_len;
    /*
     The newer run.
     */
    const struct din_value *newer;
    /*
     Values in it.
     */
    size_t newer_len;
} din_behaviours;

/*
 A model, read in place from a blob. Storage of the caller's, 312 bytes on 32-bit machines, which `din_model_init`
 initialises.

 It must stay where it is, and the blob unchanged where that is, while the model or a ranker of it is used. After
 `din_model_init` it is only read: any number of rankers, on any threads, may share it.
 */
typedef struct din_model {
    uint64_t opaque;
    size_t words[DIN_MODEL_WORDS];
} din_model;

/*
 Text in place, in a blob or a constant: UTF-8, not zero-terminated. `printf("%.*s", (int)text.len, text.bytes)`
 */
typedef struct din_text {
    /*
     Its bytes.
     */
    const char *bytes;
    /*
     How many.
     */
    size_t len;
} din_text;

/*
 The numbers behind an error; see `din_error` for what they are. 0 and no text where an error has none.
 */
typedef struct din_details {
    /*
     The error, `DIN_OK` if there was none.
     */
    din_error error;
    /*
     What it is about.
     */
    struct din_text what;
    /*
     Which one.
     */
    uint64_t index;
    /*
     What was expected.
     */
    uint64_t needed;
    /*
     What was there.
     */
    uint64_t found;
} din_details;

/*
 What a model is and needs.
 */
typedef struct din_model_info {
    /*
     The name given at export.
     */
    struct din_text name;
    /*
     Which model this is: two blobs with the same id are versions of one model.
     */
    uint64_t model_id;
    /*
     Which version of it: only ever raised.
     */
    uint64_t model_version;
    /*
     Multiply-accumulates to score one candidate against full histories, user set.
     */
    uint64_t candidate_macs;
    /*
     Bytes of scratch memory that a ranker needs.
     */
    size_t scratch_bytes;
    /*
     Values of `din_user.profile`.
     */
    size_t profile_fields;
    /*
     Values of `din_user.context`.
     */
    size_t context_fields;
    /*
     Values of a candidate.
     */
    size_t candidate_fields;
    /*
     Histories of `din_user.histories`.
     */
    size_t sequences;
    /*
     `DIN_PATH_F32` or `DIN_PATH_INTEGER`.
     */
    uint32_t path;
} din_model_info;

/*
 One behaviour sequence of a model.
 */
typedef struct din_sequence_info {
    /*
     Its name.
     */
    struct din_text name;
    /*
     The most behaviours used; of a longer history the newest.
     */
    size_t capacity;
    /*
     Values of a behaviour.
     */
    size_t fields;
    /*
     Whether behaviours are weighed by attention: whether there are weights to explain a score with.
     */
    bool has_attention;
} din_sequence_info;

/*
 One field of a model.
 */
typedef struct din_field_info {
    /*
     Its name.
     */
    struct din_text name;
    /*
     Whether it takes numbers (`DIN_KIND_NUMBER`, `DIN_KIND_FIXED`); else ids. Both take `DIN_KIND_MISSING`.
     */
    bool is_number;
} din_field_info;

/*
 Scores candidates for one user at a time, in integers: the same bits on every machine, no floating point between the
 values and the score. The ranker of blobs of the integer path. Storage of the caller's, 104 bytes on 32-bit machines,
 which `din_integer_ranker_init` initialises. For one thread at a time.
 */
typedef struct din_integer_ranker {
    uint64_t opaque;
    size_t words[DIN_RANKER_WORDS];
} din_integer_ranker;

/*
 What a request says about the user. Nothing of it is kept after the call that reads it.
 */
typedef struct din_user {
    /*
     One value for each profile field.
     */
    const struct din_value *profile;
    /*
     How many.
     */
    size_t profile_len;
    /*
     One value for each context field.
     */
    const struct din_value *context;
    /*
     How many.
     */
    size_t context_len;
    /*
     One history for each sequence of the model.
     */
    const struct din_behaviours *histories;
    /*
     How many.
     */
    size_t histories_len;
} din_user;

/*
 One entry of a ranking.
 */
typedef struct din_integer_ranked {
    /*
     Position in the slate.
     */
    size_t index;
    /*
     In Q16.16, `logit / 65536`; orders the ranking.
     */
    int32_t logit;
    /*
     Click probability in Q16, `score / 65536`.
     */
    uint16_t score;
} din_integer_ranked;

#if defined(DIN_F32)
/*
 Scores candidates for one user at a time, in f32: the ranker of blobs of the f32 path. Storage of the caller's, 104
 bytes on 32-bit machines, which `din_ranker_init` initialises. For one thread at a time.
 */
typedef struct din_ranker {
    uint64_t opaque;
    size_t words[DIN_RANKER_WORDS];
} din_ranker;
#endif

#if defined(DIN_F32)
/*
 One entry of a ranking.
 */
typedef struct din_ranked {
    /*
     Position in the slate.
     */
    size_t index;
    /*
     Orders the ranking: it still tells apart what the score, close to 1, rounds to the same number.
     */
    float logit;
    /*
     Click probability, in (0, 1].
     */
    float score;
} din_ranked;
#endif

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Version of the library, as `DIN_VERSION`. If they differ, the header belongs to another library.
 */
uint32_t din_version(void);

/*
 Version of the library as text, "0.1.0".
 */
const char *din_version_string(void);

/*
 The blob format that the library reads, `major << 16 | minor`. Blobs of another major version are refused; those of a
 higher minor version are read.
 */
uint32_t din_blob_version(void);

/*
 An error in words: a constant, zero-terminated text, for any number.
 */
const char *din_error_string(int32_t error);

/*
 CRC-32 of `len` bytes (IEEE 802.3, as in gzip and PNG), to compare scores between machines or to check a download: it
 finds accidents, not attacks. 0 if `bytes` is null.
 */
uint32_t din_crc32(const void *bytes,
                   size_t len);

/*
 The id that stands for a text, in fields whose vocabulary is of texts: the 64-bit FNV-1a hash of its `len` bytes of
 UTF-8, without the terminating zero. Of a null pointer that of the empty text.
 */
uint64_t din_hash_text(const char *text,
                       size_t len);

/*
 An empty history of behaviours of `fields` values each, in an array of `len` values: it keeps the newest
 `len / fields`. The array stays the caller's, and must stay where it is while the history is used.

 DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH, DIN_ERROR_OVERLAP; DIN_ERROR_OUTPUT_TOO_SMALL if the array
 does not hold one behaviour.
 */
din_error din_history_init(struct din_history *history,
                           struct din_value *values,
                           size_t len,
                           size_t fields);

/*
 Adds the newest behaviour, one value for each field; a full history drops the oldest.

 DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_OVERLAP; DIN_ERROR_NOT_INITIALIZED; DIN_ERROR_FIELD_COUNT unless
 `fields` is that of `din_history_init`; DIN_ERROR_UNKNOWN_KIND.
 */
din_error din_history_push(struct din_history *history,
                           const struct din_value *behaviour,
                           size_t fields);

/*
 The behaviours held, oldest first, as `din_user.histories` takes them; they point into the array, so push nothing until
 they were read.

 DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_OVERLAP.
 */
din_error din_history_behaviours(const struct din_history *history,
                                 struct din_behaviours *behaviours);

/*
 Checks a blob and makes a model of it. One pass over the blob; nothing of it is copied. The blob may lie anywhere, in
 flash for one; at a multiple of 64 its weights are read fastest by large processors. `blob_len` is exactly its length.

 The storage need not be initialised, and may be initialised again; then rankers of it must be, too.

 DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH, DIN_ERROR_OVERLAP: nothing was changed. DIN_ERROR_BLOB_...:
 the blob was refused, `din_model_error` has the numbers, and the model is not initialised.
 */
din_error din_model_init(struct din_model *model,
                         const void *blob,
                         size_t blob_len);

/*
 The numbers behind the last `din_model_init` of this storage.

 DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_OVERLAP.
 */
din_error din_model_error(const struct din_model *model, struct din_details *details);

/*
 What a model is and needs.

 DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_OVERLAP.
 */
din_error din_model_describe(const struct din_model *model, struct din_model_info *info);

/*
 The sequence with this index, in the order of `din_user.histories`.

 DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_OVERLAP, DIN_ERROR_NO_SUCH_INDEX.
 */
din_error din_model_describe_sequence(const struct din_model *model,
                                      size_t sequence,
                                      struct din_sequence_info *info);

/*
 The field with this index of a group, in the order in which values are given. `group` is one of `din_group`, or
 `DIN_GROUP_BEHAVIOUR + sequence`.

 DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_OVERLAP, DIN_ERROR_NO_SUCH_INDEX.
 */
din_error din_model_describe_field(const struct din_model *model,
                                   uint32_t group,
                                   size_t field,
                                   struct din_field_info *info);

/*
 A ranker without a user. The blob must be of the integer path.

 `scratch` is `scratch_bytes` bytes of memory, at least those of `din_model_info`, aligned to 4. Storage and scratch
 memory need not be initialised; both are the library's until the ranker is used no more, and must stay where they are.

 DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH; DIN_ERROR_OVERLAP of storage, scratch memory, model and blob;
 DIN_ERROR_NOT_INITIALIZED of the model; DIN_ERROR_SCRATCH_TOO_SMALL; DIN_ERROR_WRONG_PATH.
 */
din_error din_integer_ranker_init(struct din_integer_ranker *ranker,
                                  const struct din_model *model,
                                  void *scratch,
                                  size_t scratch_bytes);

/*
 The numbers behind the last error from 16 on of this ranker, its initialisation included.

 DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_OVERLAP.
 */
din_error din_integer_ranker_error(const struct din_integer_ranker *ranker, struct din_details *details);

/*
 Sets the user: does the work that all candidates share. Of a history longer than its sequence's capacity the newest
 behaviours count. Nothing of the user is kept, but for what was computed from it.

 DIN_ERROR_FIELD_COUNT, DIN_ERROR_SEQUENCE_COUNT, DIN_ERROR_RAGGED_HISTORY, DIN_ERROR_WRONG_KIND, DIN_ERROR_NOT_FINITE:
 no user is set any more. DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH, DIN_ERROR_UNKNOWN_KIND,
 DIN_ERROR_OVERLAP (with storage or scratch memory), DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_MODEL_CHANGED: the last user
 still is.
 */
din_error din_integer_ranker_set_user(struct din_integer_ranker *ranker,
                                      const struct din_user *user);

/*
 One candidate's click probability, in Q16: `score / 65536`; `candidate`: one value for each candidate field.

 It depends on model, user and candidate alone. DIN_ERROR_NO_USER, DIN_ERROR_FIELD_COUNT, DIN_ERROR_WRONG_KIND,
 DIN_ERROR_NOT_FINITE; DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH, DIN_ERROR_UNKNOWN_KIND,
 DIN_ERROR_OVERLAP, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_MODEL_CHANGED. So do all functions that score.
 */
din_error din_integer_ranker_score(struct din_integer_ranker *ranker,
                                   const struct din_value *candidate,
                                   size_t candidate_len,
                                   uint16_t *score);

/*
 One candidate's logit: the score before the sigmoid, in Q16.16: `logit / 65536`. It orders candidates whose
 scores are rounded to the same number. Errors as `din_integer_ranker_score`.
 */
din_error din_integer_ranker_logit(struct din_integer_ranker *ranker,
                                   const struct din_value *candidate,
                                   size_t candidate_len,
                                   int32_t *logit);

/*
 Scores a slate of N candidates, in its order. `slate`: [N, candidate fields] row-major, `slate_len` values; `scores`:
 room for `scores_len`, at least N.

 Errors as `din_integer_ranker_score`, at the first candidate that has one; DIN_ERROR_OUTPUT_TOO_SMALL. After an error the
 scores are not specified.
 */
din_error din_integer_ranker_score_slate(struct din_integer_ranker *ranker,
                                         const struct din_value *slate,
                                         size_t slate_len,
                                         uint16_t *scores,
                                         size_t scores_len);

/*
 The best of a slate, best first; of equal logits the earlier candidate. `slate` as for `din_integer_ranker_score_slate`;
 `top`: room for `top_len` entries; `kept`: how many of them were filled, the smaller of `top_len` and N.

 Errors as `din_integer_ranker_score`, at the first candidate that has one. After an error `kept` is 0 and the entries are
 not specified.
 */
din_error din_integer_ranker_rank(struct din_integer_ranker *ranker,
                                  const struct din_value *slate,
                                  size_t slate_len,
                                  struct din_integer_ranked *top,
                                  size_t top_len,
                                  size_t *kept);

/*
 Why the candidate that was scored last got its score: the attention weight of each behaviour of a sequence, oldest first.
 To explain an entry of a ranking, score it again, then ask.

 `weights`: room for `weights_len`, at most the sequence's capacity is needed; `len`: how many there are, those of the
 newest behaviours; 0 for a sequence without attention.
 A weight of 1 is 2 to the power that `din_integer_ranker_attention_fraction` gives.

 DIN_ERROR_NO_USER, DIN_ERROR_NOT_SCORED, DIN_ERROR_NO_SUCH_INDEX, DIN_ERROR_OUTPUT_TOO_SMALL; DIN_ERROR_NULL,
 DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH, DIN_ERROR_OVERLAP, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_MODEL_CHANGED.
 */
din_error din_integer_ranker_attention(struct din_integer_ranker *ranker,
                                       size_t sequence,
                                       int32_t *weights,
                                       size_t weights_len,
                                       size_t *len);

/*
 What the attention weights of a sequence count in: a weight of 1 is `2^fraction`. The fraction may be negative.

 DIN_ERROR_NO_SUCH_INDEX; DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_OVERLAP, DIN_ERROR_NOT_INITIALIZED,
 DIN_ERROR_MODEL_CHANGED.
 */
din_error din_integer_ranker_attention_fraction(struct din_integer_ranker *ranker,
                                                size_t sequence,
                                                int32_t *fraction);

/*
 Whether this machine scores as another did: sets the user, scores the slate, and compares with `expected`, `expected_len`
 scores. The user stays set.

 Errors as `din_integer_ranker_set_user` and `din_integer_ranker_score`; DIN_ERROR_FIELD_COUNT if the slate is not `expected_len`
 candidates; DIN_ERROR_SELF_TEST at the first score that differs: `din_integer_ranker_error` has both.
 */
din_error din_integer_ranker_self_test(struct din_integer_ranker *ranker,
                                       const struct din_user *user,
                                       const struct din_value *slate,
                                       size_t slate_len,
                                       const uint16_t *expected,
                                       size_t expected_len);

#if defined(DIN_F32)
/*
 A ranker without a user. The blob must be of the f32 path.

 `scratch` is `scratch_bytes` bytes of memory, at least those of `din_model_info`, aligned to 4. Storage and scratch
 memory need not be initialised; both are the library's until the ranker is used no more, and must stay where they are.

 DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH; DIN_ERROR_OVERLAP of storage, scratch memory, model and blob;
 DIN_ERROR_NOT_INITIALIZED of the model; DIN_ERROR_SCRATCH_TOO_SMALL; DIN_ERROR_WRONG_PATH.
 */
din_error din_ranker_init(struct din_ranker *ranker,
                          const struct din_model *model,
                          void *scratch,
                          size_t scratch_bytes);
#endif

#if defined(DIN_F32)
/*
 The numbers behind the last error from 16 on of this ranker, its initialisation included.

 DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_OVERLAP.
 */
din_error din_ranker_error(const struct din_ranker *ranker, struct din_details *details);
#endif

#if defined(DIN_F32)
/*
 Sets the user: does the work that all candidates share. Of a history longer than its sequence's capacity the newest
 behaviours count. Nothing of the user is kept, but for what was computed from it.

 DIN_ERROR_FIELD_COUNT, DIN_ERROR_SEQUENCE_COUNT, DIN_ERROR_RAGGED_HISTORY, DIN_ERROR_WRONG_KIND, DIN_ERROR_NOT_FINITE:
 no user is set any more. DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH, DIN_ERROR_UNKNOWN_KIND,
 DIN_ERROR_OVERLAP (with storage or scratch memory), DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_MODEL_CHANGED: the last user
 still is.
 */
din_error din_ranker_set_user(struct din_ranker *ranker,
                              const struct din_user *user);
#endif

#if defined(DIN_F32)
/*
 One candidate's click probability, in (0, 1]; `candidate`: one value for each candidate field.

 It depends on model, user and candidate alone. DIN_ERROR_NO_USER, DIN_ERROR_FIELD_COUNT, DIN_ERROR_WRONG_KIND,
 DIN_ERROR_NOT_FINITE; DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH, DIN_ERROR_UNKNOWN_KIND,
 DIN_ERROR_OVERLAP, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_MODEL_CHANGED. So do all functions that score.
 */
din_error din_ranker_score(struct din_ranker *ranker,
                           const struct din_value *candidate,
                           size_t candidate_len,
                           float *score);
#endif

#if defined(DIN_F32)
/*
 One candidate's logit: the score before the sigmoid. It orders candidates whose scores are rounded to the same
 number. Errors as `din_ranker_score`.
 */
din_error din_ranker_logit(struct din_ranker *ranker,
                           const struct din_value *candidate,
                           size_t candidate_len,
                           float *logit);
#endif

#if defined(DIN_F32)
/*
 Scores a slate of N candidates, in its order. `slate`: [N, candidate fields] row-major, `slate_len` values; `scores`:
 room for `scores_len`, at least N.

 Errors as `din_ranker_score`, at the first candidate that has one; DIN_ERROR_OUTPUT_TOO_SMALL. After an error the
 scores are not specified.
 */
din_error din_ranker_score_slate(struct din_ranker *ranker,
                                 const struct din_value *slate,
                                 size_t slate_len,
                                 float *scores,
                                 size_t scores_len);
#endif

#if defined(DIN_F32)
/*
 The best of a slate, best first; of equal logits the earlier candidate. `slate` as for `din_ranker_score_slate`;
 `top`: room for `top_len` entries; `kept`: how many of them were filled, the smaller of `top_len` and N.

 Errors as `din_ranker_score`, at the first candidate that has one. After an error `kept` is 0 and the entries are
 not specified.
 */
din_error din_ranker_rank(struct din_ranker *ranker,
                          const struct din_value *slate,
                          size_t slate_len,
                          struct din_ranked *top,
                          size_t top_len,
                          size_t *kept);
#endif

#if defined(DIN_F32)
/*
 Why the candidate that was scored last got its score: the attention weight of each behaviour of a sequence, oldest first.
 To explain an entry of a ranking, score it again, then ask.

 `weights`: room for `weights_len`, at most the sequence's capacity is needed; `len`: how many there are, those of the
 newest behaviours; 0 for a sequence without attention.

 DIN_ERROR_NO_USER, DIN_ERROR_NOT_SCORED, DIN_ERROR_NO_SUCH_INDEX, DIN_ERROR_OUTPUT_TOO_SMALL; DIN_ERROR_NULL,
 DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH, DIN_ERROR_OVERLAP, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_MODEL_CHANGED.
 */
din_error din_ranker_attention(struct din_ranker *ranker,
                               size_t sequence,
                               float *weights,
                               size_t weights_len,
                               size_t *len);
#endif

#if defined(DIN_F32)
/*
 Whether this machine scores as another did: sets the user, scores the slate, and compares with `expected`, `expected_len`
 scores, which may be off by `tolerance`: processors round f32 products differently, 1e-5 is plenty. The user stays
 set.

 Errors as `din_ranker_set_user` and `din_ranker_score`; DIN_ERROR_FIELD_COUNT if the slate is not `expected_len`
 candidates; DIN_ERROR_SELF_TEST at the first score that differs: `din_ranker_error` has both.
 */
din_error din_ranker_self_test(struct din_ranker *ranker,
                               const struct din_user *user,
                               const struct din_value *slate,
                               size_t slate_len,
                               const float *expected,
                               size_t expected_len,
                               float tolerance);
#endif

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

/* Values, for initialisers: `static const din_value slate[] = { DIN_ID(17), DIN_MISSING };` */
#define DIN_MISSING { DIN_KIND_MISSING, 0u, 0u }
#define DIN_ID(number) { DIN_KIND_ID, 0u, (number) }
/* Q16.16: the number times 65536. */
#define DIN_FIXED(number) { DIN_KIND_FIXED, (uint32_t)(int32_t)(number), 0u }

static inline din_value din_missing(void) {
    const din_value value = DIN_MISSING;
    return value;
}

static inline din_value din_id(uint64_t id) {
    const din_value value = DIN_ID(id);
    return value;
}

static inline din_value din_fixed(int32_t number) {
    const din_value value = DIN_FIXED(number);
    return value;
}

#ifndef DIN_NO_FLOAT
static inline din_value din_number(float number) {
    din_value value = { DIN_KIND_NUMBER, 0u, 0u };
    memcpy(&value.bits, &number, sizeof value.bits);
    return value;
}

/* A score of the integer path as a probability. */
static inline float din_score_to_float(uint16_t score) {
    return (float)score / 65536.0f;
}
#endif

/* The compiler lays out what the library was built with. */
#if defined(__cplusplus)
#define DIN_ASSERT(name, condition) static_assert(condition, #name)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define DIN_ASSERT(name, condition) _Static_assert(condition, #name)
#else
#define DIN_ASSERT(name, condition) typedef char din_assert_##name[(condition) ? 1 : -1]
#endif

DIN_ASSERT(error_is_32_bits, sizeof(din_error) == 4);
DIN_ASSERT(value_is_16_bytes, sizeof(din_value) == 16 && offsetof(din_value, bits) == 4 && offsetof(din_value, id) == 8);
DIN_ASSERT(behaviours_are_four_words, sizeof(din_behaviours) == 4 * sizeof(size_t));
DIN_ASSERT(user_is_six_words, sizeof(din_user) == 6 * sizeof(size_t));
DIN_ASSERT(size_is_a_pointer, sizeof(size_t) == sizeof(void *) && sizeof(uintptr_t) == sizeof(void *));
DIN_ASSERT(model_size, sizeof(din_model) == 8 + DIN_MODEL_WORDS * sizeof(uintptr_t));
DIN_ASSERT(integer_ranker_size, sizeof(din_integer_ranker) == 8 + DIN_RANKER_WORDS * sizeof(uintptr_t));
DIN_ASSERT(integer_ranked_size, sizeof(din_integer_ranked) == 8 + sizeof(size_t));
#ifndef DIN_NO_FLOAT
DIN_ASSERT(ranker_size, sizeof(din_ranker) == 8 + DIN_RANKER_WORDS * sizeof(uintptr_t));
DIN_ASSERT(ranked_size, sizeof(din_ranked) == 8 + sizeof(size_t));
#endif

#endif /* DIN_H */
