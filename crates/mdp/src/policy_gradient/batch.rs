//! Trajectories, and the weights of their scores in the policy gradient.

use nalgebra::{DMatrix, DVector};
use quire_core::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Policy;

/// Trajectories, one after the other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Observations, `[steps, observation]`.
    pub observations: Vec<f64>,
    /// Actions, `[steps]`.
    pub actions: Vec<usize>,
    /// Rewards, `[steps]`.
    pub rewards: Vec<f64>,
    /// Where each trajectory ends: the number of steps up to and with it.
    pub ends: Vec<usize>,
}

impl Batch {
    /// Forgets all trajectories.
    pub fn clear(&mut self) {
        self.observations.clear();
        self.actions.clear();
        self.rewards.clear();
        self.ends.clear();
    }

    /// The steps of each trajectory.
    pub fn trajectories(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| start..end)
    }

    /// The mean of Σ_h γ^h r_h over trajectories.
    pub fn mean_return(&self, discount: f64) -> f64 {
        let one = |range: std::ops::Range<usize>| {
            self.rewards[range].iter().rev().fold(0.0, |sum, reward| reward + discount * sum)
        };
        self.trajectories().map(one).sum::<f64>() / self.ends.len() as f64
    }

    /// Σ_{i ≥ h} γ^i r_i for every step h of every trajectory, i counted from the trajectory's start.
    pub fn rewards_to_go(&self, discount: f64) -> Vec<f64> {
        let mut result = vec![0.0; self.rewards.len()];
        for range in self.trajectories() {
            let first = range.start;
            let mut sum = 0.0;
            for step in range.rev() {
                sum += discount.powi((step - first) as i32) * self.rewards[step];
                result[step] = sum;
            }
        }
        result
    }
}

/// What is subtracted from the reward-to-go; it changes the variance of a gradient, not its mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BaselineKind {
    /// Nothing.
    None,
    /// The mean reward-to-go of the batch's other trajectories at the same step.
    OtherTrajectories,
    /// A linear function of observation and time, fitted to the batch before: o, o², t, t², t³ and 1 with t in hundreds of
    /// steps (Duan et al. 2016, arXiv:1604.06778).
    Linear,
}

/// A baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    kind: BaselineKind,
    /// Numbers in an observation.
    observation: usize,
    /// Of the linear function; none before the first fit.
    coefficients: Vec<f64>,
}

/// Weight of the squared coefficients in the linear fit, as in the codes that the fit comes from.
const RIDGE: f64 = 1e-5;

impl Baseline {
    /// A baseline that has seen nothing.
    pub fn new(kind: BaselineKind, observation: usize) -> Self {
        Baseline { kind, observation, coefficients: Vec::new() }
    }

    /// ψ_h = Σ_{i ≥ h} γ^i r_i - γ^h b_h of every step.
    pub fn weights(&self, batch: &Batch, discount: f64) -> Vec<f64> {
        let mut weights = batch.rewards_to_go(discount);
        match self.kind {
            BaselineKind::None => {}
            BaselineKind::OtherTrajectories => {
                let longest = batch.trajectories().map(|range| range.len()).max().unwrap_or(0);
                let mut sums = vec![0.0; longest];
                for range in batch.trajectories() {
                    sums.iter_mut().zip(&weights[range]).for_each(|(sum, weight)| *sum += weight);
                }
                // A trajectory that has ended has nothing more to go for.
                let others = (batch.ends.len() - 1).max(1) as f64;
                for range in batch.trajectories().filter(|_| batch.ends.len() > 1) {
                    let steps = weights[range].iter_mut().zip(&sums);
                    steps.for_each(|(weight, sum)| *weight -= (sum - *weight) / others);
                }
            }
            BaselineKind::Linear => {
                let mut features = Vec::new();
                for range in batch.trajectories().filter(|_| !self.coefficients.is_empty()) {
                    for (time, step) in range.enumerate() {
                        self.features(batch, step, time, &mut features);
                        let value: f64 = features.iter().zip(&self.coefficients).map(|(x, c)| x * c).sum();
                        weights[step] -= discount.powi(time as i32) * value;
                    }
                }
            }
        }
        weights
    }

