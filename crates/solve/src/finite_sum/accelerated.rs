//! Accelerated SGD under interpolation: all f_i are least at one point, so that noise vanishes there.
//!
//! Under strong growth, E ‖∇f_i(w)‖² <= ρ ‖∇f(w)‖², a stochastic step makes progress in expectation, and that is all that Nesterov's estimating sequences ask of it.
//! With η = 1/(ρ L), λ_0 = μ (or 1/η if μ = 0) and λ' = (1 - α) λ + α μ:
//!
//! > α² = η λ', y = (α λ v + λ' w)/(λ + α μ), w ← y - η g(y), v ← ((1 - α) λ v + α μ y - α G)/λ', λ ← λ'
//!
//! With the *exact* gradient for G, E f(w_k) - f* <= (1 - √(μ/(ρ L)))^k (f(w_0) - f* + μ/2 ‖w_0 - w*‖²): ρ enters under the root. An exact gradient costs as much as n
//! of single components. With the *sampled* g(y) for G as well, the method is practical, works on ordinary data, and is not safe: where gradients come
//! all or nothing it diverges. `sampled-safe` takes α² = η λ'/ρ, the rate of older work, in which ρ enters in full.
//!
//! With a preconditioner D both steps are along D⁻¹ g and the constants are those in the norm of D.
//!
//! Source: A. Mishkin, M. Pilanci, M. Schmidt, *Faster Convergence of Stochastic Accelerated Gradient Descent under Interpolation*, arXiv:2404.02378;
//! the scheme is derived anew, the paper's listing was not at hand. Pick `sampled` for models that fit their data; without interpolation nothing of this holds.

use quire_core::{About, Options, Paper, Reason, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draws, Rule, Task, check_norm, known, known_growth};
use crate::vectors::{add_scaled, norm};

/// The gradient of the dual step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dual {
    /// The exact one, at the price of a pass. The theorem's.
    Exact,
    /// The one that was sampled for the primal step. Not safe.
    Sampled,
    /// The one that was sampled, with momentum so small that it is safe.
    SampledSafe,
}

/// What gradients are multiplied by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preconditioner {
    /// Nothing.
    None,
    /// The inverse of the diagonal of the Hessian at the start.
    Diagonal,
}

/// Options of `accelerated-sgd`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AcceleratedOptions {
    /// The gradient of the dual step. Theorem: `exact`; practice: `sampled`.
    pub dual: Dual,
    /// What gradients are multiplied by. Paper: any that makes progress in expectation.
    pub preconditioner: Preconditioner,
    /// Smoothness L in the preconditioner's norm, > 0; by default the sum's own.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub smoothness: Option<f64>,
    /// Strong convexity μ in that norm, at least 0, not more than the truth; by default the sum's own, or 0.
    #[schemars(range(min = 0.0))]
    pub strong_convexity: Option<f64>,
    /// Growth constant ρ of single components, at least 1; by default the sum's own, or L_max/L. Too large is slow, too small diverges.
    #[schemars(range(min = 1.0))]
    pub growth: Option<f64>,
    /// Components of a batch, drawn with replacement, at least 1.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Iterations after which it stops, at least 1; by default it goes on.
    #[schemars(range(min = 1))]
    pub iterations: Option<u64>,
}

impl Default for AcceleratedOptions {
    fn default() -> Self {
        AcceleratedOptions {
            dual: Dual::Sampled,
            preconditioner: Preconditioner::None,
            smoothness: None,
            strong_convexity: None,
            growth: None,
            batch_size: 1,
            iterations: None,
        }
    }
}

impl Options for AcceleratedOptions {}

/// The constants of an iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficients {
    /// α.
    pub alpha: f64,
    /// λ before the iteration.
    pub lambda: f64,
    /// λ after it.
    pub next: f64,
    /// μ.
    pub mu: f64,
}

impl Coefficients {
    /// α² = `pace` λ' with λ' = (1 - α) λ + α μ.
    pub fn new(pace: f64, lambda: f64, mu: f64) -> Self {
        let half = 0.5 * pace * (lambda - mu);
        let root = (half * half + pace * lambda).sqrt();
        // The root of α² + 2 half α - pace λ = 0 that is above 0, without taking a difference of equals.
        let alpha = if half > 0.0 { pace * lambda / (root + half) } else { root - half };
        Coefficients { alpha, lambda, next: (1.0 - alpha) * lambda + alpha * mu, mu }
    }

    /// `y` <- (α λ v + λ' w)/(λ + α μ).
    pub fn extrapolate(&self, w: &[f64], v: &[f64], y: &mut [f64]) {
        let share = self.alpha * self.lambda / (self.lambda + self.alpha * self.mu);
        for (y, (w, v)) in y.iter_mut().zip(w.iter().zip(v)) {
            *y = w + share * (v - w);
        }
    }

    /// `v` <- ((1 - α) λ v + α μ y - α G)/λ'.
    pub fn dual_step(&self, v: &mut [f64], y: &[f64], gradient: &[f64]) {
        let keep = (1.0 - self.alpha) * self.lambda / self.next;
        let pull = self.alpha * self.mu / self.next;
        let step = self.alpha / self.next;
        for (v, (y, g)) in v.iter_mut().zip(y.iter().zip(gradient)) {
            *v = keep * *v + pull * y - step * g;
        }
    }
}

