//! Learners of discrete actions in the simulators of `mdp`: finite MDPs with a short horizon, whose states have features.
//!
//! A learner sees the features and not the stage. An episode that the horizon ends has ended, as for the methods of that role:
//! nothing is bootstrapped from beyond. What it is scored by is its greedy policy, the same at every stage, worked out exactly;
//! an evaluation rule with random actions (`evaluation_epsilon`) is asked once for every state.

use quire_core::{About, Entry, Result, Rng, Trace, state};
use quire_env::Space;
use quire_mdp::fitted::simulator::{self, Learner, Setting, Step, entry};
use serde::{Deserialize, Serialize};

use crate::actor_critic::ppo::Ppo;
use crate::agent::{self, Task};
use crate::replay::Transition;
use crate::value::{double_dqn::DoubleDqn, dqn::Dqn};

/// The learners that join those of the role.
pub const METHODS: &[Entry<simulator::Make>] =
    &[entry::<InSimulator<Dqn>>(), entry::<InSimulator<DoubleDqn>>(), entry::<InSimulator<Ppo>>()];

/// The learner `L` in a simulator.
pub struct InSimulator<L> {
    agent: L,
    /// Features of the states, `[S, d]`.
    features: Vec<f32>,
    dimensions: usize,
    place: Place,
    action: Vec<f32>,
    /// Takes in diagnostics, which a simulator does not record.
    unread: Trace,
}

#[derive(Serialize, Deserialize)]
struct Place {
    /// The greedy policy when it was last asked for, `[S]`; empty before.
    greedy: Vec<u32>,
    /// For evaluation rules that draw.
    evaluation: Rng,
}

impl<L: agent::Learner> simulator::Method for InSimulator<L> {
    type Options = L::Options;

    const ABOUT: About = L::ABOUT;

    fn new(setting: &Setting, options: L::Options) -> Result<Self> {
        let dimensions = setting.features.len() / setting.states;
        let features: Vec<f32> = setting.features.iter().map(|&x| x as f32).collect();
        let mut low = features[..dimensions].to_vec();
        let mut high = low.clone();
        for row in features.chunks_exact(dimensions) {
            low.iter_mut().zip(row).for_each(|(low, x)| *low = low.min(*x));
            high.iter_mut().zip(row).for_each(|(high, x)| *high = high.max(*x));
        }
        let task = Task {
            observation: Space::new_box(low, high, vec![dimensions])?,
            action: Space::Discrete { n: setting.actions },
            budget: setting.budget,
            threads: 1,
            seeds: setting.seeds.child("agent"),
        };
        Ok(InSimulator {
            agent: L::new(&task, options)?,
            features,
            dimensions,
            place: Place { greedy: Vec::new(), evaluation: setting.seeds.stream("evaluation") },
            action: vec![0.0],
            unread: Trace::new(),
        })
    }
}

impl<L: agent::Learner> Learner for InSimulator<L> {
    fn act(&mut self, _stage: usize, state: usize) -> usize {
        let InSimulator { agent, features, dimensions, action, .. } = self;
        agent.act(&features[state * *dimensions..][..*dimensions], action);
        self.action[0] as usize
    }

    fn observe(&mut self, step: Step, spent: u64) -> Result<()> {
        let InSimulator { agent, features, dimensions, unread, .. } = self;
        let seen = |state: usize| &features[state * *dimensions..][..*dimensions];
        let transition = Transition {
            observation: seen(step.state),
            action: &[step.action as f32],
            reward: step.reward as f32,
            steps: 1,
            // Beyond an end there is nothing, and nobody looks.
            next_observation: seen(step.next.unwrap_or(step.state)),
            terminated: step.next.is_none(),
            truncated: false,
        };
        agent.observe(&transition, spent, unread)?;
        unread.take();
        Ok(())
    }

    fn prepare_policy(&mut self) {
        self.place.greedy.clear();
        for observation in self.features.chunks_exact(self.dimensions) {
            self.agent.act_greedily(observation, &mut self.place.evaluation, &mut self.action);
            self.place.greedy.push(self.action[0] as u32);
        }
    }

    fn policy(&self, _stage: usize, state: usize) -> Option<usize> {
        self.place.greedy.get(state).map(|&action| action as usize)
    }

    /// Nothing is learned for good.
    fn learned(&self) -> usize {
        0
    }

    fn save(&self) -> Vec<u8> {
        state::encode("learner in a simulator", &(&self.place, self.agent.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, agent): (Place, Vec<u8>) = state::decode("learner in a simulator", saved)?;
        self.agent.restore(&agent)?;
        self.place = place;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use quire_core::options::parse_assignments;
    use quire_core::{Problem, Progress, RunSpec};

    use super::*;

    fn problem(name: &str) -> Arc<dyn Problem> {
        let problems = quire_mdp::wing_with(METHODS).problems;
        problems.into_iter().find(|problem| problem.card().name == name).unwrap()
    }

    fn spec(problem: &str, budget: u64) -> RunSpec {
        let options = parse_assignments(&[
            "learning_starts=100",
            "learn_period=1",
            "target_period=100",
            "evaluation_epsilon=0",
            "exploration.steps=500",
            "network.hidden=[16]",
            "optimizer={name=\"adam\",learning_rate=0.003}",
        ]);
        RunSpec { options: options.unwrap(), budget: Some(budget), ..RunSpec::new(problem, "dqn", 1) }
    }

    /// Unlike one look ahead of random play, bootstrapping gets out of a trap.
    #[test]
    fn a_trap_is_no_trap_for_bootstrapping() {
        let problem = problem("trap-2");
        assert!(problem.methods().iter().any(|card| card.name == "deep-sqirl"));
        let mut run = problem.start(&spec("trap-2", 2_000)).unwrap();
        let mut trace = Trace::new();
        while run.step(&mut trace).unwrap() == Progress::Continue {}
        assert_eq!(trace.last("optimality"), Some(1.0));
    }

    #[test]
    fn a_resumed_run_is_one_that_never_stopped() {
        let problem = problem("sticky-grid-world");
        let spec = spec("sticky-grid-world", 1_000);
        let (mut whole, mut first) = (Trace::new(), Trace::new());
        let mut run = problem.start(&spec).unwrap();
        while run.step(&mut whole).unwrap() == Progress::Continue {}
        let mut run = problem.start(&spec).unwrap();
        for _ in 0..20 {
            run.step(&mut first).unwrap();
        }
        let mut resumed = problem.start(&spec).unwrap();
        resumed.restore(&run.save()).unwrap();
        assert_eq!(resumed.artefact().unwrap().files, run.artefact().unwrap().files);
        while resumed.step(&mut first).unwrap() == Progress::Continue {}
        assert_eq!(whole.take(), first.take());
    }
}
