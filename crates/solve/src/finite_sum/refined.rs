//! SGD at a refined schedule: one run at a straight line to 0 whose gradient norms are recorded, then the run that counts, at the schedule that
//! they ask for.
//!
//! The bound on the last iterate is least for weights w_t ∝ G_t⁻² of gradients of norm G_t, which step sizes η_t ∝ w_t Σ_{p>t} w_p attain; G is smoothed
//! by a median filter first. See [`quire_optim::refinement`].
//!
//! Both runs count as work: after `passes` the first ends, after twice as many the second. Until then the point handed over is that of the first.
//!
//! Source: A. Defazio, A. Cutkosky, H. Mehta, K. Mishchenko, *When, Why and How Much? Adaptive Learning Rate Scheduling by Refinement*,
//! arXiv:2310.07831. Pick it where the same problem is run again and again and is so ill-conditioned, or its peak so small, that the run is too short for it; on easy
//! problems at a tuned peak a straight line does as well or better, and for one run `scheduled-sgd` at `linear` takes half the work.

use quire_core::{About, Error, Options, Paper, Reason, Result};
use quire_optim::refinement::{Power, SMOOTHING, refine};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Batches, Rule, Task, check_norm, full_batches};
use crate::vectors::{add_scaled, norm};

/// Options of `refined-sgd`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RefinedOptions {
    /// Peak step size of the first run, > 0; to be tuned.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub step_size: f64,
    /// Peak step size of the refined run, > 0; that of the first by default. Paper: tuned again.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub refined_step_size: Option<f64>,
    /// Width of the median filter as a share of the run, in (0, 1). Paper's code: 0.1.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub smoothing: f64,
    /// Components of a batch, at least 1. Paper, logistic regression: 16.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Passes of each run, at least 1. Paper, logistic regression: 100.
    #[schemars(range(min = 1))]
    pub passes: u64,
}

impl Default for RefinedOptions {
    fn default() -> Self {
        RefinedOptions {
            step_size: 0.1,
            refined_step_size: None,
            smoothing: SMOOTHING,
            batch_size: 16,
            passes: 100,
        }
    }
}

impl Options for RefinedOptions {}

/// The method.
pub struct Refined {
    options: RefinedOptions,
    /// Steps of each run.
    steps: usize,
    gradient: Vec<f64>,
}

/// What changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    x: Vec<f64>,
    /// Steps of the run under way.
    taken: usize,
    /// Gradient norms of the first run so far.
    norms: Vec<f64>,
    /// The refined schedule, once there is one.
    factors: Vec<f64>,
    norm: f64,
    batches: Batches,
}

impl Rule for Refined {
    type Options = RefinedOptions;
    type State = State;

    const ABOUT: About = About {
        name: "refined-sgd",
        summary: "SGD at a schedule made from the gradient norms of a first run",
        when: "Ill-conditioned problems that are run again and again, with the length of a run fixed in advance: half of the work is the first run. On \
               easy ones at a tuned peak scheduled-sgd is as good. The same for deep learners is `quire refine-schedule`.",
        wing: "solve",
        family: "finite_sum",
        paper: Some(Paper {
            slug: "schedule-refinement",
            title: "When, Why and How Much? Adaptive Learning Rate Scheduling by Refinement",
            arxiv: "2310.07831",
        }),
        is_baseline: false,
        tuned: "",
    };

    fn new(task: &Task, options: RefinedOptions) -> Result<(Self, State)> {
        let (n, d) = (task.sum.len(), task.sum.dimension());
        let batch_size = options.batch_size.min(n);
        let steps = (options.passes * full_batches(n, batch_size)) as usize;
        if steps < 2 {
            return Err(Error::option(
                "passes",
                "must make at least two steps; take more passes or smaller batches",
            ));
        }
        let state = State {
            x: task.start.clone(),
            taken: 0,
            norms: Vec::new(),
            factors: Vec::new(),
            norm: f64::MAX,
            batches: Batches::new(n, batch_size, task.seeds.stream("batches")),
        };
        Ok((Refined { options, steps, gradient: vec![0.0; d] }, state))
    }

    fn step(&mut self, task: &Task, state: &mut State) -> Result<(u64, Option<Reason>)> {
        let options = &self.options;
        let is_first = state.factors.is_empty();
        let batch = state.batches.draw();
        task.sum.gradient(&state.x, batch, &mut self.gradient);
        let components = batch.len() as u64;
        state.norm = norm(&self.gradient);
        check_norm(state.norm, "take a smaller step_size")?;
        let rate = if is_first {
            state.norms.push(state.norm);
            options.step_size * (1.0 - state.taken as f64 / self.steps as f64)
        } else {
            options.refined_step_size.unwrap_or(options.step_size) * state.factors[state.taken]
        };
        add_scaled(-rate, &self.gradient, &mut state.x);
        state.taken += 1;
        if state.taken < self.steps {
            return Ok((components, None));
        }
        if !is_first {
            return Ok((
                components,
                Some(Reason::Converged("the refined schedule has come to its end".into())),
            ));
        }
        if state.norms.iter().all(|norm| *norm == 0.0) {
            return Ok((components, Some(Reason::Converged("all gradients are 0".into()))));
        }
        state.factors = refine(&state.norms, Power::Sgd, options.smoothing)?.factors;
        state.norms = Vec::new();
        state.x.copy_from_slice(&task.start);
        state.taken = 0;
        Ok((components, None))
    }

    fn point(state: &State) -> &[f64] {
        &state.x
    }

    fn norm(&self, state: &State) -> f64 {
        state.norm
    }
}
