//! From gradients to steps: dense for layers, touched rows only for embeddings.

use rayon::prelude::*;

use super::regularization::RowDecay;
use crate::config::training::{OptimizerConfig, OptimizerKind};
use crate::network::Network;
use crate::network::blocks::{ROWS_AHEAD, prefetch, vectorised};
use crate::network::embedding::Embedding;
use crate::network::parameter::Parameter;
use crate::network::state::{NamedPart, Part};

/// SGD, Adagrad or Adam with its state.
///
/// Embedding rows are stepped when a batch touches them and cost nothing otherwise. Adam's bias correction uses the global
/// step for them too, as the usual sparse ("lazy") Adam does: a row's moments stand still while it is absent, so a row first
/// touched late starts with moments near zero that are no longer corrected, and its first steps are smaller than a dense
/// Adam's first ones.
#[derive(Clone, Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    /// Steps taken.
    steps: u64,
    dense: Vec<Moments>,
    tables: Vec<Moments>,
    item_bias: Moments,
}

/// State of one parameter, of its size; empty where the rule needs none.
#[derive(Clone, Debug, Default)]
struct Moments {
    /// Adam's mean of gradients.
    first: Vec<f32>,
    /// Adam's mean, Adagrad's sum, of squared gradients. Adagrad's start is added when it is read, so that memory of rows
    /// never touched is never touched either.
    second: Vec<f32>,
}

impl Moments {
    fn new(kind: OptimizerKind, length: usize) -> Self {
        let of = |used: bool| vec![0.0; if used { length } else { 0 }];
        Self { first: of(kind == OptimizerKind::Adam), second: of(kind != OptimizerKind::Sgd) }
    }
}

/// What one step does to any number, with all that depends on the step alone computed before.
#[derive(Clone, Copy)]
enum Rule {
    Sgd { rate: f32 },
    Adagrad { rate: f32, start: f32, epsilon: f32 },
    Adam { rate: f32, keep_first: f32, keep_second: f32, second_scale: f32, epsilon: f32 },
}

impl Optimizer {
    /// For the parameters of a network.
    #[must_use]
    pub fn new(config: &OptimizerConfig, network: &mut Network<f32>) -> Self {
        let moments = |length| Moments::new(config.kind, length);
        Self {
            config: config.clone(),
            steps: 0,
            dense: network.parameters_mut().map(|parameter| moments(parameter.values.len())).collect(),
            tables: network.tables().iter().map(|table| moments(table.values.len())).collect(),
            item_bias: network
                .item_bias_mut()
                .map_or_else(Moments::default, |bias| moments(bias.values.values.len())),
        }
    }

    /// The rate of the next step: `learning_rate * decay_rate^(steps / decay_steps)`, the quotient rounded down.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let OptimizerConfig { learning_rate, decay_steps, decay_rate, .. } = self.config;
        match self.steps.checked_div(decay_steps) {
            Some(decays) => learning_rate * decay_rate.powf(decays as f64),
            None => learning_rate,
        }
    }

    /// Every number that a step changes, in a fixed order.
    pub fn state_mut(&mut self) -> Vec<NamedPart<'_, f32>> {
        let mut parts = vec![("optimiser steps".to_owned(), Part::Count(&mut self.steps))];
        let moments = self.dense.iter_mut().chain(&mut self.tables).chain([&mut self.item_bias]);
        for (index, Moments { first, second }) in moments.enumerate() {
            parts.push((format!("first moments of parameter {index}"), Part::Numbers(first)));
            parts.push((format!("second moments of parameter {index}"), Part::Numbers(second)));
        }
        parts
    }

    /// One step along the gradients that the network's last backward pass left.
    pub fn step(&mut self, network: &mut Network<f32>, decay: &RowDecay) {
        let rate = self.rate();
        let scale = self.clip_scale(network) as f32;
        self.steps += 1;
        let rule = self.rule(rate);
        let kept = 1.0 - rate * self.config.dense_decay;
        for (parameter, moments) in network.parameters_mut().zip(&mut self.dense) {
            let Parameter { values, gradient, decays } = parameter;
            if *decays && kept < 1.0 {
                values.iter_mut().for_each(|value| *value *= kept as f32);
            }
            rule.apply(values, gradient, scale, &mut moments.first, &mut moments.second);
        }
        for (index, (table, moments)) in network.tables_mut().iter_mut().zip(&mut self.tables).enumerate() {
            // A row loses at most all of itself: beyond that the decay would turn its sign.
            let kept = |row| (1.0 - rate * decay.strength(index, row)).max(0.0) as f32;
            rule.apply_to_rows(table, scale, moments, kept);
        }
        if let Some(bias) = network.item_bias_mut() {
            rule.apply_to_rows(&mut bias.values, scale, &mut self.item_bias, |_| 1.0);
        }
    }

    /// `min(1, clip_norm / norm)`, norm that of all gradients together, those of embedding rows and item bias included.
    fn clip_scale(&self, network: &mut Network<f32>) -> f64 {
        let limit = self.config.clip_norm;
        if limit <= 0.0 {
            return 1.0;
        }
        let squares = |values: &[f32]| values.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
        let rows = |table: &Embedding<f32>| -> f64 {
            // Collected first, since the order of a parallel sum is not fixed.
            let shards: Vec<f64> =
                table.gradient.shards().par_iter().map(|shard| squares(shard.values())).collect();
            shards.iter().sum()
        };
        let mut total: f64 = network.parameters_mut().map(|parameter| squares(&parameter.gradient)).sum();
        total += network.tables().iter().map(rows).sum::<f64>();
        total += network.item_bias_mut().map_or(0.0, |bias| rows(&bias.values));
        let norm = total.sqrt();
        if norm > limit { limit / norm } else { 1.0 }
    }

    fn rule(&self, rate: f64) -> Rule {
        let config = &self.config;
        let epsilon = config.epsilon as f32;
        match config.kind {
            OptimizerKind::Sgd => Rule::Sgd { rate: rate as f32 },
            OptimizerKind::Adagrad => {
                Rule::Adagrad { rate: rate as f32, start: config.initial_accumulator as f32, epsilon }
            }
            OptimizerKind::Adam => {
                let correction = |beta: f64| 1.0 - beta.powf(self.steps as f64);
                Rule::Adam {
                    rate: (rate / correction(config.beta1)) as f32,
                    keep_first: config.beta1 as f32,
                    keep_second: config.beta2 as f32,
                    second_scale: (1.0 / correction(config.beta2)) as f32,
                    epsilon,
                }
            }
        }
    }
}

