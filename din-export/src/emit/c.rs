//! The C files of a model: C99, and readable by C++.

use super::ALIGNMENT;
use super::facts::{Facts, FieldFacts};
use super::rust::wrapped;
use super::self_test::{Case, Scores, SelfTest, TOLERANCE};
use din_core::Value;
use std::fmt::Write as _;

/// Bytes of the array in a line.
const BYTES_IN_A_LINE: usize = 24;

/// `NAME.h`: constants, enumerations of fields, declarations.
pub fn header(facts: &Facts, self_test: &SelfTest) -> String {
    let (prefix, capitals) = (&facts.prefix, facts.prefix.to_uppercase());
    let mut text = format!(
        "{}\n#ifndef {capitals}_H\n#define {capitals}_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n",
        opening(facts, "Sizes, fields and self-test")
    );
    text += &constants(facts, &capitals);
    let mut names = Names::reserving(facts, &capitals);
    for (group, fields) in &facts.groups {
        text += &format!(
            "/* Where each value of the {group} stands; the last constant says how many there are. */\n"
        );
        text += &enumeration(&format!("{prefix}_{group}"), fields, &mut names);
    }
    let _ = writeln!(text, "/* Behaviour sequences: where each history stands, and how many there are. */");
    let entries = facts.sequences.iter().enumerate().map(|(index, sequence)| {
        let constant = names.unique(format!("{capitals}_SEQUENCE_{}", sequence.identifier.to_uppercase()));
        format!("    {constant} = {index}, /* {} */\n", comment(&sequence.name))
    });
    let _ = write!(
        text,
        "enum {prefix}_sequences {{\n{}    {capitals}_SEQUENCES = {}\n}};\n\n",
        entries.collect::<String>(),
        facts.sequences.len()
    );
    for sequence in &facts.sequences {
        let name = format!("{prefix}_sequence_{}", sequence.identifier);
        let _ = write!(
            text,
            "/* The most behaviours of {} that the model looks back, and where each value of one stands. */\n\
             #define {}_CAPACITY {}\n",
            comment(&sequence.name),
            name.to_uppercase(),
            sequence.capacity
        );
        text += &enumeration(&name, &sequence.fields, &mut names);
    }
    text += &declarations(facts, self_test, &capitals);
    text
}

fn opening(facts: &Facts, what: &str) -> String {
    format!(
        "/* {what} of {}, version {}, for the {} path of din-core.\n * Written by din-export emit: emit it again rather \
         than change it. */",
        comment(&facts.name),
        facts.model_version,
        facts.path()
    )
}

/// Text that ends no comment.
fn comment(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() || c == '\\' { ' ' } else { c }).collect();
    text.replace("*/", "* /").replace("/*", "/ *")
}

