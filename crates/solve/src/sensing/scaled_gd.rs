//! ScaledGD(λ): gradient descent on a factor, with a preconditioner of its own columns.
//!
//! > X ← X - η A*(A(X Xᵀ) - y) X (Xᵀ X + λ I)⁻¹, from a tiny random start.
//!
//! After about (1/η) log(1/α) iterations from a start of size α, X has turned to the right subspace; then every direction grows and converges at a rate that
//! does not depend on the condition number, also where X has more columns than the matrix has rank. λ is to be of the order of σ_min(X*)². With λ = 0, the true rank and a
//! spectral start this is ScaledGD; with λ_t the root of the loss it is PrecGD.
//!
//! Source: X. Xu, Y. Shen, Y. Chi & C. Ma, *The Power of Preconditioning in Overparameterized Low-Rank Matrix Sensing*, arXiv:2302.01186. The values of η and α are ours:
//! the paper's theory has constants that it does not name.

use nalgebra::DMatrix;
use quire_core::{About, Error, Options, Paper, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Rule, Start, Task};
use crate::vectors::norm;

/// What λ is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Damping {
    /// `damping_factor` σ_min(X*)².
    Constant,
    /// `damping_factor` times the root of the loss (PrecGD).
    Loss,
}

/// Options of `scaled-gd`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScaledGdOptions {
    /// η, > 0. Ours: 0.3, as in the paper's figures from memory.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub step_size: f64,
    /// What λ is. The paper: `constant`.
    pub damping: Damping,
    /// What λ is multiplied by, >= 0. The paper: between a hundredth of a constant and that constant; ours: 0.1.
    #[schemars(range(min = 0.0))]
    pub damping_factor: f64,
    /// Where X begins. The paper: `small`.
    pub start: Start,
    /// α, the size of a small start as a share of ‖X*‖, > 0. Ours: 1e-8.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub initial_scale: f64,
    /// Stop when the relative residual of the measurements is at most this. Ours: 1e-12.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for ScaledGdOptions {
    fn default() -> Self {
        ScaledGdOptions {
            step_size: 0.3,
            damping: Damping::Constant,
            damping_factor: 0.1,
            start: Start::Small,
            initial_scale: 1e-8,
            tolerance: 1e-12,
        }
    }
}

impl Options for ScaledGdOptions {}

/// The method.
pub struct ScaledGd;

/// One step: X - η G (Xᵀ X + λ I)⁻¹ with G the gradient; `None` if the matrix to be inverted is singular.
pub fn step(x: &DMatrix<f64>, gradient: &DMatrix<f64>, step_size: f64, damping: f64) -> Option<DMatrix<f64>> {
    let rank = x.ncols();
    let gram = x.tr_mul(x) + DMatrix::identity(rank, rank) * damping;
    let direction = gram.cholesky()?.solve(&gradient.transpose()).transpose();
    Some(x - direction * step_size)
}

impl Rule for ScaledGd {
    type Options = ScaledGdOptions;

    const ABOUT: About = About {
        name: "scaled-gd",
        summary: "gradient descent on a factor, preconditioned by its own columns and damped",
        when: "Low-rank matrices of unknown rank whose singular values differ widely. A guess of the smallest one is needed for the damping; without one sweep it by decades.",
        wing: "solve",
        family: "sensing",
        paper: Some(Paper {
            slug: "scaled-gd",
            title: "The Power of Preconditioning in Overparameterized Low-Rank Matrix Sensing",
            arxiv: "2302.01186",
        }),
        is_baseline: false,
        tuned: "",
    };

    fn setting(options: &ScaledGdOptions) -> (Start, f64, f64) {
        (options.start, options.initial_scale, options.tolerance)
    }

    fn step(
        options: &ScaledGdOptions,
        task: &Task,
        x: &DMatrix<f64>,
        gradient: &DMatrix<f64>,
        residual: f64,
    ) -> Result<DMatrix<f64>> {
        let damping = options.damping_factor
            * match options.damping {
                Damping::Constant => task.smallest,
                // The root of f = ¼ ‖A(X Xᵀ) - y‖².
                Damping::Loss => 0.5 * residual * norm(&task.observed),
            };
        step(x, gradient, options.step_size, damping).ok_or_else(|| {
            Error::Diverged(
                "XᵀX is singular and nothing damps it; give damping_factor a positive value".into(),
            )
        })
    }
}
