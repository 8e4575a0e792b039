//! Halpern's iteration: each step goes part of the way back to the start.
//!
//! > x_{k+1} = x_0/(k+2) + (k+1)/(k+2) T x_k      r_k = x_k - T x_k      n_k = 2 (x_0 - x_k)/k
//!
//! If v is attained at distance R from the start, then for any nonexpansive T
//!
//! > ‖r_k - v‖² <= ( (sqrt(H_k + 12) + 1)/(k + 1) )² R²      ‖n_k - v‖² <= 16 R²/k²      H_k = Σ_{i<=k} 1/i
//!
//! The first is the paper's theorem 8 and optimal up to the logarithm; the second follows from x_k staying within R of the exact orbit
//! x* - (k/2) v.
//!
//! Source: J. Park & E. K. Ryu, ICML 2023, arXiv:2303.15876; B. Halpern, Bull. AMS 73, 1967.

use quire_core::{About, Result, state};

use super::{FixedPoint, FixedPointOptions, PAPER, Place, checked};
use crate::solver::{Method, Solver, Step};

/// The bound on ‖r_k - v‖²/R².
pub fn residual_bound(k: u64) -> f64 {
    let harmonic: f64 = (1..=k).map(|i| 1.0 / i as f64).sum();
    (((harmonic + 12.0).sqrt() + 1.0) / (k + 1) as f64).powi(2)
}

/// The bound on ‖n_k - v‖²/R².
pub fn normalized_bound(k: u64) -> f64 {
    16.0 / (k as f64).powi(2)
}

/// The method.
pub struct Halpern {
    options: FixedPointOptions,
    place: Place,
}

impl Method<FixedPoint> for Halpern {
    type Options = FixedPointOptions;

    const ABOUT: About = About {
        name: "halpern",
        summary: "Halpern's anchored iteration, which finds a fixed point or the displacement at the optimal rate",
        when: "Where infeasibility is to be certified whatever the operator: its residual converges at 1/k² (squared) even where the plain \
               iteration turns in circles. On operators that contract the plain iteration is far faster.",
        wing: "solve",
        family: "fixed_point",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(problem: &FixedPoint, options: FixedPointOptions) -> Result<Self> {
        Ok(Halpern { place: checked(problem, &options)?, options })
    }
}

impl Solver<FixedPoint> for Halpern {
    fn iterate(&mut self, problem: &FixedPoint) -> Result<Step> {
        let Place { iteration, x, image, .. } = &mut self.place;
        let back = 1.0 / (*iteration + 2) as f64;
        for ((x, image), start) in x.iter_mut().zip(&*image).zip(&problem.start) {
            *x = back * start + (1.0 - back) * image;
        }
        Ok(self.place.judge(problem, &self.options, 2.0))
    }

    fn values(&self) -> Vec<f64> {
        self.place.values()
    }

    fn work(&self) -> f64 {
        self.place.iteration as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("halpern", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("halpern", saved)?;
        Ok(())
    }
}
