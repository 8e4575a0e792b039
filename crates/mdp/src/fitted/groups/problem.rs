//! The problems `cart-pole-groups-0`, `-3`, `-5`, `-8` and `cart-pole-scarce-foreground`, and their run.
//!
//! The number is the force in newtons that pushes the foreground's cart to the left. Data are 200 episodes of random actions
//! of either group; in the last problem, at a force of 5, 360 of the background and 40 of the foreground. A run is 1,000 epochs at
//! most. After every epoch one episode of the group that the learner watches, of 3,000 steps, tells it whether it may stop;
//! for the score, 20 episodes of 1,000 steps of either group are played.

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Evaluation, MethodCard, Metric, OptionMap, Problem, ProblemCard, Progress,
    Reason, Result, Rng, Run, RunSpec, Seeds, Trace, is_record_due, state,
};
use serde::{Deserialize, Serialize};

use super::cart_pole::{data, start, survive};
use super::{GroupLearner, METHODS, Setting};

/// Points of the curve in a run, at most.
const RECORDS: u64 = 20;
/// Evaluation episodes of either group for a point.
const EPISODES: u64 = 20;
/// Steps of such an episode.
const STEPS: usize = 1_000;
/// Steps of an episode that counts as survived.
const SURVIVAL: usize = 3_000;
/// The artefact's file: the learner's state.
const LEARNER: &str = "learner.state";

/// A problem of this role.
pub struct GroupProblem {
    card: ProblemCard,
    methods: Vec<MethodCard>,
    force_left: f64,
    /// Episodes of data, background and foreground.
    episodes: [usize; 2],
}

/// The problems of this role.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let same = "learn to balance a pole from random data of two groups; in one a force of";
    let listed = [
        ("cart-pole-groups-0", format!("{same} 0 N pushes left, so that they are alike"), 0.0, [200, 200]),
        ("cart-pole-groups-3", format!("{same} 3 N pushes left"), 3.0, [200, 200]),
        ("cart-pole-groups-5", format!("{same} 5 N pushes left"), 5.0, [200, 200]),
        ("cart-pole-groups-8", format!("{same} 8 of the cart's 10 N pushes left"), 8.0, [200, 200]),
        (
            "cart-pole-scarce-foreground",
            format!("{same} 5 N pushes left, and a tenth of the data is of that one"),
            5.0,
            [360, 40],
        ),
    ];
    let problem = |(name, summary, force_left, episodes): (&str, String, f64, [usize; 2])| {
        Arc::new(GroupProblem::new(name, summary, force_left, episodes)) as Arc<dyn Problem>
    };
    listed.into_iter().map(problem).collect()
}

impl GroupProblem {
    fn new(name: &str, summary: String, force_left: f64, episodes: [usize; 2]) -> Self {
        let metric = |name, unit, direction, summary| Metric { name, unit, direction, summary };
        GroupProblem {
            card: ProblemCard {
                name: name.to_owned(),
                summary,
                wing: "mdp",
                metrics: vec![
                    metric(
                        "survived",
                        "steps",
                        Direction::Higher,
                        "steps survived of 1,000, the mean of both groups",
                    ),
                    metric("foreground", "steps", Direction::Higher, "steps survived in the foreground"),
                    metric("background", "steps", Direction::Higher, "steps survived in the background"),
                    metric("whole", "", Direction::Higher, "share of all episodes that last 1,000 steps"),
                ],
                optimum: Some(STEPS as f64),
                budget: 1_000,
                budget_unit: "epochs",
                source: "Mandyam et al. 2021, arXiv:2110.02879, and its code".to_owned(),
                tags: vec!["offline", "groups", "continuous states"],
            },
            methods: Entry::cards(METHODS),
            force_left,
            episodes,
        }
    }

    fn learner(
        &self,
        method: &str,
        options: &OptionMap,
        seed: u64,
        budget: u64,
    ) -> Result<Box<dyn GroupLearner>> {
        let seeds = Seeds::new(seed);
        let setting = Setting {
            data: data(self.episodes, self.force_left, &mut seeds.stream("data")),
            budget,
            seeds: seeds.child("learner"),
        };
        (Entry::find(METHODS, self, method)?.make)(setting, options)
    }

