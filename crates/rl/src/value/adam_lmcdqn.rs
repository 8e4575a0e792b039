//! Adam LMCDQN: deep exploration by Langevin sampling of Q-networks (Ishfaq et al. 2024).
//!
//! DQN whose weights are not optimized but sampled: every update is a step of aSGLD,
//!
//! > m ← 0.9 m + 0.1 g,  v ← 0.999 v + 0.001 g²
//! >
//! > θ ← θ - lr ( g + a m/(√v + 1e-8) ) + s √(2 lr) ε,  ε ~ N(0, I),  s = 1/√β
//!
//! with g the gradient of the temporal-difference loss on a batch. Actions are greedy in the weights of the moment; there is
//! no ε-greedy on top. The target network is that of DQN, or of double DQN.
//!
//! The loss here is half the squared error (or Huber's), averaged over the batch. Returns are of three steps, as in the paper's
//! runs on Atari.
//!
//! Source: H. Ishfaq et al., ICLR 2024, arXiv:2305.18246, algorithm 2 and its official code.

use quire_core::{About, Options, Result, options};
use quire_optim::AdaptiveLangevin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::deep_q::{DeepQ, DeepQLearner, DeepQOptions};
use super::{double_dqn, dqn};
use crate::agent::{Actions, Learner, Task};
use crate::exploration::Exploration;
use crate::network::{QNetworkOptions, check_widths};

