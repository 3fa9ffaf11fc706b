//! What a firmware project includes: the blob, its sizes as constants, and a self-test that the device can run.
//!
//! | module | concept |
//! |---|---|
//! | [`identifiers`] | names of fields as names in code |
//! | [`facts`] | every constant of a model, once for both languages |
//! | [`generated`] | requests where there are no real ones |
//! | [`self_test`] | requests with the scores that they must have |
//! | `rust`, `c` | the files |
//!
//! | `--blob` | files | the bytes come from |
//! |---|---|---|
//! | `rust` | `NAME.din`, `NAME.rs` | `include_bytes!`, in a static aligned to a cache line |
//! | `c` | `NAME.h`, `NAME_blob.c`, `NAME_self_test.c` | an array, for compilers that can include no file |
//! | `assembler` | `NAME.din`, `NAME.h`, `NAME_blob.S`, `NAME_self_test.c` | `.incbin`: an object for the linker, made by the project's own compiler |
//!
//! No object file is written. A linker refuses one whose ABI flags (Arm float ABI, RISC-V float and compressed code) are
//! not those of the rest of the program, so there would be one for each combination; the project's compiler driver, which
//! every C project has, makes the right one of three lines of assembler.

mod c;
pub mod facts;
pub mod generated;
pub mod identifiers;
mod rust;
pub mod self_test;

use crate::request::Request;
use din_core::Model;
use facts::Facts;
use identifiers::NameError;
use self_test::{SelfTest, SelfTestError};
use std::str::FromStr;

/// Where a blob lies in memory: the beginning of a cache line, as
/// [`LARGE_ALIGNMENT`](din_core::header::LARGE_ALIGNMENT) says. It scores the same at any address.
const ALIGNMENT: usize = din_core::header::LARGE_ALIGNMENT;

/// Who brings the blob's bytes into a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A Rust static.
    Rust,
    /// A C array.
    C,
    /// An assembler file that includes the blob.
    Assembler,
}

impl Holder {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rust, Self::C, Self::Assembler];

    /// As the command line writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::Assembler => "assembler",
        }
    }
}

impl FromStr for Holder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|holder| holder.name() == text);
        found.ok_or_else(|| format!("`{text}` holds no blob; there are rust, c and assembler"))
    }
}

/// Why nothing is emitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The name is no identifier.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Two files would define the blob.
    #[error("`c` and `assembler` would both define {symbol}; choose one")]
    TwoHolders {
        /// The symbol.
        symbol: String,
    },
    /// No request has a candidate.
    #[error("no request has a candidate, so there is nothing for a self-test to compare")]
    NoCase,
    /// A request has no score.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
}

/// What the user chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmitOptions {
    /// Of the files, and prefix of everything in C: lower case, digits and underscores.
    pub name: String,
    /// Who brings the bytes; at least one.
    pub holders: Vec<Holder>,
    /// The most requests of the self-test.
    pub cases: usize,
    /// The most candidates of each.
    pub candidates: usize,
}

impl Default for EmitOptions {
    fn default() -> Self {
        Self { name: "model".to_owned(), holders: vec![Holder::Rust, Holder::C], cases: 4, candidates: 4 }
    }
}

/// Files to write together, and what they hold.
#[derive(Clone, Debug)]
pub struct Emitted {
    /// Name and content, in an order in which none refers to a later one.
    pub files: Vec<(String, Vec<u8>)>,
    /// The constants in them.
    pub facts: Facts,
    /// The self-test in them.
    pub self_test: SelfTest,
}

/// Makes the files of a model. Without requests the self-test has generated ones.
///
/// # Errors
/// Every variant of [`EmitError`].
pub fn emit(model: &Model<'_>, requests: &[Request], options: &EmitOptions) -> Result<Emitted, EmitError> {
    let name = &options.name;
    let has = |holder| options.holders.contains(&holder);
    if has(Holder::C) && has(Holder::Assembler) {
        return Err(EmitError::TwoHolders { symbol: format!("{name}_blob") });
    }
    let facts = Facts::of(model, name)?;
    let drawn;
    let requests = if requests.is_empty() {
        drawn = generated::requests(model, options.cases, options.candidates);
        &drawn
    } else {
        requests
    };
    let self_test = SelfTest::choose(model, requests, options.cases, options.candidates)?;
    if self_test.cases.is_empty() {
        return Err(EmitError::NoCase);
    }
    let mut files = Vec::new();
    if has(Holder::Rust) || has(Holder::Assembler) {
        files.push((format!("{name}.din"), model.bytes().to_vec()));
    }
    if has(Holder::Rust) {
        files.push((format!("{name}.rs"), rust::module(&facts, &self_test).into_bytes()));
    }
    if has(Holder::C) || has(Holder::Assembler) {
        files.push((format!("{name}.h"), c::header(&facts, &self_test).into_bytes()));
        let (extension, text) = match has(Holder::C) {
            true => ("c", c::array(&facts, model.bytes())),
            false => ("S", c::assembler(&facts)),
        };
        files.push((format!("{name}_blob.{extension}"), text.into_bytes()));
        files.push((format!("{name}_self_test.c"), c::self_test(&facts, &self_test).into_bytes()));
    }
    Ok(Emitted { files, facts, self_test })
}
