//! SVRG (Johnson & Zhang 2013): stochastic gradients corrected by those at an anchor, at a fixed step.
//!
//! An outer loop sets the anchor w̃ = w and takes ∇f(w̃); an inner step is w ← w - α (∇f_S(w) - ∇f_S(w̃) + ∇f(w̃)).

use quire_core::{About, Error, Options, Reason, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Batches, Rule, Task};

use crate::vectors::{add_scaled, norm};

/// Options of `svrg`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SvrgOptions {
    /// Step size α, > 0; to be tuned. Theory: about 1/(10 L).
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub step_size: f64,
    /// Components of a batch, at least 1. As ai-sarah: 64.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Steps of an inner loop, at least 1; by default twice as many as there are batches, as in the paper for convex functions.
    #[schemars(range(min = 1))]
    pub inner_steps: Option<u64>,
}

impl Default for SvrgOptions {
    fn default() -> Self {
        SvrgOptions { step_size: 1.0, batch_size: 64, inner_steps: None }
    }
}

impl Options for SvrgOptions {}

/// The method.
pub struct Svrg {
    options: SvrgOptions,
    inner_steps: u64,
    all: Vec<usize>,
    here: Vec<f64>,
    there: Vec<f64>,
}

/// What changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    w: Vec<f64>,
    anchor: Vec<f64>,
    /// ∇f at the anchor.
    full: Vec<f64>,
    left: u64,
    norm: f64,
    batches: Batches,
}

impl Rule for Svrg {
    type Options = SvrgOptions;
    type State = State;

    const ABOUT: About = About {
        name: "svrg",
        summary: "stochastic gradients corrected by those at an anchor, at a fixed step size",
        when: "A rival of ai-sarah, whose step size has to be tuned.",
        wing: "solve",
        family: "finite_sum",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(task: &Task, options: SvrgOptions) -> Result<(Self, State)> {
        let (n, d) = (task.sum.len(), task.sum.dimension());
        let batch_size = options.batch_size.min(n);
        let state = State {
            w: task.start.clone(),
            anchor: task.start.clone(),
            full: vec![0.0; d],
            left: 0,
            norm: f64::MAX,
            batches: Batches::new(n, batch_size, task.seeds.stream("batches")),
        };
        let inner_steps = options.inner_steps.unwrap_or(2 * n.div_ceil(batch_size) as u64);
        Ok((
            Svrg { options, inner_steps, all: (0..n).collect(), here: vec![0.0; d], there: vec![0.0; d] },
            state,
        ))
    }

    fn step(&mut self, task: &Task, state: &mut State) -> Result<(u64, Option<Reason>)> {
        if state.left == 0 {
            state.anchor.copy_from_slice(&state.w);
            task.sum.gradient(&state.anchor, &self.all, &mut state.full);
            state.left = self.inner_steps;
            return Ok((self.all.len() as u64, None));
        }
        let batch = state.batches.draw();
        task.sum.gradient(&state.w, batch, &mut self.here);
        task.sum.gradient(&state.anchor, batch, &mut self.there);
        let taken = batch.len() as u64;
        add_scaled(-1.0, &self.there, &mut self.here);
        add_scaled(1.0, &state.full, &mut self.here);
        add_scaled(-self.options.step_size, &self.here, &mut state.w);
        state.norm = norm(&self.here);
        state.left -= 1;
        if !state.norm.is_finite() {
            return Err(Error::Diverged("the gradient is no longer finite; take a smaller step_size".into()));
        }
        Ok((taken, None))
    }

    fn point(state: &State) -> &[f64] {
        &state.w
    }

    fn norm(&self, state: &State) -> f64 {
        state.norm
    }
}
