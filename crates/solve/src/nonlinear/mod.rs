//! Family: square systems of nonlinear equations F(x) = 0 with bounds l <= x <= u.
//!
//! The methods stay strictly inside the bounds, and go down f = ½‖F‖². They differ in the diagonal matrix that shapes their trust region
//! and turns the gradient away from the bounds.
//!
//! | file | what it holds |
//! |---|---|
//! | [`scaling`] | the four known scaling vectors, and their combinations |
//! | [`trust_region`] | the affine-scaling trust-region method, with each of them |
//! | [`levenberg_marquardt`] | a projected Levenberg-Marquardt method |
//! | [`systems`] | the problems |
//! | [`profile`] | all of them and all starts as one problem: a performance profile |

pub mod levenberg_marquardt;
pub mod profile;
pub mod scaling;
pub mod systems;
pub mod trust_region;

use nalgebra::{DMatrix, DVector};
use quire_core::{Entry, Error, Result};

pub use systems::problems;

use crate::solver::{Make, entry};

/// Equations with bounds.
pub trait Equations: Send + Sync {
    /// Bounds l and u of each unknown; infinite where there are none.
    fn bounds(&self) -> (DVector<f64>, DVector<f64>);

    /// F at `x`.
    fn residual(&self, x: &DVector<f64>) -> DVector<f64>;

    /// Its Jacobian.
    fn jacobian(&self, x: &DVector<f64>) -> DMatrix<f64>;
}

/// Equations and where to begin.
pub struct Bounded {
    /// F.
    pub equations: Box<dyn Equations>,
    /// l.
    pub lower: DVector<f64>,
    /// u.
    pub upper: DVector<f64>,
    /// x_0, strictly between them.
    pub start: DVector<f64>,
}

impl Bounded {
    /// Checks that the start lies strictly inside.
    ///
    /// # Errors
    /// A start on or outside a bound; its number is named.
    pub fn new(equations: Box<dyn Equations>, start: DVector<f64>) -> Result<Self> {
        let (lower, upper) = equations.bounds();
        let inside = |i: &usize| lower[*i] < start[*i] && start[*i] < upper[*i];
        match (0..start.len()).find(|i| !inside(i)) {
            Some(i) => Err(Error::Usage(format!(
                "the start {} of unknown {} does not lie strictly between {} and {}",
                start[i],
                i + 1,
                lower[i],
                upper[i]
            ))),
            None => Ok(Bounded { equations, lower, upper, start }),
        }
    }
}

/// The methods of this family.
pub const METHODS: &[Entry<Make<Bounded>>] = &[
    entry::<Bounded, trust_region::Combined>(),
    entry::<Bounded, trust_region::ColemanLi>(),
    entry::<Bounded, trust_region::Heinkenschloss>(),
    entry::<Bounded, trust_region::KanzowKlug>(),
    entry::<Bounded, trust_region::Hager>(),
    entry::<Bounded, levenberg_marquardt::LevenbergMarquardt>(),
];

/// What their residual is.
const RESIDUAL: &str = "residual ‖F(x)‖";

#[cfg(test)]
mod tests;
