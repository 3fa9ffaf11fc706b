//! What each kernel makes of models of three sizes: setting a user, and slates of 1 and 100, histories full.
//!
//! ```text
//! cargo bench -p din-tests                       # everything
//! cargo bench -p din-tests -- slate_of_100       # one table
//! cargo bench -p din-tests -- paper              # one model
//! ```
//!
//! The tables are small, so that every row is in the cache: `din-export bench` times a blob of your own.

use din_core::{Behaviours, Value};
use din_core::{IntegerKernel, Kernel, Model, RankerPool, Slate, User};
use din_export::bench::{AnyKernel, Workload};
use din_export::blob::{self, AlignedBytes, ExportOptions, NumericPath};
use din_export::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
use din_export::weights::AttentionNormalisation;
use din_tests::random::Random;
use din_tests::shape::{ActivationShape, HiddenLayer, ModelShape, PoolingShape};
use divan::Bencher;
use divan::counter::ItemsCount;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::OnceLock;

fn main() {
    divan::main();
}

/// Name, width of an item's and a category's row, behaviours, hidden layers of unit and head.
type Sizes = (&'static str, usize, usize, &'static [usize], &'static [usize]);

const SHAPES: [Sizes; 3] = [
    ("edge", 16, 20, &[36], &[80, 40]),
    ("paper", 64, 50, &[80, 40], &[80, 40]),
    // No width is a multiple of a vector's.
    ("odd", 13, 31, &[37, 11], &[53, 19]),
];

/// A model, and what scores it.
#[derive(Clone, Copy)]
struct Case {
    shape: &'static str,
    model: &'static Model<'static>,
    kernel: AnyKernel,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.model.header().is_integer() { "integer" } else { "f32" };
        write!(f, "{} {path} {}", self.shape, self.kernel.name())
    }
}

fn cases() -> impl Iterator<Item = Case> {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    let models =
        || SHAPES.iter().flat_map(|shape| NumericPath::ALL.map(|path| (shape.0, model(shape, path))));
    let cases = || {
        let each = models().flat_map(|(shape, model)| {
            AnyKernel::all(model).into_iter().map(move |kernel| Case { shape, model, kernel })
        });
        each.collect()
    };
    CASES.get_or_init(cases).iter().copied()
}

/// Kept until the program ends.
fn model(&(name, dim, capacity, unit, head): &Sizes, path: NumericPath) -> &'static Model<'static> {
    let hidden = |widths: &[usize], activation| -> Vec<HiddenLayer> {
        widths.iter().map(|&outputs| HiddenLayer { outputs, batch_norm: false, activation }).collect()
    };
    let field = |index: usize, name: &str| Field {
        name: name.to_owned(),
        kind: FieldKind::Categorical { table: index },
    };
    let fields = || [field(0, "item"), field(1, "category")];
    let table = |name: &str| TableSpec {
        name: name.to_owned(),
        dim,
        vocabulary: Vocabulary::Dense { first: 0, first_row: 0, count: 500 },
    };
    let schema = Schema {
        tables: ["item", "category"].map(table).to_vec(),
        candidate: fields().to_vec(),
        sequences: vec![SequenceSpec {
            name: "history".to_owned(),
            capacity,
            fields: (0..)
                .zip(fields())
                .map(|(pair, field)| BehaviourField { field, pair: Some(pair) })
                .collect(),
        }],
        ..Schema::default()
    };
    let pooling =
        PoolingShape::Attention(hidden(unit, ActivationShape::Sigmoid), AttentionNormalisation::None);
    let shape = ModelShape {
        schema,
        pooling: vec![pooling],
        product: false,
        head: hidden(head, ActivationShape::Dice),
        item_bias: None,
    };
    let weights = shape.fill(name, &mut Random::new(1));
    let bytes = blob::write(&weights, &ExportOptions { path, ..ExportOptions::default() }).unwrap();
    let bytes: &'static AlignedBytes = Box::leak(Box::new(AlignedBytes::from(&bytes[..])));
    Box::leak(Box::new(Model::from_bytes(bytes).unwrap()))
}

/// A request with so many candidates, its user set anew.
fn request(bencher: Bencher<'_, '_>, case: &Case, candidates: usize) {
    let mut pool = RankerPool::new(case.model, NonZeroUsize::MIN);
    match case.kernel {
        AnyKernel::F32(kernel) => pool.use_kernels(kernel, IntegerKernel::best()),
        AnyKernel::Integer(kernel) => pool.use_kernels(Kernel::best(), kernel),
    }
    let request = Workload::random(case.model, candidates, usize::MAX, 1).requests.remove(0);
    let slate: Vec<Value> = request.candidates.concat();
    let histories = [Behaviours::new(&request.histories[0])];
    let mut scores = vec![0.0; candidates];
    bencher.counter(ItemsCount::new(candidates.max(1))).bench_local(|| {
        let user = User { histories: &histories, ..User::default() };
        let mut slates = [Slate::new(user, &slate, &mut scores)];
        pool.score(&mut slates);
        slates[0].result.unwrap();
    });
}

#[divan::bench(args = cases())]
fn set_user(bencher: Bencher<'_, '_>, case: &Case) {
    request(bencher, case, 0);
}

#[divan::bench(args = cases())]
fn slate_of_1(bencher: Bencher<'_, '_>, case: &Case) {
    request(bencher, case, 1);
}

#[divan::bench(args = cases())]
fn slate_of_100(bencher: Bencher<'_, '_>, case: &Case) {
    request(bencher, case, 100);
}
