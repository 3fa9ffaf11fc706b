//! Everything of a network that a step changes, lent part by part: to be saved, or restored to the bit.

use super::activation::Activation;
use super::layer::Layer;
use super::model::Network;
use super::pooling::Weighting;
use super::real::Real;
use super::statistics::MovingStatistics;

/// A part of a state that steps change.
#[derive(Debug)]
pub enum Part<'a, T> {
    /// Weights, moments, statistics.
    Numbers(&'a mut [T]),
    /// How often something was done.
    Count(&'a mut u64),
}

/// A part with a name for people.
pub type NamedPart<'a, T> = (String, Part<'a, T>);

impl<T: Real> Network<T> {
    /// Every number that training changes, in a fixed order: parameters, moving statistics, tables, item bias.
    pub fn state_mut(&mut self) -> Vec<NamedPart<'_, T>> {
        let mut parts = Vec::new();
        let sequences = self.schema.sequences.iter().map(|sequence| sequence.name.as_str());
        for (name, pooling) in sequences.zip(&mut self.pooling) {
            if let Weighting::Attention(attention) = &mut pooling.weighting {
                let layers = attention.unit.layers.iter_mut();
                layers_state(&format!("activation unit of `{name}`"), layers, &mut parts);
            }
        }
        layers_state("head", self.head.layers.iter_mut(), &mut parts);
        for (spec, table) in self.schema.tables.iter().zip(&mut self.tables) {
            parts.push((format!("table `{}`", spec.name), Part::Numbers(&mut table.values)));
        }
        if let Some(bias) = &mut self.item_bias {
            parts.push(("item bias".to_owned(), Part::Numbers(&mut bias.values.values)));
        }
        parts
    }
}

fn layers_state<'a, T: Real>(
    of: &str,
    layers: impl Iterator<Item = &'a mut Layer<T>>,
    parts: &mut Vec<NamedPart<'a, T>>,
) {
    for (index, layer) in layers.enumerate() {
        let name = |part: &str| format!("{part} of layer {index} of the {of}");
        let Layer { linear, batch_norm, activation } = layer;
        parts.push((name("weight"), Part::Numbers(&mut linear.weight.values)));
        parts.push((name("bias"), Part::Numbers(&mut linear.bias.values)));
        if let Some(norm) = batch_norm {
            parts.push((name("batch norm's scale"), Part::Numbers(&mut norm.gamma.values)));
            parts.push((name("batch norm's shift"), Part::Numbers(&mut norm.beta.values)));
            moving_state(&name("batch norm"), &mut norm.moving, parts);
        }
        match activation {
            Activation::Linear | Activation::Sigmoid | Activation::Relu => {}
            Activation::PRelu(prelu) => {
                parts.push((name("PReLU's slope"), Part::Numbers(&mut prelu.alpha.values)));
            }
            Activation::Dice(dice) => {
                parts.push((name("Dice's alpha"), Part::Numbers(&mut dice.alpha.values)));
                moving_state(&name("Dice"), &mut dice.moving, parts);
            }
        }
    }
}

fn moving_state<'a, T: Real>(
    of: &str,
    moving: &'a mut MovingStatistics<T>,
    parts: &mut Vec<NamedPart<'a, T>>,
) {
    let MovingStatistics { mean, variance, updates } = moving;
    parts.push((format!("moving mean, {of}"), Part::Numbers(mean)));
    parts.push((format!("moving variance, {of}"), Part::Numbers(variance)));
    parts.push((format!("updates, {of}"), Part::Count(updates)));
}
