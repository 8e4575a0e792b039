//! Function classes with the two oracles that PNLSVI asks for: weighted least squares and the bonus.
//!
//! The bonus oracle's contract (arXiv:2310.01380): b(z) ≥ |f(z) - f̃(z)| for every f of the class with
//! Σ_k (f - f̃)²(z_k)/σ_k² ≤ β², and b is at most a constant times D(z) (β² + λ)^½, where
//!
//! > D²(z) = sup_{f, g} (f(z) - g(z))² / ( Σ_k (f(z_k) - g(z_k))²/σ_k² + λ )

mod differentiable;
mod finite;
mod linear;

pub use differentiable::{Differentiable, sigmoid};
pub use finite::FiniteClass;
pub use linear::Linear;

use quire_core::Result;

use super::log::Regression;

/// What a function stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The mean of a return, in [0, H].
    First,
    /// The mean of its square, in [0, H²].
    Second,
}

/// A function of the class.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// f(s, a), `[S, A]`.
    pub values: Vec<f64>,
    /// What names it within its class: weights, or an index.
    pub parameters: Vec<f64>,
}

/// A function class, one of its own for every stage and moment.
pub trait FunctionClass: Send {
    /// What stands for ln N, N the number of functions: exact for a finite class, the dimension for others.
    fn complexity(&self) -> f64;

    /// argmin_f Σ_z w(z) (f(z) - y(z))², plus a ridge penalty for classes with weights.
    ///
    /// # Errors
    /// A linear system that cannot be solved.
    fn fit(&self, stage: usize, moment: Moment, data: &Regression) -> Result<Fit>;

    /// b(s, a) for `radius` β around `fit`, a first moment; `[S, A]`. Of `data` only the weights count.
    ///
    /// # Errors
    /// As [`FunctionClass::fit`].
    fn bonus(&self, stage: usize, fit: &Fit, data: &Regression, radius: f64) -> Result<Vec<f64>>;
}
