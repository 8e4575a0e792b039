//! Actor-critic on trajectories of a fixed length, all of whose steps weigh the same.
//!
//! The baseline of MAC. With constant steps it is the paper's; with AdaGrad-norm it is the control that tells apart what the
//! multi-level estimates gain and what the steps do.
//!
//! Source: as the baseline of arXiv:2301.12083, and R. Sutton & A. Barto, *Reinforcement learning*, 2018, section 13.6, for
//! the temporal difference of the average reward.

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::actor_critic::{ActorCritic, Step, StepOptions, StepRule};
use super::{Agent, Method, Setting};

/// Options of `vanilla-actor-critic`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VanillaOptions {
    /// Steps of a trajectory. Ours: 4, about MAC's mean.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub length: usize,
    /// Step sizes. Ours: constant steps of 0.1, of 0.01 for the average reward.
    pub steps: StepOptions,
}

impl Default for VanillaOptions {
    fn default() -> Self {
        let steps = StepOptions {
            rule: StepRule::Constant,
            gain_rule: StepRule::Constant,
            actor: 0.1,
            critic: 0.1,
            gain: 0.01,
            ..StepOptions::default()
        };
        VanillaOptions { length: 4, steps }
    }
}

impl Options for VanillaOptions {}

/// The agent.
pub struct VanillaActorCritic {
    options: VanillaOptions,
    learner: ActorCritic,
    trajectory: Vec<Step>,
}

impl Method for VanillaActorCritic {
    type Options = VanillaOptions;

    const ABOUT: About = About {
        name: "vanilla-actor-critic",
        summary: "Actor-critic on trajectories of a fixed length",
        when: "The baseline of mac, and with AdaGrad-norm steps often the better choice.",
        wing: "mdp",
        family: "average_reward",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: VanillaOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(VanillaActorCritic { options, learner: ActorCritic::new(setting), trajectory: Vec::new() })
    }
}

impl Agent for VanillaActorCritic {
    fn act(&mut self, state: usize) -> usize {
        self.learner.act(state)
    }

    fn observe(&mut self, state: usize, action: usize, reward: f64, next: usize) {
        self.trajectory.push(Step { state, action, reward, next });
        let length = self.options.length;
        if self.trajectory.len() == length {
            self.learner.update(&self.options.steps, &self.trajectory, |_| 1.0 / length as f64);
            self.trajectory.clear();
        }
    }

    fn policy(&self) -> Vec<f64> {
        self.learner.policy()
    }

    fn estimated_gain(&self) -> Option<f64> {
        Some(self.learner.gain)
    }

    fn save(&self) -> Vec<u8> {
        state::encode("vanilla-actor-critic", &(&self.learner, &self.trajectory))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.learner, self.trajectory) = state::decode("vanilla-actor-critic", saved)?;
        Ok(())
    }
}
