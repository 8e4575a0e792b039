//! A run: iteration after iteration until the budget is spent, a record every hundredth of it.

use quire_core::{
    Artefact, Error, OptionMap, Progress, Reason, Result, Run, RunSpec, Trace, number_bytes, state,
};
use quire_optim::NORMS_FILE;
use serde::{Deserialize, Serialize};

use super::world::Account;
use super::{Learner, World, norm};

/// An artefact's file with θ, little-endian f64.
pub const FILE: &str = "parameters.f64";
/// Points of the curve in a run, at most; one [`Run::step`] makes one of them.
const RECORDS: u64 = 100;
/// A value this near to the optimum counts as reached.
const SOLVED: f64 = 1e-3;

/// A learner at work. An iteration that begins within the budget is finished, so the last one may exceed it.
pub struct PolicyGradientRun {
    spec: RunSpec,
    budget: u64,
    unit: &'static str,
    options: OptionMap,
    world: World,
    learner: Box<dyn Learner>,
    /// The optimum of J, and by what values are divided.
    optimum: (f64, f64),
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    /// The iteration whose value was the first within [`SOLVED`] of the optimum, where values are exact.
    solved_at: Option<u64>,
    iterations: u64,
}

impl PolicyGradientRun {
    /// At the start. `options` are all options of the method; `optimum` is that of J, and by what values are divided.
    pub fn new(
        spec: &RunSpec,
        (budget, unit): (u64, &'static str),
        options: OptionMap,
        world: World,
        learner: Box<dyn Learner>,
        optimum: (f64, f64),
    ) -> Self {
        let place = Place { solved_at: None, iterations: 0 };
        PolicyGradientRun { spec: spec.clone(), budget, unit, options, world, learner, optimum, place }
    }

    fn kind(&self) -> String {
        self.spec.kind(self.budget, self.unit)
    }

    /// True if learners are given exact values, whose every iteration counts.
    fn is_exact(&self) -> bool {
        self.unit == "iterations"
    }

    fn iterate(&mut self) -> Result<()> {
        self.learner.iterate(&mut self.world)?;
        self.place.iterations += 1;
        if self.is_exact() && self.place.solved_at.is_none() {
            let value =
                self.world.truth(self.learner.parameters()).map_or(f64::NEG_INFINITY, |exact| exact.value);
            if value > self.optimum.0 - SOLVED {
                self.place.solved_at = Some(self.place.iterations);
            }
        }
        Ok(())
    }

    fn record(&mut self, at: u64, trace: &mut Trace) {
        if let Some(exact) = self.world.truth(self.learner.parameters()) {
            trace.record(at, "value", exact.value / self.optimum.1);
        }
        if let Some((theta, direction)) = self.learner.direction()
            && let Some(exact) = self.world.truth(theta)
        {
            let error: Vec<f64> = direction.iter().zip(&exact.gradient).map(|(d, g)| d - g).collect();
            trace.record(at, "gradient_error", norm(&error));
        }
        if self.is_exact() {
            trace.record(at, "solved_at", self.place.solved_at.unwrap_or(self.budget) as f64);
        } else if let Some(mean) = self.world.take_returns() {
            trace.record(at, "return", mean);
        }
        trace.record(at, "step_size", self.learner.step_size());
    }
}

impl Run for PolicyGradientRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        let spent = self.world.account().spent;
        let until = self.budget.min(spent + self.budget.div_ceil(RECORDS));
        while self.world.account().spent < until {
            match self.iterate() {
                Err(Error::Diverged(place)) => return Ok(Progress::Done(Reason::Diverged(place))),
                other => other?,
            }
        }
        let spent = self.world.account().spent.min(self.budget);
        self.record(spent, trace);
        Ok(if spent == self.budget { Progress::Done(Reason::Budget) } else { Progress::Continue })
    }

    fn progress(&self) -> (u64, u64) {
        (self.world.account().spent.min(self.budget), self.budget)
    }

    fn save(&self) -> Vec<u8> {
        state::encode(&self.kind(), &(&self.place, self.world.account(), self.learner.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, account, learner): (Place, Account, Vec<u8>) = state::decode(&self.kind(), saved)?;
        self.place = place;
        self.world.restore(account);
        self.learner.restore(&learner)?;
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        let bytes = number_bytes(self.learner.parameters().iter().copied());
        let (spent, _) = self.progress();
        let norms = self.learner.gradient_norms().map(|norms| (NORMS_FILE, norms.to_csv().into_bytes()));
        Some(self.spec.artefact("policy", &self.options, spent, [(FILE, bytes)].into_iter().chain(norms)))
    }
}
