//! SARAH (Nguyen et al. 2017, arXiv:1703.00102) and SARAH+: recursive gradients at a fixed step.
//!
//! v = ∇f(w); then w ← w - α v and v ← ∇f_S(w⁺) - ∇f_S(w) + v, for so many steps, or (SARAH+) until ‖v‖² has fallen to a share of its beginning.

use quire_core::{About, Error, Options, Reason, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Batches, Rule, Task};

use crate::vectors::{add_scaled, dot, norm};

/// Options of `sarah`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SarahOptions {
    /// Step size α, > 0; to be tuned. Theory: below 1/L.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub step_size: f64,
    /// Components of a batch, at least 1. As ai-sarah: 64.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Steps of an inner loop, at least 1; by default as many as there are batches.
    #[schemars(range(min = 1))]
    pub inner_steps: Option<u64>,
    /// SARAH+: the inner loop also ends when ‖v‖² has fallen to this share. SARAH+: 1/8; none for plain SARAH.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub gamma: Option<f64>,
}

impl Default for SarahOptions {
    fn default() -> Self {
        SarahOptions { step_size: 1.0, batch_size: 64, inner_steps: None, gamma: None }
    }
}

impl Options for SarahOptions {}

/// The method.
pub struct Sarah {
    options: SarahOptions,
    inner_steps: u64,
    all: Vec<usize>,
    before: Vec<f64>,
    after: Vec<f64>,
}

/// What changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    w: Vec<f64>,
    v: Vec<f64>,
    /// Steps left, and ‖∇f‖² at the beginning of the inner loop.
    inner: Option<(u64, f64)>,
    batches: Batches,
}

impl Rule for Sarah {
    type Options = SarahOptions;
    type State = State;

    const ABOUT: About = About {
        name: "sarah",
        summary: "recursive variance-reduced gradients at a fixed step size",
        when: "A rival of ai-sarah, whose step size has to be tuned.",
        wing: "solve",
        family: "finite_sum",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(task: &Task, options: SarahOptions) -> Result<(Self, State)> {
        let (n, d) = (task.sum.len(), task.sum.dimension());
        let batch_size = options.batch_size.min(n);
        let state = State {
            w: task.start.clone(),
            v: vec![0.0; d],
            inner: None,
            batches: Batches::new(n, batch_size, task.seeds.stream("batches")),
        };
        let inner_steps = options.inner_steps.unwrap_or(n.div_ceil(batch_size) as u64);
        Ok((
            Sarah { options, inner_steps, all: (0..n).collect(), before: vec![0.0; d], after: vec![0.0; d] },
            state,
        ))
    }

    fn step(&mut self, task: &Task, state: &mut State) -> Result<(u64, Option<Reason>)> {
        let State { w, v, inner, batches } = state;
        let Some((left, start)) = *inner else {
            task.sum.gradient(w, &self.all, v);
            *inner = Some((self.inner_steps, dot(v, v)));
            return Ok((self.all.len() as u64, None));
        };
        let batch = batches.draw();
        task.sum.gradient(w, batch, &mut self.before);
        add_scaled(-self.options.step_size, v, w);
        task.sum.gradient(w, batch, &mut self.after);
        add_scaled(1.0, &self.after, v);
        add_scaled(-1.0, &self.before, v);
        let square = dot(v, v);
        if !square.is_finite() {
            return Err(Error::Diverged(
                "the recursive gradient is no longer finite; take a smaller step_size".into(),
            ));
        }
        let has_fallen = self.options.gamma.is_some_and(|gamma| square < gamma * start);
        *inner = (left > 1 && !has_fallen).then_some((left - 1, start));
        Ok((batch.len() as u64, None))
    }

    fn point(state: &State) -> &[f64] {
        &state.w
    }

    fn norm(&self, state: &State) -> f64 {
        norm(&state.v)
    }
}
