//! U-DoG: accelerated steps without a learning rate, and without knowing smoothness, distance or noise.
//!
//! UniXGrad takes two gradients a step, at averages whose weights grow; its step sizes come from distances moved over differences of gradients. The
//! formulas are in [`quire_optim::dog::ExtraGradient`].
//!
//! Source: I. Kreisler, M. Ivgi, O. Hinder, Y. Carmon, *Accelerated Parameter-Free Stochastic Optimization*, arXiv:2404.00666. The accumulators are a
//! reconstruction, not verified against the paper. Pick it for smooth convex sums at batches so large that noise is not what limits, and nothing tuned; with
//! much noise `dog` is as good and takes one gradient a step.

use quire_core::{About, Options, Paper, Reason, Result};
use quire_optim::dog::{ExtraGradient, FIRST_MOVE, Pace};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draws, Rule, Task, check_norm};
use crate::vectors::norm;

/// Options of `u-dog`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UDogOptions {
    /// Length of the first move as a share of 1 + ‖x_0‖, > 0. DoG: 1e-6; it hardly matters.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub first_move: f64,
    /// Factor on both accumulators, > 0. In practice 1; the theory's is poly-logarithmic, with a large constant.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub theory_factor: f64,
    /// Radius of the ball about the start that it keeps to, > 0; none by default.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub radius: Option<f64>,
    /// Components of a batch, drawn with replacement, at least 1; from as many as there are on, gradients are exact.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
}

impl Default for UDogOptions {
    fn default() -> Self {
        UDogOptions { first_move: FIRST_MOVE, theory_factor: 1.0, radius: None, batch_size: 16 }
    }
}

impl Options for UDogOptions {}

/// The method.
pub struct UDog {
    gradient: Vec<f64>,
}

/// What changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    method: ExtraGradient<f64>,
    norm: f64,
    draws: Draws,
}

impl State {
    /// At the start.
    pub(super) fn new(method: ExtraGradient<f64>, draws: Draws) -> Self {
        State { method, norm: f64::MAX, draws }
    }

    /// One of the two gradients of a step, each of a batch of its own.
    pub(super) fn advance(&mut self, task: &Task, gradient: &mut [f64]) -> Result<(u64, Option<Reason>)> {
        let batch = self.draws.draw();
        task.sum.gradient(self.method.point(), batch, gradient);
        let components = batch.len() as u64;
        self.norm = norm(gradient);
        check_norm(self.norm, "the function may not be convex")?;
        self.method.tell(gradient, 1.0);
        Ok((components, None))
    }

    /// x̄.
    pub(super) fn point(&self) -> &[f64] {
        self.method.result()
    }

    /// Of the last gradient.
    pub(super) fn norm(&self) -> f64 {
        self.norm
    }

    /// r̄, an estimate of the distance from the start to the minimum.
    pub fn reach(&self) -> f64 {
        self.method.reach()
    }
}

impl Rule for UDog {
    type Options = UDogOptions;
    type State = State;

    const ABOUT: About = About {
        name: "u-dog",
        summary: "accelerated stochastic gradients without a learning rate: two gradients a step",
        when: "Smooth convex sums at large batches, with nothing known and nothing tuned. Where noise limits, take dog.",
        wing: "solve",
        family: "finite_sum",
        paper: Some(Paper {
            slug: "u-dog",
            title: "Accelerated Parameter-Free Stochastic Optimization",
            arxiv: "2404.00666",
        }),
        is_baseline: false,
        tuned: "",
    };

    fn new(task: &Task, options: UDogOptions) -> Result<(Self, State)> {
        let first_move = options.first_move * (1.0 + norm(&task.start));
        let pace = Pace::Distance { first_move, theory_factor: options.theory_factor };
        let state = State::new(
            ExtraGradient::new(&task.start, pace, options.radius),
            Draws::new(task.sum.len(), options.batch_size, task.seeds.stream("batches")),
        );
        Ok((UDog { gradient: vec![0.0; task.start.len()] }, state))
    }

    fn step(&mut self, task: &Task, state: &mut State) -> Result<(u64, Option<Reason>)> {
        state.advance(task, &mut self.gradient)
    }

    fn point(state: &State) -> &[f64] {
        state.point()
    }

    fn norm(&self, state: &State) -> f64 {
        state.norm()
    }
}
