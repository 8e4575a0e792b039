//! Pairs of trajectories, which was better, and what reward explains it.
//!
//! With x = φ(τ⁰) - φ(τ¹) and o = 1 if the first was better, the penalized likelihood
//!
//! > ℓ(θ) = Σ ln Φ( (2 o - 1) x·θ ) - ρ/2 ‖θ‖²
//!
//! is concave; Newton's steps climb it. Without ρ it has no maximum where answers can be separated. Of θ only differences count:
//! trajectories are of equal length, so that a constant per stage cancels in x.

use nalgebra::{DMatrix, DVector};
use quire_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::Pair;
use crate::linear::{Features, Gram};

/// Φ: the probability that the first is better, if its reward is greater by `difference`.
pub fn logistic(difference: f64) -> f64 {
    1.0 / (1.0 + (-difference).exp())
}

/// ln Φ.
fn log_logistic(difference: f64) -> f64 {
    // ln(1 + exp(-|x|)) does not overflow.
    difference.min(0.0) - (-difference.abs()).exp().ln_1p()
}

/// φ(τ⁰) - φ(τ¹) for `actions` actions a state; fills `result`, `[H, d]`.
pub fn difference(features: &Features, actions: usize, pair: Pair, result: &mut [f64]) {
    let d = features.dimension();
    result.fill(0.0);
    for (steps, sign) in pair.into_iter().zip([1.0, -1.0]) {
        for (result, step) in result.chunks_exact_mut(d).zip(steps) {
            let phi = features.of(step.state * actions + step.action);
            result.iter_mut().zip(phi).for_each(|(x, phi)| *x += sign * phi);
        }
    }
}

/// The pairs that were asked about, and θ.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comparisons {
    /// θ̂, `[D]`.
    pub estimate: Vec<f64>,
    /// The entries of every x that are not 0, one x after the other, and where each begins.
    entries: Vec<(u32, f64)>,
    offsets: Vec<usize>,
    first_is_better: Vec<bool>,
    /// Σ x xᵀ, `[D, D]`.
    gram: Vec<f64>,
}

