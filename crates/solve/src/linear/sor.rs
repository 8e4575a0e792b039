//! Successive over-relaxation (Young 1950) and what it is made of.
//!
//! A sweep goes through the rows and moves each unknown by ω times what would satisfy its row, with the newest values of the others:
//!
//! > x_i ← x_i + ω (b_i - Σ_j a_ij x_j)/a_ii
//!
//! ω = 1 is Gauss and Seidel's method; the symmetric form sweeps forth and back. For a symmetric positive definite A all
//! of them converge if and only if 0 < ω < 2 (Ostrowski, Reich). For consistently ordered matrices, such as the five-point Laplacian, the best ω is
//! 2/(1 + sqrt(1 - ρ²)) with ρ the spectral radius of Jacobi's iteration (Young).

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{System, about, judged};
use crate::solver::{Method, Solver, Step};

/// Options of `sor` and `ssor`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SorOptions {
    /// Relaxation ω. Best for the five-point Laplacian on N x N points: 2/(1 + sin(π/(N+1))).
    #[schemars(range(min = 0.0, max = 2.0), extend("exclusiveMinimum" = 0.0))]
    pub relaxation: f64,
    /// Stop when ‖b - Ax‖ is at most this part of ‖b‖.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub tolerance: f64,
    /// Sweeps from one look at the residual, which costs as much as a sweep, to the next.
    #[schemars(range(min = 1, max = 1000))]
    pub check_period: u64,
}

impl Default for SorOptions {
    fn default() -> Self {
        SorOptions { relaxation: 1.5, tolerance: 1e-8, check_period: 10 }
    }
}

impl Options for SorOptions {}

/// Options of `gauss-seidel`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GaussSeidelOptions {
    /// Stop when ‖b - Ax‖ is at most this part of ‖b‖.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub tolerance: f64,
    /// Sweeps from one look at the residual, which costs as much as a sweep, to the next.
    #[schemars(range(min = 1, max = 1000))]
    pub check_period: u64,
}

impl Default for GaussSeidelOptions {
    fn default() -> Self {
        GaussSeidelOptions { tolerance: 1e-8, check_period: 10 }
    }
}

impl Options for GaussSeidelOptions {}

/// One sweep through `rows`; `inverse` holds the reciprocals of the diagonal.
pub fn sweep(
    system: &System,
    inverse: &[f64],
    relaxation: f64,
    rows: impl Iterator<Item = usize>,
    x: &mut [f64],
) {
    for row in rows {
        let miss = system.right[row] - system.matrix.row_times(row, x);
        x[row] += relaxation * inverse[row] * miss;
    }
}

/// Where a method stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    x: Vec<f64>,
    iterations: u64,
    products: u64,
    /// As of the last look.
    residual: f64,
}

/// The method.
pub struct Sor {
    options: SorOptions,
    inverse: Vec<f64>,
    place: Place,
    spare: Vec<f64>,
}

/// Forth and back.
pub struct Ssor(Sor);

/// ω = 1.
pub struct GaussSeidel(Sor);

impl Sor {
    fn make(system: &System, options: SorOptions, name: &str) -> Result<Self> {
        let zeros = vec![0.0; system.size()];
        Ok(Sor {
            options,
            inverse: system.inverse_diagonal(name)?,
            spare: zeros.clone(),
            place: Place { x: zeros, iterations: 0, products: 0, residual: 1.0 },
        })
    }

    fn advance(&mut self, system: &System, back: bool) -> Step {
        let Sor { options, inverse, place, spare } = self;
        sweep(system, inverse, options.relaxation, 0..system.size(), &mut place.x);
        if back {
            sweep(system, inverse, options.relaxation, (0..system.size()).rev(), &mut place.x);
        }
        place.products += 1 + u64::from(back);
        place.iterations += 1;
        if !place.iterations.is_multiple_of(options.check_period) {
            return Step { residual: place.residual, done: None };
        }
        place.products += 1;
        place.residual = system.relative_residual(&place.x, spare);
        judged(place.residual, options.tolerance)
    }
}

macro_rules! method {
    ($method:ident, $options:ident, $about:expr, |$system:ident, $set:ident| $make:expr, |$self:ident| $sor:expr, $back:expr) => {
        impl Method<System> for $method {
            type Options = $options;

            const ABOUT: About = $about;

            fn new($system: &System, $set: $options) -> Result<Self> {
                options::check(&$set)?;
                $make
            }
        }

        impl Solver<System> for $method {
            fn iterate(&mut self, system: &System) -> Result<Step> {
                let $self = self;
                Ok($sor.advance(system, $back))
            }

            fn values(&self) -> Vec<f64> {
                let $self = self;
                $sor.place.x.clone()
            }

            fn work(&self) -> f64 {
                let $self = self;
                $sor.place.products as f64
            }

            fn save(&self) -> Vec<u8> {
                let $self = self;
                state::encode(Self::ABOUT.name, &$sor.place)
            }

            fn restore(&mut self, saved: &[u8]) -> Result<()> {
                let $self = self;
                $sor.place = state::decode(Self::ABOUT.name, saved)?;
                Ok(())
            }
        }
    };
}

method!(
    Sor,
    SorOptions,
    about(
        "sor",
        "Successive over-relaxation: Gauss-Seidel that goes further",
        "For symmetric positive definite systems where ω is known, or no memory is left for vectors; conjugate gradients need no ω."
    ),
    |system, set| Sor::make(system, set, "sor"),
    |sor| sor,
    false
);
method!(
    Ssor,
    SorOptions,
    about(
        "ssor",
        "Symmetric successive over-relaxation: forth and back",
        "As a preconditioner of conjugate gradients (where it is an option); alone it is seldom faster than sor, but less touchy about ω."
    ),
    |system, set| Ok(Ssor(Sor::make(system, set, "ssor")?)),
    |ssor| ssor.0,
    true
);
method!(
    GaussSeidel,
    GaussSeidelOptions,
    about(
        "gauss-seidel",
        "Gauss and Seidel's iteration, row after row",
        "For diagonally dominant systems, and symmetric positive definite ones that are small; converges about twice as fast as jacobi."
    ),
    |system, set| {
        let options =
            SorOptions { relaxation: 1.0, tolerance: set.tolerance, check_period: set.check_period };
        Ok(GaussSeidel(Sor::make(system, options, "gauss-seidel")?))
    },
    |seidel| seidel.0,
    false
);
