//! A run: episodes in the simulator, the policy scored exactly.

use quire_core::{
    Artefact, Entry, OptionMap, Progress, Reason, Result, Rng, Run, RunSpec, Seeds, Trace, number_bytes,
    state,
};
use quire_optim::NORMS_FILE;
use serde::{Deserialize, Serialize};

use super::problem::World;
use super::{Learner, Make, Setting, Step};
use crate::solve::backward_induction;

/// Points of the curve in a run, at most; one [`Run::step`] makes one of them.
const RECORDS: u64 = 50;
/// The artefact's file with action probabilities, `[T, S, A]`, little-endian f64.
pub const POLICY: &str = "stage_policy.f64";

/// A learner in its simulator.
pub struct SimulatorRun {
    spec: RunSpec,
    budget: u64,
    options: OptionMap,
    world: World,
    horizon: usize,
    optimum: f64,
    learner: Box<dyn Learner>,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    spent: u64,
    dynamics: Rng,
}

impl SimulatorRun {
    /// Starts `budget` environment steps in episodes of `horizon`; the last episode is played to its end. `options` are all
    /// options of the method.
    pub fn start(
        spec: &RunSpec,
        budget: u64,
        world: World,
        horizon: usize,
        entry: &Entry<Make>,
        options: OptionMap,
    ) -> Result<Self> {
        let seeds = Seeds::new(spec.seed);
        let setting = Setting {
            states: world.mdp.states(),
            actions: world.mdp.actions(),
            horizon,
            features: world.features.clone(),
            budget,
            seeds: seeds.child("learner"),
        };
        let values = backward_induction(&world.mdp, horizon).values;
        Ok(SimulatorRun {
            learner: (entry.make)(&setting, &spec.options)?,
            optimum: world.mdp.start().iter().zip(&values).map(|(p, v)| p * v).sum(),
            place: Place { spent: 0, dynamics: seeds.stream("dynamics") },
            spec: spec.clone(),
            budget,
            options,
            world,
            horizon,
        })
    }

    fn kind(&self) -> String {
        self.spec.kind(self.budget, "steps")
    }

    fn episode(&mut self) -> Result<()> {
        let Place { spent, dynamics } = &mut self.place;
        let mut state = self.world.mdp.sample_start(dynamics);
        for stage in 0..self.horizon {
            let action = self.learner.act(stage, state);
            let (reward, next) = self.world.step(state, action, dynamics);
            let next = next.filter(|_| stage + 1 < self.horizon);
            *spent += 1;
            self.learner.observe(Step { stage, state, action, reward, next }, *spent)?;
            match next {
                Some(next) => state = next,
                None => break,
            }
        }
        Ok(())
    }

    /// What the learner would play, `[T, S, A]`; stages without an action are played at random.
    fn policy(&self) -> Vec<f64> {
        let (states, actions) = (self.world.mdp.states(), self.world.mdp.actions());
        let mut policy = vec![0.0; self.horizon * states * actions];
        for (place, row) in policy.chunks_exact_mut(actions).enumerate() {
            match self.learner.policy(place / states, place % states) {
                Some(action) => row[action] = 1.0,
                None => row.fill(1.0 / actions as f64),
            }
        }
        policy
    }

    /// The exact expected return of a policy `[T, S, A]`.
    fn value(&self, policy: &[f64]) -> f64 {
        let mdp = &self.world.mdp;
        let (states, actions) = (mdp.states(), mdp.actions());
        let (mut later, mut now) = (vec![0.0; states], vec![0.0; states]);
        for stage in policy.chunks_exact(states * actions).rev() {
            for (state, (row, now)) in stage.chunks_exact(actions).zip(&mut now).enumerate() {
                let worth = |action| mdp.reward(state, action) + mdp.expectation(state, action, &later);
                let played = row.iter().enumerate().filter(|(_, p)| **p > 0.0);
                *now = played.map(|(action, p)| p * worth(action)).sum();
            }
            std::mem::swap(&mut later, &mut now);
        }
        mdp.start().iter().zip(&later).map(|(p, value)| p * value).sum()
    }
}

impl Run for SimulatorRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        let until = self.budget.min(self.place.spent + self.budget.div_ceil(RECORDS));
        while self.place.spent < until && self.learner.finished().is_none() {
            self.episode()?;
        }
        let step = self.place.spent.min(self.budget);
        self.learner.prepare_policy();
        let value = self.value(&self.policy());
        // Where nothing is to be had every policy is optimal.
        let optimality = if self.optimum == 0.0 { 1.0 } else { value / self.optimum };
        trace.record(step, "optimality", optimality);
        trace.record(step, "return", value);
        trace.record(step, "stages", self.learner.learned() as f64);
        Ok(match self.learner.finished() {
            _ if step == self.budget => Progress::Done(Reason::Budget),
            Some(why) => Progress::Done(Reason::Converged(why)),
            None => Progress::Continue,
        })
    }

    fn progress(&self) -> (u64, u64) {
        (self.place.spent.min(self.budget), self.budget)
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
        let bytes = number_bytes(self.policy());
        let spent = self.place.spent.min(self.budget);
        let norms = self.learner.gradient_norms().map(|norms| (NORMS_FILE, norms.to_csv().into_bytes()));
        let files = [(POLICY, bytes)].into_iter().chain(norms);
        Some(self.spec.artefact("stage-policy", &self.options, spent, files))
    }
}
