//! The C files of `emit`: compiled without a warning, linked with din-ffi, run.

use super::{GOLDENS, emitted, golden, output, workshop, write};
use din_export::emit::Holder;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Werror", "-pedantic"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Reads no other header before it, twice, and holds its constants against each other.
fn probe(name: &str, capitals: &str) -> String {
    format!(
        "#include \"{name}.h\"\n#include \"{name}.h\"\n\
         typedef char scratch_is_bytes[{capitals}_SCRATCH_BYTES == 4 * {capitals}_SCRATCH_LEN ? 1 : -1];\n\
         typedef char blob_has_its_length[sizeof {name}_blob == {capitals}_BLOB_LEN ? 1 : -1];\n\
         typedef char there_is_a_candidate_field[{capitals}_CANDIDATE_FIELDS > 0 ? 1 : -1];\n\
         extern const unsigned char *address;\nconst unsigned char *address = {name}_blob;\n"
    )
}

/// Checks the address, runs the self-test, prints its error.
fn program(name: &str, capitals: &str, ranker: &str) -> String {
    format!(
        "#include \"{name}.h\"\n#include \"din.h\"\n#include <stdio.h>\n\
         int main(void) {{\n    static din_model model;\n    static {ranker} ranker;\n    \
         static uint32_t scratch[{capitals}_SCRATCH_LEN];\n    \
         if ((uintptr_t){name}_blob % 64 != 0) return 1;\n    \
         if (din_crc32({name}_blob, sizeof {name}_blob) != {capitals}_BLOB_CRC32) return 2;\n    \
         printf(\"%d\\n\", (int){name}_self_test(&model, &ranker, scratch, sizeof scratch));\n    return 0;\n}}\n"
    )
}

fn compiler(program: &str, folder: &Path, standard: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).arg(format!("-std={standard}")).args(STRICT).args(["-I", "."]);
    command
}

#[test]
#[ignore = "needs gcc and g++; tests/run.sh runs it"]
fn emitted_headers_and_arrays_compile_as_c99_and_cpp17_without_a_warning() {
    for name in GOLDENS {
        let (folder, name) = (workshop(&format!("emit-c-{name}")), name.replace('-', "_"));
        let emitted = emitted(&golden(&name.replace('_', "-")), &name, Holder::C);
        write(&folder, &emitted);
        let text = probe(&name, &name.to_uppercase());
        fs::write(folder.join("probe.c"), &text).unwrap();
        fs::write(folder.join("probe.cpp"), &text).unwrap();
        let mut command = compiler("gcc", &folder, "c99");
        command.args(["-c", "probe.c", &format!("{name}_blob.c")]);
        output(command);
        let mut command = compiler("g++", &folder, "c++17");
        command.args(["-c", "probe.cpp"]);
        output(command);
    }
}

#[test]
#[ignore = "needs gcc; tests/run.sh runs it"]
fn emitted_c_self_tests_pass_and_a_changed_score_fails() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("emit-ffi");
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()).args(["build", "--quiet", "--offline", "-p", "din-ffi"]);
    command.env("CARGO_TARGET_DIR", &target).env_remove("RUSTFLAGS");
    output(command);
    let library = target.join("debug/libdin_ffi.a");
    let include = fs::canonicalize(root().join("din-core/ffi/include")).unwrap();
    for golden_name in GOLDENS {
        for (holder, blob) in [(Holder::C, "c"), (Holder::Assembler, "S")] {
            let name = golden_name.replace('-', "_");
            let folder = workshop(&format!("emit-c-{golden_name}-{blob}"));
            let emitted = emitted(&golden(golden_name), &name, holder);
            write(&folder, &emitted);
            let ranker = if emitted.facts.is_integer { "din_integer_ranker" } else { "din_ranker" };
            fs::write(folder.join("main.c"), program(&name, &name.to_uppercase(), ranker)).unwrap();
            let run = || {
                let mut command = compiler("gcc", &folder, "c99");
                command.arg("-I").arg(&include).args(["-o", "program", "main.c"]);
                command.args([format!("{name}_self_test.c"), format!("{name}_blob.{blob}")]);
                command.arg(&library).args(["-lm", "-lpthread", "-ldl"]);
                output(command);
                output(Command::new(folder.join("program")))
            };
            assert_eq!(run(), "0\n", "{golden_name}, {}", holder.name());
            // DIN_ERROR_SELF_TEST
            let file = folder.join(format!("{name}_self_test.c"));
            let text = fs::read_to_string(&file).unwrap();
            let (before, rest) = text.split_once("scores_0[] = {").unwrap();
            let (score, after) = rest.split_once(',').unwrap();
            let altered = match score.trim().parse::<u16>() {
                Ok(score) => (score ^ 1).to_string(),
                Err(_) => format!("{score} + 1e-4f"),
            };
            fs::write(&file, format!("{before}scores_0[] = {{{altered},{after}")).unwrap();
            assert_eq!(run(), "42\n", "{golden_name}, {}", holder.name());
        }
    }
}
