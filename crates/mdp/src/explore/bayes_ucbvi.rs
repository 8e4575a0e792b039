//! Bayes-UCBVI: optimism from a quantile of the posterior, without bonuses (Tiapkin et al. 2022).
//!
//! The posterior of p(·|s, a) is Dirichlet over the next states seen, plus one pseudo-state s₀ that pays r₀ > 1 at every
//! step and so stands for whatever may still be found:
//!
//! > Q̄_h(s, a) = r(s, a) + Quantile_κ( p · V̄_{h+1} ),  p ~ Dirichlet(n(s, a, ·), n₀ at s₀)
//! >
//! > V̄_h(s) = max_a Q̄_h(s, a),  V̄_h(s₀) = r₀ (H - h + 1)
//!
//! An unvisited pair has all mass on s₀. Acting is greedy in Q̄. The quantile is taken over `samples` draws: the order
//! statistic ⌈κ B⌉.
//!
//! Source: D. Tiapkin et al., *From Dirichlet to Rubin: optimistic exploration in RL without bonuses*, ICML 2022,
//! arXiv:2205.07704, algorithm 1. The theory's n₀ and κ grow with log T and explore far too long here; the defaults
//! n₀ = 1, r₀ = 2, B = 64, κ = 1 - 1/√(n + 1) are ours. Counts are shared by all stages, as in the paper's experiments.

use quire_core::{About, Options, Paper, Result, Rng, options, state};
use rand::RngExt;
use rand_distr::{Beta, Distribution};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::Counts;
use super::{Explorer, Method, Setting, plan_backward};
use crate::posterior::GammaTable;

/// Options of `bayes-ucbvi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BayesUcbviOptions {
    /// Pseudo-count n₀ of the optimistic state. Theory: of the order of log T; ours: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub prior_weight: f64,
    /// Reward r₀ per step of the optimistic state. Theory: 2.
    #[schemars(range(min = 1.0))]
    pub prior_reward: f64,
    /// The quantile level κ; none is 1 - 1/√(n + 1) after n visits, which is ours.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub quantile: Option<f64>,
    /// Posterior samples B that the quantile is taken from. Ours: 64.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub samples: usize,
    /// Whether the rewards are told. If not, each reward r is replaced by a coin flip with probability r, and a Beta(1, 1)
    /// posterior of it is sampled along with the next state.
    pub known_rewards: bool,
}

impl Default for BayesUcbviOptions {
    fn default() -> Self {
        BayesUcbviOptions {
            prior_weight: 1.0,
            prior_reward: 2.0,
            quantile: None,
            samples: 64,
            known_rewards: true,
        }
    }
}

impl Options for BayesUcbviOptions {}

/// κ after `visits` visits: what `quantile` says, or 1 - 1/√(n + 1).
pub fn quantile_level(quantile: Option<f64>, visits: u64) -> f64 {
    quantile.unwrap_or_else(|| 1.0 - 1.0 / (visits as f64 + 1.0).sqrt())
}

/// The order statistic ⌈κ B⌉ (from 1) of B samples, which are reordered.
pub fn order_statistic(samples: &mut [f64], level: f64) -> f64 {
    let rank = ((level * samples.len() as f64).ceil() as usize).clamp(1, samples.len());
    *samples.select_nth_unstable_by(rank - 1, f64::total_cmp).1
}

/// The posterior of one pair, drawn B times: weights of the seen next states and of s₀, each `[B]`.
#[derive(Default)]
struct Draws {
    /// `[successors + 1, B]`, the last row for s₀.
    weights: Vec<f64>,
    /// Sampled rewards `[B]`; empty if they are known.
    rewards: Vec<f64>,
}

/// The explorer.
pub struct BayesUcbvi {
    options: BayesUcbviOptions,
    setting: Setting,
    counts: Counts,
    /// Coin flips that came up 1, `[S, A]`; empty if rewards are known.
    heads: Vec<u64>,
    rng: Rng,
    gamma: GammaTable,
    draws: Vec<Draws>,
    sampled: Vec<f64>,
}

impl Method for BayesUcbvi {
    type Options = BayesUcbviOptions;

