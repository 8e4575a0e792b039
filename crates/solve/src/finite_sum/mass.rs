//! MaSS (Liu & Belkin 2020): Nesterov's momentum with a correction that keeps stochastic gradients from spoiling it, for least squares that can be fitted.
//!
//! > w_{t+1} = u_t - η₁ g(u_t), u_{t+1} = (1 + γ) w_{t+1} - γ w_t + η₂ g(u_t)
//!
//! with η₁ = 1/ℓ, γ = (√(κ κ̃) - 1)/(√(κ κ̃) + 1) and η₂ = η₁ √(κ κ̃)/(√(κ κ̃) + 1) (1 - 1/κ̃) for κ = ℓ/μ, where ℓ and κ̃ are those of batches. The step sizes
//! are the authors' from memory; without noise (κ̃ = 1) it is Nesterov's method.

use quire_core::{About, Options, Reason, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draws, Rule, Task, check_norm, known, known_convexity};
use crate::vectors::{add_scaled, norm};

/// Options of `mass`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MassOptions {
    /// Smoothness ℓ of single components, > 0; by default the sum's own.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub component_smoothness: Option<f64>,
    /// Strong convexity μ, > 0; by default the sum's own.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub strong_convexity: Option<f64>,
    /// Statistical condition number κ̃ of single components, at least 1; by default the sum's own, or the number of components.
    #[schemars(range(min = 1.0))]
    pub statistical_condition: Option<f64>,
    /// Components of a batch, drawn with replacement, at least 1.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
}

impl Default for MassOptions {
    fn default() -> Self {
        MassOptions {
            component_smoothness: None,
            strong_convexity: None,
            statistical_condition: None,
            batch_size: 1,
        }
    }
}

impl Options for MassOptions {}

/// The method.
pub struct Mass {
    /// η₁, γ and η₂.
    pace: [f64; 3],
    gradient: Vec<f64>,
}

/// What changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    w: Vec<f64>,
    u: Vec<f64>,
    norm: f64,
    draws: Draws,
}

/// η₁, γ and η₂ of batches of `batch` components, from [ℓ, L, μ, κ̃].
pub fn mass_pace([component, smoothness, mu, statistical]: [f64; 4], batch: f64) -> [f64; 3] {
    let smoothness = (component + (batch - 1.0) * smoothness) / batch;
    let statistical = (statistical + batch - 1.0) / batch;
    let root = (smoothness / mu * statistical).sqrt();
    let first = 1.0 / smoothness;
    [first, (root - 1.0) / (root + 1.0), first * root / (root + 1.0) * (1.0 - 1.0 / statistical)]
}

impl Rule for Mass {
    type Options = MassOptions;
    type State = State;

    const ABOUT: About = About {
        name: "mass",
        summary: "momentum with a correction for stochastic gradients",
        when: "A rival of accelerated-sgd, made for least squares that can be fitted.",
        wing: "solve",
        family: "finite_sum",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(task: &Task, options: MassOptions) -> Result<(Self, State)> {
        let constants = task.sum.constants(&vec![1.0; task.start.len()]);
        let [component, statistical] = match constants.moments {
            Some([component, statistical]) => [Some(component), Some(statistical)],
            None => [constants.largest_smoothness, Some(task.sum.len() as f64)],
        };
        let component = known("component_smoothness", options.component_smoothness, component)?;
        let mu = known_convexity(options.strong_convexity, constants.strong_convexity)?;
        let statistical =
            known("statistical_condition", options.statistical_condition, statistical)?.max(1.0);
        let smoothness = constants.smoothness.unwrap_or(component);
        let draws = Draws::new(task.sum.len(), options.batch_size, task.seeds.stream("batches"));
        let batch = if draws.is_exact() { f64::MAX } else { options.batch_size as f64 };
        let pace = mass_pace([component, smoothness, mu, statistical], batch);
        let state = State { w: task.start.clone(), u: task.start.clone(), norm: f64::MAX, draws };
        Ok((Mass { pace, gradient: vec![0.0; task.start.len()] }, state))
    }

    fn step(&mut self, task: &Task, state: &mut State) -> Result<(u64, Option<Reason>)> {
        let [first, momentum, correction] = self.pace;
        let batch = state.draws.draw();
        task.sum.gradient(&state.u, batch, &mut self.gradient);
        let components = batch.len() as u64;
        state.norm = norm(&self.gradient);
        check_norm(state.norm, "give a larger component_smoothness")?;
        add_scaled(-first, &self.gradient, &mut state.u);
        for ((w, u), g) in state.w.iter_mut().zip(&mut state.u).zip(&self.gradient) {
            let next = *u;
            *u += momentum * (next - *w) + correction * g;
            *w = next;
        }
        Ok((components, None))
    }

    fn point(state: &State) -> &[f64] {
        &state.w
    }

    fn norm(&self, state: &State) -> f64 {
        state.norm
    }
}
