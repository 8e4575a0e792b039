//! RN, the root Newton stepsize.
//!
//! If the (q-1)-th derivative is Hölder continuous in local norms with the constant M (q = p + ν for the p-th derivative and exponent ν), then
//!
//! > θ_k = (9 M)^{1/(q-1)} ‖g_k‖*^{(q-2)/(q-1)}      α_k = 1/(1 + θ_k)      x_{k+1} = x_k - α_k n_k
//!
//! converges from anywhere on convex functions, with f(x_k) - f* = O(k^{-(q-1)}): up to O(k⁻³) for q = 4.
//!
//! Source: S. Hanzely, F. Abdukhakimov & M. Takáč, arXiv:2405.18926.

use quire_core::{About, Options, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Decision, Local, Objective, Rule, of_the_paper};

/// Options of `root-newton`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RootNewtonOptions {
    /// q: what order of smoothness is used. Paper: 2 for polytopes; 3 to 4, tuned, for logistic regression.
    #[schemars(range(min = 2.0, max = 4.0))]
    pub order: f64,
    /// M_q: the constant of that smoothness, in local norms. Paper: 0.5 for polytopes, 0.0001 to 0.01 for logistic regression.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub smoothness: f64,
    /// Stop when ‖g‖*²/2, an estimate of f - f*, is at most this.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for RootNewtonOptions {
    fn default() -> Self {
        RootNewtonOptions { order: 2.0, smoothness: 0.5, tolerance: 1e-12 }
    }
}

impl Options for RootNewtonOptions {}

/// θ = (9 M)^{1/(q-1)} ‖g‖*^{(q-2)/(q-1)}.
pub fn theta(order: f64, smoothness: f64, size: f64) -> f64 {
    (9.0 * smoothness).powf(1.0 / (order - 1.0)) * size.powf((order - 2.0) / (order - 1.0))
}

/// The method.
pub struct RootNewton;

impl Rule for RootNewton {
    type Options = RootNewtonOptions;

    const ABOUT: About = of_the_paper(
        "root-newton",
        "Newton's method with a stepsize from a root of smoothness constants",
        "On convex functions whose smoothness is known. Where it is not, universal-newton finds it; where evaluations are cheap beside \
         factorizations, greedy-newton is faster.",
    );

    fn tolerance(options: &RootNewtonOptions) -> f64 {
        options.tolerance
    }

    fn decide(
        options: &RootNewtonOptions,
        _objective: &dyn Objective,
        local: &Local,
        _memory: &mut f64,
    ) -> Result<Decision> {
        let alpha = 1.0 / (1.0 + theta(options.order, options.smoothness, local.size));
        Ok(Decision { next: local.at(alpha), step: alpha, trials: 1 })
    }
}
