//! DoG (Ivgi, Hinder & Carmon 2023): SGD without a learning rate, x ← x - r̄/√(Σ ‖g‖² + 1e-8) g, where r̄ is the greatest distance from the start.
//!
//! Handed over is a mean of the iterates: weighted by r̄, as the theory has it, or by t⁸ as the authors do in practice (polynomial-decay averaging), or the
//! last one.

use quire_core::{About, Options, Reason, Result};
use quire_optim::dog::{Dog, FIRST_MOVE};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draws, Rule, Task, check_norm};
use crate::vectors::norm;

/// γ of polynomial-decay averaging. The authors: 8.
const GAMMA: f64 = 8.0;

/// Which point is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DogAverage {
    /// The mean weighted by r̄.
    Reach,
    /// Polynomial-decay averaging with γ = 8.
    Polynomial,
    /// The last iterate.
    Last,
}

/// Options of `dog`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DogOptions {
    /// Length of the first move as a share of 1 + ‖x_0‖, > 0. Authors: 1e-6.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub first_move: f64,
    /// Which point is handed over. Theory: `reach`; practice: `polynomial`.
    pub average: DogAverage,
    /// Components of a batch, drawn with replacement, at least 1; from as many as there are on, gradients are exact.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
}

impl Default for DogOptions {
    fn default() -> Self {
        DogOptions { first_move: FIRST_MOVE, average: DogAverage::Polynomial, batch_size: 16 }
    }
}

impl Options for DogOptions {}

/// The method.
pub struct DistanceOverGradients {
    options: DogOptions,
    gradient: Vec<f64>,
}

/// What changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    x: Vec<f64>,
    mean: Vec<f64>,
    /// Σ r̄.
    reaches: f64,
    steps: u64,
    method: Dog<f64>,
    norm: f64,
    draws: Draws,
}

impl Rule for DistanceOverGradients {
    type Options = DogOptions;
    type State = State;

    const ABOUT: About = About {
        name: "dog",
        summary: "SGD without a learning rate: distance over gradients",
        when: "Noisy convex sums with nothing tuned; without much noise u-dog is faster.",
        wing: "solve",
        family: "finite_sum",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(task: &Task, options: DogOptions) -> Result<(Self, State)> {
        let first_move = options.first_move * (1.0 + norm(&task.start));
        let state = State {
            x: task.start.clone(),
            mean: task.start.clone(),
            reaches: 0.0,
            steps: 0,
            method: Dog::new(&task.start, first_move),
            norm: f64::MAX,
            draws: Draws::new(task.sum.len(), options.batch_size, task.seeds.stream("batches")),
        };
        Ok((DistanceOverGradients { options, gradient: vec![0.0; task.start.len()] }, state))
    }

    fn step(&mut self, task: &Task, state: &mut State) -> Result<(u64, Option<Reason>)> {
        let batch = state.draws.draw();
        task.sum.gradient(&state.x, batch, &mut self.gradient);
        let components = batch.len() as u64;
        state.norm = norm(&self.gradient);
        check_norm(state.norm, "the function may not be convex")?;
        if self.options.average == DogAverage::Reach {
            // x_t counts with r̄_t, which the step finds.
            let before = state.x.clone();
            state.method.step(&mut state.x, &self.gradient, 1.0);
            state.reaches += state.method.reach();
            move_towards(&mut state.mean, &before, state.method.reach() / state.reaches);
        } else {
            state.method.step(&mut state.x, &self.gradient, 1.0);
            state.steps += 1;
            let share = match self.options.average {
                DogAverage::Polynomial => (GAMMA + 1.0) / (GAMMA + state.steps as f64),
                _ => 1.0,
            };
            move_towards(&mut state.mean, &state.x, share);
        }
        Ok((components, None))
    }

    fn point(state: &State) -> &[f64] {
        &state.mean
    }

    fn norm(&self, state: &State) -> f64 {
        state.norm
    }
}

fn move_towards(mean: &mut [f64], x: &[f64], share: f64) {
    mean.iter_mut().zip(x).for_each(|(mean, x)| *mean += share * (x - *mean));
}
