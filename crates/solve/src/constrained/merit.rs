//! The exact augmented Lagrangian, by which steps on x and λ together are judged, and steps that make it
//! fall.
//!
//! > M(x, λ) = L + η₁/2 ‖c‖² + η₂/2 ‖∇_x L‖²
//! > ∇M = (∇_x L + η₂ H ∇_x L + η₁ Gᵀ c,  c + η₂ G ∇_x L)
//!
//! At a solution M = f and ∇M = 0. Where η₁ is large and η₂ small enough, a step of Newton's that is accurate
//! enough has ∇M·z <= -η₂/2 ‖b‖²; until it has, η₁ grows by ν² and η₂ shrinks by ν. Then α is the largest of
//! 1, ½, ¼, ... with M(x + α Δx, λ + α Δλ) <= M + α β ∇M·z.
//!
//! Source: I. Hong, S. Na, M. W. Mahoney & M. Kolar, arXiv:2305.18379, section 2. The official code takes the
//! Hessian of f for H in ∇M, which for curved constraints is not the gradient; here it is that of L.

use nalgebra::{DMatrix, DVector};
use quire_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kkt::{Kkt, Point};
use super::{Iterate, Task};

/// How steps are judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MeritOptions {
    /// η₁ at the start, the weight of ‖c‖²/2. Paper: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub constraint_weight: f64,
    /// η₂ at the start, the weight of ‖∇_x L‖²/2. Paper: 0.1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub gradient_weight: f64,
    /// ν: where a step is not steep enough, η₁ grows by its square and η₂ is divided by it. Paper: 1.5.
    #[schemars(extend("exclusiveMinimum" = 1.0))]
    pub growth: f64,
    /// β, the part of the slope's promise that has to be kept. Paper: 0.1.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 0.5))]
    pub decrease: f64,
}

impl Default for MeritOptions {
    fn default() -> Self {
        MeritOptions { constraint_weight: 1.0, gradient_weight: 0.1, growth: 1.5, decrease: 0.1 }
    }
}

/// η₁ and η₂.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// η₁.
    pub constraint: f64,
    /// η₂.
    pub gradient: f64,
}

impl Weights {
    /// At the start.
    pub fn new(options: &MeritOptions) -> Self {
        Weights { constraint: options.constraint_weight, gradient: options.gradient_weight }
    }

    /// Official code: beyond these a step is taken as it is.
    fn are_extreme(self) -> bool {
        self.constraint > 1e8 || self.gradient < 1e-8
    }
}

/// M.
pub fn merit(point: &Point, weights: Weights) -> f64 {
    point.value
        + point.constraint.dot(&point.multipliers)
        + 0.5 * weights.constraint * point.constraint.norm_squared()
        + 0.5 * weights.gradient * point.gradient.norm_squared()
}

/// ∇M, by x and then by λ, with the Hessian H of the Lagrangian.
pub fn merit_gradient(point: &Point, hessian: &DMatrix<f64>, weights: Weights) -> DVector<f64> {
    let (g, c, jacobian) = (&point.gradient, &point.constraint, &point.jacobian);
    let by_x = g + weights.gradient * (hessian * g) + weights.constraint * jacobian.tr_mul(c);
    let by_multipliers = c + weights.gradient * (jacobian * g);
    DVector::from_iterator(g.len() + c.len(), by_x.iter().chain(by_multipliers.iter()).copied())
}

/// Trials of a line search.
const HALVINGS: u32 = 60;

/// One step: `solve` takes z further, from where it is, each time it is called; that it is not the first call
/// is its third argument. Moves `iterate` along z.
///
/// # Errors
/// [`Error::Diverged`] if `solve` fails, or no part of the step makes M fall.
pub(super) fn step(
    task: &Task,
    options: &MeritOptions,
    weights: &mut Weights,
    iterate: &mut Iterate,
    (point, kkt): (&Point, &Kkt),
    mut solve: impl FnMut(&mut Iterate, &mut DVector<f64>, Weights, bool) -> Result<()>,
) -> Result<()> {
    let mut z = DVector::zeros(kkt.size());
    let mut is_again = false;
    let slope = loop {
        solve(iterate, &mut z, *weights, is_again)?;
        let slope = merit_gradient(point, &kkt.hessian, *weights).dot(&z);
        if slope <= -0.5 * weights.gradient * kkt.right.norm_squared() || weights.are_extreme() {
            break slope;
        }
        weights.constraint *= options.growth * options.growth;
        weights.gradient /= options.growth;
        is_again = true;
    };
    let n = point.x.len();
    let found = first_fall(merit(point, *weights), options.decrease * slope, |alpha| {
        let x = &point.x + alpha * z.rows(0, n);
        let multipliers = &point.multipliers + alpha * z.rows(n, kkt.size() - n);
        let next = Point::new(task, x, multipliers);
        iterate.evaluations += 1;
        (merit(&next, *weights), next)
    });
    let Some((alpha, next)) = found else {
        return Err(Error::Diverged("no part of the step makes the augmented Lagrangian fall".into()));
    };
    iterate.x.copy_from_slice(next.x.as_slice());
    iterate.multipliers.copy_from_slice(next.multipliers.as_slice());
    iterate.step_size = alpha;
    Ok(())
}

/// Armijo's rule: the first α of 1, ½, ¼, ... at which a function is at most `now + alpha * slope`, and what `at` said of the place besides the
/// function's value; `None` if so many halvings find none.
pub(super) fn first_fall<T>(now: f64, slope: f64, mut at: impl FnMut(f64) -> (f64, T)) -> Option<(f64, T)> {
    // What rounding hides of a fall does not count against it.
    let slack = 1e-15 * now.abs();
    let mut alpha = 1.0;
    for _ in 0..HALVINGS {
        let (value, place) = at(alpha);
        if value <= now + alpha * slope + slack {
            return Some((alpha, place));
        }
        alpha /= 2.0;
    }
    None
}
