//! SAC: soft actor-critic with two critics, one update a step and an automatic temperature (Haarnoja et al. 2018).
//!
//! It is [REDQ](super::redq) with N = M = 2, G = 1 and a policy that climbs the minimum of the two critics:
//!
//! > y = r + γ (1 - terminated) [ min_i Q_i(s', a'; φ⁻_i) - α log π(a'|s') ]
//!
//! Source: T. Haarnoja et al., *Soft actor-critic algorithms and applications*, arXiv:1812.05905.
//!
//! Pick it as the default for continuous actions when environment steps are cheap.

use std::collections::BTreeMap;

use quire_core::{About, Options, Result, Rng, Trace, options};
use quire_optim::OptimizerOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::redq::{PolicyValue, Redq, RedqOptions, Target};
use crate::agent::{Actions, Agent, Learner, Task};
use crate::replay::Transition;

/// Options of `sac`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SacOptions {
    /// Discount factor per environment step. Paper: 0.99.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub discount: f64,
    /// Transitions kept for replay. Paper: 1,000,000.
    #[schemars(range(min = 1))]
    pub replay_capacity: usize,
    /// First environment steps, taken at random and without updates. Paper: 10,000.
    pub random_steps: u64,
    /// Updates per environment step. Paper: 1.
    #[schemars(range(min = 1))]
    pub updates_per_step: u32,
    /// Updates of the critics from one update of the policy to the next. Paper: 1.
    #[schemars(range(min = 1))]
    pub policy_delay: u32,
    /// Transitions in a batch. Paper: 256.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// Weight of the new critic in each Polyak average. Paper: 0.005.
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
    pub polyak: f64,
    /// Widths of the hidden layers of policy and critics. Paper: 256, 256.
    #[schemars(inner(range(min = 1, max = 16_384)))]
    pub hidden: Vec<usize>,
    /// Entropy that the temperature aims at; none is minus the number of action dimensions, as in the paper.
    pub target_entropy: Option<f64>,
    /// What moves policy, critics and temperature. Paper: Adam, rate 0.0003.
    pub optimizer: OptimizerOptions,
}

impl Default for SacOptions {
    fn default() -> Self {
        SacOptions {
            discount: 0.99,
            replay_capacity: 1_000_000,
            random_steps: 10_000,
            updates_per_step: 1,
            policy_delay: 1,
            batch_size: 256,
            polyak: 0.005,
            hidden: vec![256, 256],
            target_entropy: None,
            optimizer: OptimizerOptions::adam(3e-4),
        }
    }
}

impl Options for SacOptions {}

/// The learner.
pub struct Sac {
    redq: Redq,
}

impl Learner for Sac {
    type Options = SacOptions;

    const ABOUT: About = About {
        name: "sac",
        summary: "Soft actor-critic: two critics, one update a step, automatic temperature",
        when: "The default for continuous actions when environment steps are cheap; redq needs fewer of them.",
        wing: "rl",
        family: "actor_critic",
        paper: None,
        is_baseline: true,
        tuned: include_str!("sac.toml"),
    };

    const ACTIONS: Actions = Actions::Continuous;

    fn new(task: &Task, options: SacOptions) -> Result<Self> {
        options::check(&options)?;
        let redq = RedqOptions {
            discount: options.discount,
            replay_capacity: options.replay_capacity,
            random_steps: options.random_steps,
            updates_per_step: options.updates_per_step,
            policy_delay: options.policy_delay,
            batch_size: options.batch_size,
            critics: 2,
            subset: 2.0,
            target: Target::Minimum,
            policy_value: PolicyValue::Minimum,
            polyak: options.polyak,
            hidden: options.hidden,
            target_entropy: options.target_entropy,
            optimizer: options.optimizer,
        };
        Ok(Sac { redq: Redq::new(task, redq)? })
    }
}

impl Agent for Sac {
    fn act(&mut self, observation: &[f32], action: &mut [f32]) {
        self.redq.act(observation, action);
    }

    fn act_greedily(&mut self, observation: &[f32], rng: &mut Rng, action: &mut [f32]) -> Option<f64> {
        self.redq.act_greedily(observation, rng, action)
    }

    fn discount(&self) -> f64 {
        self.redq.discount()
    }

    fn observe(&mut self, transition: &Transition<'_>, step: u64, trace: &mut Trace) -> Result<()> {
        self.redq.observe(transition, step, trace)
    }

    fn save(&self) -> Vec<u8> {
        self.redq.save()
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.redq.restore(saved)
    }

    fn policy(&self) -> BTreeMap<String, Vec<u8>> {
        self.redq.policy()
    }

    fn load_policy(&mut self, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
        self.redq.load_policy(files)
    }
}
