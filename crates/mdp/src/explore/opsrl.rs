//! OPSRL: posterior sampling made optimistic by taking the best of J samples (Tiapkin et al. 2022).
//!
//! As Bayes-UCBVI, with the greatest of J posterior samples in place of the quantile of many.
//!
//! Source: D. Tiapkin et al., *Optimistic posterior sampling for reinforcement learning with few samples and tight
//! guarantees*, NeurIPS 2022, arXiv:2209.14414. J = 8 and a pseudo-state that pays 1 a step are ours.

use quire_core::{About, Options, Result, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bayes_ucbvi::{BayesUcbvi, BayesUcbviOptions};
use super::{Explorer, Method, Setting};

/// Options of `opsrl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OpsrlOptions {
    /// Posterior samples J, of which the best counts. Ours: 8.
    #[schemars(range(min = 1))]
    pub samples: usize,
    /// Pseudo-count of the optimistic state. Paper's experiments: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub prior_weight: f64,
    /// Reward per step of the optimistic state. Ours: 1.
    #[schemars(range(min = 1.0))]
    pub prior_reward: f64,
}

impl Default for OpsrlOptions {
    fn default() -> Self {
        OpsrlOptions { samples: 8, prior_weight: 1.0, prior_reward: 1.0 }
    }
}

impl Options for OpsrlOptions {}

/// The explorer: the maximum is the quantile of level 1.
pub struct Opsrl {
    quantile: BayesUcbvi,
}

impl Method for Opsrl {
    type Options = OpsrlOptions;

    const ABOUT: About = About {
        name: "opsrl",
        summary: "Optimistic posterior sampling: the best of J draws from the Dirichlet posterior",
        when: "Between psrl (one draw) and bayes-ucbvi (a quantile); few draws keep its optimism small.",
        wing: "mdp",
        family: "explore",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: OpsrlOptions) -> Result<Self> {
        options::check(&options)?;
        let as_quantile = BayesUcbviOptions {
            prior_weight: options.prior_weight,
            prior_reward: options.prior_reward,
            quantile: Some(1.0),
            samples: options.samples,
            known_rewards: true,
        };
        Ok(Opsrl { quantile: BayesUcbvi::new(setting, as_quantile)? })
    }
}

impl Explorer for Opsrl {
    fn plan(&mut self, policy: &mut [usize]) {
        self.quantile.plan(policy);
    }

    fn observe(&mut self, stage: usize, state: usize, action: usize, next: usize) {
        self.quantile.observe(stage, state, action, next);
    }

    fn save(&self) -> Vec<u8> {
        self.quantile.save()
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.quantile.restore(saved)
    }
}
