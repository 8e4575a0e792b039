//! A run of control: a hundred independent learners, so that one run shows a curve and not a single life.

use quire_core::{
    Artefact, Entry, OptionMap, Progress, Reason, Result, Rng, Run, RunSpec, Seeds, Trace, is_record_due,
    number_bytes, state,
};
use serde::{Deserialize, Serialize};

use super::maximization_bias::{A, ACTIONS, LEFT, VALUE_OF_LEFT, step};
use super::{Learners, Make, Transition, act};

/// Learners in a run.
pub const LEARNERS: usize = 100;
/// Points of the curve in a run.
const RECORDS: u64 = 100;
/// Episodes of every learner in one [`Run::step`].
const EPISODES_AT_ONCE: u64 = 10;
/// The artefact's file with the learners' action values, `[learners, 2 + 10]`, little-endian f64.
pub const TABLES: &str = "action_values.f64";

/// Learners at work.
pub struct ControlRun {
    spec: RunSpec,
    budget: u64,
    options: OptionMap,
    learners: Learners,
    place: Place,
    values: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
struct Place {
    episode: u64,
    /// Episodes, over all learners, that went left since the last record, and episodes in all.
    left: u64,
    counted: u64,
    rng: Rng,
}

impl ControlRun {
    /// Starts `budget` episodes of every learner.
    pub fn start(spec: &RunSpec, budget: u64, entry: &Entry<Make>) -> Result<Self> {
        Ok(ControlRun {
            learners: (entry.make)(LEARNERS, &ACTIONS, &spec.options)?,
            place: Place { episode: 0, left: 0, counted: 0, rng: Seeds::new(spec.seed).stream("episodes") },
            spec: spec.clone(),
            budget,
            options: (entry.card)().options.with(&[&spec.options])?,
            values: Vec::new(),
        })
    }

    fn kind(&self) -> String {
        self.spec.kind(self.budget, "episodes")
    }

    /// One episode of every learner.
    fn episode(&mut self, trace: &mut Trace) {
        let rng = &mut self.place.rng;
        for learner in &mut self.learners {
            let mut state = Some(A);
            while let Some(at) = state {
                learner.values(at, &mut self.values);
                let action = act(&self.values, learner.epsilon(), rng);
                let (reward, next) = step(at, action, rng);
                learner.observe(Transition { state: at, action, reward, next }, rng);
                self.place.left += u64::from(at == A && action == LEFT);
                state = next;
            }
        }
        self.place.counted += LEARNERS as u64;
        self.place.episode += 1;
        let (episode, budget) = (self.place.episode, self.budget);
        if is_record_due(episode, budget, RECORDS) {
            trace.record(episode, "left", self.place.left as f64 / self.place.counted as f64);
            let mut bias = 0.0;
            for learner in &self.learners {
                learner.values(A, &mut self.values);
                bias += self.values[LEFT] - VALUE_OF_LEFT;
            }
            trace.record(episode, "bias", bias / LEARNERS as f64);
            self.place.left = 0;
            self.place.counted = 0;
        }
    }
}

impl Run for ControlRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        let until = self.budget.min(self.place.episode + EPISODES_AT_ONCE);
        while self.place.episode < until {
            self.episode(trace);
        }
        let done = self.place.episode == self.budget;
        Ok(if done { Progress::Done(Reason::Budget) } else { Progress::Continue })
    }

    fn progress(&self) -> (u64, u64) {
        (self.place.episode, self.budget)
    }

    fn save(&self) -> Vec<u8> {
        let learners: Vec<Vec<u8>> = self.learners.iter().map(|learner| learner.save()).collect();
        state::encode(&self.kind(), &(&self.place, learners))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, learners): (Place, Vec<Vec<u8>>) = state::decode(&self.kind(), saved)?;
        self.place = place;
        for (learner, saved) in self.learners.iter_mut().zip(learners) {
            learner.restore(&saved)?;
        }
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        let mut bytes = Vec::new();
        let mut values = Vec::new();
        for learner in &self.learners {
            for state in 0..ACTIONS.len() {
                learner.values(state, &mut values);
                bytes.extend(number_bytes(values.iter().copied()));
            }
        }
        Some(self.spec.artefact("action-values", &self.options, self.place.episode, [(TABLES, bytes)]))
    }
}
