//! Steps whose length follows their error, in place of equal ones (ours for the TASE schemes, usual for the others).
//!
//! The error of a step is estimated by the scheme's embedded formula or, where it has none, by doing the step again as two halves: for a scheme of order p
//! their result y_½ differs from that of the whole step y_1 by about 2^p - 1 times its own error. With
//! `scale_i = absolute + relative * max(|y_i|, |y⁺_i|)` a step is taken if the root mean square of error_i/scale_i is at most 1, and the next length is
//! the old one times 0.9 * norm^(-1/q), within a factor of 5, where the error falls as h^q.
//!
//! Source: E. Hairer, G. Wanner, *Solving Ordinary Differential Equations II*, section IV.8; the first step, without its second stage, is that of volume I,
//! section II.4.

use nalgebra::DVector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tolerances of a step's error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tolerance {
    /// Relative to the size of a component, > 0. SciPy's: 1e-3.
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
    pub relative: f64,
    /// Of components near 0, in their unit, > 0. SciPy's: 1e-6.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub absolute: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Tolerance { relative: 1e-3, absolute: 1e-6 }
    }
}

impl Tolerance {
    /// The root mean square of x_i over the tolerance of component i, which is that of the larger of y_i and z_i.
    pub fn norm(&self, x: &DVector<f64>, y: &DVector<f64>, z: &DVector<f64>) -> f64 {
        let parts = x
            .iter()
            .zip(y)
            .zip(z)
            .map(|((x, y), z)| (x / (self.absolute + self.relative * y.abs().max(z.abs()))).powi(2));
        (parts.sum::<f64>() / x.len() as f64).sqrt()
    }

    /// A first step that changes y by a hundredth of its size where f stays as it is at the start.
    pub fn first_step(&self, y: &DVector<f64>, slope: &DVector<f64>, end: f64) -> f64 {
        let (size, change) = (self.norm(y, y, y), self.norm(slope, y, y));
        let step = if size < 1e-5 || change < 1e-5 { 1e-6 * end } else { 0.01 * size / change };
        step.min(end)
    }
}

/// The factor of the next step's length after one of this error norm, where errors fall as h^q.
pub fn growth(norm: f64, q: f64) -> f64 {
    (0.9 * norm.powf(-1.0 / q)).clamp(0.2, 5.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_and_factors_are_those_worked_by_hand() {
        let tolerance = Tolerance { relative: 0.1, absolute: 1.0 };
        let vector = DVector::from_row_slice;
        // Tolerances 1 + 0.1 * 10 = 2 and 1 + 0.1 * 20 = 3: (6/2)² = 9 and (3/3)² = 1.
        let norm = tolerance.norm(&vector(&[6.0, -3.0]), &vector(&[10.0, 2.0]), &vector(&[-4.0, -20.0]));
        assert!((norm - 5.0_f64.sqrt()).abs() < 1e-15);
        assert_eq!(growth(8.0, 3.0), 0.45);
        assert_eq!((growth(0.0, 3.0), growth(1e9, 3.0)), (5.0, 0.2));
        // |y|/|f| = 1/4 by tolerances that are equal: a hundredth of it.
        let one = Tolerance { relative: 1e-3, absolute: 1e-3 };
        let step = one.first_step(&vector(&[1.0]), &vector(&[-4.0]), 10.0);
        assert!((step - 0.0025).abs() < 1e-15);
        assert!((one.first_step(&vector(&[0.0]), &vector(&[1.0]), 10.0) - 1e-5).abs() < 1e-20);
    }
}