/// A string literal; what is not ASCII as octal escapes, which, unlike `\x`, end by themselves.
fn string(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'?' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\{byte:03o}"),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

fn constants(facts: &Facts, capitals: &str) -> String {
    let (major, minor) = facts.format;
    format!(
        "#define {capitals}_NAME {}\n\
         /* Which model this is, and which version of it. */\n\
         #define {capitals}_ID UINT64_C({:#018x})\n\
         #define {capitals}_VERSION UINT64_C({})\n\
         #define {capitals}_FORMAT_MAJOR {major}\n\
         #define {capitals}_FORMAT_MINOR {minor}\n\
         /* 1 if scores are integers, in steps of 1/65536; 0 if they are floats. */\n\
         #define {capitals}_IS_INTEGER {}\n\
         /* Bytes of the blob, and the CRC-32 of all of them. */\n\
         #define {capitals}_BLOB_LEN {}\n\
         #define {capitals}_BLOB_CRC32 UINT32_C({:#010x})\n\
         /* Scratch memory that a ranker needs on this machine: numbers of four bytes, and bytes. */\n\
         #if UINTPTR_MAX > UINT32_MAX\n\
         #define {capitals}_SCRATCH_LEN {}\n\
         #else\n\
         #define {capitals}_SCRATCH_LEN {}\n\
         #endif\n\
         #define {capitals}_SCRATCH_BYTES (4 * {capitals}_SCRATCH_LEN)\n\n",
        string(&facts.name),
        facts.model_id,
        facts.model_version,
        u8::from(facts.is_integer),
        facts.blob_len,
        facts.blob_crc,
        facts.scratch_len_64,
        facts.scratch_len_32
    )
}

/// Constants that there are already: C has one scope for all, where field `c` of sequence `a_b` meets `b_c` of `a`.
struct Names(Vec<String>);

impl Names {
    /// With those that must not have a number behind them.
    fn reserving(facts: &Facts, capitals: &str) -> Self {
        let groups =
            facts.groups.iter().map(|(group, _)| format!("{capitals}_{}_FIELDS", group.to_uppercase()));
        let sequences = facts.sequences.iter().flat_map(|sequence| {
            let identifier = sequence.identifier.to_uppercase();
            ["FIELDS", "CAPACITY"].map(|what| format!("{capitals}_SEQUENCE_{identifier}_{what}"))
        });
        Self(groups.chain(sequences).chain([format!("{capitals}_SEQUENCES")]).collect())
    }

    /// The name, or the first number behind it that is free.
    fn unique(&mut self, name: String) -> String {
        let numbered = (2_usize..).map(|number| format!("{name}_{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !self.0.contains(name));
        let free = free.unwrap_or(name);
        self.0.push(free.clone());
        free
    }
}

/// Fields as an enumeration whose last constant is their number.
fn enumeration(name: &str, fields: &[FieldFacts], names: &mut Names) -> String {
    let capitals = name.to_uppercase();
    let mut text = format!("enum {name} {{\n");
    for (index, field) in fields.iter().enumerate() {
        let constant = names.unique(format!("{capitals}_{}", field.identifier.to_uppercase()));
        let (name, takes) = (comment(&field.name), field.takes.description());
        let _ = writeln!(text, "    {constant} = {index}, /* {name}: {takes} */");
    }
    let _ = write!(text, "    {capitals}_FIELDS = {}\n}};\n\n", fields.len());
    text
}

fn declarations(facts: &Facts, self_test: &SelfTest, capitals: &str) -> String {
    let prefix = &facts.prefix;
    let ranker = ranker(facts);
    let mut text = format!(
        "/* Requests of the self-test, and scores that it compares. */\n\
         #define {capitals}_SELF_TEST_CASES {}\n\
         #define {capitals}_SELF_TEST_SCORES {}\n",
        self_test.cases.len(),
        self_test.score_count()
    );
    text += &match self_test.crc() {
        Some(crc) => format!(
            "/* CRC-32 of these scores, each a little-endian uint16_t: the same on every machine. */\n\
             #define {capitals}_SELF_TEST_CRC32 UINT32_C({crc:#010x})\n\n"
        ),
        None => format!(
            "/* The most by which a score may differ: kernels add in different orders. */\n\
             #define {capitals}_SELF_TEST_TOLERANCE {TOLERANCE:?}f\n\n"
        ),
    };
    text + &format!(
        "#ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n\
             /* The blob, in flash. */\n\
             extern const unsigned char {prefix}_blob[{capitals}_BLOB_LEN];\n\n\
             /* In {prefix}_self_test.c, which needs din.h. */\n\
             struct din_model;\n\
             struct {ranker};\n\n\
             /* Checks the blob, scores the requests of the self-test and compares every score. 0 (DIN_OK) if all is well, else a\n \
             * din_error; DIN_ERROR_SELF_TEST for a score that differs. Model and ranker need not be initialised, and are when it\n \
             * returns 0: go on with them. scratch: {capitals}_SCRATCH_BYTES bytes or more, aligned to 4. */\n\
             int32_t {prefix}_self_test(struct din_model *model, struct {ranker} *ranker, void *scratch,\n\
             {:indent$}size_t scratch_bytes);\n\n\
             #ifdef __cplusplus\n}}\n#endif\n\n#endif\n",
        "",
        indent = "int32_t _self_test(".len() + prefix.len()
    )
}

/// The ranker of the model's path, in C.
const fn ranker(facts: &Facts) -> &'static str {
    if facts.is_integer { "din_integer_ranker" } else { "din_ranker" }
}

/// `NAME_blob.c`: the blob as an array.
pub fn array(facts: &Facts, blob: &[u8]) -> String {
    let (prefix, capitals) = (&facts.prefix, facts.prefix.to_uppercase());
    let mut text = format!(
        "{}\n#include \"{prefix}.h\"\n\n\
         /* Large sections begin cache lines, if there is a cache. A blob scores the same at any address. */\n\
         #if defined(__GNUC__) || defined(__clang__) || defined(__ARMCC_VERSION)\n\
         #define ALIGNED __attribute__((aligned({ALIGNMENT})))\n\
         #elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L\n\
         #define ALIGNED _Alignas({ALIGNMENT})\n\
         #else\n\
         #define ALIGNED\n\
         #endif\n\n\
         ALIGNED const unsigned char {prefix}_blob[{capitals}_BLOB_LEN] = {{\n",
        opening(facts, "The blob")
    );
    for line in blob.chunks(BYTES_IN_A_LINE) {
        text += "   ";
        for byte in line {
            let _ = write!(text, " {byte},");
        }
        text.push('\n');
    }
    text + "};\n"
}

/// `NAME_blob.S`: the blob as the assembler includes it.
pub fn assembler(facts: &Facts) -> String {
    let prefix = &facts.prefix;
    format!(
        "{}\n/* The object for the linker: cc -I FOLDER -c FOLDER/{prefix}_blob.S, FOLDER being where {prefix}.din lies. */\n\n\
         #ifdef __APPLE__\n    \
             .const\n    \
             .globl _{prefix}_blob\n    \
             .p2align {shift}\n\
         _{prefix}_blob:\n    \
             .incbin \"{prefix}.din\"\n\
         #else\n    \
             .section .rodata.{prefix}_blob, \"a\", %progbits\n    \
             .globl {prefix}_blob\n    \
             .type {prefix}_blob, %object\n    \
             .balign {ALIGNMENT}\n\
         {prefix}_blob:\n    \
             .incbin \"{prefix}.din\"\n    \
             .size {prefix}_blob, . - {prefix}_blob\n\
         #if defined(__linux__)\n    \
             .section .note.GNU-stack, \"\", %progbits\n\
         #endif\n\
         #endif\n",
        opening(facts, "The blob"),
        shift = ALIGNMENT.trailing_zeros()
    )
}

/// `NAME_self_test.c`: requests and scores, and the function that compares.
pub fn self_test(facts: &Facts, self_test: &SelfTest) -> String {
    let (prefix, capitals, ranker) = (&facts.prefix, facts.prefix.to_uppercase(), ranker(facts));
    let score = if facts.is_integer { "uint16_t" } else { "float" };
    let mut text = format!(
        "{}\n#include \"{prefix}.h\"\n\n#include \"din.h\"\n\n#include <stddef.h>\n#include <stdint.h>\n\n",
        opening(facts, "Self-test")
    );
    let mut entries = String::new();
    for (index, case) in self_test.cases.iter().enumerate() {
        text += &case_data(index, case, score);
        let request = &case.request;
        let run = |what: &str, values: &[Value]| match values {
            [] => "NULL, 0".to_owned(),
            values => format!("{what}_{index}, {}", values.len()),
        };
        let histories = match request.histories.len() {
            0 => "NULL, 0".to_owned(),
            count => format!("histories_{index}, {count}"),
        };
        let slate = request.candidates.concat();
        let _ = writeln!(
            entries,
            "    {{ {{ {}, {}, {histories} }}, {}, scores_{index}, {} }},",
            run("profile", &request.profile),
            run("context", &request.context),
            run("slate", &slate),
            request.candidates.len()
        );
    }
    let _ = write!(
        text,
        "/* A request with the scores that the exporter's machine gave it. */\n\
         struct self_test_case {{\n    \
             din_user user;\n    \
             const din_value *slate;\n    \
             size_t slate_len;\n    \
             const {score} *scores;\n    \
             size_t scores_len;\n\
         }};\n\n\
         static const struct self_test_case cases[{capitals}_SELF_TEST_CASES] = {{\n{entries}}};\n\n"
    );
    let tolerance =
        if facts.is_integer { String::new() } else { format!(", {capitals}_SELF_TEST_TOLERANCE") };
    let _ = write!(
        text,
        "int32_t {prefix}_self_test(struct din_model *model, struct {ranker} *ranker, void *scratch,\n\
         {:indent$}size_t scratch_bytes) {{\n    \
             size_t i;\n    \
             din_error error = din_model_init(model, {prefix}_blob, sizeof {prefix}_blob);\n    \
             if (error == DIN_OK) {{\n        \
                 error = {ranker}_init(ranker, model, scratch, scratch_bytes);\n    \
             }}\n    \
             for (i = 0; error == DIN_OK && i < {capitals}_SELF_TEST_CASES; i++) {{\n        \
                 error = {ranker}_self_test(ranker, &cases[i].user, cases[i].slate, cases[i].slate_len, cases[i].scores,\n        \
                 {:call$}cases[i].scores_len{tolerance});\n    \
             }}\n    \
             return error;\n\
         }}\n",
        "",
        "",
        indent = "int32_t _self_test(".len() + prefix.len(),
        call = "error = _self_test(".len() + ranker.len()
    );
    text
}

/// The arrays of a case; none where there would be no element, which C does not allow.
fn case_data(index: usize, case: &Case, score: &str) -> String {
    let request = &case.request;
    let mut text = String::new();
    let mut array = |kind: &str, name: &str, items: &[String]| {
        if !items.is_empty() {
            let items = wrapped("{", items, "}");
            let _ = writeln!(text, "static const {kind} {name}[] = {items};");
        }
    };
    array("din_value", &format!("profile_{index}"), &literals(&request.profile));
    array("din_value", &format!("context_{index}"), &literals(&request.context));
    let mut histories = Vec::new();
    for (sequence, history) in request.histories.iter().enumerate() {
        let name = format!("history_{index}_{sequence}");
        array("din_value", &name, &literals(history));
        histories.push(match history.len() {
            0 => "{ NULL, 0, NULL, 0 }".to_owned(),
            len => format!("{{ NULL, 0, {name}, {len} }}"),
        });
    }
    array("din_behaviours", &format!("histories_{index}"), &histories);
    array("din_value", &format!("slate_{index}"), &literals(&request.candidates.concat()));
    let scores: Vec<String> = match &case.scores {
        Scores::F32(scores) => scores.iter().map(|score| format!("{score:?}f")).collect(),
        Scores::Integer(scores) => scores.iter().map(u16::to_string).collect(),
    };
    array(score, &format!("scores_{index}"), &scores);
    text + "\n"
}

/// Values as initialisers.
fn literals(values: &[Value]) -> Vec<String> {
    let literal = |value: &Value| match value {
        Value::Missing => "DIN_MISSING".to_owned(),
        Value::Id(id) => format!("DIN_ID(UINT64_C({id}))"),
        Value::Number(number) => {
            format!("{{ DIN_KIND_NUMBER, UINT32_C({:#010x}), 0 /* {number:?} */ }}", number.to_bits())
        }
        Value::Fixed(number) => format!("DIN_FIXED({number})"),
    };
    values.iter().map(literal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::facts::{SequenceFacts, Takes};

    fn field(name: &str) -> FieldFacts {
        FieldFacts { name: name.to_owned(), identifier: name.to_owned(), takes: Takes::Id }
    }

    #[test]
    fn fields_of_different_sequences_never_share_a_constant() {
        let sequence = |name: &str, fields: &[&str]| SequenceFacts {
            name: name.to_owned(),
            identifier: name.to_owned(),
            capacity: 5,
            fields: fields.iter().map(|name| field(name)).collect(),
        };
        let facts = Facts {
            prefix: "m".to_owned(),
            name: "*/ \"??/\u{e9}\n".to_owned(),
            model_id: 0,
            model_version: 0,
            format: (1, 0),
            is_integer: true,
            blob_len: 1,
            blob_crc: 0,
            scratch_len_32: 1,
            scratch_len_64: 2,
            groups: ["profile", "context", "candidate"].map(|group| (group, vec![field("x")])),
            sequences: vec![sequence("a", &["b_c"]), sequence("a_b", &["c"]), sequence("a_fields", &["x"])],
        };
        let text = header(&facts, &SelfTest { cases: Vec::new() });
        let constants = text.lines().filter_map(|line| {
            let line = line.strip_prefix("#define ").or_else(|| line.strip_prefix("    M_"))?;
            line.split_whitespace().next().map(|name| name.trim_start_matches("M_"))
        });
        let mut constants: Vec<&str> = constants.filter(|name| *name != "SCRATCH_LEN").collect();
        let all = constants.len();
        constants.sort_unstable();
        constants.dedup();
        assert!(all > 20 && constants.len() == all, "{text}");
        assert!(
            text.contains("SEQUENCE_A_B_C_2 = 0,") && text.contains("SEQUENCE_A_FIELDS_2 = 2,"),
            "{text}"
        );
        assert!(text.contains(r#"#define M_NAME "*/ \"\?\?/\303\251\012""#), "{text}");
        assert!(text.starts_with("/* Sizes, fields and self-test of * / \"??/\u{e9} , version 0"), "{text}");
    }
}
