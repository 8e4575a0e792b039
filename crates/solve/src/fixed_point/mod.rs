//! Family: iterate a nonexpansive operator to a fixed point - or find that it has none, with a certificate.
//!
//! First-order solvers iterate an operator T with ‖T x - T y‖ <= ‖x - y‖. Where their problem is infeasible, T has no fixed point, and x - T x
//! tends to the infimal displacement vector v, the point of least norm in the closure of the range of I - T: v ≠ 0 certifies it. A method keeps
//! two estimates of v, the residual r_k = x_k - T x_k and the normalized iterate n_k, and stops
//!
//! - at a fixed point, if ‖r_k‖ is at most `fixed_tolerance`;
//! - at infeasibility, if ‖r_k - n_k‖ <= `agreement` ‖r_k‖ and the certificate that the operator makes of r_k excludes solutions up to the size
//!   `excluded`.
//!
//! The rule is ours. Where neither happens the problem is undecided, as weakly infeasible ones (v = 0 without a fixed point) stay. Their r_k falls
//! like some k^(p-1), p < 1, and then the estimates never agree: ‖r_k - n_k‖/‖r_k‖ tends to (1 - p)/p in the plain iteration and to (1 - p)/(1 + p) in
//! Halpern's. A tenth leaves p up to 9/11 undecided; a test against 1 + ‖r_k‖ would let all of them pass in the end. What a certificate says is true of
//! every problem, but of a weakly infeasible one only for solutions of some size.
//!
//! A solution is laid out as x_k, r_k, n_k and the certificate's vector, which is zero until there is one: whoever has the vector can check
//! it against the problem's data alone ([`Operator::excluded`]).
//!
//! | file | what it holds |
//! |---|---|
//! | [`halpern`] | the anchored iteration of Halpern |
//! | [`plain`] | the plain iteration, and differences of its iterates with restarts |
//! | [`operators`] | rotations that drift, Douglas-Rachford on two sets, PDHG on linear programs |
//! | [`cones`] | Douglas-Rachford on programs over second-order cones and positive semidefinite matrices |
//! | [`consensus`] | PDHG for agents that look for a common point |
//! | [`problems`](mod@problems) | the problems |

pub mod cones;
pub mod consensus;
pub mod halpern;
pub mod operators;
pub mod plain;
pub mod problems;

use quire_core::{Entry, Options, Paper, Reason, Result, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use problems::problems;

use crate::solver::{Make, Step, entry};

/// The paper.
pub const PAPER: Paper = Paper {
    slug: "infeasibility-detection",
    title: "Accelerated Infeasibility Detection of Constrained Optimization and Fixed-Point Iterations",
    arxiv: "2303.15876",
};

/// A nonexpansive operator.
pub trait Operator: Send + Sync {
    /// The number of coordinates.
    fn dimension(&self) -> usize;

    /// T x, into `out`.
    fn apply(&self, x: &[f64], out: &mut [f64]);

    /// The square of the norm in which T is nonexpansive.
    fn square(&self, x: &[f64]) -> f64 {
        x.iter().map(|x| x * x).sum()
    }

    /// Writes into `vector` what of this displacement x - T x proves that there is no fixed point: without the parts that prove nothing and in the
    /// operator's own scale. Returns the size up to which it excludes solutions. `scratch` is as long as `vector`.
    fn certificate(&self, displacement: &[f64], vector: &mut [f64], scratch: &mut [f64]) -> f64;

    /// The size up to which a certificate's vector excludes solutions: 0 if it proves nothing, infinite if it excludes them all by more than
    /// rounding. `scratch` is as long as `vector`.
    fn excluded_with(&self, vector: &[f64], scratch: &mut [f64]) -> f64;

    /// The same, with room of its own.
    fn excluded(&self, vector: &[f64]) -> f64 {
        self.excluded_with(vector, &mut vec![0.0; vector.len()])
    }

    /// What a vector that excludes solutions of this size shows, in words.
    fn proof(&self, vector: &[f64], excluded: f64) -> String;
}

/// What of a sum of products may be rounding, relative to the sizes of its factors.
const ROUNDING: f64 = 1e-14;

/// The size that gain/excess excludes if both are known up to `rounding`: infinite only where there is more than that to spare.
fn excluded(gain: f64, excess: f64, rounding: f64) -> f64 {
    if gain.is_nan() || excess.is_nan() || gain <= rounding {
        0.0
    } else if excess < -rounding {
        f64::INFINITY
    } else {
        gain / (excess.max(0.0) + rounding)
    }
}

/// An operator and where to begin.
pub struct FixedPoint {
    /// T.
    pub operator: Box<dyn Operator>,
    /// x_0.
    pub start: Vec<f64>,
}

/// Options of the methods of this family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FixedPointOptions {
    /// A fixed point is found when ‖x - T x‖ is at most this.
    #[schemars(range(min = 0.0))]
    pub fixed_tolerance: f64,
    /// Infeasibility is claimed only if the two estimates of the displacement v differ by at most this part of ‖r‖; 0 never claims it. 0.1 is ours.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub agreement: f64,
    /// And only if the certificate excludes all solutions of this size, at least 1, in the unit that the problem's certificates have. 1e5 is ours.
    #[schemars(range(min = 1.0))]
    pub excluded: f64,
}

