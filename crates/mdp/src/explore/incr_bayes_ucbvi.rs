//! Incr-Bayes-UCBVI: Bayes-UCBVI by Rubin's Bayesian bootstrap, without a model (Tiapkin et al. 2022).
//!
//! Every pair of every stage keeps its past targets y_i = r + V̄_{h+1}(s'_i), and n₀ optimistic ones r + r₀ (H - h). A
//! posterior sample of Q is their mean under random weights w_i ~ Exp(1), which has the law of a Dirichlet mean:
//!
//! > Q̄_h(s, a) = Quantile_κ( Σ w_i y_i / Σ w_i )
//!
//! Only running sums are kept: each of B replicates draws its own weight for a target once, when the target arrives, as an
//! ensemble of learners does. Targets keep the V̄ they were made with, so Q̄ lags behind Bayes-UCBVI's, and stages learn
//! apart: it needs many more episodes, and is here because the same idea carries over to networks.
//!
//! Source: D. Tiapkin et al., *From Dirichlet to Rubin: optimistic exploration in RL without bonuses*, ICML 2022,
//! arXiv:2205.07704. The weights drawn once, and the defaults n₀ = 1, r₀ = 2, B = 64, κ = 1 - 1/√(n + 1), are ours.

use quire_core::{About, Options, Result, Rng, options, state};
use rand_distr::{Distribution, Exp1};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bayes_ucbvi::{order_statistic, quantile_level};
use super::{Explorer, Method, Setting};

/// Options of `incr-bayes-ucbvi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IncrBayesUcbviOptions {
    /// Optimistic pseudo-targets n₀ of every pair. Ours: 1.
    #[schemars(range(min = 1))]
    pub prior_targets: u32,
    /// Reward r₀ per step after the first in a pseudo-target. Theory: 2.
    #[schemars(range(min = 1.0))]
    pub prior_reward: f64,
    /// The quantile level κ; none is 1 - 1/√(n + 1) after n visits, which is ours.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub quantile: Option<f64>,
    /// Bootstrap replicates B. Ours: 64.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub samples: usize,
}

impl Default for IncrBayesUcbviOptions {
    fn default() -> Self {
        IncrBayesUcbviOptions { prior_targets: 1, prior_reward: 2.0, quantile: None, samples: 64 }
    }
}

impl Options for IncrBayesUcbviOptions {}

/// What changes while learning.
#[derive(Serialize, Deserialize)]
struct Learned {
    /// n_h(s, a), `[H, S, A]`.
    visits: Vec<u64>,
    /// Q̄, `[H, S, A]`.
    q: Vec<f64>,
    /// Σ w y and Σ w of each replicate, `[H, S, A, 2, B]`; empty for a pair not visited yet.
    sums: Vec<Vec<f64>>,
    rng: Rng,
}

/// The explorer.
pub struct IncrBayesUcbvi {
    options: IncrBayesUcbviOptions,
    setting: Setting,
    learned: Learned,
    means: Vec<f64>,
}

impl Method for IncrBayesUcbvi {
    type Options = IncrBayesUcbviOptions;

    const ABOUT: About = About {
        name: "incr-bayes-ucbvi",
        summary: "Bayes-UCBVI by the Bayesian bootstrap: randomly weighted means of past targets, no model",
        when: "To study the bootstrap form that carries over to networks; bayes-ucbvi learns far faster on tables.",
        wing: "mdp",
        family: "explore",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: IncrBayesUcbviOptions) -> Result<Self> {
        options::check(&options)?;
        let cells = setting.horizon * setting.pairs();
        let optimistic = |cell: usize| {
            let (stage, pair) = (cell / setting.pairs(), cell % setting.pairs());
            setting.rewards[pair] + options.prior_reward * (setting.greatest_return(stage) - 1.0)
        };
        Ok(IncrBayesUcbvi {
            learned: Learned {
                visits: vec![0; cells],
                q: (0..cells).map(optimistic).collect(),
                sums: vec![Vec::new(); cells],
                rng: setting.seeds.stream("bootstrap"),
            },
            means: vec![0.0; options.samples],
            setting: setting.clone(),
            options,
        })
    }
}

