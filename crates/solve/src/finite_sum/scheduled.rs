//! SGD whose step size follows a schedule: x ← x - η_t ∇f_S(x) with η_t = step_size times a factor that depends on how much of the run is over.
//!
//! Worst cases say that the factor should fall on a straight line to 0, and that no other schedule that does not look at gradients is better by
//! more than a constant; `refined-sgd` looks at them.
//!
//! The length of the run is an option, `passes`, because a schedule must know where it ends; a run of a larger budget stops there.

use quire_core::{About, Options, Reason, Result};
use quire_optim::Schedule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Batches, Rule, Task, check_norm, full_batches};
use crate::vectors::{add_scaled, norm};

/// Options of `scheduled-sgd`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduledOptions {
    /// Peak step size, > 0; to be tuned.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub step_size: f64,
    /// How it changes over the run. Worst cases: `linear`.
    pub schedule: Schedule,
    /// Components of a batch, at least 1. Paper, logistic regression: 16.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Passes of the run, at least 1: the schedule ends there. Paper, logistic regression: 100.
    #[schemars(range(min = 1))]
    pub passes: u64,
}

impl Default for ScheduledOptions {
    fn default() -> Self {
        ScheduledOptions {
            step_size: 0.1,
            schedule: Schedule::Linear(Default::default()),
            batch_size: 16,
            passes: 100,
        }
    }
}

impl Options for ScheduledOptions {
    fn validate(&self) -> Result<()> {
        self.schedule.check("schedule.")
    }
}

/// The method.
pub struct Scheduled {
    options: ScheduledOptions,
    /// The schedule with its end, and the steps until then.
    schedule: Schedule,
    steps: u64,
    gradient: Vec<f64>,
}

/// What changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    x: Vec<f64>,
    taken: u64,
    norm: f64,
    batches: Batches,
}

impl Rule for Scheduled {
    type Options = ScheduledOptions;
    type State = State;

    const ABOUT: About = About {
        name: "scheduled-sgd",
        summary: "SGD whose step size follows a schedule: constant, linear, cosine, steps, 1/t, 1/sqrt(t) or a list",
        when: "A rival of refined-sgd. With `linear`, the schedule to start with when nothing is known of the gradients.",
        wing: "solve",
        family: "finite_sum",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(task: &Task, options: ScheduledOptions) -> Result<(Self, State)> {
        let (n, d) = (task.sum.len(), task.sum.dimension());
        let batch_size = options.batch_size.min(n);
        let steps = options.passes * full_batches(n, batch_size);
        let schedule = options.schedule.with_steps_of(Some(steps), "schedule.")?;
        let state = State {
            x: task.start.clone(),
            taken: 0,
            norm: f64::MAX,
            batches: Batches::new(n, batch_size, task.seeds.stream("batches")),
        };
        Ok((Scheduled { options, schedule, steps, gradient: vec![0.0; d] }, state))
    }

    fn step(&mut self, task: &Task, state: &mut State) -> Result<(u64, Option<Reason>)> {
        let batch = state.batches.draw();
        task.sum.gradient(&state.x, batch, &mut self.gradient);
        let components = batch.len() as u64;
        let rate = self.options.step_size * self.schedule.factor(state.taken);
        add_scaled(-rate, &self.gradient, &mut state.x);
        state.norm = norm(&self.gradient);
        state.taken += 1;
        check_norm(state.norm, "take a smaller step_size")?;
        let done =
            (state.taken == self.steps).then(|| Reason::Converged("the schedule has come to its end".into()));
        Ok((components, done))
    }

    fn point(state: &State) -> &[f64] {
        &state.x
    }

    fn norm(&self, state: &State) -> f64 {
        state.norm
    }
}
