//! A run: one life, a record every hundredth of it.

use std::sync::Arc;

use quire_core::{
    Artefact, Entry, OptionMap, Progress, Reason, Result, Rng, Run, RunSpec, Seeds, Trace, number_bytes,
    state,
};
use serde::{Deserialize, Serialize};

use super::worlds::{SWEEPS, TOLERANCE};
use super::{Agent, Hypotheses, Kernels, Maker, Setting};
use crate::finite::FiniteMdp;
use crate::linear::Features;
use crate::policy;
use crate::solve::relative_value_iteration;

/// Points of the curve in a run, at most; one [`Run::step`] makes one of them.
const RECORDS: u64 = 100;

/// Where a life is led.
pub struct World {
    /// The true model.
    pub mdp: FiniteMdp,
    /// Its optimal average reward J*.
    pub optimal_gain: f64,
    /// The class that the agent is told of, and where the truth is in it.
    pub class: Option<(Arc<Hypotheses>, usize)>,
    /// The kernels that the agent is told of.
    pub kernels: Option<Arc<Kernels>>,
    /// The features that the agent is told of.
    pub features: Option<Arc<Features>>,
    /// Coordinates of the states in [0, 1], `[S, d]`.
    pub coordinates: Option<Arc<Vec<f64>>>,
}

impl World {
    /// Solves the model for J*.
    ///
    /// # Errors
    /// Those of the solver.
    pub fn new(mdp: FiniteMdp, class: Option<(Arc<Hypotheses>, usize)>) -> Result<Self> {
        let optimal_gain = relative_value_iteration(&mdp, TOLERANCE, SWEEPS)?.gain;
        Ok(World { mdp, optimal_gain, class, kernels: None, features: None, coordinates: None })
    }

    /// The same with coordinates of the states.
    pub fn with_coordinates(self, coordinates: Vec<f64>) -> Self {
        World { coordinates: Some(Arc::new(coordinates)), ..self }
    }

    /// The same with features that the model is linear in.
    pub fn with_features(self, features: Features) -> Self {
        World { features: Some(Arc::new(features)), ..self }
    }

    /// The same with kernels that the model is a mixture of.
    pub fn with_kernels(self, kernels: Kernels) -> Self {
        World { kernels: Some(Arc::new(kernels)), ..self }
    }
}

/// An agent in its world.
pub struct AverageRewardRun {
    spec: RunSpec,
    budget: u64,
    options: OptionMap,
    world: World,
    agent: Box<dyn Agent>,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    step: u64,
    state: usize,
    paid: f64,
    dynamics: Rng,
}

impl AverageRewardRun {
    /// Starts a life of `budget` steps. `options` are all options of the method.
    pub fn start(
        spec: &RunSpec,
        budget: u64,
        world: World,
        entry: &Entry<Maker>,
        options: OptionMap,
    ) -> Result<Self> {
        let seeds = Seeds::new(spec.seed);
        let setting = Setting {
            states: world.mdp.states(),
            actions: world.mdp.actions(),
            hypotheses: world.class.as_ref().map(|(class, _)| Arc::clone(class)),
            kernels: world.kernels.clone(),
            features: world.features.clone(),
            coordinates: world.coordinates.clone(),
            seeds: seeds.child("agent"),
        };
        let mut dynamics = seeds.stream("dynamics");
        let state = world.mdp.sample_start(&mut dynamics);
        Ok(AverageRewardRun {
            agent: (entry.make.agent)(&setting, &spec.options)?,
            place: Place { step: 0, state, paid: 0.0, dynamics },
            spec: spec.clone(),
            budget,
            options,
            world,
        })
    }

    fn kind(&self) -> String {
        self.spec.kind(self.budget, "steps")
    }
}

impl Run for AverageRewardRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        let World { mdp, optimal_gain, class, .. } = &self.world;
        let Place { step, state, paid, dynamics } = &mut self.place;
        let (first, paid_before) = (*step, *paid);
        let until = self.budget.min(first + self.budget.div_ceil(RECORDS));
        while *step < until {
            let action = self.agent.act(*state);
            let reward = mdp.reward(*state, action);
            let next = mdp.sample_next(*state, action, dynamics);
            self.agent.observe(*state, action, reward, next);
            *paid += reward;
            *state = next;
            *step += 1;
        }
        trace.record(until, "regret", until as f64 * optimal_gain - *paid);
        trace.record(until, "average_reward", (*paid - paid_before) / (until - first) as f64);
        if let Some(switches) = self.agent.switches() {
            trace.record(until, "switches", switches as f64);
        }
        if let Some(gain) = self.agent.estimated_gain() {
            trace.record(until, "estimated_gain", gain);
        }
        if let (Some((_, truth)), Some(hypothesis)) = (class, self.agent.hypothesis()) {
            trace.record(until, "true_hypothesis", f64::from(u8::from(hypothesis == *truth)));
        }
        Ok(if until == self.budget { Progress::Done(Reason::Budget) } else { Progress::Continue })
    }

    fn progress(&self) -> (u64, u64) {
        (self.place.step, self.budget)
    }

    fn save(&self) -> Vec<u8> {
        state::encode(&self.kind(), &(&self.place, self.agent.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, agent): (Place, Vec<u8>) = state::decode(&self.kind(), saved)?;
        self.place = place;
        self.agent.restore(&agent)?;
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        let bytes = number_bytes(self.agent.policy());
        Some(self.spec.artefact("policy", &self.options, self.place.step, [(policy::FILE, bytes)]))
    }
}
