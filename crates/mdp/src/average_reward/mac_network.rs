//! MAC with networks: the form of the paper's experiments (Suttle et al. 2023).
//!
//! The multi-level estimates of [`mac`](super::mac), x = x⁰ + 2^J (x^J - x^{J-1}), of [networks](super::network_actor_critic) for
//! actor and critic; the average reward moves by a constant share.
//!
//! Source: W. Suttle et al., ICML 2023, arXiv:2301.12083, and its official code, from which are AdaGrad's steps of 0.01 for each
//! coordinate and J drawn again above the greatest level; its episodes end at the goal, which breaks the telescoping, and
//! here do not. Widths of the networks are ours.

use quire_core::{About, Options, Result, Rng, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::actor_critic::Step;
use super::mac::{Overflow, PAPER, multi_level_weight, trajectory_length};
use super::network_actor_critic::{NetworkActorCritic, NetworkOptions};
use super::{Agent, Method, Setting};

/// Options of `mac-network`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MacNetworkOptions {
    /// Greatest level, log2 of the longest trajectory T_max. Official code: 4; 0 makes every trajectory one step.
    #[schemars(range(min = 0, max = 20))]
    pub levels: u32,
    /// What follows from a J above `levels`. Official code: drawn again.
    pub overflow: Overflow,
    /// Networks and their steps.
    pub network: NetworkOptions,
}

impl Default for MacNetworkOptions {
    fn default() -> Self {
        MacNetworkOptions { levels: 4, overflow: Overflow::Redraw, network: NetworkOptions::default() }
    }
}

impl Options for MacNetworkOptions {}

/// The agent.
pub struct MacNetwork {
    options: MacNetworkOptions,
    learner: NetworkActorCritic,
    /// N of this iteration.
    length: usize,
    trajectory: Vec<Step>,
    /// Where lengths come from.
    lengths: Rng,
}

impl Method for MacNetwork {
    type Options = MacNetworkOptions;

    const ABOUT: About = About {
        name: "mac-network",
        summary: "MAC with networks for policy and values",
        when: "As mac, where states are too many for tables; vanilla-actor-critic-network with AdaGrad's steps earns more on the \
               grids here.",
        wing: "mdp",
        family: "average_reward",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: MacNetworkOptions) -> Result<Self> {
        options::check(&options)?;
        let mut lengths = setting.seeds.stream("lengths");
        let length = trajectory_length(options.levels, options.overflow, &mut lengths);
        let learner = NetworkActorCritic::new(setting, options.network.clone())?;
        Ok(MacNetwork { options, learner, length, trajectory: Vec::new(), lengths })
    }
}

impl Agent for MacNetwork {
    fn act(&mut self, state: usize) -> usize {
        self.learner.act(state)
    }

    fn observe(&mut self, state: usize, action: usize, reward: f64, next: usize) {
        self.trajectory.push(Step { state, action, reward, next });
        if self.trajectory.len() == self.length {
            let length = self.length;
            self.learner.update(&self.trajectory, |index| multi_level_weight(index, length));
            self.trajectory.clear();
            self.length = trajectory_length(self.options.levels, self.options.overflow, &mut self.lengths);
        }
    }

    fn policy(&self) -> Vec<f64> {
        self.learner.policy()
    }

    fn estimated_gain(&self) -> Option<f64> {
        Some(self.learner.gain)
    }

    fn save(&self) -> Vec<u8> {
        state::encode("mac-network", &(self.learner.save(), self.length, &self.trajectory, &self.lengths))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (learner, length, trajectory, lengths): (Vec<u8>, _, _, _) = state::decode("mac-network", saved)?;
        self.learner.restore(&learner)?;
        (self.length, self.trajectory, self.lengths) = (length, trajectory, lengths);
        Ok(())
    }
}
