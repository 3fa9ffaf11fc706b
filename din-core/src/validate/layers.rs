//! Layers of the f32 path.

use super::checks::{Checked, Checks, Usable};
use crate::manifest::{Activation, MAX_LAYERS, MAX_WIDTH};
use crate::model::Group;
use crate::subject::Subject;

/// Those of each sequence's unit, then the head's.
pub(crate) fn layers(checks: &mut Checks<'_, '_>) -> Checked {
    let model = checks.model;
    let manifest = model.manifest();
    let unused = manifest.parts.len().saturating_add(manifest.integer_layers.len());
    checks.index = 0;
    checks.equal(Subject::IntegerRecordsOfF32Blob, 0, unused.saturating_add(manifest.fixed.len()))?;
    let (candidates, count) = model.field_range(Group::Candidate);
    // [profile, context, pooled of each sequence, candidate (, product of each sequence)]
    let mut head_inputs = model.widths((0, candidates.saturating_add(count)));
    for index in 0..manifest.sequences.len() {
        let sequence = model.sequence(index);
        checks.sequence(index, &sequence)?;
        // The folded first layer reads the query, the key, and their product.
        let inputs = sequence.paired_width.saturating_mul(2).saturating_add(sequence.key_width);
        checks.chain(sequence.first_layer, sequence.layers, inputs)?;
        let product = if manifest.product { sequence.paired_width } else { 0 };
        head_inputs = head_inputs.saturating_add(sequence.key_width).saturating_add(product);
    }
    let first = model.head_start();
    let count = manifest.layers.len().saturating_sub(first);
    checks.in_range(Subject::HeadLayers, count, MAX_LAYERS)?;
    checks.chain(first, count, head_inputs)
}

impl Checks<'_, '_> {
    /// A chain of layers: the first of the given width, the last linear and one wide.
    #[inline(never)]
    fn chain(&mut self, first: usize, count: usize, inputs: usize) -> Checked {
        let mut inputs = inputs;
        for index in first..first.saturating_add(count) {
            self.index = index;
            let Some(record) = self.model.manifest().layers.get(index) else {
                return self.malformed(Subject::LayerCount);
            };
            let outputs = record.outputs as usize;
            self.equal(Subject::LayerInputs, inputs, record.inputs as usize)?;
            self.in_range(Subject::LayerOutputs, outputs, MAX_WIDTH as usize)?;
            let weight_len = inputs.saturating_mul(outputs).saturating_mul(4);
            self.section(Subject::WeightSection, record.weight, weight_len)?;
            self.section(Subject::BiasSection, record.bias, outputs.saturating_mul(4))?;
            match record.activation.parameters() {
                0 => self.none(Subject::ParameterSection, record.parameters)?,
                n => {
                    let len = outputs.saturating_mul(n).saturating_mul(4);
                    self.section(Subject::ParameterSection, record.parameters, len)?;
                }
            }
            let runs = [
                (Subject::Weights, record.weight),
                (Subject::Biases, record.bias),
                (Subject::Parameters, record.parameters),
            ];
            for (what, section) in runs {
                self.numbers(what, self.model.section(section), Usable::FINITE)?;
            }
            if index.saturating_add(1) == first.saturating_add(count) {
                self.last(outputs, record.activation)?;
            }
            inputs = outputs;
        }
        Ok(())
    }

    /// Of a chain the last layer is linear and one wide.
    #[inline(never)]
    pub(super) fn last(&mut self, outputs: usize, activation: Activation) -> Checked {
        self.equal(Subject::LastOutputs, 1, outputs)?;
        self.equal(Subject::LastActivation, Activation::Linear as usize, activation as usize)
    }
}