    /// Fits a linear baseline to what was to go, Σ_{i ≥ h} γ^{i-h} r_i; the others need no fit.
    pub fn fit(&mut self, batch: &Batch, discount: f64) {
        if self.kind != BaselineKind::Linear {
            return;
        }
        let width = 2 * self.observation + 4;
        let mut gram = DMatrix::<f64>::identity(width, width) * RIDGE;
        let mut right = DVector::<f64>::zeros(width);
        let mut features = Vec::new();
        for range in batch.trajectories() {
            let first = range.start;
            let mut to_go = 0.0;
            for step in range.rev() {
                to_go = batch.rewards[step] + discount * to_go;
                self.features(batch, step, step - first, &mut features);
                let x = DVector::from_column_slice(&features);
                gram.ger(1.0, &x, &x, 1.0);
                right.axpy(to_go, &x, 1.0);
            }
        }
        // Positive definite by the ridge.
        if let Some(factor) = gram.cholesky() {
            self.coefficients = factor.solve(&right).as_slice().to_vec();
        }
    }

    fn features(&self, batch: &Batch, step: usize, time: usize, features: &mut Vec<f64>) {
        let observation = &batch.observations[step * self.observation..][..self.observation];
        let time = time as f64 / 100.0;
        features.clear();
        features.extend(observation.iter().map(|x| x.clamp(-10.0, 10.0)));
        features.extend(observation.iter().map(|x| x.clamp(-10.0, 10.0).powi(2)));
        features.extend([time, time * time, time * time * time, 1.0]);
    }
}

/// The GPOMDP estimate 1/N Σ_τ Σ_h ψ_h ∇ ln π(a_h|s_h) at the policy's θ, plus `entropy` times the gradient of the mean entropy over
/// the states met, into `gradient`.
pub fn policy_gradient(
    policy: &mut dyn Policy,
    batch: &Batch,
    weights: &[f64],
    entropy: f64,
    gradient: &mut [f64],
) {
    let count = batch.ends.len() as f64;
    let weights: Vec<f64> = weights.iter().map(|weight| weight / count).collect();
    policy.score(batch, &weights, entropy / batch.actions.len() as f64, gradient);
}

/// The mean over trajectories of B(τ, θ) u, whose expectation is ∇²J(θ) u, into `product`:
///
/// > B(τ, θ) u = ∇²Φ u + ∇Φ ⟨∇ ln p(τ|θ), u⟩,  Φ = Σ_h ψ_h ln π(a_h|s_h)
pub fn hessian_product(
    policy: &mut dyn Policy,
    batch: &Batch,
    weights: &[f64],
    direction: &[f64],
    product: &mut [f64],
) {
    let count = batch.ends.len() as f64;
    let mut weights: Vec<f64> = weights.iter().map(|weight| weight / count).collect();
    let mut directional = vec![0.0; weights.len()];
    let mut curvature = vec![0.0; direction.len()];
    policy.second_order(batch, &weights, direction, &mut directional, &mut curvature);
    // ⟨∇ ln p(τ), u⟩ belongs to each trajectory by itself, and weighs its ∇Φ.
    for range in batch.trajectories() {
        let along: f64 = directional[range.clone()].iter().sum();
        weights[range].iter_mut().for_each(|weight| *weight *= along);
    }
    policy.score(batch, &weights, 0.0, product);
    super::add_scaled(1.0, &curvature, product);
}

/// ψ^w_h = Σ_{i ≥ h} w_i γ^i r_i - w_h (γ^h b_h) of every step, w_i = exp Σ_{j ≤ i} (`then` - `now`): what weighs the scores of a
/// policy under which the actions have the log-probabilities `then`, on trajectories of one under which they have `now`.
/// `weights` are those of the latter, [`Baseline::weights`].
pub fn importance_weights(
    batch: &Batch,
    discount: f64,
    weights: &[f64],
    now: &[f64],
    then: &[f64],
) -> Vec<f64> {
    let to_go = batch.rewards_to_go(discount);
    let mut result = vec![0.0; weights.len()];
    for range in batch.trajectories() {
        let first = range.start;
        let mut ratio = 0.0;
        for step in range.clone() {
            ratio += then[step] - now[step];
            result[step] = ratio.exp();
        }
        let mut sum = 0.0;
        for step in range.rev() {
            let (weight, baseline) = (result[step], to_go[step] - weights[step]);
            sum += weight * discount.powi((step - first) as i32) * batch.rewards[step];
            result[step] = sum - weight * baseline;
        }
    }
    result
}

/// An error if a number is not finite: the method has broken down.
pub fn check_finite(numbers: &[f64], what: &str) -> Result<()> {
    match numbers.iter().all(|x| x.is_finite()) {
        true => Ok(()),
        false => Err(quire_core::Error::Diverged(format!("{what} is not finite"))),
    }
}
