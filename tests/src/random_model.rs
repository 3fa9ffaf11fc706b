//! Models drawn over the whole family.

use crate::random::Random;
use crate::shape::{ActivationShape, HiddenLayer, ModelShape, PoolingShape};
use din_core::{Normaliser, Transform, hash_text};
use din_export::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
use din_export::weights::{AttentionNormalisation, ModelWeights};

/// The model of a seed: 0 to 3 sequences with paired and unpaired fields, shared tables, every vocabulary and
/// normaliser, every activation and pooling, batch norm, 1 to 3 layers, the product and the item bias, each or none.
#[must_use]
pub fn random_model(seed: u64) -> ModelWeights {
    let mut random = Random::new(seed);
    let shape = random_shape(&mut random);
    shape.fill(&format!("random {seed}"), &mut random)
}

fn random_shape(random: &mut Random) -> ModelShape {
    let schema = random_schema(random);
    let pooling = schema.sequences.iter().map(|_| random_pooling(random)).collect();
    let bias_fields: Vec<usize> = (0..schema.candidate.len())
        .filter(|index| matches!(schema.candidate[*index].kind, FieldKind::Categorical { .. }))
        .collect();
    let item_bias = (!bias_fields.is_empty() && random.chance(50)).then(|| random.one_of(&bias_fields));
    ModelShape { schema, pooling, product: random.chance(50), head: random_hidden(random), item_bias }
}

fn random_schema(random: &mut Random) -> Schema {
    let tables: Vec<TableSpec> = (0..random.within(1..=4)).map(|index| random_table(index, random)).collect();
    let mut fields = |group: &str, count: usize| -> Vec<Field> {
        (0..count).map(|index| random_field(format!("{group}_{index}"), tables.len(), random)).collect()
    };
    let (profile, context, candidate) = (fields("profile", 2), fields("context", 1), fields("candidate", 3));
    // Any number of them, none included, but at least one candidate field.
    let take = |fields: Vec<Field>, least: usize, random: &mut Random| {
        let count = random.within(least..=fields.len());
        fields.into_iter().take(count).collect()
    };
    let profile = take(profile, 0, random);
    let context = take(context, 0, random);
    let candidate = take(candidate, 1, random);
    let mut schema = Schema { tables, profile, context, candidate, sequences: Vec::new() };
    let sequences = random.below(4);
    schema.sequences = (0..sequences).map(|index| random_sequence(index, &schema, random)).collect();
    schema
}

fn random_table(index: usize, random: &mut Random) -> TableSpec {
    let count = random.within(1..=12);
    let vocabulary = match random.below(4) {
        0 => Vocabulary::Dense { first: 0, first_row: 0, count: count as u32 },
        1 => Vocabulary::Dense { first: random.bits() >> 8, first_row: 1, count: count as u32 },
        2 => Vocabulary::Keys(ascending((0..count).map(|_| random.bits() >> random.below(60)).collect())),
        _ => Vocabulary::HashedText(ascending(
            (0..count).map(|i| hash_text(&format!("{index} {i}"))).collect(),
        )),
    };
    TableSpec { name: format!("table_{index}"), dim: random.within(1..=13), vocabulary }
}

fn ascending(mut keys: Vec<u64>) -> Vec<u64> {
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn random_field(name: String, tables: usize, random: &mut Random) -> Field {
    let kind = if random.chance(70) {
        FieldKind::Categorical { table: random.below(tables) }
    } else {
        FieldKind::Numeric(random_normaliser(random))
    };
    Field { name, kind }
}

fn random_normaliser(random: &mut Random) -> Normaliser {
    Normaliser {
        transform: random.one_of(&[Transform::Identity, Transform::Log1p]),
        mean: random.around_zero(0.5),
        scale: random.one_of(&[0.5, 1.0, -1.5]),
        limit: random.one_of(&[1.0, 3.0, 1e6]),
    }
}

/// Paired fields first, each like its candidate field, then fields that the candidate does not have.
fn random_sequence(index: usize, schema: &Schema, random: &mut Random) -> SequenceSpec {
    let mut fields = Vec::new();
    for (pair, candidate) in schema.candidate.iter().enumerate() {
        if random.chance(70) {
            let field = Field { name: candidate.name.clone(), kind: candidate.kind.clone() };
            fields.push(BehaviourField { field, pair: Some(pair) });
        }
    }
    let unpaired = random.below(3).max(usize::from(fields.is_empty()));
    for number in 0..unpaired {
        let field = random_field(format!("unpaired_{number}"), schema.tables.len(), random);
        fields.push(BehaviourField { field, pair: None });
    }
    SequenceSpec { name: format!("sequence_{index}"), capacity: random.within(1..=11), fields }
}

fn random_pooling(random: &mut Random) -> PoolingShape {
    match random.below(6) {
        0 => PoolingShape::Sum,
        1 => PoolingShape::Mean,
        2 | 3 => PoolingShape::Attention(random_hidden(random), AttentionNormalisation::Softmax),
        _ => PoolingShape::Attention(random_hidden(random), AttentionNormalisation::None),
    }
}

fn random_hidden(random: &mut Random) -> Vec<HiddenLayer> {
    const ACTIVATIONS: [ActivationShape; 6] = [
        ActivationShape::Linear,
        ActivationShape::Sigmoid,
        ActivationShape::Relu,
        ActivationShape::PRelu,
        ActivationShape::Dice,
        ActivationShape::AffineDice,
    ];
    let mut layer = || HiddenLayer {
        outputs: random.within(1..=18),
        batch_norm: random.chance(30),
        activation: random.one_of(&ACTIVATIONS),
    };
    let layers = [layer(), layer()];
    layers[..random.below(3)].to_vec()
}
