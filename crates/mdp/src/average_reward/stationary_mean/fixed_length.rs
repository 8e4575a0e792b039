//! The mean of the first N steps.

use quire_core::{About, Options, Result, Rng, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MeanEstimator, Method};

/// Options of `fixed-length-mean`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FixedLengthOptions {
    /// Steps N of a trajectory. Ours: 4, what the multi-level estimate takes on average with 4 levels.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub length: usize,
}

impl Default for FixedLengthOptions {
    fn default() -> Self {
        FixedLengthOptions { length: 4 }
    }
}

impl Options for FixedLengthOptions {}

/// The estimator.
pub struct FixedLengthMean(FixedLengthOptions);

impl Method for FixedLengthMean {
    type Options = FixedLengthOptions;

    const ABOUT: About = About {
        name: "fixed-length-mean",
        summary: "The mean of a trajectory of a fixed length",
        when: "Where a length that forgets the start is known and can be paid for.",
        wing: "mdp",
        family: "average_reward",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(options: FixedLengthOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(FixedLengthMean(options))
    }
}

impl MeanEstimator for FixedLengthMean {
    fn estimate(&self, next: &mut dyn FnMut(&mut Rng) -> f64, rng: &mut Rng) -> (f64, usize) {
        let length = self.0.length;
        ((0..length).map(|_| next(rng)).sum::<f64>() / length as f64, length)
    }
}
