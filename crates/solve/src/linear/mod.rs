//! Family: sparse systems of linear equations A x = b.
//!
//! What an iteration converges for is a matter of the matrix; [`traits`](mod@traits) tells what it can of one, and which methods suit it.
//!
//! | file | what it holds |
//! |---|---|
//! | [`jacobi`] | Jacobi's iteration, damped |
//! | [`sor`] | Gauss-Seidel, successive over-relaxation, the symmetric form |
//! | [`conjugate_gradient`] | conjugate gradients |
//! | [`gmres`] | GMRES, restarted |
//! | [`dense_lu`] | a direct solution by dense LU |
//! | [`preconditioner`] | Jacobi, SSOR and incomplete factors, for the Krylov methods |
//! | [`matrix`], [`file`](mod@file) | sparse rows; Matrix Market files |
//! | [`traits`](mod@traits), [`own`] | what a matrix is like; a user's own system, solved |
//! | [`systems`] | the problems |

pub mod conjugate_gradient;
pub mod dense_lu;
pub mod file;
pub mod gmres;
pub mod jacobi;
pub mod matrix;
pub mod own;
pub mod preconditioner;
pub mod sor;
pub mod systems;
pub mod traits;

use quire_core::{About, Entry, Error, Result};

pub use matrix::Sparse;
pub use systems::problems;

use crate::solver::{Make, Step, entry};
use crate::vectors::norm;

/// The methods of this family.
pub const METHODS: &[Entry<Make<System>>] = &[
    entry::<System, conjugate_gradient::ConjugateGradient>(),
    entry::<System, gmres::Gmres>(),
    entry::<System, sor::Sor>(),
    entry::<System, sor::Ssor>(),
    entry::<System, sor::GaussSeidel>(),
    entry::<System, jacobi::Jacobi>(),
];

/// What their residual is.
const RESIDUAL: &str = "residual ‖b - Ax‖/‖b‖";
/// A residual that has grown by this factor will not come back.
const LOST: f64 = 1e8;

/// A square system.
#[derive(Debug, Clone, PartialEq)]
pub struct System {
    /// A.
    pub matrix: Sparse,
    /// b.
    pub right: Vec<f64>,
    /// ‖b‖, or 1 if it is 0.
    scale: f64,
}

impl System {
    /// A x = b.
    ///
    /// # Errors
    /// A matrix that is not square or empty, a right side that does not fit or is not finite.
    pub fn new(matrix: Sparse, right: Vec<f64>) -> Result<Self> {
        if matrix.rows() != matrix.columns() || matrix.rows() == 0 {
            return Err(Error::Usage(format!(
                "the matrix is {} x {}; these methods solve square systems",
                matrix.rows(),
                matrix.columns()
            )));
        }
        if right.len() != matrix.rows() {
            return Err(Error::Usage(format!(
                "the right side has {} numbers where the matrix has {} rows",
                right.len(),
                matrix.rows()
            )));
        }
        if let Some(place) = right.iter().position(|value| !value.is_finite()) {
            return Err(Error::Usage(format!("number {} of the right side is not finite", place + 1)));
        }
        let size = norm(&right);
        Ok(System { matrix, right, scale: if size > 0.0 { size } else { 1.0 } })
    }

    /// The number of unknowns.
    pub fn size(&self) -> usize {
        self.right.len()
    }

    /// ‖b - A x‖/‖b‖, with b - A x into `out`.
    pub fn relative_residual(&self, x: &[f64], out: &mut [f64]) -> f64 {
        self.matrix.residual(x, &self.right, out);
        norm(out) / self.scale
    }

    /// The reciprocals of the diagonal.
    ///
    /// # Errors
    /// A zero on it.
    fn inverse_diagonal(&self, method: &str) -> Result<Vec<f64>> {
        let diagonal = self.matrix.diagonal();
        match diagonal.iter().position(|&value| value == 0.0) {
            Some(row) => {
                Err(Error::Failed(format!("{method} divides by the diagonal, which is 0 in row {}", row + 1)))
            }
            None => Ok(diagonal.iter().map(|value| 1.0 / value).collect()),
        }
    }
}

/// The step of an iteration whose residual was at first about 1.
fn judged(residual: f64, tolerance: f64) -> Step {
    if residual > LOST {
        let problem = format!(
            "the residual has grown to {residual:.1e} times the right side: this matrix is not for it"
        );
        return Step { residual, done: Some(quire_core::Reason::Diverged(problem)) };
    }
    Step::judged(residual, tolerance, RESIDUAL)
}

/// Whether a number is above 0; one that is no number is not.
fn is_positive(x: f64) -> bool {
    x > 0.0
}

const fn about(name: &'static str, summary: &'static str, when: &'static str) -> About {
    About { name, summary, when, wing: "solve", family: "linear", paper: None, is_baseline: true, tuned: "" }
}

#[cfg(test)]
mod tests;
