//! Jacobi's iteration, damped: x ← x + w D⁻¹ (b - A x).
//!
//! With w = 1 it converges if A is strictly diagonally dominant; for a symmetric positive definite A if and only if 2D - A is, too, and
//! with a small enough w for all of them.

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{System, about, judged};
use crate::solver::{Method, Solver, Step};

/// Options of `jacobi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JacobiOptions {
    /// Damping w: what part of each step is taken. Jacobi: 1; as a smoother of the five-point Laplacian: 0.8.
    #[schemars(range(min = 0.0, max = 2.0), extend("exclusiveMinimum" = 0.0))]
    pub damping: f64,
    /// Stop when ‖b - Ax‖ is at most this part of ‖b‖.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub tolerance: f64,
}

impl Default for JacobiOptions {
    fn default() -> Self {
        JacobiOptions { damping: 1.0, tolerance: 1e-8 }
    }
}

impl Options for JacobiOptions {}

/// The method.
pub struct Jacobi {
    options: JacobiOptions,
    inverse: Vec<f64>,
    residual: Vec<f64>,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    x: Vec<f64>,
    products: u64,
}

impl Method<System> for Jacobi {
    type Options = JacobiOptions;

    const ABOUT: About = about(
        "jacobi",
        "Jacobi's iteration, damped if wanted",
        "Where rows are to be updated all at once, or as a smoother. Alone it is the slowest of this family.",
    );

    fn new(system: &System, options: JacobiOptions) -> Result<Self> {
        options::check(&options)?;
        let zeros = vec![0.0; system.size()];
        Ok(Jacobi {
            options,
            inverse: system.inverse_diagonal("jacobi")?,
            residual: system.right.clone(),
            place: Place { x: zeros, products: 0 },
        })
    }
}

impl Solver<System> for Jacobi {
    fn iterate(&mut self, system: &System) -> Result<Step> {
        let Jacobi { options, inverse, residual, place } = self;
        for ((x, r), inverse) in place.x.iter_mut().zip(&*residual).zip(inverse) {
            *x += options.damping * *inverse * r;
        }
        place.products += 1;
        Ok(judged(system.relative_residual(&place.x, residual), options.tolerance))
    }

    fn values(&self) -> Vec<f64> {
        self.place.x.clone()
    }

    fn work(&self) -> f64 {
        self.place.products as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("jacobi", &(&self.place, &self.residual))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.place, self.residual) = state::decode("jacobi", saved)?;
        Ok(())
    }
}
