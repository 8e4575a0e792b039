//! Uniformly random actions: what not learning at all earns.

use quire_core::options::NoOptions;
use quire_core::{About, Result, Rng, state};
use rand::RngExt;

use super::{Agent, Method, Setting};

/// The agent.
pub struct RandomPolicy {
    states: usize,
    actions: usize,
    rng: Rng,
}

impl Method for RandomPolicy {
    type Options = NoOptions;

    const ABOUT: About = About {
        name: "random-policy",
        summary: "Uniformly random actions",
        when: "The line that every learner must cross.",
        wing: "mdp",
        family: "average_reward",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, _options: NoOptions) -> Result<Self> {
        let rng = setting.seeds.stream("actions");
        Ok(RandomPolicy { states: setting.states, actions: setting.actions, rng })
    }
}

impl Agent for RandomPolicy {
    fn act(&mut self, _state: usize) -> usize {
        self.rng.random_range(0..self.actions as u32) as usize
    }

    fn observe(&mut self, _state: usize, _action: usize, _reward: f64, _next: usize) {}

    fn policy(&self) -> Vec<f64> {
        vec![1.0 / self.actions as f64; self.states * self.actions]
    }

    fn save(&self) -> Vec<u8> {
        state::encode("random-policy", &self.rng)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.rng = state::decode("random-policy", saved)?;
        Ok(())
    }
}
