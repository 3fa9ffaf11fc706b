//! Dense layers and the multilayer perceptron made of them.

use crate::bytes::F32s;
use crate::chunks;
use crate::kernels::{Finish, Kernel, Matrix, Rows, Start};
use crate::manifest::Activation;

/// One dense layer of a loaded model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layer<'a> {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) activation: Activation,
    /// `[inputs, outputs]`
    pub(crate) weight: F32s<'a>,
    /// `[outputs]`
    pub(crate) bias: F32s<'a>,
    /// One run of `[outputs]` for each parameter of the activation.
    pub(crate) parameters: F32s<'a>,
}

impl<'a> Layer<'a> {
    /// Width of the input; the folded first layer of a unit reads `P + D + P`.
    #[must_use]
    pub const fn inputs(&self) -> usize {
        self.inputs
    }

    /// Width of the output.
    #[must_use]
    pub const fn outputs(&self) -> usize {
        self.outputs
    }

    /// What follows the affine part.
    #[must_use]
    pub const fn activation(&self) -> Activation {
        self.activation
    }

    /// Bytes of weight, bias and the activation's parameters.
    #[must_use]
    pub const fn byte_len(&self) -> usize {
        self.weight.0.len().saturating_add(self.bias.0.len()).saturating_add(self.parameters.0.len())
    }

    /// The weight's rows `start .. start + inputs`.
    pub(crate) fn weight_rows(&self, start: usize, inputs: usize) -> Matrix<'a> {
        let rows = self.weight.range(start.wrapping_mul(self.outputs), inputs.wrapping_mul(self.outputs));
        Matrix::whole(rows, inputs, self.outputs)
    }

    /// What a product can do of the activation while it has the sums in registers; [`activate`](Self::activate) the rest.
    pub(crate) const fn finish(&self, kernel: Kernel) -> Finish {
        match self.activation {
            Activation::Sigmoid if kernel.finishes_sums() => Finish::Sigmoid,
            _ => Finish::Sum,
        }
    }

    /// `out = finish(start + x w)` with the weight's rows from `first` on: `[N, D] x [D, H] -> [N, H]`.
    pub(crate) fn product(
        &self,
        kernel: Kernel,
        x: &[f32],
        (first, inputs): (usize, usize),
        start: Start<'_>,
        finish: Finish,
        out: &mut [f32],
    ) {
        let weights = self.weight_rows(first, inputs);
        if self.outputs == 1 {
            if let Start::Row(row) = start {
                out.fill(row.get(0).unwrap_or_default());
            }
            kernel.dots(x, weights.numbers, out);
            if finish == Finish::Sigmoid {
                kernel.sigmoids(out);
            }
        } else {
            let rows = chunks::count(out.len(), self.outputs);
            kernel.product(x, weights, start, finish, Rows::whole(out, rows, self.outputs));
        }
    }

    /// Applies the activation, as far as the product did not: `[N, H]`.
    pub(crate) fn activate(&self, kernel: Kernel, finished: Finish, rows: &mut [f32]) {
        match self.activation {
            Activation::Linear => {}
            Activation::Sigmoid if finished == Finish::Sigmoid => {}
            Activation::Sigmoid => kernel.sigmoids(rows),
            Activation::Relu => rows.iter_mut().for_each(|s| *s = s.max(0.0)),
            Activation::PRelu => {
                for row in chunks::exact_mut(rows, self.outputs) {
                    for (s, alpha) in row.iter_mut().zip(self.parameters.iter()) {
                        *s = s.max(0.0) + alpha * s.min(0.0);
                    }
                }
            }
            Activation::Dice => {
                let run =
                    |index: usize| self.parameters.range(index.wrapping_mul(self.outputs), self.outputs);
                for row in chunks::exact_mut(rows, self.outputs) {
                    kernel.dice(row, run(0), run(1), run(2));
                }
            }
        }
    }
}

/// Runs the layers after the first: `[N, H1]` in `x`, already activated; the result, `[N, 1]` for every model's last
/// layer, comes back as the front of one of the two buffers.
pub(crate) fn forward<'b>(
    kernel: Kernel,
    layers: impl Iterator<Item = Layer<'b>>,
    mut x: &'b mut [f32],
    mut spare: &'b mut [f32],
    rows: usize,
) -> &'b mut [f32] {
    for layer in layers {
        let out = spare.get_mut(..rows.wrapping_mul(layer.outputs)).unwrap_or_default();
        let input = x.get(..rows.wrapping_mul(layer.inputs)).unwrap_or_default();
        let finish = layer.finish(kernel);
        layer.product(kernel, input, (0, layer.inputs), Start::Row(layer.bias), finish, out);
        layer.activate(kernel, finish, out);
        core::mem::swap(&mut x, &mut spare);
    }
    x.get_mut(..rows).unwrap_or_default()
}