    fn run(&self, spec: &RunSpec) -> Result<GroupRun> {
        let budget = self.card.length(spec)?;
        Ok(GroupRun {
            options: self.method(&spec.method)?.options.with(&[&spec.options])?,
            learner: self.learner(&spec.method, &spec.options, spec.seed, budget)?,
            force_left: self.force_left,
            place: Place { epoch: 0, watched: Seeds::new(spec.seed).stream("watched") },
            spec: spec.clone(),
            budget,
        })
    }
}

impl Problem for GroupProblem {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        Ok(Box::new(self.run(spec)?))
    }

    /// Steps survived of 1,000, groups in turn.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let mut learner =
            self.learner(&artefact.method, &artefact.options, artefact.seed, self.card.budget)?;
        learner.restore(artefact.file(LEARNER)?)?;
        let scores = (0..repetitions as u64).map(|n| {
            episode(&mut *learner, self.force_left, n % 2 == 1, Seeds::new(seed).nth("episode", n)) as f64
        });
        Ok(Evaluation { metric: "survived".into(), scores: scores.collect() })
    }
}

/// Steps that the greedy policy survives in an episode of a group.
fn episode(learner: &mut dyn GroupLearner, force_left: f64, foreground: bool, seeds: Seeds) -> usize {
    let first = start(1.0, &mut seeds.stream("start"));
    let push = if foreground { force_left } else { 0.0 };
    survive(first, push, STEPS, |state| learner.act(state, foreground))
}

/// A learner at work.
struct GroupRun {
    spec: RunSpec,
    budget: u64,
    options: OptionMap,
    force_left: f64,
    learner: Box<dyn GroupLearner>,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    epoch: u64,
    /// First states of the episodes on which the stop rule looks.
    watched: Rng,
}

impl GroupRun {
    fn kind(&self) -> String {
        self.spec.kind(self.budget, "epochs")
    }

    fn epoch(&mut self) -> Result<()> {
        self.learner.improve()?;
        let foreground = self.learner.watched();
        let push = if foreground { self.force_left } else { 0.0 };
        let first = start(1.0, &mut self.place.watched);
        let learner = &mut self.learner;
        let survived = survive(first, push, SURVIVAL, |state| learner.act(state, foreground)) == SURVIVAL;
        self.learner.hear(survived)?;
        self.place.epoch += 1;
        Ok(())
    }

    fn record(&mut self, trace: &mut Trace) {
        let mut survived = [0.0; 2];
        let mut whole = 0.0;
        for n in 0..2 * EPISODES {
            let foreground = n % 2 == 1;
            let seeds = Seeds::new(self.spec.seed).nth("evaluation", n);
            let steps = episode(&mut *self.learner, self.force_left, foreground, seeds);
            survived[usize::from(foreground)] += steps as f64 / EPISODES as f64;
            whole += f64::from(u8::from(steps == STEPS)) / (2 * EPISODES) as f64;
        }
        let epoch = self.place.epoch;
        trace.record(epoch, "survived", (survived[0] + survived[1]) / 2.0);
        trace.record(epoch, "foreground", survived[1]);
        trace.record(epoch, "background", survived[0]);
        trace.record(epoch, "whole", whole);
    }
}

impl Run for GroupRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        let before = self.place.epoch;
        if self.place.epoch < self.budget && !self.learner.finished() {
            self.epoch()?;
        }
        let done = self.place.epoch == self.budget || self.learner.finished();
        let advanced = self.place.epoch > before;
        if done || advanced && is_record_due(self.place.epoch, self.budget, RECORDS) {
            self.record(trace);
        }
        Ok(if self.learner.finished() {
            Progress::Done(Reason::Converged("enough evaluation episodes in a row were survived".into()))
        } else if done {
            Progress::Done(Reason::Budget)
        } else {
            Progress::Continue
        })
    }

    fn progress(&self) -> (u64, u64) {
        (self.place.epoch, self.budget)
    }

    fn save(&self) -> Vec<u8> {
        state::encode(&self.kind(), &(&self.place, self.learner.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, learner): (Place, Vec<u8>) = state::decode(&self.kind(), saved)?;
        self.place = place;
        self.learner.restore(&learner)?;
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        let learner = self.learner.save();
        Some(self.spec.artefact("group-policy", &self.options, self.place.epoch, [(LEARNER, learner)]))
    }
}
