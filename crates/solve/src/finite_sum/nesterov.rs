//! Nesterov's accelerated gradient (1983) with known constants: x_{k+1} = y_k - g(y_k)/L, y_{k+1} = x_{k+1} + β_k (x_{k+1} - x_k).
//!
//! β_k = k/(k+3) where f is convex, (√κ - 1)/(√κ + 1) with κ = L/μ where it is told to rely on strong convexity.

use quire_core::{About, Error, Options, Reason, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draws, Rule, Task, check_norm, known};
use crate::vectors::{add_scaled, norm};

/// Options of `nesterov`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NesterovOptions {
    /// Smoothness L, > 0; by default the sum's own.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub smoothness: Option<f64>,
    /// Strong convexity μ that momentum relies on, > 0; by default none.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub strong_convexity: Option<f64>,
    /// Components of a batch, drawn with replacement, at least 1; by default all, and gradients are exact.
    #[schemars(range(min = 1))]
    pub batch_size: Option<usize>,
}

impl Options for NesterovOptions {}

/// The method.
pub struct Nesterov {
    smoothness: f64,
    /// β, where it is constant.
    momentum: Option<f64>,
    gradient: Vec<f64>,
}

/// What changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    x: Vec<f64>,
    y: Vec<f64>,
    steps: u64,
    norm: f64,
    draws: Draws,
}

impl Rule for Nesterov {
    type Options = NesterovOptions;
    type State = State;

    const ABOUT: About = About {
        name: "nesterov",
        summary: "Nesterov's accelerated gradient, told the smoothness",
        when: "Exact gradients and a known smoothness; a rival of u-dog, which knows nothing, and of accelerated-sgd.",
        wing: "solve",
        family: "finite_sum",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(task: &Task, options: NesterovOptions) -> Result<(Self, State)> {
        let constants = task.sum.constants(&vec![1.0; task.start.len()]);
        let smoothness = known("smoothness", options.smoothness, constants.smoothness)?;
        if options.strong_convexity.is_some_and(|mu| mu > smoothness) {
            return Err(Error::option(
                "strong_convexity",
                format!("is more than the smoothness, {smoothness}"),
            ));
        }
        let momentum = options.strong_convexity.map(|mu| {
            let root = (smoothness / mu).sqrt();
            (root - 1.0) / (root + 1.0)
        });
        let n = task.sum.len();
        let state = State {
            x: task.start.clone(),
            y: task.start.clone(),
            steps: 0,
            norm: f64::MAX,
            draws: Draws::new(n, options.batch_size.unwrap_or(n), task.seeds.stream("batches")),
        };
        Ok((Nesterov { smoothness, momentum, gradient: vec![0.0; task.start.len()] }, state))
    }

    fn step(&mut self, task: &Task, state: &mut State) -> Result<(u64, Option<Reason>)> {
        let batch = state.draws.draw();
        task.sum.gradient(&state.y, batch, &mut self.gradient);
        let components = batch.len() as u64;
        state.norm = norm(&self.gradient);
        check_norm(state.norm, "give a larger smoothness")?;
        let k = state.steps as f64;
        let beta = self.momentum.unwrap_or(k / (k + 3.0));
        add_scaled(-1.0 / self.smoothness, &self.gradient, &mut state.y);
        for (x, y) in state.x.iter_mut().zip(&mut state.y) {
            let next = *y;
            *y += beta * (next - *x);
            *x = next;
        }
        state.steps += 1;
        Ok((components, None))
    }

    fn point(state: &State) -> &[f64] {
        &state.x
    }

    fn norm(&self, state: &State) -> f64 {
        state.norm
    }
}
