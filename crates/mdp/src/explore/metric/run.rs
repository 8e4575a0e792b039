//! A run: episode after episode of `ball-2d`, scored by the returns that were earned.

use quire_core::{
    Artefact, Entry, OptionMap, Progress, Reason, Result, Rng, Run, RunSpec, Seeds, Trace, is_record_due,
    state,
};
use serde::{Deserialize, Serialize};

use super::ball::{HORIZON, MOVES, OPTIMAL_RETURN, coordinates, reward, step};
use super::{Explorer, Make, Setting};

/// Points of the curves in a run.
const RECORDS: u64 = 100;
/// Episodes in one [`Run::step`].
const EPISODES_AT_ONCE: u64 = 10;
/// The artefact's file with what was learned.
pub const FILE: &str = "explorer.state";

/// An explorer in the disc.
pub struct MetricRun {
    spec: RunSpec,
    budget: u64,
    options: OptionMap,
    explorer: Box<dyn Explorer>,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    episode: u64,
    regret: f64,
    /// Returns and episodes since the last record.
    since: (f64, u64),
    dynamics: Rng,
}

/// What an explorer of the disc is told.
pub fn setting(seeds: Seeds) -> Setting {
    Setting { dimensions: 2, actions: MOVES.len(), horizon: HORIZON, seeds }
}

/// Plays one episode by `act`, which gets the stage and the coordinates; `observe` sees stage, coordinates, action, reward and
/// what followed. Returns the return.
pub fn play(
    explorer: &mut dyn Explorer,
    rng: &mut Rng,
    mut observe: impl FnMut(&mut dyn Explorer, usize, [f64; 2], usize, f64, [f64; 2]),
) -> f64 {
    let (mut point, mut sum) = ([0.0; 2], 0.0);
    explorer.begin();
    for stage in 0..HORIZON {
        let state = coordinates(point);
        let action = explorer.act(stage, &state);
        let paid = reward(point);
        point = step(point, action, rng);
        observe(explorer, stage, state, action, paid, coordinates(point));
        sum += paid;
    }
    sum
}

impl MetricRun {
    /// Starts exploring. `options` are all options of the method.
    pub fn start(spec: &RunSpec, budget: u64, entry: &Entry<Make>, options: OptionMap) -> Result<Self> {
        let seeds = Seeds::new(spec.seed);
        Ok(MetricRun {
            explorer: (entry.make)(&setting(seeds.child("explorer")), &spec.options)?,
            place: Place { episode: 0, regret: 0.0, since: (0.0, 0), dynamics: seeds.stream("dynamics") },
            spec: spec.clone(),
            budget,
            options,
        })
    }

    fn kind(&self) -> String {
        self.spec.kind(self.budget, "episodes")
    }

    fn episode(&mut self, trace: &mut Trace) {
        let MetricRun { explorer, place, budget, .. } = self;
        let earned =
            play(explorer.as_mut(), &mut place.dynamics, |explorer, stage, state, action, paid, next| {
                explorer.observe(stage, &state, action, paid, &next);
            });
        place.episode += 1;
        place.regret += OPTIMAL_RETURN - earned;
        place.since = (place.since.0 + earned, place.since.1 + 1);
        if is_record_due(place.episode, *budget, RECORDS) {
            trace.record(place.episode, "regret", place.regret);
            trace.record(place.episode, "return", place.since.0 / place.since.1 as f64);
            trace.record(place.episode, "cells", explorer.cells() as f64);
            place.since = (0.0, 0);
        }
    }
}

impl Run for MetricRun {
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
        state::encode(&self.kind(), &(&self.place, self.explorer.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, explorer): (Place, Vec<u8>) = state::decode(&self.kind(), saved)?;
        self.explorer.restore(&explorer)?;
        self.place = place;
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        let file = (FILE, self.explorer.save());
        Some(self.spec.artefact("policy", &self.options, self.place.episode, [file]))
    }
}
