//! Gradient descent on a factor from a small start: X ← X - (η/‖X*‖²) A*(A(X Xᵀ) - y) X.
//!
//! It recovers the matrix too, but a direction of singular value σ grows at a rate of σ², so that the time is polynomial in the condition number.

use nalgebra::DMatrix;
use quire_core::{About, Options, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Rule, Start, Task};

/// Options of `sensing-gd`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GradientDescentOptions {
    /// η, > 0. Ours: 0.3.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub step_size: f64,
    /// Where X begins.
    pub start: Start,
    /// The size of a small start as a share of ‖X*‖, > 0. Ours: 1e-3, which spares it most of the growth.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub initial_scale: f64,
    /// Stop when the relative residual of the measurements is at most this. Ours: 1e-12.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for GradientDescentOptions {
    fn default() -> Self {
        GradientDescentOptions { step_size: 0.3, start: Start::Small, initial_scale: 1e-3, tolerance: 1e-12 }
    }
}

impl Options for GradientDescentOptions {}

/// The method.
pub struct GradientDescent;

impl Rule for GradientDescent {
    type Options = GradientDescentOptions;

    const ABOUT: About = About {
        name: "sensing-gd",
        summary: "gradient descent on a factor from a small start",
        when: "A rival of scaled-gd; well-conditioned matrices.",
        wing: "solve",
        family: "sensing",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn setting(options: &GradientDescentOptions) -> (Start, f64, f64) {
        (options.start, options.initial_scale, options.tolerance)
    }

    fn step(
        options: &GradientDescentOptions,
        task: &Task,
        x: &DMatrix<f64>,
        gradient: &DMatrix<f64>,
        _residual: f64,
    ) -> Result<DMatrix<f64>> {
        Ok(x - gradient * (options.step_size / (task.scale * task.scale)))
    }
}
