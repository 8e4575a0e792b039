//! The nested Q-function as a sum of two regressors, fitted afresh every epoch: fitted Q-iteration proper.
//!
//! The shared regressor is fitted to the targets y, the foreground's to what the shared one leaves of them, y - g_s.

use quire_core::{Result, Rng, state};

use super::{
    Clock, Group, GroupData, GroupLearner, GroupOptions, Model, Plan, Setting, inputs, inputs_of_all_actions,
    target,
};
use crate::fitted::regressor::{ExtraTrees, Linear, Regressor, Rows};

/// Ridge penalty of the linear model per row: enough for columns that depend on each other, too little to be seen.
const RIDGE: f64 = 1e-12;

/// The learner.
pub struct RegressionLearner {
    name: &'static str,
    plan: &'static Plan,
    options: GroupOptions,
    data: GroupData,
    first_stage_ends: u64,
    /// g_s, once it has been fitted.
    shared: Fitted,
    /// g_f, once it has been fitted.
    foreground: Fitted,
    clock: Clock,
    rng: Rng,
    rows: Rows,
    next: Vec<f64>,
    costs: Vec<f64>,
    done: Vec<bool>,
    /// Values of the shared regressor at the inputs, and of both at the next states.
    base: Vec<f64>,
    q_next: Vec<f64>,
    scratch: Vec<f64>,
    input: Vec<f64>,
}

/// A regressor; for a saved run, the targets of its last fit and the generator before it, from which it is fitted again.
struct Fitted {
    regressor: Box<dyn Regressor>,
    last: Option<(usize, Vec<f64>, Rng)>,
}

impl Fitted {
    fn new(options: &GroupOptions) -> Self {
        let regressor: Box<dyn Regressor> = match options.model {
            Model::Trees => Box::new(ExtraTrees::new(options.trees.clone())),
            _ => Box::new(Linear::new(RIDGE)),
        };
        Fitted { regressor, last: None }
    }

    /// Values at `inputs`; 0 before the first fit.
    fn values(&mut self, inputs: &[f64], width: usize, outputs: &mut Vec<f64>) {
        if self.last.is_some() {
            self.regressor.predict(inputs, outputs);
        } else {
            outputs.clear();
            outputs.resize(inputs.len() / width, 0.0);
        }
    }
}

impl RegressionLearner {
    /// A learner that follows `plan`, which may let only one regressor learn at a time: if both are to, the shared one does.
    ///
    /// # Errors
    /// None yet.
    pub fn new(
        name: &'static str,
        plan: &'static Plan,
        setting: Setting,
        options: GroupOptions,
    ) -> Result<Self> {
        let mut learner = RegressionLearner {
            name,
            plan,
            first_stage_ends: ((setting.budget as f64 * options.first_stage) as u64).max(1),
            shared: Fitted::new(&options),
            foreground: Fitted::new(&options),
            clock: Clock::default(),
            rng: setting.seeds.stream("regressions"),
            rows: Rows::new(setting.data.dimensions + 2),
            next: Vec::new(),
            costs: Vec::new(),
            done: Vec::new(),
            base: Vec::new(),
            q_next: Vec::new(),
            scratch: Vec::new(),
            input: Vec::new(),
            data: setting.data,
            options,
        };
        learner.enter(learner.clock.stage);
        Ok(learner)
    }

    /// Takes up the rows of a stage.
    fn enter(&mut self, stage: usize) {
        let part;
        let rows = match self.plan.stages[stage].rows {
            Group::Everybody => &self.data,
            group => {
                part = self.data.of_group(group == Group::Foreground);
                &part
            }
        };
        let width = rows.dimensions + 1;
        self.rows.inputs =
            with_intercept(&inputs(&rows.states, rows.dimensions, rows.chosen.iter().copied()), width);
        self.next = with_intercept(&inputs_of_all_actions(&rows.next, rows.dimensions, rows.actions), width);
        self.costs.clone_from(&rows.costs);
        self.done.clone_from(&rows.done);
    }

