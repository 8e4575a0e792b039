//! A run of exploration: episode after episode, regret computed exactly.

use std::sync::Arc;

use quire_core::{
    Artefact, Entry, OptionMap, Progress, Reason, Result, Rng, Run, RunSpec, Seeds, Trace, is_record_due,
    state,
};
use serde::{Deserialize, Serialize};

use super::{Explorer, Make, Setting};
use crate::finite::FiniteMdp;
use crate::linear::Features;
use crate::policy;
use crate::solve::{EpisodicEvaluator, backward_induction};

/// Points of the regret curve in a run.
const RECORDS: u64 = 100;
/// Episodes in one [`Run::step`].
const EPISODES_AT_ONCE: u64 = 10;

/// An explorer in its MDP.
pub struct ExploreRun {
    spec: RunSpec,
    mdp: Arc<FiniteMdp>,
    setting: Setting,
    budget: u64,
    optimum: f64,
    explorer: Box<dyn Explorer>,
    options: OptionMap,
    policy: Vec<usize>,
    evaluator: EpisodicEvaluator,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    episode: u64,
    regret: f64,
    last_value: f64,
    dynamics: Rng,
}

impl ExploreRun {
    /// Starts exploring `mdp`, with features of its pairs if there are any, in episodes of `horizon` steps. `options` are all options of the method.
    pub fn start(
        spec: &RunSpec,
        budget: u64,
        mdp: Arc<FiniteMdp>,
        features: Option<Arc<Features>>,
        horizon: usize,
        entry: &Entry<Make>,
        options: OptionMap,
    ) -> Result<Self> {
        let seeds = Seeds::new(spec.seed);
        let setting = Setting {
            states: mdp.states(),
            actions: mdp.actions(),
            horizon,
            rewards: mdp.rewards().to_vec(),
            features,
            seeds: seeds.child("explorer"),
        };
        Ok(ExploreRun {
            explorer: (entry.make)(&setting, &spec.options)?,
            optimum: optimum(&mdp, horizon),
            policy: vec![0; horizon * mdp.states()],
            evaluator: EpisodicEvaluator::new(Arc::clone(&mdp)),
            place: Place { episode: 0, regret: 0.0, last_value: 0.0, dynamics: seeds.stream("dynamics") },
            spec: spec.clone(),
            budget,
            options,
            setting,
            mdp,
        })
    }

    fn kind(&self) -> String {
        self.spec.kind(self.budget, "episodes")
    }

    fn episode(&mut self, trace: &mut Trace) {
        self.explorer.plan(&mut self.policy);
        self.place.last_value = self.evaluator.evaluate(&self.policy);
        self.place.regret += self.optimum - self.place.last_value;
        let mut state = self.mdp.sample_start(&mut self.place.dynamics);
        for stage in 0..self.setting.horizon {
            let action = self.policy[stage * self.setting.states + state];
            let next = self.mdp.sample_next(state, action, &mut self.place.dynamics);
            self.explorer.observe(stage, state, action, next);
            state = next;
        }
        self.place.episode += 1;
        let (episode, budget) = (self.place.episode, self.budget);
        if is_record_due(episode, budget, RECORDS) {
            trace.record(episode, "regret", self.place.regret);
            trace.record(episode, "return", self.place.last_value);
        }
    }
}

/// The optimal expected return of an episode.
pub fn optimum(mdp: &FiniteMdp, horizon: usize) -> f64 {
    let values = backward_induction(mdp, horizon).values;
    mdp.start().iter().zip(&values).map(|(p, v)| p * v).sum()
}

impl Run for ExploreRun {
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
        state::encode(&self.kind(), &(&self.place, &self.policy, self.explorer.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, policy, explorer): (Place, Vec<usize>, Vec<u8>) = state::decode(&self.kind(), saved)?;
        self.explorer.restore(&explorer)?;
        self.place = place;
        self.policy = policy;
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        let file = (policy::STAGED_FILE, policy::staged_bytes(&self.policy));
        Some(self.spec.artefact("policy", &self.options, self.place.episode, [file]))
    }
}
