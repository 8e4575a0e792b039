//! Gradient descent on a factor from a small start: X ← X - (η/‖X*‖²) A*(A(X Xᵀ) - y) X.
//!
//! It recovers the matrix too, but a direction of singular value σ grows at a rate of σ², so that the time is polynomial in the condition number.

use nalgebra::DMatrix;
use quire_core::{About, Error, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{RESIDUAL, Start, Task, values};
use crate::solver::{Method, Solver, Step};

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
pub struct GradientDescent {
    options: GradientDescentOptions,
    x: DMatrix<f64>,
    gradients: u64,
}

impl Method<Task> for GradientDescent {
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

    fn new(task: &Task, options: GradientDescentOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(GradientDescent { x: task.start(options.start, options.initial_scale), options, gradients: 0 })
    }
}

impl Solver<Task> for GradientDescent {
    fn iterate(&mut self, task: &Task) -> Result<Step> {
        let (gradient, residual) = task.gradient(&self.x)?;
        self.gradients += 1;
        let judged = Step::judged(residual, self.options.tolerance, RESIDUAL);
        if judged.done.is_none() {
            self.x -= gradient * (self.options.step_size / (task.scale * task.scale));
        }
        Ok(judged)
    }

    fn values(&self) -> Vec<f64> {
        values(&self.x)
    }

    fn work(&self) -> f64 {
        self.gradients as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("sensing-gd", &(values(&self.x), self.gradients))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (x, gradients): (Vec<f64>, u64) = state::decode("sensing-gd", saved)?;
        if x.len() != self.x.len() {
            return Err(Error::Resume("the saved factor has another shape".into()));
        }
        self.x = DMatrix::from_row_slice(self.x.nrows(), self.x.ncols(), &x);
        self.gradients = gradients;
        Ok(())
    }
}