    /// Q(s, a, z) of `state`, `[d]`.
    pub fn value(&mut self, state: &[f64], action: usize, foreground: bool) -> f64 {
        self.act(state, foreground);
        self.q_next[action]
    }

    fn fit(&mut self) -> Result<()> {
        let stage = self.plan.stages[self.clock.stage];
        let width = self.rows.width;
        self.shared.values(&self.next, width, &mut self.q_next);
        if stage.nested {
            self.foreground.values(&self.next, width, &mut self.scratch);
            self.q_next.iter_mut().zip(&self.scratch).for_each(|(q, added)| *q += added);
        }
        self.rows.targets.clear();
        let rows = self.q_next.chunks_exact(self.data.actions).zip(&self.costs).zip(&self.done);
        let discount = self.options.discount;
        let targets = rows.map(|((q, &cost), &done)| target(cost, discount, done, q.iter().copied()));
        self.rows.targets.extend(targets);
        let fitted = if stage.shared_learns {
            &mut self.shared
        } else {
            self.shared.values(&self.rows.inputs, width, &mut self.base);
            self.rows.targets.iter_mut().zip(&self.base).for_each(|(target, base)| *target -= base);
            &mut self.foreground
        };
        fitted.last = Some((self.clock.stage, self.rows.targets.clone(), self.rng.clone()));
        fitted.regressor.fit(&self.rows, &mut self.rng)
    }
}

/// Rows of `width` numbers with a 1 behind each.
fn with_intercept(inputs: &[f64], width: usize) -> Vec<f64> {
    inputs.chunks_exact(width).flat_map(|row| row.iter().copied().chain([1.0])).collect()
}

impl GroupLearner for RegressionLearner {
    fn improve(&mut self) -> Result<()> {
        self.fit()?;
        if self.clock.tick(self.plan, self.first_stage_ends) {
            self.enter(self.clock.stage);
        }
        Ok(())
    }

    fn act(&mut self, state: &[f64], foreground: bool) -> usize {
        let width = self.rows.width;
        let adds = self.plan.adds_foreground(foreground);
        self.input.clear();
        for action in 0..self.data.actions {
            self.input.extend_from_slice(state);
            self.input.extend([action as f64, 1.0]);
        }
        self.shared.values(&self.input, width, &mut self.q_next);
        if adds {
            self.foreground.values(&self.input, width, &mut self.scratch);
            self.q_next.iter_mut().zip(&self.scratch).for_each(|(q, added)| *q += added);
        }
        let mut best = 0;
        for (action, q) in self.q_next.iter().enumerate() {
            if *q < self.q_next[best] {
                best = action;
            }
        }
        best
    }

    fn watched(&self) -> bool {
        self.plan.stages[self.clock.stage].watched
    }

    fn hear(&mut self, survived: bool) -> Result<()> {
        if self.clock.hear(self.plan, survived, self.options.successes) {
            self.enter(self.clock.stage);
        }
        Ok(())
    }

    fn finished(&self) -> bool {
        self.clock.finished
    }

    fn save(&self) -> Vec<u8> {
        state::encode(self.name, &(&self.clock, &self.rng, &self.shared.last, &self.foreground.last))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.clock, self.rng, self.shared.last, self.foreground.last) = state::decode(self.name, saved)?;
        // The same rows, targets and random numbers make the same fit.
        for foreground in [false, true] {
            let fitted = if foreground { &mut self.foreground } else { &mut self.shared };
            if let Some((stage, targets, rng)) = fitted.last.clone() {
                self.enter(stage);
                self.rows.targets = targets;
                let fitted = if foreground { &mut self.foreground } else { &mut self.shared };
                fitted.regressor.fit(&self.rows, &mut rng.clone())?;
            }
        }
        self.enter(self.clock.stage);
        Ok(())
    }
}
