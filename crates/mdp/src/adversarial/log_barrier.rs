//! Log-barrier policy optimization (Dai, Luo, Wei & Zimmert 2023).
//!
//! Losses may change arbitrarily, action values are linear in features, and there is a simulator. After every episode, in every
//! stage and state,
//!
//! > Q̂_h(s, a) = φ(s, a)ᵀ Σ⁺_h φ(s_h, a_h) L_h,  Σ⁺_h ≈ (γ I + E_π φ φᵀ)⁻¹
//! >
//! > π(·|s) ← argmin_p { η p·Σ_k (Q̂ - B)(s, ·) + Σ_a ln 1/p(a) }
//!
//! with the dilated bonus B of [`super::estimates`]. The refined bound of [`super::ftrl`] does not ask how negative the estimates are, so
//! that γ can be as small as 1/K and the regret grows like √K, up to √A and logarithms.
//!
//! Source: Y. Dai, H. Luo, C.-Y. Wei & J. Zimmert, *Refined regret for adversarial MDPs with linear function approximation*, ICML
//! 2023, arXiv:2301.12942, algorithm 1, in outline from memory; the bonus is computed from the transitions instead of by calls
//! of the simulator. The scaling of η, β and γ with K is the theory's, their factors are ours.

use quire_core::{About, Options, Paper, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::covariance::Covariance;
use super::estimates::Estimator;
use super::{Leaders, Learner, Method, Setting, Step, ftrl};

/// The paper of this method, of [`super::magnitude_reduced`] and of [`super::simulator_free`].
pub const PAPER: Paper = Paper {
    slug: "adversarial-linear-mdp",
    title: "Refined Regret for Adversarial MDPs with Linear Function Approximation",
    arxiv: "2301.12942",
};

/// Options of `log-barrier-po`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogBarrierPoOptions {
    /// Learning rate η, times √K. Ours: 20, the best of 2, 5, 20 and 80 on the problems here.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// Factor β of the bonus, times √K. Ours: 0.2; 0 is no bonus.
    #[schemars(range(min = 0.0))]
    pub bonus: f64,
    /// γ, which is added to the covariance, times K. Ours: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
    /// How the inverse covariance comes about. Paper: a regularized mean; here the exact one, as the models are small.
    pub covariance: Covariance,
}

impl Default for LogBarrierPoOptions {
    fn default() -> Self {
        LogBarrierPoOptions { learning_rate: 20.0, bonus: 0.2, ridge: 1.0, covariance: Covariance::Exact {} }
    }
}

impl Options for LogBarrierPoOptions {}

/// The learner.
pub struct LogBarrierPo {
    actions: usize,
    learning_rate: f64,
    bonus: f64,
    estimator: Estimator,
    leaders: Leaders,
}

impl Method for LogBarrierPo {
    type Options = LogBarrierPoOptions;

    const ABOUT: About = About {
        name: "log-barrier-po",
        summary: "Policy optimization against adversarial losses with a log barrier and dilated bonuses",
        when: "Losses that change arbitrarily, features, and a simulator of the transitions. Estimates may be as negative as they like, \
               which matters where features overlap; with one feature a pair exponential weights do better.",
        wing: "mdp",
        family: "adversarial",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: LogBarrierPoOptions) -> Result<Self> {
        options::check(&options)?;
        let episodes = setting.episodes as f64;
        Ok(LogBarrierPo {
            actions: setting.actions,
            learning_rate: options.learning_rate / episodes.sqrt(),
            bonus: options.bonus / episodes.sqrt(),
            estimator: Estimator::new(setting, options.covariance, options.ridge / episodes)?,
            leaders: Leaders::new(setting),
        })
    }
}

impl Learner for LogBarrierPo {
    fn plan(&mut self, policy: &mut [f64]) {
        policy.copy_from_slice(&self.leaders.policy);
    }

    fn observe(&mut self, episode: &[Step]) -> Result<()> {
        let LogBarrierPo { actions, learning_rate, bonus, estimator, leaders } = self;
        estimator.meet(&leaders.policy)?;
        estimator.plain(episode);
        estimator.dilated_bonuses(&leaders.policy, *bonus);
        leaders.follow(&estimator.estimates, &estimator.bonuses, *learning_rate, *actions, ftrl::log_barrier)
    }

    fn lowest_estimate(&self) -> Option<f64> {
        Some(self.leaders.lowest)
    }

    fn save(&self) -> Vec<u8> {
        state::encode("log-barrier-po", &(&self.leaders, &self.estimator.rng))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.leaders, self.estimator.rng) = state::decode("log-barrier-po", saved)?;
        Ok(())
    }
}