impl Rule {
    /// Steps `values` along `scale * gradient`.
    ///
    /// Adagrad: `v += g^2, w -= rate g / (sqrt(start + v) + epsilon)` (Duchi et al. 2011).
    /// Adam: `m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
    /// w -= rate / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + epsilon)` (Kingma and Ba 2015, algorithm 1).
    #[inline(always)]
    fn apply(self, values: &mut [f32], gradient: &[f32], scale: f32, first: &mut [f32], second: &mut [f32]) {
        let pairs = values.iter_mut().zip(gradient);
        match self {
            Self::Sgd { rate } => {
                for (w, &g) in pairs {
                    *w -= rate * (scale * g);
                }
            }
            Self::Adagrad { rate, start, epsilon } => {
                for ((w, &g), v) in pairs.zip(second) {
                    let g = scale * g;
                    *v += g * g;
                    *w -= rate * g / ((start + *v).sqrt() + epsilon);
                }
            }
            Self::Adam { rate, keep_first, keep_second, second_scale, epsilon } => {
                for (((w, &g), m), v) in pairs.zip(first).zip(second) {
                    let g = scale * g;
                    *m = keep_first * *m + (1.0 - keep_first) * g;
                    *v = keep_second * *v + (1.0 - keep_second) * g * g;
                    *w -= rate * *m / ((*v * second_scale).sqrt() + epsilon);
                }
            }
        }
    }

    /// Shrinks each touched row to `kept(row)` of itself and steps it. The step does not read the row, so this is the decay
    /// of the row's value from before the step.
    ///
    /// Shards of the table are stepped in parallel.
    fn apply_to_rows(
        self,
        table: &mut Embedding<f32>,
        scale: f32,
        moments: &mut Moments,
        kept: impl Fn(u32) -> f32 + Sync,
    ) {
        let Embedding { dim, values, gradient } = table;
        let (dim, shard_rows) = (*dim, gradient.shard_rows());
        let mut parts = [values, &mut moments.first, &mut moments.second]
            .map(|numbers| numbers.chunks_mut(shard_rows * dim));
        let shards: Vec<_> = gradient
            .shards()
            .iter()
            .map(|shard| (shard, parts.each_mut().map(|part| part.next().unwrap_or_default())))
            .collect();
        shards.into_par_iter().enumerate().for_each(|(index, (shard, [values, first, second]))| {
            vectorised(|| {
                let span_of = |row: u32| row as usize * dim..(row as usize + 1) * dim;
                let mut ahead = shard.rows(dim).skip(ROWS_AHEAD);
                for (row, gradient) in shard.rows(dim) {
                    if let Some((row, _)) = ahead.next() {
                        for part in [&*values, &*first, &*second] {
                            prefetch(part.get(span_of(row)).unwrap_or_default());
                        }
                    }
                    let span = span_of(row);
                    let values = &mut values[span.clone()];
                    let kept = kept((index * shard_rows) as u32 + row);
                    if kept != 1.0 {
                        values.iter_mut().for_each(|value| *value *= kept);
                    }
                    let first = first.get_mut(span.clone()).unwrap_or_default();
                    let second = second.get_mut(span).unwrap_or_default();
                    self.apply(values, gradient, scale, first, second);
                }
            });
        });
    }
}
