//! What the methods of this family are held against: no noise, and rewards that are known.
//!
//! Others are options of [`super::pr_lsvi`]: asking always, asking at random, both trajectories from the same policy.

use quire_core::{About, Options, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pr_lsvi::{PrLsvi, PrLsviOptions, Truncation};
use super::query::Query;
use super::{Learner, Method, Pair, Setting};

/// Options of `greedy-preference-lsvi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GreedyPreferenceLsviOptions {
    /// Ridge λ of the values' regressions. Usual: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
    /// Penalty ρ of the likelihood. Ours: 0.1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub penalty: f64,
    /// Newton steps after every answer. Ours: 4.
    #[schemars(range(min = 1, max = 100))]
    pub newton_steps: usize,
}

impl Default for GreedyPreferenceLsviOptions {
    fn default() -> Self {
        GreedyPreferenceLsviOptions { ridge: 1.0, penalty: 0.1, newton_steps: 4 }
    }
}

impl Options for GreedyPreferenceLsviOptions {}

/// Options of `true-reward-rlsvi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrueRewardRlsviOptions {
    /// Noise of the values. Ours: 0.3; a run in several settles early on a poor policy.
    #[schemars(range(min = 0.0))]
    pub value_noise: f64,
    /// Ridge λ. Usual: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
    /// What keeps values of what is hardly known in bounds.
    pub truncation: Truncation,
}

impl Default for TrueRewardRlsviOptions {
    fn default() -> Self {
        TrueRewardRlsviOptions { value_noise: 0.3, ridge: 1.0, truncation: Truncation::Clip {} }
    }
}

impl Options for TrueRewardRlsviOptions {}

const fn about(name: &'static str, summary: &'static str, when: &'static str) -> About {
    About {
        name,
        summary,
        when,
        wing: "mdp",
        family: "preference",
        paper: None,
        is_baseline: true,
        tuned: "",
    }
}

macro_rules! special_case {
    ($(#[$doc:meta])* $name:ident, $options:ty, $about:expr, $knows:expr, |$set:ident| $as_options:expr) => {
        $(#[$doc])*
        pub struct $name(PrLsvi);

        impl Method for $name {
            type Options = $options;
            const ABOUT: About = $about;
            const KNOWS_REWARDS: bool = $knows;

            fn new(setting: &Setting, $set: $options) -> Result<Self> {
                Ok($name(PrLsvi::new(setting, $as_options)?))
            }
        }

        impl Learner for $name {
            fn plan(&mut self, policies: [&mut [usize]; 2]) -> Result<()> {
                self.0.plan(policies)
            }

            fn asks(&mut self, pair: Pair) -> Result<bool> {
                self.0.asks(pair)
            }

            fn observe(&mut self, pair: Pair, first_is_better: Option<bool>) -> Result<()> {
                self.0.observe(pair, first_is_better)
            }

            fn save(&self) -> Vec<u8> {
                self.0.save()
            }

            fn restore(&mut self, saved: &[u8]) -> Result<()> {
                self.0.restore(saved)
            }
        }
    };
}

special_case!(
    /// No noise at all.
    GreedyPreferenceLsvi,
    GreedyPreferenceLsviOptions,
    about(
        "greedy-preference-lsvi",
        "Least-squares value iteration on rewards learned from comparisons, without noise, always asking",
        "To see what exploring is worth: where it has settled early it learns nothing more.",
    ),
    false,
    |options| PrLsviOptions {
        reward_noise: 0.0,
        value_noise: 0.0,
        ridge: options.ridge,
        penalty: options.penalty,
        newton_steps: options.newton_steps,
        query: Query::Always {},
        ..PrLsviOptions::default()
    }
);

special_case!(
    /// RLSVI with the true rewards.
    TrueRewardRlsvi,
    TrueRewardRlsviOptions,
    about(
        "true-reward-rlsvi",
        "Randomized least-squares value iteration that is told the rewards and asks nothing",
        "To see what not knowing the rewards costs.",
    ),
    true,
    |options| PrLsviOptions {
        value_noise: options.value_noise,
        ridge: options.ridge,
        truncation: options.truncation,
        ..PrLsviOptions::default()
    }
);
