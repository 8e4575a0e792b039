//! Line searches along the Newton direction: GRLS and greedy Newton on a grid, and Armijo's rule.
//!
//! > GRLS: α_k = argmin over [0, 1] of (f(y) - f(x_k)) / ‖∇f(y)‖*²      greedy: α_k = argmin of f(y)      y = x_k - α n_k
//!
//! The rates of root Newton hold for GRLS for all smoothness constants at once, and with a factor for greedy Newton. As in the authors'
//! code the search is over 400 geometrically spaced α in [10⁻¹⁰, 1], and 0.
//!
//! Source: S. Hanzely, F. Abdukhakimov & M. Takáč, arXiv:2405.18926; L. Armijo, Pacific J. Math. 16, 1966.

use quire_core::{About, Error, Options, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Decision, Local, Objective, Rule, baseline, of_the_paper};

/// Options of `grls-newton` and `greedy-newton`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GridOptions {
    /// Stepsizes tried, besides 0. Official code: 400.
    #[schemars(range(min = 2, max = 100_000))]
    pub grid: usize,
    /// The smallest of them. Official code: 1e-10.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub smallest: f64,
    /// Stop when ‖g‖*²/2, an estimate of f - f*, is at most this.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for GridOptions {
    fn default() -> Self {
        GridOptions { grid: 400, smallest: 1e-10, tolerance: 1e-12 }
    }
}

impl Options for GridOptions {}

impl GridOptions {
    /// The stepsizes, from the smallest to exactly 1.
    fn steps(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.grid).map(|k| self.smallest.powf(1.0 - k as f64 / (self.grid - 1) as f64))
    }
}

/// The α of least `merit`, which is 0 at α = 0. Of equals the first: no step at all is only taken if none is better.
fn search(options: &GridOptions, local: &Local, mut merit: impl FnMut(f64) -> f64) -> Decision {
    let (mut best, mut least) = (0.0, 0.0);
    for alpha in options.steps() {
        let merit = merit(alpha);
        if merit < least {
            (best, least) = (alpha, merit);
        }
    }
    Decision { next: local.at(best), step: best, trials: options.grid as u64 }
}

/// The paper's line search.
pub struct Grls;

impl Rule for Grls {
    type Options = GridOptions;

    const ABOUT: About = of_the_paper(
        "grls-newton",
        "Newton's method whose line search weighs the fall by the gradient that is left",
        "As greedy-newton, whose steps it makes almost always, with a better guarantee; each trial costs a gradient.",
    );

    fn tolerance(options: &GridOptions) -> f64 {
        options.tolerance
    }

    fn decide(
        options: &GridOptions,
        objective: &dyn Objective,
        local: &Local,
        _memory: &mut f64,
    ) -> Result<Decision> {
        Ok(search(options, local, |alpha| {
            let y = local.at(alpha);
            let fall = objective.value(&y) - local.value;
            // Where no gradient is left, any fall is infinitely good, and no rise counts.
            if fall < 0.0 { fall / local.dual_square(&objective.gradient(&y)) } else { 0.0 }
        }))
    }
}

/// The exact line search.
pub struct Greedy;

impl Rule for Greedy {
    type Options = GridOptions;

    const ABOUT: About = of_the_paper(
        "greedy-newton",
        "Newton's method with an exact line search on a grid",
        "Where values are cheap beside factorizations: few iterations, nothing to tune, and safe on functions that are not convex.",
    );

    fn tolerance(options: &GridOptions) -> f64 {
        options.tolerance
    }

    fn decide(
        options: &GridOptions,
        objective: &dyn Objective,
        local: &Local,
        _memory: &mut f64,
    ) -> Result<Decision> {
        Ok(search(options, local, |alpha| objective.value(&local.at(alpha)) - local.value))
    }
}

/// Options of `armijo-newton`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ArmijoOptions {
    /// s: by what the step shrinks from one trial to the next. Usual: 0.5.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub shrink: f64,
    /// What part of the slope's promise has to be kept. Paper: 0.5, the most for which full steps pass on quadratics.
    #[schemars(range(max = 0.5), extend("exclusiveMinimum" = 0.0))]
    pub decrease: f64,
    /// Stop when ‖g‖*²/2, an estimate of f - f*, is at most this.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for ArmijoOptions {
    fn default() -> Self {
        ArmijoOptions { shrink: 0.5, decrease: 0.5, tolerance: 1e-12 }
    }
}

impl Options for ArmijoOptions {}

/// Backtracking until the fall is a part of what the slope promises.
pub struct Armijo;

impl Rule for Armijo {
    type Options = ArmijoOptions;

    const ABOUT: About = baseline(
        "armijo-newton",
        "Newton's method with Armijo's backtracking from a full step",
        "The usual safeguard: one value an iteration near the solution. A decrease of 0.5 is strict; 0.0001 is common.",
    );

    fn tolerance(options: &ArmijoOptions) -> f64 {
        options.tolerance
    }

    fn decide(
        options: &ArmijoOptions,
        objective: &dyn Objective,
        local: &Local,
        _memory: &mut f64,
    ) -> Result<Decision> {
        let slope = local.size * local.size;
        let mut alpha = 1.0;
        for trials in 1..=200 {
            let next = local.at(alpha);
            // What rounding hides of a fall does not count against it.
            let slack = 1e-15 * local.value.abs();
            if objective.value(&next) <= local.value - options.decrease * alpha * slope + slack {
                return Ok(Decision { next, step: alpha, trials });
            }
            alpha *= options.shrink;
        }
        Err(Error::Diverged("no step along the Newton direction makes the function fall".into()))
    }
}
