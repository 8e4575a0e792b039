//! Family: descend a smooth function by its gradients, and perhaps by products of its Hessian with vectors.
//!
//! The unit of work is the gradient; a product with the Hessian counts as one, a value as none where its gradient is asked for as well.
//!
//! | file | what it holds |
//! |---|---|
//! | [`psgd`] | a preconditioner fitted to pairs of vectors and Hessian-vector products |
//! | [`optimizer`] | any optimizer of the library on exact gradients |
//! | [`lbfgs`] | limited-memory BFGS with a line search |
//! | [`objectives`] | the problems: Rosenbrock's function in pairs, an ill-conditioned logistic regression |

pub mod lbfgs;
pub mod objectives;
pub mod optimizer;
pub mod psgd;

use quire_core::{Entry, Seeds};

pub use objectives::problems;

use crate::solver::{Make, entry};

/// A function with a gradient and a Hessian.
pub trait Smooth: Send + Sync {
    /// The number of unknowns.
    fn dimension(&self) -> usize;

    /// f at `x`.
    fn value(&self, x: &[f64]) -> f64;

    /// Its gradient.
    fn gradient(&self, x: &[f64], out: &mut [f64]);

    /// Its Hessian times `v`.
    fn hessian_product(&self, x: &[f64], v: &[f64], out: &mut [f64]);
}

/// A function, where to begin, and where random numbers come from.
pub struct Descent {
    /// f.
    pub objective: Box<dyn Smooth>,
    /// x_0.
    pub start: Vec<f64>,
    /// Random streams of the method.
    pub seeds: Seeds,
}

/// The methods of this family.
pub const METHODS: &[Entry<Make<Descent>>] = &[
    entry::<Descent, psgd::PsgdDescent>(),
    entry::<Descent, optimizer::OptimizerDescent>(),
    entry::<Descent, lbfgs::LbfgsDescent>(),
];

/// What their residual is.
const NORM: &str = "norm of the gradient";

#[cfg(test)]
mod tests;