macro_rules! langevin_options {
    ($(#[$meta:meta])* $name:ident $({ $(#[$extra_meta:meta])* $extra:ident: $extra_default:expr })?) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            /// Learning rate. Paper, Atari: 0.0001.
            #[schemars(extend("exclusiveMinimum" = 0.0))]
            pub learning_rate: f64,
            /// Noise scale s = 1/√β, a factor on a standard deviation. Paper, Atari: tuned among 1e-8, 1e-7 and 1e-6.
            #[schemars(range(min = 0.0))]
            pub noise_scale: f64,
            $($(#[$extra_meta])* pub $extra: f64,)?
            /// Whether the online network selects the next action, as in double DQN. Paper: both.
            pub double: bool,
            /// Discount factor per environment step. Paper: 0.99.
            #[schemars(range(min = 0.0, max = 1.0))]
            pub discount: f64,
            /// Steps n whose rewards a target sums up before it bootstraps. Paper, Atari: 3.
            #[schemars(range(min = 1, max = 1000))]
            pub n_step: usize,
            /// Transitions kept for replay. Paper: 1,000,000.
            #[schemars(range(min = 1))]
            pub replay_capacity: usize,
            /// Environment steps before the first update, with the weights as drawn. Ours: 320.
            pub learning_starts: u64,
            /// Environment steps from one round of updates to the next. Paper, Atari: 10.
            #[schemars(range(min = 1))]
            pub learn_period: u64,
            /// Langevin steps J in a round, each on a batch of its own. Paper: 1.
            #[schemars(range(min = 1))]
            pub updates_per_round: u32,
            /// Transitions in a batch. Paper: 32.
            #[schemars(range(min = 1, max = 65_536))]
            pub batch_size: usize,
            /// Environment steps from one refresh of the target network to the next. Paper: 500 updates, 5,000 steps.
            #[schemars(range(min = 1))]
            pub target_period: u64,
            /// Bound on the temporal-difference error in the gradient (Huber); none is squared loss. Paper: both.
            #[schemars(extend("exclusiveMinimum" = 0.0))]
            pub error_clip: Option<f64>,
            /// The network.
            pub network: QNetworkOptions,
        }

        impl Default for $name {
            fn default() -> Self {
                $name {
                    learning_rate: 1e-4,
                    noise_scale: 1e-7,
                    $($extra: $extra_default,)?
                    double: true,
                    discount: 0.99,
                    n_step: 3,
                    replay_capacity: 1_000_000,
                    learning_starts: 320,
                    learn_period: 10,
                    updates_per_round: 1,
                    batch_size: 32,
                    target_period: 5_000,
                    error_clip: None,
                    network: QNetworkOptions::default(),
                }
            }
        }

        impl Options for $name {
            fn validate(&self) -> Result<()> {
                check_widths("network.hidden", &self.network.hidden, 1)
            }
        }

        impl $name {
            /// The parts of a deep Q-learner without exploration of its own.
            pub(super) fn deep_q(&self) -> DeepQOptions {
                DeepQOptions {
                    discount: self.discount,
                    n_step: self.n_step,
                    replay_capacity: self.replay_capacity,
                    learning_starts: self.learning_starts,
                    learn_period: self.learn_period,
                    updates_per_round: self.updates_per_round,
                    batch_size: self.batch_size,
                    target_period: self.target_period,
                    exploration: Exploration { initial: 0.0, last: 0.0, steps: 0 },
                    evaluation_epsilon: 0.0,
                    error_clip: self.error_clip,
                    network: self.network.clone(),
                    ..DeepQOptions::default()
                }
            }
        }
    };
}

langevin_options! {
    /// Options of `adam-lmcdqn`. The defaults are the paper's for Atari 2600.
    AdamLmcDqnOptions {
        /// Bias factor a on the preconditioned momentum. Paper, Atari: tuned among 1, 0.1 and 0.01.
        #[schemars(range(min = 0.0))]
        bias_factor: 0.1
    }
}

langevin_options! {
    /// Options of `langevin-dqn`. The defaults are those of `adam-lmcdqn`.
    LangevinDqnOptions
}

/// Fills the targets of a fresh batch, of DQN or double DQN, and takes a step.
pub(super) fn update(parts: &mut DeepQ, double: bool) -> Result<()> {
    parts.sample();
    if double {
        double_dqn::set_targets(parts);
    } else {
        dqn::set_targets(parts);
    }
    parts.regress()
}

/// The learner.
pub struct AdamLmcDqn {
    parts: DeepQ,
    double: bool,
}

impl DeepQLearner for AdamLmcDqn {
    fn parts(&self) -> &DeepQ {
        &self.parts
    }

    fn parts_mut(&mut self) -> &mut DeepQ {
        &mut self.parts
    }

    fn update(&mut self) -> Result<()> {
        update(&mut self.parts, self.double)
    }
}

impl Learner for AdamLmcDqn {
    type Options = AdamLmcDqnOptions;

    const ABOUT: About = About {
        name: "adam-lmcdqn",
        summary: "DQN whose weights are sampled by an adaptive Langevin method in place of random actions",
        when: "Rewards that take many right steps in a row to find, where an ensemble is too dear. The noise scale has to be \
               tuned to the problem: too small does not explore, too large does not learn. On a chain of 25 states it is \
               better than langevin-dqn, but not told apart from dqn with random actions, at twice the time.",
        wing: "rl",
        family: "value",
        paper: Some(quire_core::Paper {
            slug: "lmc-lsvi",
            title: "Provable and Practical: Efficient Exploration in Reinforcement Learning via Langevin Monte Carlo",
            arxiv: "2305.18246",
        }),
        is_baseline: false,
        tuned: include_str!("adam_lmcdqn.toml"),
    };

    const ACTIONS: Actions = Actions::Discrete;

    fn new(task: &Task, options: AdamLmcDqnOptions) -> Result<Self> {
        options::check(&options)?;
        let noise = task.seeds.stream("langevin");
        let rule = |len| {
            Box::new(AdaptiveLangevin::new(options.bias_factor, options.noise_scale, len, noise)) as Box<_>
        };
        let parts = DeepQ::new(task, options.deep_q())?.with_rule(
            "adaptive-langevin",
            options.learning_rate,
            rule,
        )?;
        Ok(AdamLmcDqn { parts, double: options.double })
    }
}
