//! Alternating minimization: M = Q Yᵀ is fitted to the measurements by least squares in one factor while the other is fixed, in turns.
//!
//! > Q = an orthonormal basis of X;  Y = argmin ‖A(Q Yᵀ) - y‖²;  Q' = one of Y;  Z = argmin ‖A(Z Q'ᵀ) - y‖²
//!
//! X is then read off the symmetric part of Z Q'ᵀ, by its r leading eigenvalues. No step size and no scale have to be guessed, and where measurements are exact a handful of
//! iterations is enough; but each solves two systems of n r unknowns, 2 m (n r)² flops, where a gradient takes 4 m n².
//!
//! Source: P. Jain, P. Netrapalli & S. Sanghavi, Low-rank matrix completion using alternating minimization, STOC 2013; that X is read off the symmetric part is ours.

use nalgebra::{DMatrix, DVector};
use quire_core::{About, Error, Options, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Rule, Start, Task, leading_factor};

/// Options of `alternating-minimization`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AlternatingOptions {
    /// Where X begins. The source: `spectral`.
    pub start: Start,
    /// Stop when the relative residual of the measurements is at most this. Ours: 1e-12.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for AlternatingOptions {
    fn default() -> Self {
        AlternatingOptions { start: Start::Spectral, tolerance: 1e-12 }
    }
}

impl Options for AlternatingOptions {}

/// The method.
pub struct Alternating;

/// argmin ‖A(Q Yᵀ) - y‖² by the normal equations, for an orthonormal Q `[n, r]` and symmetric A_i: ⟨A_i, Q Yᵀ⟩ = ⟨A_i Q, Y⟩. They do not see what is antisymmetric of Qᵀ Y,
/// which is to be 0. `None` if measurements are too few.
pub fn fit(task: &Task, basis: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    let (n, rank) = basis.shape();
    // Row i is A_i Q, column after column.
    let design = task.operator.times(basis);
    let right = design.tr_mul(&DVector::from_column_slice(&task.observed));
    let mut normal = design.tr_mul(&design);
    for a in 0..rank {
        for b in 0..a {
            // (q_a·y_b - q_b·y_a)², which the measurements leave free.
            let mut along = DVector::zeros(n * rank);
            along.rows_mut(b * n, n).copy_from(&basis.column(a));
            along.rows_mut(a * n, n).axpy(-1.0, &basis.column(b), 0.0);
            normal.ger(1.0, &along, &along, 1.0);
        }
    }
    let found = normal.cholesky()?.solve(&right);
    Some(DMatrix::from_column_slice(n, rank, found.as_slice()))
}

impl Rule for Alternating {
    type Options = AlternatingOptions;

    const ABOUT: About = About {
        name: "alternating-minimization",
        summary: "least squares in one factor of a low-rank matrix after the other",
        when: "A rival of scaled-gd: exact measurements, many more of them than n r, and systems of n r unknowns that can be factorized.",
        wing: "solve",
        family: "sensing",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn setting(options: &AlternatingOptions) -> (Start, f64, f64) {
        (options.start, 1.0, options.tolerance)
    }

    /// Two systems of m equations and n r unknowns, in gradients of 4 m n² flops each; and the gradient that tells the residual.
    fn cost(task: &Task) -> f64 {
        1.0 + (task.rank * task.rank) as f64
    }

    fn step(
        _options: &AlternatingOptions,
        task: &Task,
        x: &DMatrix<f64>,
        _gradient: &DMatrix<f64>,
        _residual: f64,
    ) -> Result<DMatrix<f64>> {
        let few = || {
            Error::Diverged(format!(
                "the measurements do not determine a factor of {} numbers; assume a smaller rank",
                x.len()
            ))
        };
        let turned = fit(task, &x.clone().qr().q()).ok_or_else(few)?.qr().q();
        let other = fit(task, &turned).ok_or_else(few)?;
        let matrix = other * turned.transpose();
        Ok(leading_factor(0.5 * (&matrix + matrix.transpose()), x.ncols()))
    }
}
