//! The golden blobs: what they are made from, and what lies beside them.
//!
//! A released blob must load and score for ever, so a golden is never renewed to make a test pass: only when the format
//! has a new version, and then the old ones stay beside the new.

use crate::dequantised::stored_rows;
use crate::oracle;
use crate::random::Random;
use crate::random_model::random_model;
use crate::request::Request;
use crate::shape::{ActivationShape, HiddenLayer, ModelShape, PoolingShape};
use din_core::{Kernel, Model, Normaliser, Transform, hash_text};
use din_export::blob::{self, Embedding, ExportOptions, NumericPath};
use din_export::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
use din_export::weights::{AttentionNormalisation, ModelWeights};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// One golden.
#[derive(Clone, Debug)]
pub struct Golden {
    /// Of its two files.
    pub name: &'static str,
    /// Its model.
    pub weights: ModelWeights,
    /// How it is written.
    pub options: ExportOptions,
    /// Bytes of a stand-in for a signature; none is checked by din-core.
    pub signature: &'static [u8],
}

/// What lies beside a golden blob.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expectations {
    /// The command that wrote it.
    pub made_by: String,
    /// Requests and their scores.
    pub cases: Vec<Case>,
}

/// A request with its scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Raw values.
    pub request: Request,
    /// din-core's scores by the portable kernel, the bits of each f32 in hexadecimal.
    pub score_bits: Vec<String>,
    /// The same scores by the f64 oracle, on the rows as the blob has them.
    pub oracle: Vec<f64>,
}

impl Golden {
    /// All of them: together they have every part of the model family.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let paper = attention_shape(ActivationShape::Sigmoid, ActivationShape::Dice)
            .fill("paper", &mut Random::new(1));
        let everything = everything_shape().fill("everything", &mut Random::new(3));
        let int8 = ExportOptions { embedding: Embedding::Int8.into(), ..ExportOptions::default() };
        let base = ModelShape { pooling: vec![PoolingShape::Sum], product: false, ..plain_shape() };
        let none = ModelShape {
            schema: Schema { sequences: Vec::new(), ..plain_shape().schema },
            pooling: Vec::new(),
            ..plain_shape()
        };
        let golden = |name, weights, options| Self { name, weights, options, signature: &[] };
        vec![
            golden(
                "paper",
                paper.clone(),
                ExportOptions { model_id: 7, model_version: 3, ..ExportOptions::default() },
            ),
            golden("paper-int8", paper, int8.clone()),
            golden("everything", everything.clone(), ExportOptions::default()),
            Self {
                signature: b"0123456789abcdef-signed",
                ..golden("everything-int8-signed", everything, int8)
            },
            golden("sum-pooling", base.fill("sum pooling", &mut Random::new(4)), ExportOptions::default()),
            golden("no-history", none.fill("no history", &mut Random::new(5)), ExportOptions::default()),
        ]
    }

    /// Of the integer path. Their blobs alone are kept: the quantiser measures a network in f64, whose exponential is the
    /// host's, so another host's writer may round a weight the other way. What they score lies in
    /// `din-core/tests/same_bits.rs`, which runs on more machines than the writer does.
    #[must_use]
    pub fn integer() -> Vec<Self> {
        let options = |embedding: Embedding| ExportOptions {
            path: NumericPath::Integer,
            embedding: embedding.into(),
            ..ExportOptions::default()
        };
        let golden = |name, shape: ModelShape, seed, embedding| Self {
            name,
            weights: shape.fill(name, &mut Random::new(seed)),
            options: options(embedding),
            signature: &[],
        };
        let paper = attention_shape(ActivationShape::Sigmoid, ActivationShape::Dice);
        vec![
            golden("paper-integer", paper, 6, Embedding::Int8),
            golden("everything-integer", everything_shape(), 7, Embedding::F16),
        ]
    }

    /// Small ones of the integer path, one after the other in one file: see [`integer`](Self::integer). Histories of several
    /// blocks, then models drawn over the whole family.
    ///
    /// # Panics
    /// If the writer refuses a model.
    #[must_use]
    pub fn small_integer() -> Vec<u8> {
        let embeddings = [Embedding::Int8, Embedding::F16, Embedding::Int4, Embedding::F32];
        let mut random = Random::new(0xB10C);
        let blocks = block_shapes().into_iter().map(|shape| shape.fill("blocks", &mut random));
        let drawn = (1..).map(random_model).take(15);
        let written = blocks.chain(drawn).zip(embeddings.into_iter().cycle()).map(|(weights, embedding)| {
            let options = ExportOptions {
                path: NumericPath::Integer,
                embedding: embedding.into(),
                ..ExportOptions::default()
            };
            blob::write(&weights, &options).expect("a small model can be written")
        });
        written.collect::<Vec<_>>().concat()
    }

    /// Where those lie.
    #[must_use]
    pub fn small_integer_path() -> PathBuf {
        folder().join("small-integer.blobs")
    }

    /// The bytes that the writer makes of it today.
    ///
    /// # Panics
    /// If the writer refuses the model.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let bytes = blob::write(&self.weights, &self.options).expect("a golden model can be written");
        if self.signature.is_empty() {
            return bytes;
        }
        let sign = |_: &[u8]| self.signature.to_vec();
        blob::attach_signature(&bytes, self.signature.len() as u32, sign).expect("a blob can be signed")
    }

    /// Its requests with the scores that they have today.
    ///
    /// # Panics
    /// If the blob does not load or score.
    #[must_use]
    pub fn expectations(&self) -> Expectations {
        let bytes = self.bytes();
        let model = Model::from_bytes(&bytes).expect("a golden loads");
        let (weights, mut random) = (stored_rows(&self.weights, &model), Random::new(0x601D));
        let case = |_| {
            let request = Request::random(&weights.schema, &mut random);
            let score_bits =
                score_bits(&request.scores_by(Kernel::Portable, &model).expect("a golden scores"));
            let oracle = oracle::score_all(&weights, &request).iter().map(|truth| truth.score).collect();
            Case { request, score_bits, oracle }
        };
        let made_by = "cargo run -p din-tests --bin renew-goldens".to_owned();
        Expectations { made_by, cases: (0..6).map(case).collect() }
    }

    /// Where its blob lies.
    #[must_use]
    pub fn blob_path(&self) -> PathBuf {
        folder().join(format!("{}.din", self.name))
    }

    /// Where its scores lie.
    #[must_use]
    pub fn expectations_path(&self) -> PathBuf {
        folder().join(format!("{}.json", self.name))
    }
}

