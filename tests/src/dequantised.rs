//! The model that a blob's embedding rows stand for.

use din_core::Model;
use din_export::weights::ModelWeights;

/// The same model with every embedding row as the blob has it.
///
/// # Panics
/// If the blob is of another model.
#[must_use]
pub fn stored_rows(weights: &ModelWeights, blob: &Model<'_>) -> ModelWeights {
    let mut weights = weights.clone();
    for ((spec, values), table) in weights.schema.tables.iter().zip(&mut weights.tables).zip(blob.tables()) {
        assert_eq!((spec.name.as_str(), spec.vocabulary.rows()), (table.name(), table.rows() as usize));
        for (index, row) in values.chunks_exact_mut(spec.dim).enumerate() {
            table.read(index as u32, row);
        }
    }
    weights
}
