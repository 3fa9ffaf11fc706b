//! The triangular factor by which rounding errors are made good one after the other.

/// V, upper triangular and row-major, with `V V' = H` for a symmetric matrix `[n, n]`. A pivot below `least` is taken as
/// that, so that a matrix that is singular but for rounding has a factor too.
///
/// Component j of `V' e` depends on the errors 0..=j alone: whoever chooses e in this order can answer each earlier error.
#[must_use]
pub fn upper_factor(n: usize, matrix: impl Fn(usize, usize) -> f64, least: f64) -> Vec<f64> {
    let mut factor = vec![0.0; n * n];
    for j in (0..n).rev() {
        for i in (0..=j).rev() {
            let known: f64 = (j + 1..n).map(|k| factor[i * n + k] * factor[j * n + k]).sum();
            let rest = matrix(i, j) - known;
            factor[i * n + j] = if i == j { rest.max(least).sqrt() } else { rest / factor[j * n + j] };
        }
    }
    factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_times_its_transpose_is_the_matrix() {
        let matrix = [4.0, 1.0, 0.5, 1.0, 3.0, -0.25, 0.5, -0.25, 2.0];
        let factor = upper_factor(3, |i, j| matrix[i * 3 + j], 1e-12);
        for i in 0..3 {
            for j in 0..3 {
                let product: f64 = (0..3).map(|k| factor[i * 3 + k] * factor[j * 3 + k]).sum();
                assert!((product - matrix[i * 3 + j]).abs() < 1e-12, "{i} {j}: {product}");
                assert!(i <= j || factor[i * 3 + j] == 0.0);
            }
        }
    }
}
