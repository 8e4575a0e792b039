//! A run: round after round, regret computed exactly, questions counted.

use std::sync::Arc;

use quire_core::{
    Artefact, Error, OptionMap, Progress, Reason, Result, Rng, Run, RunSpec, Seeds, Trace, state,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::comparisons::logistic;
use super::{Learner, Step};
use crate::policy;
use crate::staged::StagedMdp;

/// Points of the curve in a run, at most; one [`Run::step`] makes one of them.
const RECORDS: u64 = 100;

/// A learner and whom it asks.
pub struct PreferenceRun {
    spec: RunSpec,
    budget: u64,
    options: OptionMap,
    mdp: Arc<StagedMdp>,
    optimum: f64,
    learner: Box<dyn Learner>,
    trajectories: [Vec<Step>; 2],
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    round: u64,
    regret: f64,
    questions: u64,
    /// The policies of the last round, `[H, S]` each.
    policies: [Vec<usize>; 2],
    dynamics: Rng,
    answers: Rng,
}

impl PreferenceRun {
    /// At the start. `options` are all options of the method.
    pub fn new(
        spec: &RunSpec,
        budget: u64,
        options: OptionMap,
        mdp: Arc<StagedMdp>,
        learner: Box<dyn Learner>,
    ) -> Self {
        let seeds = Seeds::new(spec.seed);
        let policy = vec![0; mdp.horizon() * mdp.states()];
        PreferenceRun {
            spec: spec.clone(),
            optimum: mdp.at_start(&mdp.backward_induction().values[..mdp.states()]),
            trajectories: [Vec::new(), Vec::new()],
            place: Place {
                round: 0,
                regret: 0.0,
                questions: 0,
                policies: [policy.clone(), policy],
                dynamics: seeds.stream("dynamics"),
                answers: seeds.stream("answers"),
            },
            budget,
            options,
            mdp,
            learner,
        }
    }

    fn kind(&self) -> String {
        self.spec.kind(self.budget, "rounds")
    }

    /// Plays a round and returns what the first policy is worth.
    fn round(&mut self) -> Result<f64> {
        let PreferenceRun { mdp, learner, trajectories, place, .. } = self;
        let [first, second] = &mut place.policies;
        learner.plan([first, second])?;
        let mut paid = [0.0; 2];
        for ((policy, steps), paid) in place.policies.iter().zip(trajectories.iter_mut()).zip(&mut paid) {
            *paid = walk(mdp, policy, &mut place.dynamics, steps);
        }
        let pair = [trajectories[0].as_slice(), trajectories[1].as_slice()];
        // An answer is drawn in every round, so that methods which ask at other times meet the same dice.
        let first_is_better = place.answers.random::<f64>() < logistic(paid[0] - paid[1]);
        let asks = learner.asks(pair)?;
        place.questions += u64::from(asks);
        learner.observe(pair, asks.then_some(first_is_better))?;
        let values = place.policies.each_ref().map(|policy| mdp.evaluate(policy));
        place.regret += 2.0 * self.optimum - values[0] - values[1];
        place.round += 1;
        Ok(values[0])
    }
}

/// One trajectory of a policy, `[H, S]`, and its reward.
fn walk(mdp: &StagedMdp, policy: &[usize], rng: &mut Rng, steps: &mut Vec<Step>) -> f64 {
    steps.clear();
    let mut state = mdp.sample_start(rng);
    let mut paid = 0.0;
    for (stage, policy) in policy.chunks_exact(mdp.states()).enumerate() {
        let action = policy[state];
        let next = mdp.stage(stage).sample_next(state, action, rng);
        paid += mdp.stage(stage).reward(state, action);
        steps.push(Step { state, action, next });
        state = next;
    }
    paid
}

impl Run for PreferenceRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        let first = self.place.round;
        let until = self.budget.min(first + self.budget.div_ceil(RECORDS));
        let mut value = 0.0;
        while self.place.round < until {
            match self.round() {
                Ok(worth) => value += worth,
                Err(Error::Diverged(place)) => return Ok(Progress::Done(Reason::Diverged(place))),
                Err(error) => return Err(error),
            }
        }
        trace.record(until, "regret", self.place.regret);
        trace.record(until, "queries", self.place.questions as f64);
        trace.record(until, "suboptimality", self.optimum - value / (until - first) as f64);
        Ok(if until == self.budget { Progress::Done(Reason::Budget) } else { Progress::Continue })
    }

    fn progress(&self) -> (u64, u64) {
        (self.place.round, self.budget)
    }

    fn save(&self) -> Vec<u8> {
        state::encode(&self.kind(), &(&self.place, self.learner.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, learner): (Place, Vec<u8>) = state::decode(&self.kind(), saved)?;
        self.learner.restore(&learner)?;
        self.place = place;
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        let file = (policy::STAGED_FILE, policy::staged_bytes(&self.place.policies[0]));
        Some(self.spec.artefact("policy", &self.options, self.place.round, [file]))
    }
}
