//! PR-LSVI: preference-based randomized least-squares value iteration (Wu & Sun 2024).
//!
//! The only feedback is which of two trajectories is better, and every answer costs. Rewards are estimated by maximum likelihood
//! from the answers, values by least squares from all transitions, and normal noise on both explores: in round t
//!
//! > θ̄ ~ N( θ̂, σ_r² Σ⁻¹ ),  Σ = λ I + Σ_asked x xᵀ,  x = φ(τ⁰) - φ(τ¹)
//! >
//! > w̄_h ~ N( Λ_h⁻¹ Σ φ V̄_{h+1}(s'), σ_P² Λ_h⁻¹ ),  Λ_h = λ I + Σ φ φᵀ over both trajectories of all rounds
//! >
//! > Q̄_h = φ·(θ̄_h + w̄_h),  V̄_h = max_a Q̄_h
//!
//! π⁰ is greedy, π¹ the π⁰ of the round before. It asks if two rewards drawn as θ̄ would disagree about the pair,
//! (2 σ_r/√π) ‖x‖_{Σ⁻¹} > ε.
//!
//! Where φ is hardly known, the noise would be multiplied from stage to stage. The paper's smooth truncation takes φ·θ̄ + (H - h) there
//! (‖φ‖_{Λ⁻¹} ≥ α_U), φ·(θ̄ + w̄) where it is known (≤ α_L), and goes from one to the other in between; the default here cuts V̄ off
//! at what a return can be.
//!
//! Source: R. Wu & W. Sun, *Making RL with preference-based feedback efficient via randomization*, ICLR 2024, arXiv:2310.14554,
//! algorithm 1, in detail from memory. Constants are ours.

use quire_core::{About, Options, Paper, Result, Rng, options, state};
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::comparisons::{Comparisons, difference};
use super::query::{Query, expected_disagreement};
use super::{Comparator, Learner, Method, Pair, Setting};
use crate::explore::linear::Regressions;
use crate::linear::dot;
use crate::solve::maximum;

/// The paper of PR-LSVI and of [`super::pbts`].
pub const PAPER: Paper = Paper {
    slug: "preference-randomized",
    title: "Making RL with Preference-based Feedback Efficient via Randomization",
    arxiv: "2310.14554",
};

/// Options of `pr-lsvi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PrLsviOptions {
    /// Noise of the reward σ_r. Theory: of the order of a polynomial in d and H; ours: 1. With 0.3 many runs settle
    /// early on a poor policy.
    #[schemars(range(min = 0.0))]
    pub reward_noise: f64,
    /// Noise of the values σ_P. Theory: of the order of a polynomial in d and H; ours: 1.
    #[schemars(range(min = 0.0))]
    pub value_noise: f64,
    /// Ridge λ of both covariances. Usual: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
    /// Penalty ρ of the likelihood, in place of the paper's bound on ‖θ‖. Ours: 0.1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub penalty: f64,
    /// Newton steps after every answer. Ours: 4.
    #[schemars(range(min = 1, max = 100))]
    pub newton_steps: usize,
    /// When to ask.
    pub query: Query,
    /// Which policy the second trajectory is from. Paper: the previous one.
    pub comparator: Comparator,
    /// What keeps values of what is hardly known in bounds.
    pub truncation: Truncation,
}

/// What keeps values of what is hardly known in bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Truncation {
    /// V̄_h is cut off at plus and minus the greatest return that is left.
    Clip {},
    /// The paper's: optimism where φ is hardly known.
    Smooth {
        /// α_L: up to this ‖φ‖_{Λ⁻¹}, the noisy value.
        #[schemars(range(min = 0.0))]
        known: f64,
        /// α_U: from this on, the greatest return that is left; above α_L.
        #[schemars(range(min = 0.0))]
        unknown: f64,
    },
}

impl Default for PrLsviOptions {
    fn default() -> Self {
        PrLsviOptions {
            reward_noise: 1.0,
            value_noise: 1.0,
            ridge: 1.0,
            penalty: 0.1,
            newton_steps: 4,
            query: Query::Disagreement { threshold: 0.4 },
            comparator: Comparator::Previous,
            truncation: Truncation::Clip {},
        }
    }
}

impl Options for PrLsviOptions {}

/// What of the noisy value counts, the rest being optimism: 1 where ‖φ‖ ≤ α_L, 0 where it is ≥ α_U.
pub fn share_known(norm: f64, known: f64, unknown: f64) -> f64 {
    ((unknown - norm) / (unknown - known)).clamp(0.0, 1.0)
}

/// The learner.
pub struct PrLsvi {
    options: PrLsviOptions,
    setting: Setting,
    place: Place,
    regressions: Regressions,
    x: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
struct Place {
    round: u64,
    comparisons: Comparisons,
    noise: Rng,
    questions: Rng,
    /// π⁰ of the last round, `[H, S]`; none before the first.
    policy: Vec<usize>,
}

impl Method for PrLsvi {
    type Options = PrLsviOptions;

