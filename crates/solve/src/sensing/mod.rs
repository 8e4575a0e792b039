//! Family: a symmetric matrix of low rank from few linear measurements y_i = ⟨A_i, M⟩.
//!
//! M = X Xᵀ is sought by descending f(X) = ¼ ‖A(X Xᵀ) - y‖² on a factor X `[n, r]`, where r may be greater than the true rank. The unit of work is an
//! evaluation of the gradient. A solution is X, row by row.
//!
//! | file | what it holds |
//! |---|---|
//! | [`scaled_gd`] | ScaledGD(λ), its λ = 0 and PrecGD's λ from the loss |
//! | [`gradient_descent`] | the same without a preconditioner |
//! | [`measurements`] | operators, and the problems |

pub mod gradient_descent;
pub mod measurements;
pub mod scaled_gd;

use nalgebra::DMatrix;
use quire_core::{Entry, Error, Result, Rng, Seeds};
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use measurements::{Operator, problems};

use crate::solver::{Make, entry};
use crate::vectors::norm;

/// Measurements, and what is assumed of the matrix.
pub struct Task {
    /// A.
    pub operator: Operator,
    /// y.
    pub observed: Vec<f64>,
    /// Columns r of X.
    pub rank: usize,
    /// ‖X*‖, or a guess of it: the scale of the start and of gradient descent's step.
    pub scale: f64,
    /// σ_min(X*)², or a guess of it: the scale of λ.
    pub smallest: f64,
    /// Random streams of the method.
    pub seeds: Seeds,
}

/// The methods of this family.
pub const METHODS: &[Entry<Make<Task>>] =
    &[entry::<Task, scaled_gd::ScaledGd>(), entry::<Task, gradient_descent::GradientDescent>()];

/// What their residual is.
const RESIDUAL: &str = "relative residual of the measurements";

/// Where X begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// N(0, 1/n) entries times `initial_scale` ‖X*‖.
    Small,
    /// The leading eigenvectors of A*(y), scaled by the roots of their eigenvalues.
    Spectral,
}

impl Task {
    fn start(&self, start: Start, initial_scale: f64) -> DMatrix<f64> {
        let n = self.operator.size();
        match start {
            Start::Small => {
                let mut rng: Rng = self.seeds.stream("start");
                let deviation = initial_scale * self.scale / (n as f64).sqrt();
                DMatrix::from_fn(n, self.rank, |_, _| {
                    deviation * Distribution::<f64>::sample(&StandardNormal, &mut rng)
                })
            }
            Start::Spectral => {
                let eigen = self.operator.adjoint(&self.observed).symmetric_eigen();
                let mut order: Vec<usize> = (0..n).collect();
                order.sort_by(|&i, &j| eigen.eigenvalues[j].total_cmp(&eigen.eigenvalues[i]));
                DMatrix::from_fn(n, self.rank, |row, column| {
                    let at = order[column];
                    eigen.eigenvalues[at].max(0.0).sqrt() * eigen.eigenvectors[(row, at)]
                })
            }
        }
    }

    /// The gradient of f at X, and the relative residual ‖A(X Xᵀ) - y‖/‖y‖.
    fn gradient(&self, x: &DMatrix<f64>) -> Result<(DMatrix<f64>, f64)> {
        let mut residual = self.operator.apply(&(x * x.transpose()));
        residual.iter_mut().zip(&self.observed).for_each(|(r, y)| *r -= y);
        let relative = norm(&residual) / norm(&self.observed).max(f64::MIN_POSITIVE);
        if !relative.is_finite() {
            return Err(Error::Diverged("the factor is no longer finite; take a smaller step_size".into()));
        }
        Ok((self.operator.adjoint(&residual) * x, relative))
    }
}

/// X row by row.
fn values(x: &DMatrix<f64>) -> Vec<f64> {
    x.transpose().as_slice().to_vec()
}

#[cfg(test)]
mod tests;
