//! The first layer of an activation unit, computed through the query's own matrix.

use super::blocks::{add, vectorised};
use super::product::{Matrix, Panels, Right, Start, multiply};
use super::real::Real;

/// The first layer's weight `W = [Wq, Wk, Wd, Wp]: [H, 4 D]`, arranged for a step. Since, exactly,
///
/// ```text
/// W [q, k, q-k, q*k] = (Wq + Wd) q + M k,    M = (Wk - Wd) + Wp diag(q): [H, D]
/// ```
///
/// the part of q is computed once a sample and M made once a sample. A behaviour then costs a product with a matrix D wide
/// instead of 4 D, forward and twice backward: `dk = M^T dz`, and `dM`, of which those of the weights and of q are made once a
/// sample.
#[derive(Clone, Debug, Default)]
pub struct FoldedWeight<T> {
    /// D.
    width: usize,
    /// H.
    outputs: usize,
    /// `Wp`, `[H, D]` row-major.
    product: Vec<T>,
    /// `Wk - Wd` and `Wp` as `[D, H]`, for what is multiplied with M^T.
    key_transposed: Panels<T>,
    product_transposed: Panels<T>,
    /// The same as `[H, D]`, for what is multiplied with M.
    key_panels: Panels<T>,
    product_panels: Panels<T>,
    /// `Wq + Wd` as `[D, H]` and as `[H, D]`.
    query_transposed: Panels<T>,
    query_panels: Panels<T>,
}

impl<T: Real> FoldedWeight<T> {
    /// Arranges `weight: [H, 4 D]`.
    pub fn fold(&mut self, weight: &[T], width: usize) {
        let d = width;
        (self.width, self.outputs) = (d, weight.len() / (4 * d));
        let part = |of: fn(T, T, T, T) -> T| -> Vec<T> {
            let row = |w: &'_ [T]| (0..d).map(|j| of(w[j], w[d + j], w[2 * d + j], w[3 * d + j])).collect();
            weight.chunks_exact(4 * d).flat_map(|w| -> Vec<T> { row(w) }).collect()
        };
        let query = part(|wq, _, wd, _| wq + wd);
        let key = part(|_, wk, wd, _| wk - wd);
        self.product = part(|_, _, _, wp| wp);
        let (h, product) = (self.outputs, &self.product);
        for (values, transposed, panels) in [
            (&query, &mut self.query_transposed, &mut self.query_panels),
            (&key, &mut self.key_transposed, &mut self.key_panels),
            (product, &mut self.product_transposed, &mut self.product_panels),
        ] {
            transposed.pack(Matrix::new(values, h, d).transposed());
            panels.pack(Matrix::new(values, h, d));
        }
    }

    /// `q (Wq + Wd)^T + b: [B, H]` for `query: [B, D]`.
    pub fn query_part(&self, query: &[T], bias: &[T], out: &mut [T]) {
        let query = Matrix::new(query, query.len() / self.width, self.width);
        // [B, D] x [D, H] -> [B, H]
        multiply(out, query, &self.query_transposed, Start::Row(bias));
    }

    /// `out += dZq (Wq + Wd): [B, D]` for `gradient: [B, H]`.
    pub fn add_query_gradient(&self, gradient: &[T], out: &mut [T]) {
        let gradient = Matrix::new(gradient, gradient.len() / self.outputs, self.outputs);
        // [B, H] x [H, D] -> [B, D]
        multiply(out, gradient, &self.query_panels, Start::Output);
    }

    /// `M^T: [D, H]` of a query.
    pub fn own_transposed(&self, query: &[T], out: &mut Panels<T>) {
        out.reshape(self.width, self.outputs);
        let parts = self.key_transposed.panels().zip(self.product_transposed.panels());
        for ((_, out, width), ((_, key, _), (_, product, _))) in out.panels_mut().zip(parts) {
            vectorised(|| {
                let rows = out.chunks_exact_mut(width).zip(key.chunks_exact(width));
                for (((out, key), product), &q) in rows.zip(product.chunks_exact(width)).zip(query) {
                    for ((out, &key), &product) in out.iter_mut().zip(key).zip(product) {
                        *out = key + product * q;
                    }
                }
            });
        }
    }

