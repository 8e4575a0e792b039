//! REINFORCE for the average reward: returns over the rest of a segment, each reward less the average.
//!
//! > x = 1/N Σ_i ( Σ_{k ≥ i} (r_k - η) ) ∇ ln π(a_i|s_i)
//!
//! over segments of N steps of the one life, η as in the actor-critics. There is no critic: the return does its work.
//!
//! Source: R. Williams, *Simple statistical gradient-following algorithms for connectionist reinforcement learning*, Machine
//! Learning 8, 1992; cutting a life into segments, with the average reward as baseline, is as in the comparisons of
//! arXiv:2301.12083, from memory.

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::actor_critic::{ActorCritic, Step, StepOptions};
use super::{Agent, Method, Setting};

/// Options of `average-reward-reinforce`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReinforceOptions {
    /// Steps of a segment. Ours: 32.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub length: usize,
    /// Step sizes; there is no critic to use its own.
    pub steps: StepOptions,
}

impl Default for ReinforceOptions {
    fn default() -> Self {
        ReinforceOptions { length: 32, steps: StepOptions::default() }
    }
}

impl Options for ReinforceOptions {}

/// The agent.
pub struct Reinforce {
    options: ReinforceOptions,
    learner: ActorCritic,
    segment: Vec<Step>,
    /// Σ_{k ≥ i} (r_k - η) of the last segment.
    returns: Vec<f64>,
}

impl Method for Reinforce {
    type Options = ReinforceOptions;

    const ABOUT: About = About {
        name: "average-reward-reinforce",
        summary: "REINFORCE on segments of one life, with the average reward as baseline",
        when: "The baseline without a critic; its returns are noisy.",
        wing: "mdp",
        family: "average_reward",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: ReinforceOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(Reinforce {
            options,
            learner: ActorCritic::new(setting),
            segment: Vec::new(),
            returns: Vec::new(),
        })
    }
}

/// Fills `returns` with Σ_{k ≥ i} (r_k - `gain`) for every step i.
pub fn returns_to_go(segment: &[Step], gain: f64, returns: &mut Vec<f64>) {
    returns.clear();
    returns.extend(segment.iter().map(|step| step.reward - gain));
    for i in (1..returns.len()).rev() {
        returns[i - 1] += returns[i];
    }
}

impl Agent for Reinforce {
    fn act(&mut self, state: usize) -> usize {
        self.learner.act(state)
    }

    fn observe(&mut self, state: usize, action: usize, reward: f64, next: usize) {
        let Reinforce { options, learner, segment, returns } = self;
        segment.push(Step { state, action, reward, next });
        if segment.len() == options.length {
            returns_to_go(segment, learner.gain, returns);
            let length = options.length as f64;
            let weighted = segment.iter().zip(&*returns).map(|(step, value)| (*step, value / length));
            learner.move_along_score(&options.steps, weighted);
            // The first return is the sum of all r - η.
            learner.move_gain(&options.steps, returns[0] / length);
            segment.clear();
        }
    }

    fn policy(&self) -> Vec<f64> {
        self.learner.policy()
    }

    fn estimated_gain(&self) -> Option<f64> {
        Some(self.learner.gain)
    }

    fn save(&self) -> Vec<u8> {
        state::encode("average-reward-reinforce", &(&self.learner, &self.segment))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.learner, self.segment) = state::decode("average-reward-reinforce", saved)?;
        Ok(())
    }
}
