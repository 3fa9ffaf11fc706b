//! Weights and parameters in the order in which the device reads them.

use super::activation::Parameters;

/// `[inputs, outputs]` to `[ceil(inputs / 4)][outputs][4]`; the four bytes are of inputs d, d+2, d+1, d+3, so that the
/// even and the odd bytes of a word, widened to 16 bits each, are inputs that stand side by side. Missing inputs are 0.
#[must_use]
pub fn quads(weight: &[i8], outputs: usize) -> Vec<u8> {
    let inputs = weight.len() / outputs.max(1);
    let at = |input: usize, output: usize| {
        if input < inputs { weight[input * outputs + output].cast_unsigned() } else { 0 }
    };
    (0..inputs.div_ceil(4))
        .flat_map(|quad| (0..outputs).map(move |output| (quad * 4, output)))
        .flat_map(|(d, output)| [d, d + 2, d + 1, d + 3].map(|input| at(input, output)))
        .collect()
}

/// `[inputs, outputs]` to `[ceil(inputs / 2)][outputs][2]`; a missing input is 0.
#[must_use]
pub fn pairs(weight: &[i16], outputs: usize) -> Vec<u8> {
    let inputs = weight.len() / outputs.max(1);
    let at = |input: usize, output: usize| if input < inputs { weight[input * outputs + output] } else { 0 };
    (0..inputs.div_ceil(2))
        .flat_map(|pair| (0..outputs).map(move |output| (pair * 2, output)))
        .flat_map(|(d, output)| [at(d, output), at(d + 1, output)])
        .flat_map(i16::to_le_bytes)
        .collect()
}

/// The runs of an activation's parameters: b, a, alpha, e, each of them where the activation has it.
#[must_use]
pub fn parameters(parameters: &Parameters) -> Vec<u8> {
    let b = parameters.b.iter().flat_map(|b| b.to_le_bytes());
    let a = parameters.a.iter().chain(&parameters.alpha).flat_map(|a| a.to_le_bytes());
    b.chain(a).chain(parameters.e.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quads_interleave_and_fill_with_zeros() {
        // five inputs, two outputs: 10 * input + output
        let weight: Vec<i8> = (0..5).flat_map(|input| [10 * input, 10 * input + 1]).collect();
        let expected = [0, 20, 10, 30, 1, 21, 11, 31, 40, 0, 0, 0, 41, 0, 0, 0];
        assert_eq!(quads(&weight, 2), expected);
        assert!(quads(&[], 2).is_empty());
    }

    #[test]
    fn pairs_keep_two_inputs_side_by_side() {
        let bytes = pairs(&[1, 2, 3, 4, 5, 6], 2);
        let numbers: Vec<i16> = bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
        assert_eq!(numbers, [1, 3, 2, 4, 5, 0, 6, 0]);
    }
}
