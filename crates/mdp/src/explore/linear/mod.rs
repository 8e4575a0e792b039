//! Explorers that know features of the pairs: least-squares value iteration on one regression a stage.
//!
//! With φ the features of the pairs and one sum over the past episodes τ for each stage h,
//!
//! > Λ_h = Σ_τ φ φᵀ + λ I,  b_h = Σ_τ φ ( r_h + max_a Q_{h+1}(s', a) ),  ŵ_h = Λ_h⁻¹ b_h
//!
//! the methods differ in what they take for w_h, or add to φ·w_h. Where a problem has no features, each pair has its own.
//!
//! | file | what it holds |
//! |---|---|
//! | [`lmc_lsvi`] | LMC-LSVI: w sampled by noisy gradient descent |
//! | [`linear_rlsvi`] | w sampled from the Gaussian posterior itself |
//! | [`lsvi_ucb`] | ŵ and a bonus |
//! | [`epsilon_greedy_lsvi`] | ŵ and random actions now and then |

pub mod epsilon_greedy_lsvi;
pub mod linear_rlsvi;
pub mod lmc_lsvi;
pub mod lsvi_ucb;

use std::sync::Arc;

use nalgebra::{DMatrix, DMatrixView, DVector};
use quire_core::Seeds;
use serde::{Deserialize, Serialize};

use super::Setting;
use crate::linear::{Features, Gram};
use crate::solve::maximum;

/// What the regressions of all stages need of the past.
pub struct Regressions {
    setting: Setting,
    features: Arc<Features>,
    ridge: f64,
    sums: Sums,
}

/// The part that grows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sums {
    /// Λ_h - λ I, `[H, d, d]`; where each pair has its own feature, its diagonal alone, `[H, d]`.
    gram: Vec<f64>,
    /// How often each next state followed, `[H, S, A, S]`.
    counts: Vec<f64>,
}

impl Regressions {
    /// Of no past yet; `ridge` is λ.
    pub fn new(setting: &Setting, ridge: f64) -> Self {
        let features = setting.features();
        let (d, horizon) = (features.dimension(), setting.horizon);
        let stored = if features.is_one_hot() { d } else { d * d };
        let sums = Sums {
            gram: vec![0.0; horizon * stored],
            counts: vec![0.0; horizon * setting.pairs() * setting.states],
        };
        Regressions { setting: setting.clone(), features, ridge, sums }
    }

    /// Of values of the next stage alone, for methods that see no rewards or learn them apart.
    pub fn of_next_values(
        (states, actions, horizon): (usize, usize, usize),
        features: Arc<Features>,
        ridge: f64,
    ) -> Self {
        let rewards = vec![0.0; states * actions];
        // Regressions draw nothing.
        let seeds = Seeds::new(0);
        Self::new(&Setting { states, actions, horizon, rewards, features: Some(features), seeds }, ridge)
    }

    /// The number of features d.
    pub fn dimension(&self) -> usize {
        self.features.dimension()
    }

    /// Takes in one step.
    pub fn record(&mut self, stage: usize, state: usize, action: usize, next: usize) {
        let (d, pair) = (self.dimension(), state * self.setting.actions + action);
        if self.features.is_one_hot() {
            self.sums.gram[stage * d + pair] += 1.0;
        } else {
            let phi = self.features.of(pair);
            let gram = &mut self.sums.gram[stage * d * d..][..d * d];
            for (x, row) in phi.iter().zip(gram.chunks_exact_mut(d)).filter(|(x, _)| **x != 0.0) {
                row.iter_mut().zip(phi).for_each(|(sum, y)| *sum += x * y);
            }
        }
        self.sums.counts[(stage * self.setting.pairs() + pair) * self.setting.states + next] += 1.0;
    }

    /// The diagonal of Λ_h where each pair has its own feature, so that nothing else is in it.
    pub fn diagonal(&self, stage: usize) -> Option<DVector<f64>> {
        let d = self.dimension();
        let sums = || self.sums.gram[stage * d..][..d].iter();
        self.features.is_one_hot().then(|| DVector::from_iterator(d, sums().map(|sum| sum + self.ridge)))
    }

    /// Λ_h.
    pub fn matrix(&self, stage: usize) -> DMatrix<f64> {
        if let Some(diagonal) = self.diagonal(stage) {
            return DMatrix::from_diagonal(&diagonal);
        }
        let d = self.dimension();
        let sums: DMatrixView<f64> = DMatrixView::from_slice(&self.sums.gram[stage * d * d..][..d * d], d, d);
        sums + DMatrix::from_diagonal_element(d, d, self.ridge)
    }

    /// Λ_h, factored.
    pub fn gram(&self, stage: usize) -> Gram {
        Gram::of(self.matrix(stage)).expect("a positive ridge makes it positive definite")
    }

    /// b_h for the values of the next stage, `[S]`.
    pub fn right(&self, stage: usize, later: &[f64]) -> Vec<f64> {
        let (pairs, states) = (self.setting.pairs(), self.setting.states);
        let mut right = vec![0.0; self.dimension()];
        let counts = self.sums.counts[stage * pairs * states..].chunks_exact(states);
        // With a feature a pair the diagonal tells which rows are empty; they need not be read.
        let (d, is_one_hot) = (self.dimension(), self.features.is_one_hot());
        let seen = |pair: usize| !is_one_hot || self.sums.gram[stage * d + pair] > 0.0;
        for (pair, counts) in counts.take(pairs).enumerate().filter(|(pair, _)| seen(*pair)) {
            let (visits, sum) = counts.iter().zip(later).fold((0.0, 0.0), |(visits, sum), (n, value)| {
                (visits + n, sum + n * (self.setting.rewards[pair] + value))
            });
            if visits > 0.0 && self.features.is_one_hot() {
                right[pair] = sum;
            } else if visits > 0.0 {
                right.iter_mut().zip(self.features.of(pair)).for_each(|(b, x)| *b += sum * x);
            }
        }
        right
    }

    /// Plans backwards: fills `policy`, `[H, S]`, with greedy actions, the first of equals. `q` makes Q_h (`[S, A]`) from
    /// (these regressions, stage, V_{h+1}); it is cut off at 0 and H - h + 1.
    pub fn plan(&self, policy: &mut [usize], mut q: impl FnMut(&Self, usize, &[f64]) -> Vec<f64>) {
        let Setting { states, actions, .. } = self.setting;
        let mut later = vec![0.0; states];
        for stage in (0..self.setting.horizon).rev() {
            let ceiling = self.setting.greatest_return(stage);
            let values = q(self, stage, &later);
            for (state, row) in values.chunks_exact(actions).enumerate() {
                let clipped = row.iter().map(|value| value.clamp(0.0, ceiling));
                (policy[stage * states + state], later[state]) = maximum(clipped);
            }
        }
    }

    /// φ(z)·w of all pairs.
    pub fn values(&self, weights: &[f64]) -> Vec<f64> {
        self.features.dot(weights)
    }

    /// ‖φ(z)‖_{Λ⁻¹} of all pairs.
    pub fn norms(&self, gram: &Gram) -> Vec<f64> {
        (0..self.features.pairs()).map(|pair| gram.norm(self.features.of(pair))).collect()
    }

    /// What grows, to be saved.
    pub fn sums(&self) -> &Sums {
        &self.sums
    }

    /// Goes on from saved sums.
    pub fn restore(&mut self, sums: Sums) {
        self.sums = sums;
    }
}

#[cfg(test)]
mod tests;