    const ABOUT: About = About {
        name: "pr-lsvi",
        summary: "Randomized least-squares value iteration on rewards learned from few, well-chosen comparisons",
        when: "Where only preferences between trajectories can be had and each costs; rewards and transitions linear in features. The \
               threshold trades answers for regret.",
        wing: "mdp",
        family: "preference",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: PrLsviOptions) -> Result<Self> {
        options::check(&options)?;
        if let Truncation::Smooth { known, unknown } = options.truncation
            && known >= unknown
        {
            let problem = format!("is {unknown}; it must be above truncation.known, {known}");
            return Err(quire_core::Error::option("truncation.unknown", problem));
        }
        let dimension = setting.horizon * setting.features.dimension();
        Ok(PrLsvi {
            regressions: Regressions::of_next_values(
                (setting.states, setting.actions, setting.horizon),
                setting.features.clone(),
                options.ridge,
            ),
            options,
            place: Place {
                round: 0,
                comparisons: Comparisons::new(dimension),
                noise: setting.seeds.stream("noise"),
                questions: setting.seeds.stream("questions"),
                policy: Vec::new(),
            },
            x: vec![0.0; dimension],
            setting: setting.clone(),
        })
    }
}

impl PrLsvi {
    /// Step 1: the reward of every pair, `[H, S, A]`, from a draw of θ̄; or the true one, for who is told.
    fn draw_rewards(&mut self) -> Result<Vec<f64>> {
        let Setting { features, horizon, rewards, .. } = &self.setting;
        if let Some(rewards) = rewards {
            return Ok(rewards.to_vec());
        }
        let mut theta = self.place.comparisons.estimate.clone();
        if self.options.reward_noise > 0.0 {
            let covariance = self.place.comparisons.covariance(self.options.ridge)?;
            let noise = (0..theta.len()).map(|_| StandardNormal.sample(&mut self.place.noise)).collect();
            let noise = covariance.whiten_inverse(noise);
            theta.iter_mut().zip(noise).for_each(|(t, z)| *t += self.options.reward_noise * z);
        }
        let d = features.dimension();
        Ok((0..*horizon).flat_map(|stage| features.dot(&theta[stage * d..][..d])).collect())
    }

    /// Step 2: the greedy policy of noisy values, backwards.
    fn draw_policy(&mut self, rewards: &[f64], policy: &mut [usize]) {
        let Setting { features, states, actions, horizon, greatest_reward, .. } = &self.setting;
        let mut later = vec![0.0; *states];
        let mut values = vec![0.0; self.setting.pairs()];
        for stage in (0..*horizon).rev() {
            let gram = self.regressions.gram(stage);
            let mut weights = gram.solve(self.regressions.right(stage, &later));
            if self.options.value_noise > 0.0 {
                let noise =
                    (0..weights.len()).map(|_| StandardNormal.sample(&mut self.place.noise)).collect();
                let noise = gram.whiten_inverse(noise);
                weights.iter_mut().zip(noise).for_each(|(w, z)| *w += self.options.value_noise * z);
            }
            let rewards = &rewards[stage * self.setting.pairs()..];
            let left = (horizon - stage - 1) as f64 * greatest_reward;
            for (pair, value) in values.iter_mut().enumerate() {
                let phi = features.of(pair);
                let mut next = dot(phi, &weights);
                if let Truncation::Smooth { known, unknown } = self.options.truncation {
                    let share = share_known(gram.norm(phi), known, unknown);
                    next = share * next + (1.0 - share) * left;
                }
                *value = rewards[pair] + next;
            }
            for (state, row) in values.chunks_exact(*actions).enumerate() {
                let (action, best) = maximum(row.iter().copied());
                policy[stage * states + state] = action;
                let greatest = left + greatest_reward;
                later[state] = match self.options.truncation {
                    Truncation::Clip {} => best.clamp(-greatest, greatest),
                    Truncation::Smooth { .. } => best,
                };
            }
        }
    }
}

impl Learner for PrLsvi {
    fn plan(&mut self, policies: [&mut [usize]; 2]) -> Result<()> {
        let [first, second] = policies;
        let rewards = self.draw_rewards()?;
        self.draw_policy(&rewards, first);
        let has_previous = !self.place.policy.is_empty() && self.options.comparator == Comparator::Previous;
        second.copy_from_slice(if has_previous { &self.place.policy } else { first });
        self.place.policy.clear();
        self.place.policy.extend_from_slice(first);
        Ok(())
    }

    fn asks(&mut self, pair: Pair) -> Result<bool> {
        if self.setting.rewards.is_some() {
            return Ok(false);
        }
        difference(&self.setting.features, self.setting.actions, pair, &mut self.x);
        let Place { round, comparisons, questions, .. } = &mut self.place;
        let covariance = comparisons.covariance(self.options.ridge)?;
        let deviation = || self.options.reward_noise * covariance.norm(&self.x);
        let differs = self.x.iter().any(|x| *x != 0.0);
        let (asked, rounds) = (comparisons.len() as u64, (*round, self.setting.rounds));
        let disagreement = || expected_disagreement(deviation());
        Ok(self.options.query.asks(differs, disagreement, asked, rounds, questions))
    }

    fn observe(&mut self, pair: Pair, first_is_better: Option<bool>) -> Result<()> {
        for (stage, step) in pair.into_iter().flat_map(|steps| steps.iter().enumerate()) {
            self.regressions.record(stage, step.state, step.action, step.next);
        }
        self.place.round += 1;
        let Some(first) = first_is_better else { return Ok(()) };
        difference(&self.setting.features, self.setting.actions, pair, &mut self.x);
        self.place.comparisons.record(&self.x, first);
        self.place.comparisons.fit(self.options.penalty, self.options.newton_steps)
    }

    fn save(&self) -> Vec<u8> {
        state::encode("pr-lsvi", &(&self.place, self.regressions.sums()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, sums) = state::decode("pr-lsvi", saved)?;
        self.place = place;
        self.regressions.restore(sums);
        Ok(())
    }
}
