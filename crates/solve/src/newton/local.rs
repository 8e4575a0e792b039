//! What is known of a function at a point: value, gradient, factorized Hessian, Newton direction.

use nalgebra::{DMatrix, DVector};
use quire_core::{Error, Result};

use super::Objective;

/// Eigenvalues below this part of the largest count as 0.
const CUT: f64 = 1e-10;

/// A function at a point.
pub struct Local {
    /// x.
    pub x: DVector<f64>,
    /// f(x).
    pub value: f64,
    /// g.
    pub gradient: DVector<f64>,
    /// n = H⁻¹ g.
    pub newton: DVector<f64>,
    /// ‖g‖* = sqrt(gᵀ H⁻¹ g), the Newton decrement.
    pub size: f64,
    /// Eigenvectors of H, by columns.
    vectors: DMatrix<f64>,
    /// Their absolute eigenvalues; 0 below the cut.
    values: DVector<f64>,
}

impl Local {
    /// Looks at `objective` at `x`.
    ///
    /// # Errors
    /// Derivatives that are not finite.
    pub fn new(objective: &dyn Objective, x: DVector<f64>) -> Result<Self> {
        let (value, gradient, hessian) = (objective.value(&x), objective.gradient(&x), objective.hessian(&x));
        let finite =
            value.is_finite() && gradient.iter().chain(hessian.iter()).all(|number| number.is_finite());
        if !finite {
            return Err(Error::Diverged("the function or its derivatives are no longer finite".into()));
        }
        let eigen = hessian.symmetric_eigen();
        let mut values = eigen.eigenvalues.abs();
        let cut = CUT * values.max();
        values.iter_mut().filter(|value| **value <= cut).for_each(|value| *value = 0.0);
        let mut local = Local {
            newton: DVector::zeros(x.len()),
            size: 0.0,
            x,
            value,
            gradient,
            vectors: eigen.eigenvectors,
            values,
        };
        local.newton = local.solve(0.0, &local.gradient);
        local.size = local.gradient.dot(&local.newton).max(0.0).sqrt();
        Ok(local)
    }

    /// (H + shift I)⁻¹ `right`; with shift 0, the pseudo-inverse.
    pub fn solve(&self, shift: f64, right: &DVector<f64>) -> DVector<f64> {
        let mut along = self.vectors.tr_mul(right);
        for (part, value) in along.iter_mut().zip(&self.values) {
            let divisor = value + shift;
            *part = if divisor > 0.0 { *part / divisor } else { 0.0 };
        }
        &self.vectors * along
    }

    /// ‖g‖*² of another gradient, in the norm at this point.
    pub fn dual_square(&self, gradient: &DVector<f64>) -> f64 {
        let along = self.vectors.tr_mul(gradient);
        let parts = along.iter().zip(&self.values).filter(|(_, value)| **value > 0.0);
        parts.map(|(part, value)| part * part / value).sum()
    }

    /// x - α n.
    pub fn at(&self, alpha: f64) -> DVector<f64> {
        &self.x - alpha * &self.newton
    }
}
