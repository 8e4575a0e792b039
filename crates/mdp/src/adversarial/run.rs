//! A run: episode after episode, losses and regret computed exactly.

use quire_core::{
    Artefact, Error, OptionMap, Progress, Reason, Result, Rng, Run, RunSpec, Seeds, Trace, number_bytes,
    state,
};
use serde::{Deserialize, Serialize};

use super::worlds::World;
use super::{Learner, Step};
use crate::linear::dot;
use crate::policy;

/// Points of the curve in a run, at most; one [`Run::step`] makes one of them.
const RECORDS: u64 = 100;

/// A learner against its adversary.
pub struct AdversarialRun {
    spec: RunSpec,
    budget: u64,
    options: OptionMap,
    world: World,
    learner: Box<dyn Learner>,
    /// The policy of the last episode, `[H, S, A]`.
    policy: Vec<f64>,
    occupancy: Vec<f64>,
    steps: Vec<Step>,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    episode: u64,
    /// Expected losses of the policies played.
    lost: f64,
    dynamics: Rng,
}

impl AdversarialRun {
    /// At the start. `options` are all options of the method.
    pub fn new(
        spec: &RunSpec,
        budget: u64,
        options: OptionMap,
        world: World,
        learner: Box<dyn Learner>,
    ) -> Self {
        let size = world.total_losses(0, budget).len();
        AdversarialRun {
            place: Place { episode: 0, lost: 0.0, dynamics: Seeds::new(spec.seed).stream("dynamics") },
            spec: spec.clone(),
            policy: vec![0.0; size],
            occupancy: vec![0.0; size],
            steps: Vec::new(),
            budget,
            options,
            world,
            learner,
        }
    }

    fn kind(&self) -> String {
        self.spec.kind(self.budget, "episodes")
    }

    /// Plays an episode and returns what its policy loses in expectation.
    fn episode(&mut self) -> Result<f64> {
        let losses = self.world.losses(self.place.episode, self.budget);
        self.learner.plan(&mut self.policy);
        self.world.transitions.occupancy(&self.policy, &mut self.occupancy);
        walk(&self.world, losses, &self.policy, &mut self.place.dynamics, &mut self.steps);
        self.learner.observe(&self.steps)?;
        self.place.episode += 1;
        Ok(dot(&self.occupancy, losses))
    }
}

/// One episode under `policy`, `[H, S, A]`.
pub fn walk(world: &World, losses: &[f64], policy: &[f64], rng: &mut Rng, steps: &mut Vec<Step>) {
    let mdp = &world.transitions;
    steps.clear();
    let mut state = mdp.sample_start(rng);
    for stage in 0..mdp.horizon() {
        let row = (stage * mdp.states() + state) * mdp.actions();
        let action = policy::draw(&policy[row..][..mdp.actions()], rng);
        steps.push(Step { state, action, loss: losses[row + action] });
        if stage + 1 < mdp.horizon() {
            state = mdp.stage(stage).sample_next(state, action, rng);
        }
    }
}

impl Run for AdversarialRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        let first = self.place.episode;
        let until = self.budget.min(first + self.budget.div_ceil(RECORDS));
        let mut lost = 0.0;
        while self.place.episode < until {
            match self.episode() {
                Ok(loss) => lost += loss,
                Err(Error::Diverged(place)) => return Ok(Progress::Done(Reason::Diverged(place))),
                Err(error) => return Err(error),
            }
        }
        self.place.lost += lost;
        let best = self.world.least_loss(&self.world.total_losses(until, self.budget))?;
        let regret = self.place.lost - best;
        trace.record(until, "regret", regret);
        trace.record(until, "regret_per_root", regret / (until as f64).sqrt());
        trace.record(until, "loss", lost / (until - first) as f64);
        if let Some(lowest) = self.learner.lowest_estimate() {
            trace.record(until, "lowest_estimate", lowest);
        }
        Ok(if until == self.budget { Progress::Done(Reason::Budget) } else { Progress::Continue })
    }

    fn progress(&self) -> (u64, u64) {
        (self.place.episode, self.budget)
    }

    fn save(&self) -> Vec<u8> {
        state::encode(&self.kind(), &(&self.place, &self.policy, self.learner.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, policy, learner): (Place, Vec<f64>, Vec<u8>) = state::decode(&self.kind(), saved)?;
        self.learner.restore(&learner)?;
        self.place = place;
        self.policy = policy;
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        let bytes = number_bytes(self.policy.iter().copied());
        let made = self.place.episode > 0;
        made.then(|| self.spec.artefact("policy", &self.options, self.place.episode, [(policy::FILE, bytes)]))
    }
}
