//! What a solver's parameter is trained for.
//!
//! With L_k the residual after k iterations, the number of iterations to a tolerance ε is
//!
//! > L_ε = min { k : L_k <= ε } = Σ_{k >= 0} 1[ L_j > ε for all j <= k ]
//!
//! which has no derivative. Its surrogates replace the indicator of x_k = ln L_k > ln ε; in the logarithm, as the sigmoid of a residual far above ε
//! would be flat:
//!
//! - *straight through*: the value is the count itself, the derivative that of Σ sigmoid(relu(s (x_k - ln ε)));
//! - *sigmoid*: Σ sigmoid(s (x_k - ln ε)), value and derivative.
//!
//! Above the tolerance their derivatives are the same, so they train alike; the straight-through value is the count that is wanted.
//!
//! Only iterations that were run count: those of a task that has converged add 0. Where the cap was hit, a penalty A relu(L - ε) of the last residual is
//! added, without which divergence would cost no more than slow convergence.

use quire_kernels::Float;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dual::Dual;

/// Added to a residual before its logarithm is taken.
const SMALLEST: f64 = f64::EPSILON;

/// An objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// The number of iterations, straight through: the paper's.
    #[default]
    Iterations,
    /// The number of iterations by plain sigmoids: another value, the same derivatives.
    SigmoidIterations,
    /// The residual after a fixed number of iterations: what is usual.
    Error,
    /// The squared distance to the best parameters, where they are known: supervised. Of an initial guess that is the solution.
    Supervised,
}

/// x = ln(L + the smallest difference to 1).
pub fn logarithm(residual: f64) -> f64 {
    (residual + SMALLEST).ln()
}

/// The derivative by x of the straight-through indicator of x > ln ε: that of sigmoid(relu(s (x - ln ε))).
pub fn straight_through_slope(x: f64, log_tolerance: f64, slope: f64) -> f64 {
    let above = slope * (x - log_tolerance);
    if above > 0.0 { slope * sigmoid_slope(above) } else { 0.0 }
}

/// What an iteration that starts at a residual above ε adds to a surrogate, straight through or of plain sigmoids, and the derivative by that residual.
pub fn term(residual: f64, log_tolerance: f64, slope: f64, is_straight: bool) -> (f64, f64) {
    let x = logarithm(residual);
    let by_residual = 1.0 / (residual + SMALLEST);
    let above = slope * (x - log_tolerance);
    let (value, by_logarithm) = if is_straight {
        (1.0, straight_through_slope(x, log_tolerance, slope))
    } else {
        (Float::sigmoid(above), slope * sigmoid_slope(above))
    };
    (value, by_logarithm * by_residual)
}

/// sigmoid'(x).
pub fn sigmoid_slope(x: f64) -> f64 {
    let y = Float::sigmoid(x);
    y * (1.0 - y)
}

/// What a surrogate makes of the iterations of a run, one after the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counter<const P: usize> {
    is_straight: bool,
    log_tolerance: f64,
    tolerance: f64,
    slope: f64,
    /// The surrogate so far, with its derivatives.
    pub sum: Dual<P>,
    /// Iterations that were necessary so far.
    pub count: u64,
    last: Dual<P>,
}

impl<const P: usize> Counter<P> {
    /// Nothing counted yet. `objective` is one of the two surrogates, `slope` its s.
    pub fn new(objective: Objective, tolerance: f64, slope: f64) -> Self {
        Counter {
            is_straight: objective != Objective::SigmoidIterations,
            log_tolerance: tolerance.ln(),
            tolerance,
            slope,
            sum: 0.0.into(),
            count: 0,
            last: 0.0.into(),
        }
    }

    /// Takes in L_k, k = 0, 1, ...; false once the tolerance is met, and nothing is to be added any more.
    pub fn add(&mut self, residual: Dual<P>) -> bool {
        self.last = residual;
        // A residual that is no number is above every tolerance.
        if residual.value <= self.tolerance {
            return false;
        }
        let (value, slope) = term(residual.value, self.log_tolerance, self.slope, self.is_straight);
        self.sum = self.sum + residual.through(value, slope);
        self.count += 1;
        true
    }

    /// Takes in the residual after the last iteration that is allowed, for the penalty.
    pub fn end(&mut self, residual: Dual<P>) {
        self.last = residual;
    }

    /// The surrogate, and the penalty on the last residual.
    pub fn total(&self, penalty: f64) -> Dual<P> {
        let excess = self.last.value - self.tolerance;
        if excess > 0.0 { self.sum + self.last.through(penalty * excess, penalty) } else { self.sum }
    }
}