/// The bits of scores, as the files have them.
#[must_use]
pub fn score_bits(scores: &[f32]) -> Vec<String> {
    scores.iter().map(|score| format!("{:08x}", score.to_bits())).collect()
}

/// Where the goldens lie.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens")
}

fn table(name: &str, dim: usize, vocabulary: Vocabulary) -> TableSpec {
    TableSpec { name: name.to_owned(), dim, vocabulary }
}

fn id(name: &str, table: usize) -> Field {
    Field { name: name.to_owned(), kind: FieldKind::Categorical { table } }
}

fn number(name: &str, transform: Transform) -> Field {
    let normaliser = Normaliser { transform, mean: 0.4, scale: 1.25, limit: 3.0 };
    Field { name: name.to_owned(), kind: FieldKind::Numeric(normaliser) }
}

fn paired(field: Field, pair: usize) -> BehaviourField {
    BehaviourField { field, pair: Some(pair) }
}

fn unpaired(field: Field) -> BehaviourField {
    BehaviourField { field, pair: None }
}

const fn hidden(outputs: usize, activation: ActivationShape) -> HiddenLayer {
    HiddenLayer { outputs, batch_norm: false, activation }
}

/// Users, items and categories; one sequence of items with their categories; sum pooling.
fn plain_shape() -> ModelShape {
    let dense = |first_row, count| Vocabulary::Dense { first: 1, first_row, count };
    let fields = vec![paired(id("item", 1), 0), paired(id("category", 2), 1)];
    let schema = Schema {
        tables: vec![
            table("user", 6, dense(1, 20)),
            table("item", 6, dense(1, 60)),
            table("category", 4, dense(0, 9)),
        ],
        profile: vec![id("user", 0)],
        context: Vec::new(),
        candidate: vec![id("item", 1), id("category", 2)],
        sequences: vec![SequenceSpec { name: "clicks".to_owned(), capacity: 12, fields }],
    };
    ModelShape {
        schema,
        pooling: vec![PoolingShape::Sum],
        product: false,
        head: vec![hidden(12, ActivationShape::Relu), hidden(7, ActivationShape::PRelu)],
        item_bias: None,
    }
}

