//! What ranking takes on each core: flash, RAM, stack and instructions, as `examples/firmware` builds and QEMU counts.
//! `examples/firmware/SIZES.md` holds the figures; `renew-sizes` writes it.

use crate::device::{cargo, rustc_version, target_dir};
use crate::firmware::{blob_path, folder, name_board, scratch_len};
use crate::reference_model::SLATE;
use din_export::blob::NumericPath;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A core, as QEMU has it.
struct Core {
    name: &'static str,
    target: &'static str,
    /// Instructions that QEMU executes in a tick of the clock that `measure` reads: see `examples/firmware/qemu`.
    instructions_a_tick: f64,
}

/// At 64 ns an instruction, a clock of so many MHz.
const fn arm(name: &'static str, target: &'static str, mhz: f64) -> Core {
    Core { name, target, instructions_a_tick: 1000.0 / mhz / 64.0 }
}

const M0: Core = arm("Cortex-M0", "thumbv6m-none-eabi", 16.0);
const M3: Core = arm("Cortex-M3", "thumbv7m-none-eabi", 25.0);
const M4F: Core = arm("Cortex-M4F", "thumbv7em-none-eabihf", 25.0);
const M33: Core = arm("Cortex-M33", "thumbv8m.main-none-eabihf", 20.0);
const RV32: Core = Core { name: "rv32imc", target: "riscv32imc-unknown-none-elf", instructions_a_tick: 1.0 };

const INTEGER: &[NumericPath] = &[NumericPath::Integer];
const F32: &[NumericPath] = &[NumericPath::F32];
const BOTH: &[NumericPath] = &[NumericPath::Integer, NumericPath::F32];

/// A row of the table for each; none of the paths is what start-up and logging weigh.
const ROWS: [(&Core, &[NumericPath]); 10] = [
    (&M0, &[]),
    (&M0, INTEGER),
    (&M3, &[]),
    (&M3, INTEGER),
    (&M4F, &[]),
    (&M4F, INTEGER),
    (&M4F, F32),
    (&M4F, BOTH),
    (&M33, &[]),
    (&M33, INTEGER),
];

/// The RISC-V one apart: its start-up is another.
const RISC_V: [(&Core, &[NumericPath]); 2] = [(&RV32, &[]), (&RV32, INTEGER)];

/// Names of the figures, in the order of the table's columns.
pub const FIGURES: [&str; 9] = [
    "flash without model",
    "of it din-core",
    "model",
    "static RAM",
    "of it scratch",
    "stack",
    "load",
    "set user",
    "a candidate",
];

/// A row of the table. A figure that a row does not have is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Of the core.
    pub core: String,
    /// "integer", "f32", "both", or "none".
    pub path: String,
    /// See [`FIGURES`]: bytes, then instructions.
    pub figures: [u64; 9],
}

/// The whole table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The compiler that built what was measured.
    pub compiler: String,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// Where the table is committed.
#[must_use]
pub fn table_path() -> PathBuf {
    folder().join("SIZES.md")
}

/// Builds and runs `measure` on every core, below the folder `temporary`.
///
/// # Errors
/// Where a build or a run fails: what it printed.
pub fn measure(temporary: &str) -> io::Result<Table> {
    let rows = ROWS.iter().chain(&RISC_V).map(|(core, paths)| row(core, paths, temporary));
    let mut table = Table { compiler: rustc_version()?, rows: rows.collect::<io::Result<_>>()? };
    let without: Vec<Row> = table.rows.iter().filter(|row| row.path == "none").cloned().collect();
    for row in &mut table.rows {
        let start_up = without.iter().find(|without| without.core == row.core);
        row.figures[1] = start_up.map_or(0, |start_up| row.figures[0] - start_up.figures[0]);
    }
    Ok(table)
}

