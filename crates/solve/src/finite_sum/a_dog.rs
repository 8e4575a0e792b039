//! A-DoG: the steps of DoG in an accelerated scheme of one gradient a step.
//!
//! The formulas are in [`quire_optim::dog::ADog`]. It has no theory; the authors of U-DoG offer it as a heuristic.
//!
//! Source: I. Kreisler, M. Ivgi, O. Hinder, Y. Carmon, *Accelerated Parameter-Free Stochastic Optimization*, arXiv:2404.00666; here after a public early
//! implementation whose relation to the paper's final version is not verified. Pick it where u-dog's second gradient is too dear.

use quire_core::{About, Options, Paper, Reason, Result};
use quire_optim::dog::{ADog, FIRST_MOVE};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draws, Rule, Task, check_norm};
use crate::vectors::norm;

/// Options of `a-dog`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ADogOptions {
    /// Length of the first move as a share of 1 + ‖x_0‖, > 0. DoG: 1e-6; it hardly matters.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub first_move: f64,
    /// Components of a batch, drawn with replacement, at least 1; from as many as there are on, gradients are exact.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
}

impl Default for ADogOptions {
    fn default() -> Self {
        ADogOptions { first_move: FIRST_MOVE, batch_size: 16 }
    }
}

impl Options for ADogOptions {}

/// The method.
pub struct AcceleratedDog {
    gradient: Vec<f64>,
}

/// What changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    x: Vec<f64>,
    method: ADog<f64>,
    norm: f64,
    draws: Draws,
}

impl Rule for AcceleratedDog {
    type Options = ADogOptions;
    type State = State;

    const ABOUT: About = About {
        name: "a-dog",
        summary: "accelerated stochastic gradients without a learning rate: one gradient a step, without theory",
        when: "As u-dog, where a second gradient a step is too dear.",
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

    fn new(task: &Task, options: ADogOptions) -> Result<(Self, State)> {
        let first_move = options.first_move * (1.0 + norm(&task.start));
        let state = State {
            x: task.start.clone(),
            method: ADog::new(&task.start, first_move),
            norm: f64::MAX,
            draws: Draws::new(task.sum.len(), options.batch_size, task.seeds.stream("batches")),
        };
        Ok((AcceleratedDog { gradient: vec![0.0; task.start.len()] }, state))
    }

    fn step(&mut self, task: &Task, state: &mut State) -> Result<(u64, Option<Reason>)> {
        let batch = state.draws.draw();
        task.sum.gradient(&state.x, batch, &mut self.gradient);
        let components = batch.len() as u64;
        state.norm = norm(&self.gradient);
        check_norm(state.norm, "the function may not be convex")?;
        state.method.step(&mut state.x, &self.gradient, 1.0);
        Ok((components, None))
    }

    fn point(state: &State) -> &[f64] {
        state.method.result()
    }

    fn norm(&self, state: &State) -> f64 {
        state.norm
    }
}
