//! Family: fit P ≈ |H|⁻¹ to a stream of pairs (v, h), h = H v and perhaps noise.
//!
//! The criterion is c(P) = E[hᵀ P h + vᵀ P⁻¹ v] with v ~ N(0, I); its minimizer is P = E[h hᵀ]^-½, which is |H|⁻¹ without noise. A method sees one pair an
//! iteration, so that the unit of work is the pair. A solution is P, row by row, and the number of pairs seen.
//!
//! | file | what it holds |
//! |---|---|
//! | [`fitting`] | descent of the criterion, in a geometry of choice |
//! | [`geometries`] | the geometries: one step each |
//! | [`closed_form`] | the root of the running mean of h hᵀ |
//! | [`bfgs`] | the BFGS update |
//! | [`streams`] | the problems: pairs of a Hessian that is exact, noisy or changing |

pub mod bfgs;
pub mod closed_form;
pub mod fitting;
pub mod geometries;
pub mod streams;

use nalgebra::DMatrix;
use quire_core::{Entry, Error, Result};

pub use streams::{Stream, problems};

use crate::solver::{Make, entry};

/// The methods of this family.
pub const METHODS: &[Entry<Make<Stream>>] = &[
    entry::<Stream, fitting::HessianFitting>(),
    entry::<Stream, closed_form::ClosedForm>(),
    entry::<Stream, bfgs::BfgsFit>(),
];

/// What their residual is: how far the pair is from P h = v.
const MISFIT: &str = "distance of P h from v";

/// A solution's numbers.
fn values(p: &DMatrix<f64>, pairs: u64) -> Vec<f64> {
    let mut values = p.transpose().as_slice().to_vec();
    values.push(pairs as f64);
    values
}

/// A square matrix from what was saved of it, if it has n rows.
fn square(n: usize, numbers: &[f64]) -> Result<DMatrix<f64>> {
    if numbers.len() != n * n {
        return Err(Error::Resume("the saved matrix has another size".into()));
    }
    Ok(DMatrix::from_column_slice(n, n, numbers))
}

#[cfg(test)]
mod tests;