impl IncrBayesUcbvi {
    /// max_a Q̄_h(s, a), 0 after the last stage.
    fn value(&self, stage: usize, state: usize) -> f64 {
        if stage == self.setting.horizon {
            return 0.0;
        }
        let first = (stage * self.setting.states + state) * self.setting.actions;
        self.learned.q[first..first + self.setting.actions].iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Adds a target to every replicate under a fresh Exp(1) weight each.
    fn add_target(&mut self, cell: usize, target: f64) {
        let (weighted, weights) = self.learned.sums[cell].split_at_mut(self.options.samples);
        for (weighted, weights) in weighted.iter_mut().zip(weights) {
            let weight: f64 = Exp1.sample(&mut self.learned.rng);
            *weighted += weight * target;
            *weights += weight;
        }
    }
}

impl Explorer for IncrBayesUcbvi {
    fn plan(&mut self, policy: &mut [usize]) {
        for (action, row) in policy.iter_mut().zip(self.learned.q.chunks_exact(self.setting.actions)) {
            let better = |best: usize, index: usize| if row[index] > row[best] { index } else { best };
            *action = (1..row.len()).fold(0, better);
        }
    }

    fn observe(&mut self, stage: usize, state: usize, action: usize, next: usize) {
        let pair = state * self.setting.actions + action;
        let cell = stage * self.setting.pairs() + pair;
        if self.learned.visits[cell] == 0 {
            self.learned.sums[cell] = vec![0.0; 2 * self.options.samples];
            let optimistic = self.learned.q[cell];
            (0..self.options.prior_targets).for_each(|_| self.add_target(cell, optimistic));
        }
        self.learned.visits[cell] += 1;
        let target = self.setting.rewards[pair] + self.value(stage + 1, next);
        self.add_target(cell, target);
        let (weighted, weights) = self.learned.sums[cell].split_at(self.options.samples);
        for ((mean, weighted), weights) in self.means.iter_mut().zip(weighted).zip(weights) {
            *mean = weighted / weights;
        }
        let level = quantile_level(self.options.quantile, self.learned.visits[cell]);
        self.learned.q[cell] = order_statistic(&mut self.means, level);
    }

    fn save(&self) -> Vec<u8> {
        state::encode("incr-bayes-ucbvi", &self.learned)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.learned = state::decode("incr-bayes-ucbvi", saved)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quire_core::Seeds;

    /// With fixed targets the weighted means have the law of a Dirichlet mean: tested by its two moments.
    #[test]
    fn replicates_have_the_law_of_a_dirichlet_mean() {
        let setting = Setting {
            states: 1,
            actions: 1,
            horizon: 1,
            rewards: vec![0.5],
            seeds: Seeds::new(2),
            features: None,
        };
        let options = IncrBayesUcbviOptions { samples: 100_000, ..IncrBayesUcbviOptions::default() };
        let mut explorer = IncrBayesUcbvi::new(&setting, options).unwrap();
        explorer.learned.sums[0] = vec![0.0; 200_000];
        let targets = [1.0, 1.0, 3.0, 0.5, 0.5, 0.5, 4.0];
        targets.iter().for_each(|&target| explorer.add_target(0, target));
        let n = targets.len() as f64;
        let mean = targets.iter().sum::<f64>() / n;
        let variance = (targets.iter().map(|y| y * y).sum::<f64>() / n - mean * mean) / (n + 1.0);
        let (weighted, weights) = explorer.learned.sums[0].split_at(100_000);
        let draws: Vec<f64> = weighted.iter().zip(weights).map(|(a, b)| a / b).collect();
        let sampled_mean = draws.iter().sum::<f64>() / 1e5;
        let sampled_variance = draws.iter().map(|x| (x - sampled_mean).powi(2)).sum::<f64>() / 1e5;
        assert!((sampled_mean - mean).abs() < 5.0 * (variance / 1e5).sqrt());
        assert!((sampled_variance / variance - 1.0).abs() < 0.03);
    }
}
