//! Stepsizes from one number: AICN, the damped Newton method, a constant.
//!
//! > AICN: α = 2/(1 + sqrt(1 + 2 L ‖g‖*)) = (sqrt(1 + 2 L ‖g‖*) - 1)/(L ‖g‖*)      damped: α = 1/(1 + L ‖g‖*)
//!
//! Sources: S. Hanzely, D. Kamzolov, D. Pasechnyuk, A. Gasnikov, P. Richtárik & M. Takáč, *A damped Newton method achieves global
//! O(1/k²) and local quadratic convergence rate*, NeurIPS 2022; Y. Nesterov & A. Nemirovskii 1994.

use quire_core::{About, Options, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Decision, Local, Objective, Rule, baseline};

/// Options of `aicn` and `damped-newton`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleOptions {
    /// L: the constant of semi-strong self-concordance (AICN), or of self-concordance, in local norms. Paper: 1 for polytopes.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub smoothness: f64,
    /// Stop when ‖g‖*²/2, an estimate of f - f*, is at most this.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for ScheduleOptions {
    fn default() -> Self {
        ScheduleOptions { smoothness: 1.0, tolerance: 1e-12 }
    }
}

impl Options for ScheduleOptions {}

/// Options of `constant-newton`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConstantOptions {
    /// α; 1 is Newton's method itself.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub step: f64,
    /// Stop when ‖g‖*²/2, an estimate of f - f*, is at most this.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for ConstantOptions {
    fn default() -> Self {
        ConstantOptions { step: 0.5, tolerance: 1e-12 }
    }
}

impl Options for ConstantOptions {}

/// AICN's stepsize.
pub fn aicn_step(smoothness: f64, size: f64) -> f64 {
    2.0 / (1.0 + (1.0 + 2.0 * smoothness * size).sqrt())
}

/// AICN.
pub struct Aicn;

/// The damped Newton method.
pub struct Damped;

/// A constant step.
pub struct Constant;

macro_rules! rule {
    ($rule:ident, $options:ident, $about:expr, |$set:ident, $size:ident| $alpha:expr) => {
        impl Rule for $rule {
            type Options = $options;

            const ABOUT: About = $about;

            fn tolerance(options: &$options) -> f64 {
                options.tolerance
            }

            fn decide(
                $set: &$options,
                _objective: &dyn Objective,
                local: &Local,
                _memory: &mut f64,
            ) -> Result<Decision> {
                let $size = local.size;
                let alpha = $alpha;
                Ok(Decision { next: local.at(alpha), step: alpha, trials: 1 })
            }
        }
    };
}

rule!(
    Aicn,
    ScheduleOptions,
    baseline(
        "aicn",
        "Affine-invariant cubic Newton: a damped step with an O(1/k²) rate",
        "A rival of root-newton, which has faster rates on smoother functions."
    ),
    |options, size| aicn_step(options.smoothness, size)
);
rule!(
    Damped,
    ScheduleOptions,
    baseline(
        "damped-newton",
        "The damped Newton method of self-concordant functions",
        "For self-concordant functions, whose constant is known: barriers. Elsewhere it is far too careful."
    ),
    |options, size| 1.0 / (1.0 + options.smoothness * size)
);
rule!(
    Constant,
    ConstantOptions,
    baseline(
        "constant-newton",
        "Newton's method with a constant step",
        "With step 1, near a solution. From afar there is no guarantee."
    ),
    |options, _size| options.step
);