impl Default for FixedPointOptions {
    fn default() -> Self {
        FixedPointOptions { fixed_tolerance: 1e-9, agreement: 0.1, excluded: 1e5 }
    }
}

impl Options for FixedPointOptions {}

/// The methods of this family.
pub const METHODS: &[Entry<Make<FixedPoint>>] = &[
    entry::<FixedPoint, halpern::Halpern>(),
    entry::<FixedPoint, plain::Plain>(),
    entry::<FixedPoint, plain::RestartedDifferences>(),
];

/// Where a method stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// k.
    pub iteration: u64,
    /// x_k.
    pub x: Vec<f64>,
    /// T x_k.
    pub image: Vec<f64>,
    /// What normalized iterates are measured from, and its k.
    pub anchor: (Vec<f64>, u64),
    /// r_k.
    pub residual: Vec<f64>,
    /// n_k.
    pub normalized: Vec<f64>,
    /// r_k - n_k, and then room for the certificate's test.
    pub difference: Vec<f64>,
    /// The certificate; zeros until there is one.
    pub certificate: Vec<f64>,
}

impl Place {
    fn new(problem: &FixedPoint) -> Self {
        let zeros = vec![0.0; problem.start.len()];
        let mut image = zeros.clone();
        problem.operator.apply(&problem.start, &mut image);
        Place {
            iteration: 0,
            x: problem.start.clone(),
            image,
            anchor: (problem.start.clone(), 0),
            residual: zeros.clone(),
            normalized: zeros.clone(),
            difference: zeros.clone(),
            certificate: zeros,
        }
    }

    /// Takes in x_{k+1}, which has been written into `x`, and judges; n = `factor` (anchor - x)/(k - its k).
    fn judge(&mut self, problem: &FixedPoint, options: &FixedPointOptions, factor: f64) -> Step {
        self.iteration += 1;
        problem.operator.apply(&self.x, &mut self.image);
        let scale = factor / (self.iteration - self.anchor.1).max(1) as f64;
        for i in 0..self.x.len() {
            self.residual[i] = self.x[i] - self.image[i];
            self.normalized[i] = scale * (self.anchor.0[i] - self.x[i]);
            self.difference[i] = self.residual[i] - self.normalized[i];
        }
        let length = |x: &[f64]| problem.operator.square(x).max(0.0).sqrt();
        let residual = length(&self.residual);
        let step = Step::judged(residual, options.fixed_tolerance, "displacement ‖x - Tx‖");
        if step.done.is_some() || options.agreement == 0.0 {
            return step;
        }
        if length(&self.difference) > options.agreement * residual {
            return step;
        }
        let (vector, scratch) = (&mut self.certificate, &mut self.difference);
        let excluded = problem.operator.certificate(&self.residual, vector, scratch);
        if excluded <= options.excluded {
            vector.fill(0.0);
            return step;
        }
        let proof = problem.operator.proof(vector, excluded);
        Step { residual, done: Some(Reason::Converged(format!("infeasible: {proof}"))) }
    }

    fn values(&self) -> Vec<f64> {
        [&self.x[..], &self.residual, &self.normalized, &self.certificate].concat()
    }
}

fn checked(problem: &FixedPoint, options: &FixedPointOptions) -> Result<Place> {
    options::check(options)?;
    Ok(Place::new(problem))
}

#[cfg(test)]
mod tests;
