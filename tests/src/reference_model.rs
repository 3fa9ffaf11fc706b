//! The model that came with the project, `tests/reference/edge-profile`, and its 256 cases.

use crate::request::Request;
use din_core::Value;
use safetensors::{SafeTensors, tensor::TensorView};
use std::path::{Path, PathBuf};

/// Candidates of a slate.
pub const SLATE: usize = 10;

/// A slate with the scores that the model's own f64 program gave.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceCase {
    /// User, history and candidates. Only behaviours whose mask is 1.
    pub request: Request,
    /// `prob_f64`, one for each candidate.
    pub scores: Vec<f64>,
    /// 1 where the candidate was clicked, else 0.
    pub labels: Vec<f32>,
}

/// Where the tensors lie.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/edge-profile")
}

/// The description that `din-export import` reads.
#[must_use]
pub fn description() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/edge-profile/import.toml")
}

/// Reads all cases.
///
/// # Panics
/// If the file is not what it was.
#[must_use]
pub fn cases() -> Vec<ReferenceCase> {
    let bytes = std::fs::read(folder().join("cases.safetensors")).expect("the cases are part of the tests");
    let tensors = SafeTensors::deserialize(&bytes).expect("the cases are a safetensors file");
    let tensor = |name: &str| tensors.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let ids = |name: &str| numbers(&tensor(name), i32::from_le_bytes);
    let (users, items, categories) = (ids("user"), ids("cand_item"), ids("cand_cat"));
    let (history_items, history_categories) = (ids("hist_item"), ids("hist_cat"));
    let mask = numbers(&tensor("mask"), f32::from_le_bytes);
    let scores = numbers(&tensor("prob_f64"), f64::from_le_bytes);
    let labels = numbers(&tensor("label"), f32::from_le_bytes);
    let length = mask.len() / users.len();

    let case = |(index, user): (usize, &i32)| {
        let pairs = |items: &[i32], categories: &[i32]| -> Vec<Vec<Value>> {
            items.iter().zip(categories).map(|(item, category)| vec![id(*item), id(*category)]).collect()
        };
        let (history, slate) = (index * length..(index + 1) * length, index * SLATE..(index + 1) * SLATE);
        let behaviours = pairs(&history_items[history.clone()], &history_categories[history.clone()]);
        let real = behaviours.into_iter().zip(&mask[history]).filter(|(_, mask)| **mask == 1.0);
        let request = Request {
            profile: vec![id(*user)],
            context: Vec::new(),
            histories: vec![real.map(|(behaviour, _)| behaviour).collect()],
            slate: pairs(&items[slate.clone()], &categories[slate.clone()]),
        };
        ReferenceCase { request, scores: scores[slate.clone()].to_vec(), labels: labels[slate].to_vec() }
    };
    users.iter().enumerate().map(case).collect()
}

fn id(id: i32) -> Value {
    Value::Id(u64::try_from(id).expect("ids are rows"))
}

fn numbers<T, const N: usize>(tensor: &TensorView<'_>, read: impl Fn([u8; N]) -> T) -> Vec<T> {
    tensor.data().as_chunks().0.iter().map(|bytes| read(*bytes)).collect()
}
