//! The plain iteration x_{k+1} = T x_k, as solvers make it, with two ways to read the displacement from its iterates.
//!
//! > r_k = x_k - T x_k      n_k = (x_0 - x_k)/k, or with restarts (x_m - x_k)/(k - m) with m the last power of 2 before k
//!
//! With v attained at distance R from the start, ‖n_k - v‖² <= 4 R²/k². For θ-averaged T, ‖r_k - v‖² <= θ/(1 - θ) R²/(k + 1) and ‖r_k - v‖
//! never grows; where T is only nonexpansive r_k need not converge at all.

use quire_core::{About, Result, state};

use super::{FixedPoint, FixedPointOptions, Place, checked};
use crate::solver::{Method, Solver, Step};

/// The bound on ‖n_k - v‖²/R².
pub fn normalized_bound(k: u64) -> f64 {
    4.0 / (k as f64).powi(2)
}

/// The bound on ‖r_k - v‖²/R² for a θ-averaged operator.
pub fn residual_bound(k: u64, theta: f64) -> f64 {
    theta / (1.0 - theta) / (k + 1) as f64
}

/// The plain iteration.
pub struct Plain {
    options: FixedPointOptions,
    place: Place,
}

/// The same, its normalized iterates measured from the last power of 2.
pub struct RestartedDifferences {
    options: FixedPointOptions,
    place: Place,
}

macro_rules! method {
    ($method:ident, $restarts:expr, $name:expr, $summary:expr, $when:expr) => {
        impl Method<FixedPoint> for $method {
            type Options = FixedPointOptions;

            const ABOUT: About = About {
                name: $name,
                summary: $summary,
                when: $when,
                wing: "solve",
                family: "fixed_point",
                paper: None,
                is_baseline: true,
                tuned: "",
            };

            fn new(problem: &FixedPoint, options: FixedPointOptions) -> Result<Self> {
                Ok($method { place: checked(problem, &options)?, options })
            }
        }

        impl Solver<FixedPoint> for $method {
            fn iterate(&mut self, problem: &FixedPoint) -> Result<Step> {
                let place = &mut self.place;
                if $restarts && place.iteration.is_power_of_two() {
                    place.anchor.0.copy_from_slice(&place.x);
                    place.anchor.1 = place.iteration;
                }
                std::mem::swap(&mut place.x, &mut place.image);
                Ok(place.judge(problem, &self.options, 1.0))
            }

            fn values(&self) -> Vec<f64> {
                self.place.values()
            }

            fn work(&self) -> f64 {
                self.place.iteration as f64
            }

            fn save(&self) -> Vec<u8> {
                state::encode(Self::ABOUT.name, &self.place)
            }

            fn restore(&mut self, saved: &[u8]) -> Result<()> {
                self.place = state::decode(Self::ABOUT.name, saved)?;
                Ok(())
            }
        }
    };
}

method!(
    Plain,
    false,
    "fixed-point-iteration",
    "The plain iteration x <- T x, with the residual and the normalized iterate",
    "Where the operator contracts, or is averaged and its problem feasible; the baseline of halpern."
);
method!(
    RestartedDifferences,
    true,
    "restarted-differences",
    "The plain iteration, its displacement read from differences since the last power of 2",
    "As fixed-point-iteration, where the first iterates tell little of the last: normalized iterates forget them."
);