/// The model of the paper: users, items and categories, and one sequence weighed by an activation unit of 14-5-1.
#[must_use]
pub fn attention_shape(unit: ActivationShape, head: ActivationShape) -> ModelShape {
    let unit = vec![hidden(14, unit), hidden(5, unit)];
    ModelShape {
        pooling: vec![PoolingShape::Attention(unit, AttentionNormalisation::None)],
        head: vec![hidden(12, head), hidden(7, head)],
        ..plain_shape()
    }
}

/// Histories of several blocks of behaviours, on 32-bit cores (20 at most: 12 + 9, and 16 + 16 + 13) and on others (64 at most:
/// 36 + 34), units whose layers a 32-bit core computes at once and others, and one that is wider than a panel.
fn block_shapes() -> Vec<ModelShape> {
    let unit = |activation, widths: &[usize]| widths.iter().map(|width| hidden(*width, activation)).collect();
    let weighed = |capacity, unit, normalisation| {
        let mut shape = attention_shape(ActivationShape::Sigmoid, ActivationShape::Dice);
        shape.schema.sequences[0].capacity = capacity;
        shape.pooling = vec![PoolingShape::Attention(unit, normalisation)];
        shape
    };
    let (plain, softmax) = (AttentionNormalisation::None, AttentionNormalisation::Softmax);
    vec![
        weighed(21, unit(ActivationShape::Sigmoid, &[9]), plain),
        weighed(45, unit(ActivationShape::Sigmoid, &[6, 4]), plain),
        weighed(45, unit(ActivationShape::Dice, &[7]), softmax),
        weighed(45, Vec::new(), plain),
        weighed(70, unit(ActivationShape::Sigmoid, &[52]), plain),
    ]
}

/// Every kind of part, as small as it goes: the hostile tests flip each of its bytes.
#[must_use]
pub fn everything_shape() -> ModelShape {
    let texts = |words: &[&str]| {
        let mut keys: Vec<u64> = words.iter().map(|word| hash_text(word)).collect();
        keys.sort_unstable();
        Vocabulary::HashedText(keys)
    };
    let dense = Vocabulary::Dense { first: 0, first_row: 0, count: 4 };
    let schema = Schema {
        tables: vec![
            table("item", 3, Vocabulary::Keys(vec![1, 2, 5, 1 << 24, (1 << 24) + 1, u64::MAX])),
            table("category", 2, texts(&["comedy", "drama", "news"])),
            table("action", 1, dense),
        ],
        profile: vec![number("age", Transform::Identity), id("favourite", 1)],
        context: vec![number("hour", Transform::Log1p)],
        candidate: vec![id("category", 1), id("item", 0), number("price", Transform::Log1p)],
        sequences: vec![
            SequenceSpec {
                name: "clicks".to_owned(),
                capacity: 5,
                fields: vec![
                    paired(id("item", 0), 1),
                    paired(number("price", Transform::Log1p), 2),
                    unpaired(id("action", 2)),
                ],
            },
            SequenceSpec {
                name: "likes".to_owned(),
                capacity: 6,
                fields: vec![paired(id("category", 1), 0)],
            },
            SequenceSpec { name: "views".to_owned(), capacity: 3, fields: vec![unpaired(id("item", 0))] },
        ],
    };
    let norm = |outputs, activation| HiddenLayer { outputs, batch_norm: true, activation };
    let first = vec![norm(5, ActivationShape::Dice), hidden(2, ActivationShape::PRelu)];
    let second = vec![hidden(3, ActivationShape::Sigmoid)];
    ModelShape {
        schema,
        pooling: vec![
            PoolingShape::Attention(first, AttentionNormalisation::None),
            PoolingShape::Attention(second, AttentionNormalisation::Softmax),
            PoolingShape::Mean,
        ],
        product: true,
        head: vec![norm(4, ActivationShape::AffineDice), hidden(3, ActivationShape::Relu)],
        item_bias: Some(1),
    }
}
