//! What the methods of this family are held against.
//!
//! | method | leader | estimates | bonus |
//! |---|---|---|---|
//! | `dilated-bonus-po` | exponential weights | plain, γ ∝ K^{-2/3} | dilated, β ∝ K^{-1/3} |
//! | `statewise-exp3` | exponential weights | plain, γ ∝ 1/K | none |
//! | `uniform-policy` | uniform | | |
//!
//! The first keeps η Q̂ ≥ -1 by η = γ/(2 H), which forces regret of the order of K^{2/3}.
//!
//! Source: H. Luo, C.-Y. Wei & C.-W. Lee, *Policy optimization in adversarial MDPs: improved exploration via dilated bonuses*, NeurIPS
//! 2021, arXiv:2107.08346, in outline from memory: the exponents are those that balance 1/γ, β K and γ K/β; factors are ours.

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::covariance::Covariance;
use super::estimates::Estimator;
use super::{Leaders, Learner, Method, Setting, Step, ftrl};

/// Options of `dilated-bonus-po`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DilatedBonusPoOptions {
    /// Learning rate η, in units of γ/(2 H), which is the largest that the theory allows. Theory: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// Factor β of the bonus, times K^(1/3). Ours: 0.02; 0 is no bonus.
    #[schemars(range(min = 0.0))]
    pub bonus: f64,
    /// γ, which is added to the covariance, times K^(2/3). Ours: 10, the best of 1, 10 and 100 on the problems here.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
    /// How the inverse covariance comes about. Paper: geometric resampling; here the exact one, as the models are small.
    pub covariance: Covariance,
}

impl Default for DilatedBonusPoOptions {
    fn default() -> Self {
        DilatedBonusPoOptions {
            learning_rate: 1.0,
            bonus: 0.02,
            ridge: 10.0,
            covariance: Covariance::Exact {},
        }
    }
}

impl Options for DilatedBonusPoOptions {}

/// Options of `statewise-exp3`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StatewiseExp3Options {
    /// Learning rate η, times √K. Ours: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// γ, which is added to the covariance, times K. Ours: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
    /// How the inverse covariance comes about.
    pub covariance: Covariance,
}

impl Default for StatewiseExp3Options {
    fn default() -> Self {
        StatewiseExp3Options { learning_rate: 1.0, ridge: 1.0, covariance: Covariance::Exact {} }
    }
}

impl Options for StatewiseExp3Options {}

/// Options of `uniform-policy`: none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UniformPolicyOptions {}

impl Options for UniformPolicyOptions {}

const fn about(name: &'static str, summary: &'static str, when: &'static str) -> About {
    About {
        name,
        summary,
        when,
        wing: "mdp",
        family: "adversarial",
        paper: None,
        is_baseline: true,
        tuned: "",
    }
}

/// Exponential weights on plain estimates.
struct ExponentialWeights {
    kind: &'static str,
    actions: usize,
    learning_rate: f64,
    bonus: f64,
    estimator: Estimator,
    leaders: Leaders,
}

impl Learner for ExponentialWeights {
    fn plan(&mut self, policy: &mut [f64]) {
        policy.copy_from_slice(&self.leaders.policy);
    }

    fn observe(&mut self, episode: &[Step]) -> Result<()> {
        let ExponentialWeights { actions, learning_rate, bonus, estimator, leaders, .. } = self;
        estimator.meet(&leaders.policy)?;
        estimator.plain(episode);
        if *bonus > 0.0 {
            estimator.dilated_bonuses(&leaders.policy, *bonus);
        }
        let (estimates, bonuses) = (&estimator.estimates, &estimator.bonuses);
        leaders.follow(estimates, bonuses, *learning_rate, *actions, ftrl::exponential_weights)
    }

    fn lowest_estimate(&self) -> Option<f64> {
        Some(self.leaders.lowest)
    }

    fn save(&self) -> Vec<u8> {
        state::encode(self.kind, &(&self.leaders, &self.estimator.rng))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.leaders, self.estimator.rng) = state::decode(self.kind, saved)?;
        Ok(())
    }
}

macro_rules! exponential_weights {
    ($(#[$doc:meta])* $name:ident, $options:ty, $about:expr, |$setting:ident, $set:ident| $rates:expr) => {
        $(#[$doc])*
        pub struct $name(ExponentialWeights);

        impl Method for $name {
            type Options = $options;
            const ABOUT: About = $about;

            fn new($setting: &Setting, $set: $options) -> Result<Self> {
                options::check(&$set)?;
                let (learning_rate, bonus, ridge): (f64, f64, f64) = $rates;
                Ok($name(ExponentialWeights {
                    kind: Self::ABOUT.name,
                    actions: $setting.actions,
                    learning_rate,
                    bonus,
                    estimator: Estimator::new($setting, $set.covariance, ridge)?,
                    leaders: Leaders::new($setting),
                }))
            }
        }

        impl Learner for $name {
            fn plan(&mut self, policy: &mut [f64]) {
                self.0.plan(policy);
            }

            fn observe(&mut self, episode: &[Step]) -> Result<()> {
                self.0.observe(episode)
            }

            fn lowest_estimate(&self) -> Option<f64> {
                self.0.lowest_estimate()
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

exponential_weights!(
    /// Policy optimization with dilated bonuses.
    DilatedBonusPo,
    DilatedBonusPoOptions,
    about(
        "dilated-bonus-po",
        "Policy optimization against adversarial losses by exponential weights with dilated bonuses",
        "As a rival: it must learn slowly, since its estimates can be very negative.",
    ),
    |setting, options| {
        let ridge = options.ridge * (setting.episodes as f64).powf(-2.0 / 3.0);
        let learning_rate = options.learning_rate * ridge / (2.0 * setting.horizon as f64);
        (learning_rate, options.bonus * (setting.episodes as f64).powf(-1.0 / 3.0), ridge)
    }
);

exponential_weights!(
    /// EXP3 in every state.
    StatewiseExp3,
    StatewiseExp3Options,
    about(
        "statewise-exp3",
        "Exponential weights in every state, without a bonus",
        "Without any guarantee where states are hard to reach or features overlap; hard to beat where neither is so.",
    ),
    |setting, options| {
        let episodes = setting.episodes as f64;
        (options.learning_rate / episodes.sqrt(), 0.0, options.ridge / episodes)
    }
);

/// The uniform policy.
pub struct UniformPolicy {
    actions: usize,
}

impl Method for UniformPolicy {
    type Options = UniformPolicyOptions;

    const ABOUT: About = about(
        "uniform-policy",
        "Every action alike in every state, whatever the losses",
        "To see what learning is worth.",
    );

    const NEEDS_SIMULATOR: bool = false;

    fn new(setting: &Setting, _: UniformPolicyOptions) -> Result<Self> {
        Ok(UniformPolicy { actions: setting.actions })
    }
}

impl Learner for UniformPolicy {
    fn plan(&mut self, policy: &mut [f64]) {
        policy.fill(1.0 / self.actions as f64);
    }

    fn observe(&mut self, _: &[Step]) -> Result<()> {
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        state::encode("uniform-policy", &())
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        state::decode("uniform-policy", saved)
    }
}
