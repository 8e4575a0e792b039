//! Newton steps on a Hessian with a multiple of the identity added: gradient-regularized and super-universal Newton.
//!
//! > x_{k+1} = x_k - (H + λ I)⁻¹ g      gradient-regularized: λ = (6 M ‖g‖^{q-2})^{1/(q-1)}
//! >
//! > super-universal: λ = 4^j H_k ‖g‖^a, the first j with ⟨∇f(y), x_k - y⟩ >= ‖∇f(y)‖²/(4 λ); H_{k+1} = 4^{j-1} H_k
//!
//! with Euclidean norms: unlike the others of this family they are not affine invariant.
//!
//! Source: N. Doikov, K. Mishchenko & Y. Nesterov, *Super-universal regularized Newton method*, SIAM J. Optim. 34(1), 2024.

use quire_core::{About, Error, Options, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Decision, Local, Objective, Rule, baseline};

/// Options of `gradient-regularized-newton`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GradientRegularizedOptions {
    /// q: what order of smoothness is used.
    #[schemars(range(min = 2.0, max = 4.0))]
    pub order: f64,
    /// M_q: the constant of that smoothness, in Euclidean norms.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub smoothness: f64,
    /// Stop when ‖g‖*²/2, an estimate of f - f*, is at most this.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for GradientRegularizedOptions {
    fn default() -> Self {
        GradientRegularizedOptions { order: 3.0, smoothness: 1.0, tolerance: 1e-12 }
    }
}

impl Options for GradientRegularizedOptions {}

/// Gradient-regularized Newton.
pub struct GradientRegularized;

impl Rule for GradientRegularized {
    type Options = GradientRegularizedOptions;

    const ABOUT: About = baseline(
        "gradient-regularized-newton",
        "Newton's method regularized by a power of the gradient",
        "A rival of root-newton where Euclidean smoothness is known.",
    );

    fn tolerance(options: &GradientRegularizedOptions) -> f64 {
        options.tolerance
    }

    fn decide(
        options: &GradientRegularizedOptions,
        _objective: &dyn Objective,
        local: &Local,
        _memory: &mut f64,
    ) -> Result<Decision> {
        let size = local.gradient.norm();
        let lambda =
            (6.0 * options.smoothness * size.powf(options.order - 2.0)).powf(1.0 / (options.order - 1.0));
        let next = &local.x - local.solve(lambda, &local.gradient);
        Ok(Decision { next, step: lambda, trials: 1 })
    }
}

/// Options of `super-universal-newton`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SuperUniversalOptions {
    /// a: how the regularization grows with the gradient. Its paper: 2/3 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub exponent: f64,
    /// H_0: the regularization tried first.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub regularization: f64,
    /// Stop when ‖g‖*²/2, an estimate of f - f*, is at most this.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for SuperUniversalOptions {
    fn default() -> Self {
        SuperUniversalOptions { exponent: 2.0 / 3.0, regularization: 1.0, tolerance: 1e-12 }
    }
}

impl Options for SuperUniversalOptions {}

/// Super-universal Newton.
pub struct SuperUniversal;

impl Rule for SuperUniversal {
    type Options = SuperUniversalOptions;

    const ABOUT: About = baseline(
        "super-universal-newton",
        "Newton's method regularized by a power of the gradient, its factor found by backtracking",
        "A rival of universal-newton that depends on the coordinates.",
    );

    fn tolerance(options: &SuperUniversalOptions) -> f64 {
        options.tolerance
    }

    fn memory(options: &SuperUniversalOptions) -> f64 {
        options.regularization
    }

    fn decide(
        options: &SuperUniversalOptions,
        objective: &dyn Objective,
        local: &Local,
        factor: &mut f64,
    ) -> Result<Decision> {
        let size = local.gradient.norm().powf(options.exponent);
        for trials in 1..=100 {
            let lambda = *factor * size;
            let step = local.solve(lambda, &local.gradient);
            let next = &local.x - &step;
            let gradient = objective.gradient(&next);
            if gradient.dot(&step) >= gradient.norm_squared() / (4.0 * lambda) {
                *factor /= 4.0;
                return Ok(Decision { next, step: lambda, trials });
            }
            *factor *= 4.0;
        }
        Err(Error::Diverged("no regularization of 100 is enough: the function is not convex here".into()))
    }
}
