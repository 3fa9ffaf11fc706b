//! The C files of a model: C99, and readable by C++.

use super::ALIGNMENT;
use super::facts::{Facts, FieldFacts};
use super::self_test::{Case, Scores, SelfTest, TOLERANCE};
use din_core::Value;
use std::fmt::Write as _;

/// Bytes of the array in a line.
const BYTES_IN_A_LINE: usize = 24;

/// `NAME.h`: constants, enumerations of fields, declarations.
pub fn header(facts: &Facts, self_test: &SelfTest) -> String {
    let (prefix, capitals) = (&facts.prefix, facts.prefix.to_uppercase());
    let mut text = format!(
        "{}\n#ifndef {capitals}_H\n#define {capitals}_H\n\n#include <stdint.h>\n\n",
        opening(facts, "Sizes, fields and self-test")
    );
    text += &constants(facts, &capitals);
    for (group, fields) in &facts.groups {
        text += &format!(
            "/* Where each value of the {group} stands; the last constant says how many there are. */\n"
        );
        text += &enumeration(&format!("{prefix}_{group}"), fields);
    }
    let _ = writeln!(text, "/* Behaviour sequences: where each history stands, and how many there are. */");
    let entries = facts.sequences.iter().enumerate().map(|(index, sequence)| {
        let constant = format!("{capitals}_SEQUENCE_{}", sequence.identifier.to_uppercase());
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
        text += &enumeration(&name, &sequence.fields);
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

/// Fields as an enumeration whose last constant is their number.
fn enumeration(name: &str, fields: &[FieldFacts]) -> String {
    let capitals = name.to_uppercase();
    let mut text = format!("enum {name} {{\n");
    for (index, field) in fields.iter().enumerate() {
        let _ = writeln!(
            text,
            "    {capitals}_{} = {index}, /* {}: {} */",
            field.identifier.to_uppercase(),
            comment(&field.name),
            field.takes.description()
        );
    }
    let _ = write!(text, "    {capitals}_FIELDS = {}\n}};\n\n", fields.len());
    text
}

fn declarations(facts: &Facts, self_test: &SelfTest, capitals: &str) -> String {
    let prefix = &facts.prefix;
    let _ = (self_test, TOLERANCE);
    format!(
        "#ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n\
         /* The blob, in flash. */\n\
         extern const unsigned char {prefix}_blob[{capitals}_BLOB_LEN];\n\n\
         #ifdef __cplusplus\n}}\n#endif\n\n#endif\n"
    )
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

/// `NAME_self_test.c`: requests and scores.
pub fn self_test(facts: &Facts, self_test: &SelfTest) -> String {
    let _ = (facts, self_test);
    let _: fn(&Case) -> &Scores = |case| &case.scores;
    let _ = Value::Missing;
    String::new()
}
