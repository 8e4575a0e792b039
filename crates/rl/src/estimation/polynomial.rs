//! Least-squares polynomials.

use nalgebra::{DMatrix, DVector};

/// A polynomial on an interval, in Chebyshev polynomials of the scaled variable x / `scale`. Powers of x would lose the
/// digits: at degree 9 on [-6, 6] they span ten orders of magnitude.
#[derive(Debug, Clone, PartialEq)]
pub struct Polynomial {
    /// The interval is [-scale, scale].
    pub scale: f64,
    /// Coefficients of T_0, T_1, ...; one more than the degree.
    pub coefficients: Vec<f64>,
}

impl Polynomial {
    /// The polynomial of degree `degree` that is nearest to the points (`x`, `y`) in mean square, by QR.
    ///
    /// # Panics
    /// If there are not more than `degree` different points.
    pub fn least_squares(x: &[f64], y: &[f64], degree: usize, scale: f64) -> Self {
        let mut basis = DMatrix::zeros(x.len(), degree + 1);
        for (row, &x) in x.iter().enumerate() {
            for (column, value) in chebyshev(x / scale).take(degree + 1).enumerate() {
                basis[(row, column)] = value;
            }
        }
        let decomposition = basis.qr();
        let mut right = DVector::from_column_slice(y);
        decomposition.q_tr_mul(&mut right);
        let solution = decomposition.r().solve_upper_triangular(&right.rows(0, degree + 1).into_owned());
        let coefficients = solution.expect("more different points than the degree give full rank");
        Polynomial { scale, coefficients: coefficients.as_slice().to_vec() }
    }

    /// Its value at `x`.
    pub fn value(&self, x: f64) -> f64 {
        chebyshev(x / self.scale)
            .zip(&self.coefficients)
            .map(|(basis, coefficient)| basis * coefficient)
            .sum()
    }
}

/// T_0(x), T_1(x), ...: T_{k+1} = 2 x T_k - T_{k-1}.
fn chebyshev(x: f64) -> impl Iterator<Item = f64> {
    let mut pair = (1.0, x);
    std::iter::from_fn(move || {
        let value = pair.0;
        pair = (pair.1, 2.0 * x * pair.1 - pair.0);
        Some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polynomial_is_its_own_fit() {
        let cubic = |x: f64| 2.0 - x + 0.5 * x * x * x;
        let x: Vec<f64> = (-4..=4).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|&x| cubic(x)).collect();
        for degree in [3, 5, 8] {
            let fit = Polynomial::least_squares(&x, &y, degree, 4.0);
            for x in [-4.0, -0.3, 0.0, 2.5, 4.0] {
                assert!((fit.value(x) - cubic(x)).abs() < 1e-12, "degree {degree} at {x}");
            }
        }
    }

    #[test]
    fn a_straight_line_through_three_points_by_hand() {
        // Mean slope 3/2 over [-1, 1], mean value 1 of (-1, 0), (0, 0), (1, 3).
        let line = Polynomial::least_squares(&[-1.0, 0.0, 1.0], &[0.0, 0.0, 3.0], 1, 6.0);
        assert!((line.value(0.0) - 1.0).abs() < 1e-14 && (line.value(2.0) - 4.0).abs() < 1e-14);
    }
}
