//! Actor-critic with networks on trajectories of a fixed length, all of whose steps weigh the same: the baseline of
//! [`mac_network`](super::mac_network), and with AdaGrad's steps the control that tells apart estimates and steps.
//!
//! Source: as the baseline of arXiv:2301.12083 and of its official code.

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::actor_critic::Step;
use super::network_actor_critic::{NetworkActorCritic, NetworkOptions, NetworkStepRule};
use super::{Agent, Method, Setting};

/// Options of `vanilla-actor-critic-network`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VanillaNetworkOptions {
    /// Steps of a trajectory. Ours: 4, about MAC's mean.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub length: usize,
    /// Networks and their steps. Official code: constant steps of 0.01.
    pub network: NetworkOptions,
}

impl Default for VanillaNetworkOptions {
    fn default() -> Self {
        let network = NetworkOptions { rule: NetworkStepRule::Constant, ..NetworkOptions::default() };
        VanillaNetworkOptions { length: 4, network }
    }
}

impl Options for VanillaNetworkOptions {}

/// The agent.
pub struct VanillaActorCriticNetwork {
    options: VanillaNetworkOptions,
    learner: NetworkActorCritic,
    trajectory: Vec<Step>,
}

impl Method for VanillaActorCriticNetwork {
    type Options = VanillaNetworkOptions;

    const ABOUT: About = About {
        name: "vanilla-actor-critic-network",
        summary: "Actor-critic with networks on trajectories of a fixed length",
        when: "The baseline of mac-network; with AdaGrad's steps its control.",
        wing: "mdp",
        family: "average_reward",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: VanillaNetworkOptions) -> Result<Self> {
        options::check(&options)?;
        let learner = NetworkActorCritic::new(setting, options.network.clone())?;
        Ok(VanillaActorCriticNetwork { options, learner, trajectory: Vec::new() })
    }
}

impl Agent for VanillaActorCriticNetwork {
    fn act(&mut self, state: usize) -> usize {
        self.learner.act(state)
    }

    fn observe(&mut self, state: usize, action: usize, reward: f64, next: usize) {
        self.trajectory.push(Step { state, action, reward, next });
        let length = self.options.length;
        if self.trajectory.len() == length {
            self.learner.update(&self.trajectory, |_| 1.0 / length as f64);
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
        state::encode("vanilla-actor-critic-network", &(self.learner.save(), &self.trajectory))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (learner, trajectory): (Vec<u8>, _) = state::decode("vanilla-actor-critic-network", saved)?;
        self.learner.restore(&learner)?;
        self.trajectory = trajectory;
        Ok(())
    }
}