fn row(core: &Core, paths: &[NumericPath], temporary: &str) -> io::Result<Row> {
    let features: Vec<&str> = paths.iter().map(|path| path.name()).collect();
    let mut command = cargo(&folder(), "run", core.target, "core", temporary);
    name_board(&mut command, core.target);
    let output =
        command.args(["--release", "--bin", "measure", "--features", &features.join(",")]).output()?;
    let log = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(io::Error::other(format!(
            "{command:?}\n{log}\n{}",
            String::from_utf8_lossy(&output.stderr)
        )));
    }
    let elf = fs::read(target_dir(temporary).join(core.target).join("release/measure"))?;
    let (flash, ram) = flash_and_ram(&elf).ok_or_else(|| io::Error::other("not an ELF file of 32 bits"))?;
    let mut models = 0;
    for path in paths {
        models += fs::metadata(blob_path(*path))?.len();
    }
    // Of both paths, those of the costlier one: a request takes one.
    let largest =
        |name: &str| paths.iter().filter_map(|path| logged(&log, path.name(), name)).max().unwrap_or(0);
    let instructions = |name, count: u64| (largest(name) as f64 * core.instructions_a_tick) as u64 / count;
    let path = match paths {
        [] => "none",
        [path] => path.name(),
        _ => "both",
    };
    let scratch = paths.iter().map(|path| scratch_len(*path) as u64 * 4).sum();
    let figures = [
        flash - models,
        0, // known once all rows are
        models,
        ram,
        scratch,
        largest("stack"),
        instructions("load", 1),
        instructions("set_user", 1),
        instructions("slate", SLATE as u64),
    ];
    Ok(Row { core: core.name.to_owned(), path: path.to_owned(), figures })
}

/// The number in a line of the log such as "integer load 123 ticks".
fn logged(log: &str, path: &str, name: &str) -> Option<u64> {
    let line = log.lines().find_map(|line| line.strip_prefix(&format!("{path} {name} ")))?;
    line.split(' ').next()?.parse().ok()
}

/// Bytes that the sections of an ELF file take in flash, and in RAM without the stack.
fn flash_and_ram(elf: &[u8]) -> Option<(u64, u64)> {
    const NO_BITS: u32 = 8;
    const WRITE: u32 = 1;
    const ALLOC: u32 = 2;
    let half = |at: usize| Some(usize::from(u16::from_le_bytes(*elf.get(at..)?.first_chunk()?)));
    let word = |at: usize| Some(u32::from_le_bytes(*elf.get(at..)?.first_chunk()?));
    if !elf.starts_with(b"\x7fELF\x01\x01") {
        return None;
    }
    let (start, size, count) = (word(0x20)? as usize, half(0x2e)?, half(0x30)?);
    let names = word(start + half(0x32)? * size + 16)? as usize;
    let (mut flash, mut ram) = (0, 0);
    for section in (0..count).map(|index| start + index * size) {
        let name = elf.get(names + word(section)? as usize..)?;
        let (kind, flags, bytes) = (word(section + 4)?, word(section + 8)?, u64::from(word(section + 20)?));
        if flags & ALLOC != 0 && kind != NO_BITS {
            flash += bytes;
        }
        // riscv-rt makes a section of what is left for the stack.
        if flags & (ALLOC | WRITE) == ALLOC | WRITE && !name.starts_with(b".stack\0") {
            ram += bytes;
        }
    }
    Some((flash, ram))
}

impl Table {
    /// As Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = format!(
            "# What ranking takes\n\n\
             The [edge-profile](../edge-profile/import.toml) model, int8 rows, a history of 20 behaviours and a slate of \
             {SLATE}. Bytes: flash of the whole image without the model, start-up and logging included (the path `none` is \
             those alone; what is left is din-core with the requests and the calls); static RAM; all of the stack, painted under QEMU while a model is \
             loaded, a user set and a slate scored, history and slate on it. \
             Instructions that QEMU executes: to load and check the model, to set a user, and for each candidate of the \
             slate. Of both paths the costlier.\n\n\
             Built by {} with the profile of `examples/firmware` (opt-level s). Written by \
             `cargo run --release -p din-tests --bin renew-sizes`; `tests/run.sh` fails where a figure has grown by more \
             than 3 %, with another compiler than that only says so.\n\n| core | path | {} |\n|---|---|{}\n",
            self.compiler,
            FIGURES.join(" | "),
            "--:|".repeat(FIGURES.len())
        );
        for Row { core, path, figures } in &self.rows {
            let figures: Vec<String> = figures.iter().map(u64::to_string).collect();
            let _ = writeln!(text, "| {core} | {path} | {} |", figures.join(" | "));
        }
        text
    }

    /// From Markdown.
    #[must_use]
    pub fn from_markdown(text: &str) -> Option<Self> {
        let compiler = text.lines().find_map(|line| line.strip_prefix("Built by "))?;
        let compiler = compiler.split(" with the profile").next()?.to_owned();
        let lines = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| core"));
        let row = |line: &str| {
            let mut cells = line.trim_matches(|c| c == '|' || c == ' ').split(" | ");
            let (core, path) = (cells.next()?.to_owned(), cells.next()?.to_owned());
            let figures: Vec<u64> = cells.map(|cell| cell.trim().parse().ok()).collect::<Option<_>>()?;
            Some(Row { core, path, figures: figures.try_into().ok()? })
        };
        Some(Self { compiler, rows: lines.map(row).collect::<Option<_>>()? })
    }

    /// What has grown since `committed` by more than 3 %.
    #[must_use]
    pub fn growth(&self, committed: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for row in &self.rows {
            let Some(before) =
                committed.rows.iter().find(|before| before.core == row.core && before.path == row.path)
            else {
                found.push(format!("{} {}: not in the table", row.core, row.path));
                continue;
            };
            for ((name, now), before) in FIGURES.iter().zip(row.figures).zip(before.figures) {
                if now * 100 > before * 103 {
                    found.push(format!("{} {}, {name}: {now}, was {before}", row.core, row.path));
                }
            }
        }
        let gone =
            |before: &&Row| !self.rows.iter().any(|row| row.core == before.core && row.path == before.path);
        let gone = committed.rows.iter().filter(gone);
        found.extend(gone.map(|row| format!("{} {}: in the table, not measured", row.core, row.path)));
        found
    }
}

