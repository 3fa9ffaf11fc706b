//! The normalisers of numeric fields, from the training samples partition by partition.

use crate::data::dataset::{Dataset, FieldColumn};
use crate::data::load::uses;
use crate::data::normaliser::Fit;
use crate::job::{FieldConfig, Job, SequenceConfig};
use crate::schema::{FieldKind, Schema};

/// The normalisers of numeric fields, while they see the training samples.
pub(super) struct Fits {
    plain: [Vec<Option<Fit>>; 3],
    /// By sequence and field, in the schema's order; `None` where the candidate's is taken, or for ids.
    behaviours: Vec<Vec<Option<Fit>>>,
}

impl Fits {
    pub(super) fn new(job: &Job) -> Self {
        let fit = |field: &FieldConfig| field.numeric.map(Fit::new);
        let fits = |fields: &[FieldConfig]| fields.iter().map(fit).collect();
        let sequence = |sequence: &SequenceConfig| {
            let mut fields: Vec<_> =
                sequence.fields.iter().map(|field| (field, field.paired_with(&job.candidate))).collect();
            fields.sort_by_key(|(_, pair)| pair.is_none());
            fields.into_iter().map(|(field, pair)| fit(field).filter(|_| pair.is_none())).collect()
        };
        Self {
            plain: [fits(&job.profile), fits(&job.context), fits(&job.candidate)],
            behaviours: job.sequences.iter().map(sequence).collect(),
        }
    }

    pub(super) fn add(&mut self, dataset: &Dataset) {
        let samples = &dataset.samples;
        let groups = [&samples.profile, &samples.context, &samples.candidate];
        for (fits, columns) in self.plain.iter_mut().zip(groups) {
            for (fit, column) in fits.iter_mut().zip(columns) {
                if let (Some(fit), FieldColumn::Numbers(numbers)) = (fit, column) {
                    dataset.train.iter().for_each(|&sample| fit.add(numbers[sample as usize], 1));
                }
            }
        }
        for (fits, histories) in self.behaviours.iter_mut().zip(&samples.histories) {
            let uses = uses(histories, &dataset.train);
            for (fit, column) in fits.iter_mut().zip(&histories.pool) {
                if let (Some(fit), FieldColumn::Numbers(numbers)) = (fit, column) {
                    numbers.iter().zip(&uses).for_each(|(&number, &times)| fit.add(number, times));
                }
            }
        }
    }

    pub(super) fn finish(&self, schema: &mut Schema) {
        let groups = [&mut schema.profile, &mut schema.context, &mut schema.candidate];
        for (fields, fits) in groups.into_iter().zip(&self.plain) {
            for (field, fit) in fields.iter_mut().zip(fits) {
                if let Some(fit) = fit {
                    field.kind = FieldKind::Numeric(fit.finish());
                }
            }
        }
        for (sequence, fits) in schema.sequences.iter_mut().zip(&self.behaviours) {
            for (behaviour, fit) in sequence.fields.iter_mut().zip(fits) {
                match (behaviour.pair, fit) {
                    (_, Some(fit)) => behaviour.field.kind = FieldKind::Numeric(fit.finish()),
                    // What is compared has one scale.
                    (Some(pair), None) => behaviour.field.kind = schema.candidate[pair].kind.clone(),
                    (None, None) => {}
                }
            }
        }
    }
}
