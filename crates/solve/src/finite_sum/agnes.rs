//! AGNES (Gupta, Siegel & Wojtowytsch 2023): accelerated gradients under noise that is proportional to the gradient.
//!
//! > y = x + α v, x ← y - η g(y), v ← β (v - g(y))
//!
//! with η = 1/(ρ L), α = η (1 - √(μ/L))/(ρ - √(μ/L)) and β = (ρ √L - √μ)/(ρ √L + √μ), from memory; without noise (ρ = 1) it is Nesterov's method.

use quire_core::{About, Options, Reason, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draws, Rule, Task, check_norm, known, known_convexity, known_growth};
use crate::vectors::{add_scaled, norm};

/// Options of `agnes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AgnesOptions {
    /// Smoothness L, > 0; by default the sum's own.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub smoothness: Option<f64>,
    /// Strong convexity μ, > 0; by default the sum's own.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub strong_convexity: Option<f64>,
    /// Growth constant ρ of single components, at least 1; by default the sum's own, or L_max/L.
    #[schemars(range(min = 1.0))]
    pub growth: Option<f64>,
    /// Components of a batch, drawn with replacement, at least 1.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
}

impl Default for AgnesOptions {
    fn default() -> Self {
        AgnesOptions { smoothness: None, strong_convexity: None, growth: None, batch_size: 1 }
    }
}

impl Options for AgnesOptions {}

/// The method.
pub struct Agnes {
    /// η, α and β.
    pace: [f64; 3],
    gradient: Vec<f64>,
}

/// What changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    x: Vec<f64>,
    v: Vec<f64>,
    y: Vec<f64>,
    norm: f64,
    draws: Draws,
}

/// η, α and β from [L, μ, ρ].
pub fn agnes_pace([smoothness, mu, growth]: [f64; 3]) -> [f64; 3] {
    let root = (mu / smoothness).sqrt();
    let eta = 1.0 / (growth * smoothness);
    [eta, eta * (1.0 - root) / (growth - root), (growth - root) / (growth + root)]
}

impl Rule for Agnes {
    type Options = AgnesOptions;
    type State = State;

    const ABOUT: About = About {
        name: "agnes",
        summary: "accelerated gradients under noise proportional to the gradient",
        when: "A rival of accelerated-sgd.",
        wing: "solve",
        family: "finite_sum",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(task: &Task, options: AgnesOptions) -> Result<(Self, State)> {
        let constants = task.sum.constants(&vec![1.0; task.start.len()]);
        let smoothness = known("smoothness", options.smoothness, constants.smoothness)?;
        let mu = known_convexity(options.strong_convexity, constants.strong_convexity)?.min(smoothness);
        let draws = Draws::new(task.sum.len(), options.batch_size, task.seeds.stream("batches"));
        let growth = known_growth(options.growth, &constants, smoothness, &draws)?;
        let d = task.start.len();
        let state =
            State { x: task.start.clone(), v: vec![0.0; d], y: task.start.clone(), norm: f64::MAX, draws };
        Ok((Agnes { pace: agnes_pace([smoothness, mu, growth]), gradient: vec![0.0; d] }, state))
    }

    fn step(&mut self, task: &Task, state: &mut State) -> Result<(u64, Option<Reason>)> {
        let [eta, alpha, beta] = self.pace;
        state.y.copy_from_slice(&state.x);
        add_scaled(alpha, &state.v, &mut state.y);
        let batch = state.draws.draw();
        task.sum.gradient(&state.y, batch, &mut self.gradient);
        let components = batch.len() as u64;
        state.norm = norm(&self.gradient);
        check_norm(state.norm, "give a larger growth")?;
        state.x.copy_from_slice(&state.y);
        add_scaled(-eta, &self.gradient, &mut state.x);
        state.v.iter_mut().zip(&self.gradient).for_each(|(v, g)| *v = beta * (*v - g));
        Ok((components, None))
    }

    fn point(state: &State) -> &[f64] {
        &state.x
    }

    fn norm(&self, state: &State) -> f64 {
        state.norm
    }
}