impl Table {
    fn figure(&self, core: &Core, path: &str, name: &str) -> u64 {
        let row = self.rows.iter().find(|row| row.core == core.name && row.path == path);
        let index = FIGURES.iter().position(|figure| *figure == name);
        row.zip(index).map_or(0, |(row, index)| row.figures[index])
    }

    /// `din-export/src/inspect/measured.rs`: what the command `inspect` takes from the table.
    #[must_use]
    pub fn to_source(&self) -> String {
        let mut source = String::from(
            "//! Figures of `examples/firmware/SIZES.md`: `cargo run --release -p din-tests --bin renew-sizes` writes both.\n",
        );
        let mut add = |name: &str, doc: &str, figure: u64| {
            let _ = write!(source, "\n/// {doc}\npub(super) const {name}: u32 = {};\n", grouped(figure));
        };
        let [code, stack, candidate] = ["of it din-core", "stack", "a candidate"];
        add(
            "CODE_INTEGER",
            "Bytes of code and constants, on Cortex-M4F.",
            self.figure(&M4F, "integer", code),
        );
        add("CODE_F32", "The same of the f32 path.", self.figure(&M4F, "f32", code));
        add("STACK_INTEGER", "Bytes of stack, on Cortex-M4F.", self.figure(&M4F, "integer", stack));
        add("STACK_F32", "The same of the f32 path.", self.figure(&M4F, "f32", stack));
        add("M0_INTEGER", "Instructions of a candidate.", self.figure(&M0, "integer", candidate));
        add("M4_INTEGER", "The same.", self.figure(&M4F, "integer", candidate));
        add("M33_INTEGER", "The same.", self.figure(&M33, "integer", candidate));
        add("M4_F32", "The same.", self.figure(&M4F, "f32", candidate));
        source
    }
}

/// Digits in threes.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    // As rustfmt and clippy leave it.
    if digits.len() > 4 { groups.join("_") } else { digits }
}

/// Where [`Table::to_source`] is committed.
#[must_use]
pub fn source_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../din-export/src/inspect/measured.rs")
}

/// The committed table.
///
/// # Errors
/// Where there is none, or it is no table.
pub fn committed() -> io::Result<Table> {
    read(&table_path())
}

fn read(path: &Path) -> io::Result<Table> {
    Table::from_markdown(&fs::read_to_string(path)?).ok_or_else(|| io::Error::other("not a table of sizes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(flash: u64) -> Table {
        let row = Row {
            core: "M0".to_owned(),
            path: "integer".to_owned(),
            figures: [flash, 8, 1, 2, 3, 4, 5, 6, 7],
        };
        Table { compiler: "rustc 1.0".to_owned(), rows: vec![row] }
    }

    #[test]
    fn a_table_survives_markdown() {
        assert_eq!(Table::from_markdown(&table(10).to_markdown()), Some(table(10)));
        assert_eq!(Table::from_markdown("# nothing"), None);
    }

    #[test]
    fn growth_of_more_than_three_percent_is_named() {
        assert!(table(1030).growth(&table(1000)).is_empty());
        assert!(table(900).growth(&table(1000)).is_empty());
        assert_eq!(table(1031).growth(&table(1000)), ["M0 integer, flash without model: 1031, was 1000"]);
        let empty = Table { rows: Vec::new(), ..table(1000) };
        assert_eq!(empty.growth(&table(1)), ["M0 integer: in the table, not measured"]);
        assert_eq!(table(1).growth(&empty), ["M0 integer: not in the table"]);
    }
}
