//! Exponential weights on magnitude-reduced estimates (Dai, Luo, Wei & Zimmert 2023).
//!
//! Exponential weights pay no √A, but need η Q̂ ≥ -1, and the plain estimate Q̂ = q L falls to -H/γ. With
//! q = φ(s, a)ᵀ Σ⁺ φ(s_h, a_h),
//!
//! > Q̂_h(s, a) = q L_h - H (q)₋ + H m_h(s, a),  m_h(s, a) = E (q)₋ by walks of its own
//! >
//! > π(a|s) ∝ exp( -η Σ_k (Q̂ - B)(s, a) )
//!
//! has the same mean and does not fall below -H/√γ, so that η = √γ/(2 H) will do and the regret grows like √K.
//!
//! Source: Y. Dai, H. Luo, C.-Y. Wei & J. Zimmert, *Refined regret for adversarial MDPs with linear function approximation*, ICML
//! 2023, arXiv:2301.12942, algorithm 2, in outline from memory; the bound is derived again. The factors of η, β and γ are ours.

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::covariance::Covariance;
use super::estimates::Estimator;
use super::log_barrier::PAPER;
use super::{Leaders, Learner, Method, Setting, Step, ftrl};

/// Options of `magnitude-reduced-po`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MagnitudeReducedPoOptions {
    /// Learning rate η, in units of √γ/(2 H), which is the largest that the theory allows. Ours: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// Factor β of the bonus, times √K. Ours: 0.2; 0 is no bonus.
    #[schemars(range(min = 0.0))]
    pub bonus: f64,
    /// γ, which is added to the covariance, times K. Ours: 16, which at H = 2 makes η = 1/√K.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
    /// How the inverse covariance comes about. Paper: a regularized mean; here the exact one, as the models are small. With
    /// estimates of it m takes as many walks again.
    pub covariance: Covariance,
}

impl Default for MagnitudeReducedPoOptions {
    fn default() -> Self {
        MagnitudeReducedPoOptions {
            learning_rate: 1.0,
            bonus: 0.2,
            ridge: 16.0,
            covariance: Covariance::Exact {},
        }
    }
}

impl Options for MagnitudeReducedPoOptions {}

/// The learner.
pub struct MagnitudeReducedPo {
    actions: usize,
    learning_rate: f64,
    bonus: f64,
    estimator: Estimator,
    leaders: Leaders,
}

impl Method for MagnitudeReducedPo {
    type Options = MagnitudeReducedPoOptions;

    const ABOUT: About = About {
        name: "magnitude-reduced-po",
        summary: "Policy optimization against adversarial losses by exponential weights on magnitude-reduced estimates",
        when: "As log-barrier-po, with many actions: its bound does not grow with their number.",
        wing: "mdp",
        family: "adversarial",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: MagnitudeReducedPoOptions) -> Result<Self> {
        options::check(&options)?;
        let episodes = setting.episodes as f64;
        let ridge = options.ridge / episodes;
        Ok(MagnitudeReducedPo {
            actions: setting.actions,
            learning_rate: options.learning_rate * ridge.sqrt() / (2.0 * setting.horizon as f64),
            bonus: options.bonus / episodes.sqrt(),
            estimator: Estimator::new(setting, options.covariance, ridge)?,
            leaders: Leaders::new(setting),
        })
    }
}

impl Learner for MagnitudeReducedPo {
    fn plan(&mut self, policy: &mut [f64]) {
        policy.copy_from_slice(&self.leaders.policy);
    }

    fn observe(&mut self, episode: &[Step]) -> Result<()> {
        let MagnitudeReducedPo { actions, learning_rate, bonus, estimator, leaders } = self;
        estimator.meet(&leaders.policy)?;
        estimator.magnitude_reduced(&leaders.policy, episode);
        estimator.dilated_bonuses(&leaders.policy, *bonus);
        let (estimates, bonuses) = (&estimator.estimates, &estimator.bonuses);
        leaders.follow(estimates, bonuses, *learning_rate, *actions, ftrl::exponential_weights)
    }

    fn lowest_estimate(&self) -> Option<f64> {
        Some(self.leaders.lowest)
    }

    fn save(&self) -> Vec<u8> {
        state::encode("magnitude-reduced-po", &(&self.leaders, &self.estimator.rng))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.leaders, self.estimator.rng) = state::decode("magnitude-reduced-po", saved)?;
        Ok(())
    }
}
