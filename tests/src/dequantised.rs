//! The model that int8 rows stand for.

use din_export::weights::ModelWeights;

/// The same model with every embedding row replaced by what its int8 form stands for: `round(x / s) s`, where s is a
/// 127th of the row's largest magnitude.
///
/// Written again here, not taken from the blob writer, so that an oracle on these rows checks the writer too.
#[must_use]
pub fn int8_rows(model: &ModelWeights) -> ModelWeights {
    let mut model = model.clone();
    for (spec, table) in model.schema.tables.iter().zip(&mut model.tables) {
        for row in table.chunks_exact_mut(spec.dim) {
            let largest = row.iter().map(|value| value.abs()).fold(0.0, f32::max);
            let scale = largest / 127.0;
            if scale == 0.0 {
                continue;
            }
            row.iter_mut().for_each(|value| *value = (*value / scale).round() * scale);
        }
    }
    model
}