    /// `M: [H, D]` of a query.
    pub fn own(&self, query: &[T], out: &mut Panels<T>) {
        out.reshape(self.outputs, self.width);
        let parts = self.key_panels.panels().zip(self.product_panels.panels());
        for ((first, out, width), ((_, key, _), (_, product, _))) in out.panels_mut().zip(parts) {
            let q = &query[first..(first + width).min(self.width)];
            vectorised(|| {
                let rows = out.chunks_exact_mut(width).zip(key.chunks_exact(width));
                for ((out, key), product) in rows.zip(product.chunks_exact(width)) {
                    for (((out, &key), &product), &q) in out.iter_mut().zip(key).zip(product).zip(q) {
                        *out = key + product * q;
                    }
                }
            });
        }
    }
}

/// The gradient of the folded weight, summed over samples.
#[derive(Clone, Debug, Default)]
pub struct FoldedGradient<T> {
    /// Of `Wq + Wd`, `Wk - Wd` and `Wp`, each `[H, D]`, and of the bias, `[H]`: end to end.
    values: Vec<T>,
}

impl<T: Real> FoldedGradient<T> {
    /// Zero.
    pub fn clear(&mut self, width: usize, outputs: usize) {
        self.values.clear();
        self.values.resize(3 * outputs * width + outputs, T::zero());
    }

    /// All of it, to be summed.
    #[must_use]
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Adds that of samples with `query: [B, D]` whose `dL / d query part` is `gradient: [B, H]`.
    pub fn add_query(
        &mut self,
        query: &[T],
        gradient: &[T],
        weight: &FoldedWeight<T>,
        panels: &mut Panels<T>,
    ) {
        let (d, h) = (weight.width, weight.outputs);
        let samples = query.len() / d;
        let query = Right::of(Matrix::new(query, samples, d), panels);
        // [H, B] x [B, D] -> [H, D]
        let gradient_transposed = Matrix::new(gradient, samples, h).transposed();
        multiply(&mut self.values[..h * d], gradient_transposed, query, Start::Output);
        vectorised(|| {
            for row in gradient.chunks_exact(h) {
                add(&mut self.values[3 * h * d..], row);
            }
        });
    }

    /// The whole gradient, `values` as [`Self::values`] of all samples, to that of W, `[H, 4 D]`, and of the bias.
    pub fn unfold(values: &[T], width: usize, weight_gradient: &mut [T], bias_gradient: &mut [T]) {
        let (d, h) = (width, bias_gradient.len());
        let (weights, bias) = values.split_at(3 * h * d);
        let (query, pair) = weights.split_at(h * d);
        let (key, product) = pair.split_at(h * d);
        let parts = query.chunks_exact(d).zip(key.chunks_exact(d)).zip(product.chunks_exact(d));
        for (w, ((query, key), product)) in weight_gradient.chunks_exact_mut(4 * d).zip(parts) {
            for j in 0..d {
                w[j] = query[j];
                w[d + j] = key[j];
                // dWd is the query part's less the key part's.
                w[2 * d + j] = query[j] - key[j];
                w[3 * d + j] = product[j];
            }
        }
        bias_gradient.copy_from_slice(bias);
    }

    /// Adds that of a sample from `dL/dM: [H, D]`: `d(Wk - Wd) += dM`, `dWp += dM diag(q)`, and `dq += sum over h of Wp * dM`.
    pub fn add_own(&mut self, own: &[T], query: &[T], query_gradient: &mut [T], weight: &FoldedWeight<T>) {
        let (d, h) = (weight.width, weight.outputs);
        let (query, query_gradient) = (&query[..d], &mut query_gradient[..d]);
        let (key, product) = self.values[h * d..3 * h * d].split_at_mut(h * d);
        let rows = key.chunks_exact_mut(d).zip(product.chunks_exact_mut(d));
        let rows = rows.zip(own.chunks_exact(d)).zip(weight.product.chunks_exact(d));
        vectorised(|| {
            for (((key, product), own), weight) in rows {
                for j in 0..d {
                    key[j] += own[j];
                    product[j] += own[j] * query[j];
                    query_gradient[j] += own[j] * weight[j];
                }
            }
        });
    }
}
