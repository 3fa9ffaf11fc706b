//! What errors of embedding rows do to scores, to first order, measured on requests.
//!
//! A row that is off by e changes a score by `g . e`, g the score's gradient by that row. Its mean square over the
//! requests is `e' H e` with `H = E[g g']`: some directions of a row matter more than others, and the errors of its numbers
//! can cancel.

use super::forward::Network;
use super::gradient::row_gradients;
use super::rows::PackedRows;
use crate::request::Request;
use rayon::prelude::*;

/// Requests that are summed one after the other: sums have the same bits whatever the number of threads.
const CHUNK: usize = 16;

/// The second moment of the gradients of scores by a table's rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowMoments {
    /// Sums of products, `[dim, dim]`.
    pub sums: Vec<f64>,
    /// How many gradients were summed.
    pub count: u64,
}

/// Of each table, over all of its rows.
#[must_use]
pub fn row_moments(network: &Network<'_>, requests: &[Request]) -> Vec<RowMoments> {
    let dims: Vec<usize> = network.weights.schema.tables.iter().map(|spec| spec.dim).collect();
    let empty = || -> Vec<RowMoments> {
        dims.iter().map(|dim| RowMoments { sums: vec![0.0; dim * dim], count: 0 }).collect()
    };
    let of_chunk = |requests: &[Request]| {
        let mut moments = empty();
        for request in requests {
            row_gradients(network, request, |gradients| {
                for ((table, _), gradient) in gradients {
                    moments[*table].add(gradient);
                }
            });
        }
        moments
    };
    let chunks: Vec<Vec<RowMoments>> = requests.par_chunks(CHUNK).map(of_chunk).collect();
    let mut moments = empty();
    for chunk in chunks {
        for (total, own) in moments.iter_mut().zip(chunk) {
            total.count += own.count;
            total.sums.iter_mut().zip(own.sums).for_each(|(sum, own)| *sum += own);
        }
    }
    moments
}

impl RowMoments {
    fn add(&mut self, gradient: &[f64]) {
        self.count += 1;
        for (sums, own) in self.sums.chunks_exact_mut(gradient.len()).zip(gradient) {
            sums.iter_mut().zip(gradient).for_each(|(sum, other)| *sum += own * other);
        }
    }
}

/// The largest change of a score that the errors of one table's packed rows make, to first order.
#[must_use]
pub fn largest_change(network: &Network<'_>, requests: &[Request], table: usize, packed: &PackedRows) -> f64 {
    let trained = &network.weights.tables[table];
    let change_by_row = |row: usize, gradient: &[f64]| -> f64 {
        let span = row * gradient.len()..(row + 1) * gradient.len();
        let errors = packed.stands_for[span.clone()].iter().zip(&trained[span]);
        gradient.iter().zip(errors).map(|(g, (stored, trained))| g * f64::from(stored - trained)).sum()
    };
    let of_request = |request: &Request| {
        let mut largest = 0.0_f64;
        row_gradients(network, request, |gradients| {
            let own = gradients.range((table, 0)..(table + 1, 0));
            let change: f64 = own.map(|((_, row), gradient)| change_by_row(*row, gradient)).sum();
            largest = largest.max(change.abs());
        });
        largest
    };
    requests.par_iter().map(of_request).reduce(|| 0.0, f64::max)
}