    const ABOUT: About = About {
        name: "bayes-ucbvi",
        summary: "Optimistic value iteration with a quantile of the Dirichlet posterior in place of a bonus",
        when: "A drop-in for UCBVI where tuning a bonus is unwanted. PSRL, or a bonus scaled by hand, usually has less \
               regret on small problems.",
        wing: "mdp",
        family: "explore",
        paper: Some(Paper {
            slug: "bayes-ucbvi",
            title: "From Dirichlet to Rubin: Optimistic Exploration in RL without Bonuses",
            arxiv: "2205.07704",
        }),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: BayesUcbviOptions) -> Result<Self> {
        options::check(&options)?;
        let pairs = setting.pairs();
        Ok(BayesUcbvi {
            counts: Counts::new(setting.states, setting.actions),
            heads: if options.known_rewards { Vec::new() } else { vec![0; pairs] },
            rng: setting.seeds.stream("posterior"),
            gamma: GammaTable::default(),
            draws: (0..pairs).map(|_| Draws::default()).collect(),
            sampled: vec![0.0; options.samples],
            setting: setting.clone(),
            options,
        })
    }
}

impl BayesUcbvi {
    /// Draws B distributions over next states for every visited pair. All stages share them: each stage's quantile has
    /// the law it should have, and the stages are anyway tied by their common counts.
    fn sample_posteriors(&mut self) {
        let samples = self.options.samples;
        for (pair, draws) in self.draws.iter_mut().enumerate() {
            let visits = self.counts.visits(pair);
            let successors = self.counts.successors(pair);
            draws.weights.clear();
            let concentrations = successors.iter().map(|&(_, n)| n as f64).chain([self.options.prior_weight]);
            for concentration in concentrations.filter(|_| visits > 0) {
                draws.weights.extend((0..samples).map(|_| self.gamma.draw(concentration, &mut self.rng)));
            }
            for sample in 0..samples.min(draws.weights.len()) {
                let column = || (sample..(successors.len() + 1) * samples).step_by(samples);
                let sum: f64 = column().map(|at| draws.weights[at]).sum();
                column().for_each(|at| draws.weights[at] /= sum);
            }
            if !self.options.known_rewards {
                let heads = self.heads[pair] as f64;
                let posterior =
                    Beta::new(1.0 + heads, 1.0 + visits as f64 - heads).expect("positive parameters");
                draws.rewards.clear();
                draws.rewards.extend((0..samples).map(|_| posterior.sample(&mut self.rng)));
            }
        }
    }
}

