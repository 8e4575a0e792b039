//! PPGAE: parameterized policy gradient with advantage estimation (Bai, Mondal & Aggarwal 2024).
//!
//! An epoch of H steps is lived with one policy. For a state s, from the start of the epoch, every visit to s at a step τ
//! opens a window of N steps with the rewards' sum y, and the next visit is looked for 2N steps after τ, so that windows are
//! nearly independent. With M windows,
//!
//! > V̂(s) = 1/M Σ y,  Q̂(s, a) = 1/(M π(a|s)) Σ y [a_τ = a],  Â = Q̂ - V̂
//! >
//! > x = 1/H Σ_t Â(s_t, a_t) ∇ ln π(a_t|s_t)
//!
//! N has to be several times the mixing time, which must be known: what MAC does without.
//!
//! Source: Q. Bai, W. U. Mondal & V. Aggarwal, *Regret analysis of policy gradient algorithm for infinite horizon average
//! reward Markov decision processes*, AAAI 2024, arXiv:2309.01922, algorithms 1 and 2, from memory. The lengths are ours.

use quire_core::{About, Error, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::actor_critic::{ActorCritic, Step, StepOptions};
use super::{Agent, Method, Setting};

/// Options of `ppgae`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PpgaeOptions {
    /// Steps H of an epoch. Ours: 1000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub epoch: usize,
    /// Steps N of a window, at most H. Ours: 8.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub window: usize,
    /// Step sizes; only the actor's is used. Ours: 4.
    pub steps: StepOptions,
}

impl Default for PpgaeOptions {
    fn default() -> Self {
        PpgaeOptions { epoch: 1_000, window: 8, steps: StepOptions { actor: 4.0, ..StepOptions::default() } }
    }
}

impl Options for PpgaeOptions {
    fn validate(&self) -> Result<()> {
        if self.window > self.epoch {
            let message = format!("must not exceed the epoch, {}; got {}", self.epoch, self.window);
            return Err(Error::option("window", message));
        }
        Ok(())
    }
}

/// The agent.
pub struct Ppgae {
    options: PpgaeOptions,
    learner: ActorCritic,
    epoch: Vec<Step>,
}

impl Method for Ppgae {
    type Options = PpgaeOptions;

    const ABOUT: About = About {
        name: "ppgae",
        summary: "Policy gradient with advantages from windows of a fixed length",
        when: "The baseline that has to know the mixing time: its windows must be several times as long.",
        wing: "mdp",
        family: "average_reward",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: PpgaeOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(Ppgae { options, learner: ActorCritic::new(setting), epoch: Vec::new() })
    }
}

/// Â of all states and actions, `[S, A]`, from an epoch lived with `policy`, `[S, A]`; 0 for a state without a window.
pub fn advantages(epoch: &[Step], window: usize, policy: &[f64], actions: usize) -> Vec<f64> {
    let mut advantages = vec![0.0; policy.len()];
    // Sums of rewards before each step.
    let mut before = vec![0.0; epoch.len() + 1];
    epoch.iter().enumerate().for_each(|(t, step)| before[t + 1] = before[t] + step.reward);
    for (state, row) in advantages.chunks_exact_mut(actions).enumerate() {
        let (mut windows, mut sum, mut time) = (0.0, 0.0, 0);
        while time + window <= epoch.len() {
            if epoch[time].state == state {
                let paid = before[time + window] - before[time];
                windows += 1.0;
                sum += paid;
                row[epoch[time].action] += paid;
                time += 2 * window;
            } else {
                time += 1;
            }
        }
        if windows > 0.0 {
            let policy = &policy[state * actions..][..actions];
            for (value, p) in row.iter_mut().zip(policy) {
                // An action that was never taken may have a probability that has rounded to 0.
                let action_value = if *value == 0.0 { 0.0 } else { *value / (windows * p) };
                *value = action_value - sum / windows;
            }
        }
    }
    advantages
}

impl Agent for Ppgae {
    fn act(&mut self, state: usize) -> usize {
        self.learner.act(state)
    }

    fn observe(&mut self, state: usize, action: usize, reward: f64, next: usize) {
        let Ppgae { options, learner, epoch } = self;
        epoch.push(Step { state, action, reward, next });
        if epoch.len() == options.epoch {
            let policy = learner.policy();
            let actions = policy.len() / learner.values.len();
            let advantages = advantages(epoch, options.window, &policy, actions);
            let length = epoch.len() as f64;
            let weighted =
                epoch.iter().map(|step| (*step, advantages[step.state * actions + step.action] / length));
            learner.move_along_score(&options.steps, weighted);
            learner.gain = epoch.iter().map(|step| step.reward).sum::<f64>() / length;
            epoch.clear();
        }
    }

    fn policy(&self) -> Vec<f64> {
        self.learner.policy()
    }

    /// The average reward of the last epoch.
    fn estimated_gain(&self) -> Option<f64> {
        Some(self.learner.gain)
    }

    fn save(&self) -> Vec<u8> {
        state::encode("ppgae", &(&self.learner, &self.epoch))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.learner, self.epoch) = state::decode("ppgae", saved)?;
        Ok(())
    }
}
