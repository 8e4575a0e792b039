//! UN, the universal Newton method: the stepsize of [`root`](super::root) without its constants.
//!
//! With σ_k from the iteration before, the first j = 0, 1, ... is taken for which
//!
//! > θ = c^j σ_k ‖g_k‖*^β      α = 1/(1 + θ)      y = x_k - α n_k      2 α θ ⟨∇f(y), n_k⟩ >= ‖∇f(y)‖*²
//!
//! (norms at x_k), and σ_{k+1} = c^{j-1} σ_k: one notch lower. For every β in [2/3, 1] the rate is the best of all (q, M_q), at fewer than
//! two more trial points an iteration.
//!
//! Source: S. Hanzely, F. Abdukhakimov & M. Takáč, arXiv:2405.18926. Their code has c = 1, which never backtracks; it has to be above 1.

use quire_core::{About, Error, Options, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Decision, Local, Objective, Rule, of_the_paper};

/// Trial points of an iteration, at most.
const MOST: u64 = 100;

/// Options of `universal-newton`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UniversalNewtonOptions {
    /// β: how the regularization grows with the gradient. Paper: 2/3 to 1, of little consequence.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub exponent: f64,
    /// σ_0: the regularization tried first. Paper: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub regularization: f64,
    /// c: by what it grows from one trial to the next. Paper: 3.5.
    #[schemars(extend("exclusiveMinimum" = 1.0))]
    pub growth: f64,
    /// Stop when ‖g‖*²/2, an estimate of f - f*, is at most this.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for UniversalNewtonOptions {
    fn default() -> Self {
        UniversalNewtonOptions { exponent: 1.0, regularization: 1.0, growth: 3.5, tolerance: 1e-12 }
    }
}

impl Options for UniversalNewtonOptions {}

/// The method.
pub struct UniversalNewton;

impl Rule for UniversalNewton {
    type Options = UniversalNewtonOptions;

    const ABOUT: About = of_the_paper(
        "universal-newton",
        "Newton's method that finds its stepsize by backtracking on a regularization",
        "On convex functions of unknown smoothness: nothing to tune, about two gradients an iteration. On functions that are not convex its \
         test may never be met: armijo-newton or greedy-newton.",
    );

    fn tolerance(options: &UniversalNewtonOptions) -> f64 {
        options.tolerance
    }

    fn memory(options: &UniversalNewtonOptions) -> f64 {
        options.regularization
    }

    fn decide(
        options: &UniversalNewtonOptions,
        objective: &dyn Objective,
        local: &Local,
        sigma: &mut f64,
    ) -> Result<Decision> {
        for trials in 1..=MOST {
            let theta = *sigma * local.size.powf(options.exponent);
            let alpha = 1.0 / (1.0 + theta);
            let next = local.at(alpha);
            let gradient = objective.gradient(&next);
            if 2.0 * alpha * theta * gradient.dot(&local.newton) >= local.dual_square(&gradient) {
                *sigma /= options.growth;
                return Ok(Decision { next, step: alpha, trials });
            }
            *sigma *= options.growth;
        }
        Err(Error::Diverged(format!(
            "no regularization of {MOST} is enough: the function is not convex here"
        )))
    }
}