impl Explorer for BayesUcbvi {
    fn plan(&mut self, policy: &mut [usize]) {
        self.sample_posteriors();
        let (setting, options, counts) = (&self.setting, &self.options, &self.counts);
        let (draws, sampled) = (&self.draws, &mut self.sampled);
        plan_backward(
            setting,
            policy,
            |_| f64::INFINITY,
            |greatest, later, values| {
                // V̄_{h+1}(s₀): r₀ for each step after this one.
                let optimistic = options.prior_reward * (greatest - 1.0);
                for (pair, value) in values.iter_mut().enumerate() {
                    let known = if options.known_rewards { setting.rewards[pair] } else { 0.0 };
                    let visits = counts.visits(pair);
                    if visits == 0 {
                        *value = optimistic + if options.known_rewards { known } else { 1.0 };
                        continue;
                    }
                    let draws = &draws[pair];
                    if draws.rewards.is_empty() {
                        sampled.fill(0.0);
                    } else {
                        sampled.copy_from_slice(&draws.rewards);
                    }
                    let seen = counts.successors(pair).iter().map(|&(next, _)| later[next as usize]);
                    let rows = draws.weights.chunks_exact(options.samples);
                    for (weights, value) in rows.zip(seen.chain([optimistic])) {
                        sampled.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight * value);
                    }
                    *value = known + order_statistic(sampled, quantile_level(options.quantile, visits));
                }
            },
        );
    }

    fn observe(&mut self, _stage: usize, state: usize, action: usize, next: usize) {
        self.counts.record(state, action, next);
        if !self.options.known_rewards {
            let pair = state * self.setting.actions + action;
            self.heads[pair] += u64::from(self.rng.random::<f64>() < self.setting.rewards[pair]);
        }
    }

    fn save(&self) -> Vec<u8> {
        state::encode("bayes-ucbvi", &(&self.counts, &self.heads, &self.rng))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.counts, self.heads, self.rng) = state::decode("bayes-ucbvi", saved)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quire_core::Seeds;

    /// Two states, one action, horizon 2; state 0 always leads to state 1.
    fn explorer(samples: usize, quantile: Option<f64>, visits: usize) -> BayesUcbvi {
        let setting = Setting {
            states: 2,
            actions: 1,
            horizon: 2,
            rewards: vec![0.0, 1.0],
            seeds: Seeds::new(5),
            features: None,
        };
        let options = BayesUcbviOptions { samples, quantile, ..BayesUcbviOptions::default() };
        let mut explorer = BayesUcbvi::new(&setting, options).unwrap();
        (0..visits).for_each(|_| explorer.observe(0, 0, 0, 1));
        explorer
    }

    /// Q̄ of state 0's pair for a later value `v1` of its one successor and v0 = r₀ of the pseudo-state.
    fn quantile_of_pair(explorer: &mut BayesUcbvi, v1: f64, v0: f64, level: f64) -> f64 {
        explorer.sample_posteriors();
        let weights = &explorer.draws[0].weights;
        let samples = explorer.options.samples;
        let mut values: Vec<f64> =
            (0..samples).map(|b| weights[b] * v1 + weights[samples + b] * v0).collect();
        order_statistic(&mut values, level)
    }

    /// One successor seen n times: p·V = v1 + (v0 - v1) Beta(1, n), whose quantile is v1 + (v0 - v1)(1 - (1 - κ)^(1/n)).
    #[test]
    fn the_quantile_is_that_of_the_beta_distribution() {
        let exact = 1.0 + 3.0 * (1.0 - 0.1_f64.powf(0.25));
        assert!((exact - 2.3129760).abs() < 1e-7);
        let mut explorer = explorer(200_000, Some(0.9), 4);
        let sampled = quantile_of_pair(&mut explorer, 1.0, 4.0, 0.9);
        // Standard error of a quantile: √(κ(1-κ)/B) / density; the density there is 4 (1-x)³/3 = 0.237.
        assert!((sampled - exact).abs() < 5.0 * 0.0029, "{sampled} {exact}");
    }

    #[test]
    fn many_visits_give_the_empirical_value() {
        let mut explorer = explorer(64, None, 1_000_000);
        let sampled = quantile_of_pair(&mut explorer, 1.0, 4.0, 0.999);
        assert!((sampled - 1.0).abs() < 1e-4, "{sampled}");
    }

    #[test]
    fn an_unvisited_pair_has_all_mass_on_the_optimistic_state() {
        let setting = Setting {
            states: 2,
            actions: 2,
            horizon: 3,
            rewards: vec![0.0, 0.5, 0.0, 0.0],
            seeds: Seeds::new(0),
            features: None,
        };
        let mut explorer = BayesUcbvi::new(&setting, BayesUcbviOptions::default()).unwrap();
        let mut policy = vec![9; 6];
        explorer.plan(&mut policy);
        // r + r₀ (H - h): the action with the greater known reward wins everywhere; in state 1 the first of equals.
        assert_eq!(policy, [1, 0, 1, 0, 1, 0]);
    }

    #[test]
    fn order_statistics_by_hand() {
        let take = |level| order_statistic(&mut [3.0, 1.0, 2.0, 4.0], level);
        assert_eq!([take(0.0), take(0.25), take(0.26), take(0.75), take(1.0)], [1.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(quantile_level(None, 3), 0.5);
        assert_eq!(quantile_level(Some(0.9), 3), 0.9);
    }

    /// The law of a Dirichlet mean: mean Σ nᵢvᵢ/N, variance (Σ nᵢvᵢ²/N - mean²)/(N + 1).
    #[test]
    fn posterior_samples_have_the_moments_of_the_dirichlet_mean() {
        let setting = Setting {
            states: 3,
            actions: 1,
            horizon: 2,
            rewards: vec![0.0; 3],
            seeds: Seeds::new(8),
            features: None,
        };
        let options = BayesUcbviOptions { samples: 100_000, ..BayesUcbviOptions::default() };
        let mut explorer = BayesUcbvi::new(&setting, options).unwrap();
        for next in [1, 1, 2, 0, 0, 0] {
            explorer.observe(0, 0, 0, next);
        }
        explorer.sample_posteriors();
        let (values, counts) = ([1.0, 3.0, 0.5, 4.0], [2.0, 1.0, 3.0, 1.0]); // states 1, 2, 0 as first seen, then s₀
        let total: f64 = counts.iter().sum();
        let mean = counts.iter().zip(values).map(|(n, v)| n * v).sum::<f64>() / total;
        let square = counts.iter().zip(values).map(|(n, v)| n * v * v).sum::<f64>() / total;
        let variance = (square - mean * mean) / (total + 1.0);
        let weights = &explorer.draws[0].weights;
        let draw = |b: usize| (0..4).map(|row| weights[row * 100_000 + b] * values[row]).sum::<f64>();
        let sampled_mean = (0..100_000).map(draw).sum::<f64>() / 1e5;
        let sampled_variance = (0..100_000).map(|b| (draw(b) - sampled_mean).powi(2)).sum::<f64>() / 1e5;
        assert!((sampled_mean - mean).abs() < 5.0 * (variance / 1e5).sqrt());
        assert!((sampled_variance / variance - 1.0).abs() < 0.03, "{sampled_variance} {variance}");
    }
}
