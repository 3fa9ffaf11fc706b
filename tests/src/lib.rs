//! What the integration tests share.
//!
//! | module | concept |
//! |---|---|
//! | [`tolerance`] | how far a number may be from the truth, and why |
//! | [`random`] | a generator of numbers that no dependency can change |
//! | [`request`] | one user and a slate, and how din-core scores them |
//! | [`oracle`] | the model in f64, straight from its formulas |
//! | [`shape`], [`random_model`] | models over the whole family |
//! | [`dequantised`] | the model that a blob's embedding rows stand for |
//! | [`interpreter`] | the integer path in plain i64, straight from its specification |
//! | [`forge`] | blobs taken apart, changed and put together with good checksums |
//! | [`golden`] | the golden blobs, and what their files hold |
//! | [`peer`] | what is timed beside other runtimes: protocol, clock, model |
//! | [`reference_model`] | the model that came with the project, and its 256 cases |
//! | [`c_program`] | C programs that use din-ffi, compiled and run |
//! | [`device`] | `cargo` for targets that Rust alone does not bring |
//! | [`firmware`] | what the firmwares of `examples/firmware` are given, and what they must log |
//! | [`sizes`] | flash, RAM, stack and instructions of ranking on each core |

pub mod c_program;
pub mod dequantised;
pub mod device;
pub mod firmware;
pub mod forge;
pub mod golden;
pub mod interpreter;
pub mod oracle;
pub mod peer;
pub mod random;
pub mod random_model;
pub mod reference_model;
pub mod request;
pub mod shape;
pub mod sizes;
pub mod stack_sum;
pub mod tolerance;
