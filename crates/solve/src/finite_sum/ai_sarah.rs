//! AI-SARAH: recursive stochastic gradients whose step size is chosen so that the next one is small.
//!
//! An outer loop takes the full gradient v = ∇f(w). An inner step draws a batch S and looks at ξ(α) = ‖∇f_S(w - α v) - ∇f_S(w) + v‖², the size of the
//! next recursive gradient. One Newton step from α = 0,
//!
//! > ξ'(0) = -2 vᵀ H_S v,  ξ''(0) = 2 ‖H_S v‖² + 2 D³f_S[v, v, v],  α̃ = -ξ'(0) / |ξ''(0)|,
//!
//! gives α = min(α̃, α_max), where 1/α_max is a running average of the 1/α̃ before, an estimate of L (α_max = ∞ at first). Then w⁺ = w - α v and
//! v ← ∇f_S(w⁺) - ∇f_S(w) + v. The inner loop ends when ‖v‖² < γ ‖∇f‖² of its beginning.
//!
//! D³f_S[v, v, v] is the third derivative in direction v. On functions that are not convex α̃ may be
//! negative; the step is then α_max. It counts as gradients what the authors count: one pass an outer loop, and |S| an inner step (two gradients and a
//! product of the Hessian are taken).
//!
//! Source: Z. Shi et al., *AI-SARAH: Adaptive and Implicit Stochastic Recursive Gradient Methods*, arXiv:2102.09700.

use quire_core::{About, Error, Options, Paper, Reason, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Batches, Rule, Task};

use crate::vectors::{add_scaled, dot, norm};

/// Options of `ai-sarah`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AiSarahOptions {
    /// Components of a batch, at least 1. The paper: 64.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// γ: an inner loop ends when ‖v‖² has fallen to this share, in (0, 1). The paper: 1/32.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub gamma: f64,
    /// β: weight of the old estimate of L in the new one, in [0, 1]. The paper: 0.999.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub beta: f64,
    /// Stop when the squared norm of the full gradient is below this. The authors' code: 1e-15.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for AiSarahOptions {
    fn default() -> Self {
        AiSarahOptions { batch_size: 64, gamma: 1.0 / 32.0, beta: 0.999, tolerance: 1e-15 }
    }
}

impl Options for AiSarahOptions {}

/// The method.
pub struct AiSarah {
    options: AiSarahOptions,
    all: Vec<usize>,
    before: Vec<f64>,
    after: Vec<f64>,
    product: Vec<f64>,
}

/// What changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// w.
    pub w: Vec<f64>,
    /// v.
    pub v: Vec<f64>,
    /// ‖∇f‖² at the beginning of the inner loop; `None` before an outer one.
    loop_started_at: Option<f64>,
    /// δ = 1/α_max; 0 before the first step.
    pub delta: f64,
    /// The last α.
    pub step_size: f64,
    batches: Batches,
}

impl Rule for AiSarah {
    type Options = AiSarahOptions;
    type State = State;

    const ABOUT: About = About {
        name: "ai-sarah",
        summary: "recursive variance-reduced gradients with a step size that tunes itself",
        when: "Convex finite sums with Hessian-vector products, such as generalized linear models, to high accuracy and without any tuning.",
        wing: "solve",
        family: "finite_sum",
        paper: Some(Paper {
            slug: "ai-sarah",
            title: "AI-SARAH: Adaptive and Implicit Stochastic Recursive Gradient Methods",
            arxiv: "2102.09700",
        }),
        is_baseline: false,
        tuned: "",
    };

    fn new(task: &Task, options: AiSarahOptions) -> Result<(Self, State)> {
        let (n, d) = (task.sum.len(), task.sum.dimension());
        let state = State {
            w: task.start.clone(),
            v: vec![0.0; d],
            loop_started_at: None,
            delta: 0.0,
            step_size: 0.0,
            batches: Batches::new(n, options.batch_size.min(n), task.seeds.stream("batches")),
        };
        let zeros = || vec![0.0; d];
        Ok((
            AiSarah { options, all: (0..n).collect(), before: zeros(), after: zeros(), product: zeros() },
            state,
        ))
    }

    fn step(&mut self, task: &Task, state: &mut State) -> Result<(u64, Option<Reason>)> {
        let State { w, v, loop_started_at, delta, step_size, batches } = state;
        let Some(start) = *loop_started_at else {
            task.sum.gradient(w, &self.all, v);
            let square = dot(v, v);
            *loop_started_at = Some(square);
            let tolerance = self.options.tolerance;
            let done = (square < tolerance).then(|| {
                Reason::Converged(format!("the squared norm of the full gradient is below {tolerance:e}"))
            });
            return Ok((self.all.len() as u64, done));
        };
        let batch = batches.draw();
        task.sum.gradient(w, batch, &mut self.before);
        task.sum.hessian_product(w, batch, v, &mut self.product);
        let slope = -2.0 * dot(v, &self.product);
        let curvature =
            2.0 * dot(&self.product, &self.product) + 2.0 * task.sum.third_derivative(w, batch, v);
        let newton = -slope / curvature.abs();
        let largest = if *delta > 0.0 { 1.0 / *delta } else { f64::INFINITY };
        let is_usable = newton > 0.0 && newton.is_finite();
        let alpha = if is_usable { newton.min(largest) } else { largest };
        if !alpha.is_finite() {
            return Err(Error::Diverged("the function has no positive curvature at the first step".into()));
        }
        if is_usable {
            let beta = self.options.beta;
            *delta = if *delta > 0.0 { beta * *delta + (1.0 - beta) / newton } else { 1.0 / newton };
        }
        *step_size = alpha;
        add_scaled(-alpha, v, w);
        task.sum.gradient(w, batch, &mut self.after);
        add_scaled(1.0, &self.after, v);
        add_scaled(-1.0, &self.before, v);
        let square = dot(v, v);
        if !square.is_finite() {
            return Err(Error::Diverged("the recursive gradient is no longer finite".into()));
        }
        if square < self.options.gamma * start {
            *loop_started_at = None;
        }
        Ok((batch.len() as u64, None))
    }

    fn point(state: &State) -> &[f64] {
        &state.w
    }

    fn norm(&self, state: &State) -> f64 {
        norm(&state.v)
    }
}