impl Comparisons {
    /// None yet; x has `dimension` D = H d numbers.
    pub fn new(dimension: usize) -> Self {
        Comparisons {
            estimate: vec![0.0; dimension],
            entries: Vec::new(),
            offsets: vec![0],
            first_is_better: Vec::new(),
            gram: vec![0.0; dimension * dimension],
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.first_is_better.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.first_is_better.is_empty()
    }

    /// Takes in an answer about x.
    pub fn record(&mut self, x: &[f64], first_is_better: bool) {
        let begin = self.entries.len();
        self.entries.extend(x.iter().enumerate().filter(|(_, x)| **x != 0.0).map(|(at, x)| (at as u32, *x)));
        let dimension = x.len();
        for &(row, x) in &self.entries[begin..] {
            for &(column, y) in &self.entries[begin..] {
                self.gram[row as usize * dimension + column as usize] += x * y;
            }
        }
        self.offsets.push(self.entries.len());
        self.first_is_better.push(first_is_better);
    }

    fn rows(&self) -> impl Iterator<Item = (&[(u32, f64)], bool)> {
        let rows = self.offsets.windows(2).map(|range| &self.entries[range[0]..range[1]]);
        rows.zip(self.first_is_better.iter().copied())
    }

    /// ℓ(θ), `penalty` being ρ.
    pub fn log_likelihood(&self, theta: &[f64], penalty: f64) -> f64 {
        let fit: f64 = self
            .rows()
            .map(|(x, first)| {
                let difference = sparse_dot(x, theta);
                log_logistic(if first { difference } else { -difference })
            })
            .sum();
        fit - 0.5 * penalty * theta.iter().map(|t| t * t).sum::<f64>()
    }

    /// ∇ℓ(θ) and -∇²ℓ(θ).
    pub fn derivatives(&self, theta: &[f64], penalty: f64) -> (DVector<f64>, DMatrix<f64>) {
        let dimension = theta.len();
        let mut gradient = DVector::from_iterator(dimension, theta.iter().map(|t| -penalty * t));
        let mut curvature = DMatrix::from_diagonal_element(dimension, dimension, penalty);
        for (x, first) in self.rows() {
            let p = logistic(sparse_dot(x, theta));
            let (error, weight) = (f64::from(u8::from(first)) - p, p * (1.0 - p));
            for &(row, value) in x {
                gradient[row as usize] += error * value;
                for &(column, other) in x {
                    curvature[(row as usize, column as usize)] += weight * value * other;
                }
            }
        }
        (gradient, curvature)
    }

    /// Climbs ℓ by at most so many steps of Newton's from the last θ̂; a step that would go down is halved until it does not.
    ///
    /// # Errors
    /// A curvature that is singular, which a positive penalty rules out.
    pub fn fit(&mut self, penalty: f64, steps: usize) -> Result<()> {
        let mut level = self.log_likelihood(&self.estimate, penalty);
        for _ in 0..steps {
            let (gradient, curvature) = self.derivatives(&self.estimate, penalty);
            let singular =
                || Error::Diverged("the likelihood of the answers is flat; use a larger penalty".into());
            let mut step = curvature.cholesky().ok_or_else(singular)?.solve(&gradient);
            // Half of a Newton step's promise; below rounding there is nothing left to climb.
            if gradient.dot(&step) < 1e-12 {
                break;
            }
            for _ in 0..30 {
                let theta: Vec<f64> = self.estimate.iter().zip(&step).map(|(t, s)| t + s).collect();
                let reached = self.log_likelihood(&theta, penalty);
                if reached >= level {
                    (self.estimate, level) = (theta, reached);
                    break;
                }
                step *= 0.5;
            }
        }
        Ok(())
    }

    /// λ I + Σ x xᵀ, factored.
    ///
    /// # Errors
    /// None for λ > 0.
    pub fn covariance(&self, ridge: f64) -> Result<Gram> {
        let dimension = self.estimate.len();
        let mut matrix = DMatrix::from_row_slice(dimension, dimension, &self.gram);
        (0..dimension).for_each(|at| matrix[(at, at)] += ridge);
        Gram::of(matrix)
    }

    /// -∇²ℓ at θ̂, factored: the precision of the Laplace approximation.
    ///
    /// # Errors
    /// None for a positive penalty.
    pub fn curvature(&self, penalty: f64) -> Result<Gram> {
        Gram::of(self.derivatives(&self.estimate, penalty).1)
    }
}

fn sparse_dot(x: &[(u32, f64)], theta: &[f64]) -> f64 {
    x.iter().map(|&(at, x)| x * theta[at as usize]).sum()
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;
    use rand::RngExt;

    use super::*;

    #[test]
    fn one_feature_has_the_log_odds_as_its_estimate() {
        for (wins, all) in [(3, 4), (1, 10), (5, 10)] {
            let mut comparisons = Comparisons::new(1);
            (0..all).for_each(|answer| comparisons.record(&[1.0], answer < wins));
            comparisons.fit(0.0, 20).unwrap();
            let odds = f64::from(wins) / f64::from(all - wins);
            assert!((comparisons.estimate[0] - odds.ln()).abs() < 1e-10);
        }
    }

    #[test]
    fn separable_answers_have_no_estimate_without_a_penalty() {
        let mut comparisons = Comparisons::new(1);
        (0..4).for_each(|_| comparisons.record(&[1.0], true));
        let mut free = comparisons.clone();
        let _ = free.fit(0.0, 30);
        assert!(free.estimate[0] > 10.0);
        comparisons.fit(0.1, 30).unwrap();
        // 4 (1 - Φ(θ)) = θ/10.
        let theta = comparisons.estimate[0];
        assert!((4.0 * (1.0 - logistic(theta)) - 0.1 * theta).abs() < 1e-10);
    }

    #[test]
    fn derivatives_are_those_of_the_likelihood() {
        let mut rng = Seeds::new(0).stream("x");
        let mut comparisons = Comparisons::new(3);
        for _ in 0..20 {
            let x: Vec<f64> = (0..3).map(|_| rng.random::<f64>() - 0.5).collect();
            comparisons.record(&x, rng.random());
        }
        let theta = [0.3, -1.0, 0.7];
        let (gradient, curvature) = comparisons.derivatives(&theta, 0.2);
        let step = 1e-5;
        for at in 0..3 {
            let moved = |sign: f64| {
                let mut theta = theta;
                theta[at] += sign * step;
                theta
            };
            let (up, down) = (moved(1.0), moved(-1.0));
            let slope = (comparisons.log_likelihood(&up, 0.2) - comparisons.log_likelihood(&down, 0.2))
                / (2.0 * step);
            assert!((slope - gradient[at]).abs() < 1e-8);
            let change = comparisons.derivatives(&up, 0.2).0 - comparisons.derivatives(&down, 0.2).0;
            let column = change / (-2.0 * step);
            assert!((column - curvature.column(at)).amax() < 1e-8);
        }
    }

    #[test]
    fn the_likelihood_of_sharp_preferences_does_not_overflow() {
        assert_eq!(log_logistic(800.0), 0.0);
        assert_eq!(log_logistic(-800.0), -800.0);
        assert!((log_logistic(0.0) + 2.0_f64.ln()).abs() < 1e-15);
        assert!((log_logistic(2.0) - logistic(2.0).ln()).abs() < 1e-15);
    }
}
