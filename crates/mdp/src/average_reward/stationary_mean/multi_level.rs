//! The multi-level Monte Carlo mean: x⁰ + 2^J (x^J - x^{J-1}), as in [`mac`](super::super::mac).
//!
//! Its expectation is exactly that of the mean of 2^levels steps, for levels + 2^-levels steps on average; the price is a
//! variance that grows with the longest trajectory.
//!
//! Source: W. Suttle et al., ICML 2023, arXiv:2301.12083; after J. Blanchet & P. Glynn, *Unbiased Monte Carlo for
//! optimization and functions of expectations via multi-level randomization*, 2015.

use quire_core::{About, Options, Result, Rng, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::mac::{Overflow, PAPER, multi_level_weight, trajectory_length};
use super::{MeanEstimator, Method};

/// Options of `multi-level-mean`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MultiLevelOptions {
    /// Greatest level, log2 of the longest trajectory. Official code: 4.
    #[schemars(range(min = 0, max = 30))]
    pub levels: u32,
    /// What follows from a level above the greatest. Paper: one step.
    pub overflow: Overflow,
}

impl Default for MultiLevelOptions {
    fn default() -> Self {
        MultiLevelOptions { levels: 4, overflow: Overflow::OneStep }
    }
}

impl Options for MultiLevelOptions {}

/// The estimator.
pub struct MultiLevelMean(MultiLevelOptions);

impl Method for MultiLevelMean {
    type Options = MultiLevelOptions;

    const ABOUT: About = About {
        name: "multi-level-mean",
        summary: "The mean of a long trajectory in expectation, at the cost of a short one",
        when: "Where the bias of short trajectories hurts more than noise: the variance grows with the longest trajectory.",
        wing: "mdp",
        family: "average_reward",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(options: MultiLevelOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(MultiLevelMean(options))
    }
}

impl MeanEstimator for MultiLevelMean {
    fn estimate(&self, next: &mut dyn FnMut(&mut Rng) -> f64, rng: &mut Rng) -> (f64, usize) {
        let length = trajectory_length(self.0.levels, self.0.overflow, rng);
        ((0..length).map(|index| multi_level_weight(index, length) * next(rng)).sum(), length)
    }
}