/// The method.
pub struct Accelerated {
    options: AcceleratedOptions,
    eta: f64,
    /// η of the equation for α.
    pace: f64,
    mu: f64,
    /// D⁻¹.
    scale: Vec<f64>,
    all: Vec<usize>,
    y: Vec<f64>,
    gradient: Vec<f64>,
    exact: Vec<f64>,
}

/// What changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    w: Vec<f64>,
    v: Vec<f64>,
    lambda: f64,
    iterations: u64,
    norm: f64,
    draws: Draws,
}

impl Rule for Accelerated {
    type Options = AcceleratedOptions;
    type State = State;

    const ABOUT: About = About {
        name: "accelerated-sgd",
        summary: "accelerated SGD for models that fit their data, with an exact or a sampled dual step",
        when: "Interpolating, ill-conditioned sums whose constants are roughly known. Where data cannot be fitted, take shuffling-sgd or ai-sarah.",
        wing: "solve",
        family: "finite_sum",
        paper: Some(Paper {
            slug: "accelerated-sgd",
            title: "Faster Convergence of Stochastic Accelerated Gradient Descent under Interpolation",
            arxiv: "2404.02378",
        }),
        is_baseline: false,
        tuned: "",
    };

    fn new(task: &Task, options: AcceleratedOptions) -> Result<(Self, State)> {
        let (n, d) = (task.sum.len(), task.sum.dimension());
        let all: Vec<usize> = (0..n).collect();
        let metric = match options.preconditioner {
            Preconditioner::None => vec![1.0; d],
            Preconditioner::Diagonal => diagonal(task, &all),
        };
        let constants = task.sum.constants(&metric);
        let smoothness = known("smoothness", options.smoothness, constants.smoothness)?;
        let mu = options.strong_convexity.or(constants.strong_convexity).unwrap_or(0.0).min(smoothness);
        let draws = Draws::new(n, options.batch_size, task.seeds.stream("batches"));
        let growth = known_growth(options.growth, &constants, smoothness, &draws)?;
        let eta = 1.0 / (growth * smoothness);
        let pace = if options.dual == Dual::SampledSafe { eta / growth } else { eta };
        let state = State {
            w: task.start.clone(),
            v: task.start.clone(),
            lambda: if mu > 0.0 { mu } else { 1.0 / pace },
            iterations: 0,
            norm: f64::MAX,
            draws,
        };
        let scale = metric.iter().map(|m| 1.0 / m).collect();
        let zeros = vec![0.0; d];
        Ok((
            Accelerated {
                options,
                eta,
                pace,
                mu,
                scale,
                all,
                y: zeros.clone(),
                gradient: zeros.clone(),
                exact: zeros,
            },
            state,
        ))
    }

    fn step(&mut self, task: &Task, state: &mut State) -> Result<(u64, Option<Reason>)> {
        let coefficients = Coefficients::new(self.pace, state.lambda, self.mu);
        coefficients.extrapolate(&state.w, &state.v, &mut self.y);

        let batch = state.draws.draw();
        task.sum.gradient(&self.y, batch, &mut self.gradient);
        let mut components = batch.len() as u64;
        state.norm = norm(&self.gradient);
        check_norm(
            state.norm,
            "give a larger growth; a sampled dual step is not safe for every sum, sampled-safe is",
        )?;
        self.gradient.iter_mut().zip(&self.scale).for_each(|(g, scale)| *g *= scale);
        state.w.copy_from_slice(&self.y);
        add_scaled(-self.eta, &self.gradient, &mut state.w);

        if self.options.dual == Dual::Exact {
            task.sum.gradient(&self.y, &self.all, &mut self.exact);
            components += self.all.len() as u64;
            self.exact.iter_mut().zip(&self.scale).for_each(|(g, scale)| *g *= scale);
            coefficients.dual_step(&mut state.v, &self.y, &self.exact);
        } else {
            coefficients.dual_step(&mut state.v, &self.y, &self.gradient);
        }
        state.lambda = coefficients.next;
        state.iterations += 1;
        let is_done = self.options.iterations == Some(state.iterations);
        Ok((components, is_done.then(|| Reason::Converged("all iterations are done".into()))))
    }

    fn point(state: &State) -> &[f64] {
        &state.w
    }

    fn norm(&self, state: &State) -> f64 {
        state.norm
    }
}

/// The diagonal of the Hessian at the start, kept above a millionth of its largest entry.
fn diagonal(task: &Task, all: &[usize]) -> Vec<f64> {
    let d = task.start.len();
    let (mut unit, mut product) = (vec![0.0; d], vec![0.0; d]);
    let mut diagonal: Vec<f64> = (0..d)
        .map(|j| {
            unit[j] = 1.0;
            task.sum.hessian_product(&task.start, all, &unit, &mut product);
            unit[j] = 0.0;
            product[j]
        })
        .collect();
    let least = (1e-6 * diagonal.iter().copied().fold(0.0, f64::max)).max(f64::MIN_POSITIVE);
    diagonal.iter_mut().for_each(|entry| *entry = entry.max(least));
    diagonal
}
