//! Softmax policies, and what a policy must be able to do.

use quire_core::Rng;
use quire_optim::Layout;
use rand::RngExt;
use rand_distr::StandardNormal;

use super::Batch;
use crate::regularized::log_softmax;

/// A stochastic policy π_θ over A actions that can be differentiated twice. Parameters are set once and then used often.
pub trait Policy: Send {
    /// The number of parameters.
    fn parameters(&self) -> usize;

    /// The tensors that θ is made of, for optimizers that look at matrices.
    fn layout(&self) -> Layout {
        Layout::flat(self.parameters())
    }

    /// θ_0.
    fn initial(&self, rng: &mut Rng) -> Vec<f64>;

    /// Sets θ for what follows.
    fn set(&mut self, theta: &[f64]);

    /// Draws an action.
    fn act(&mut self, observation: &[f64], rng: &mut Rng) -> usize;

    /// ln π(a_h|s_h) of every step of a batch, `[steps]`.
    fn log_probabilities(&mut self, batch: &Batch, logs: &mut [f64]);

    /// Σ_h w_h ∇ ln π(a_h|s_h) + `entropy` Σ_h ∇H(π(·|s_h)) over the steps of a batch, into `gradient`.
    fn score(&mut self, batch: &Batch, weights: &[f64], entropy: f64, gradient: &mut [f64]);

    /// For a direction u: ⟨∇ ln π(a_h|s_h), u⟩ of every step into `directional`, and Σ_h w_h ∇² ln π(a_h|s_h) u into `curvature`.
    fn second_order(
        &mut self,
        batch: &Batch,
        weights: &[f64],
        direction: &[f64],
        directional: &mut [f64],
        curvature: &mut [f64],
    );
}

/// π(a|s) ∝ exp θ(s, a). An observation is the number of the state.
#[derive(Debug, Clone)]
pub struct TabularSoftmax {
    actions: usize,
    /// Standard deviation of θ_0.
    deviation: f64,
    /// ln π, `[S, A]`.
    log_policy: Vec<f64>,
}

impl TabularSoftmax {
    /// A uniform table; θ_0 is normal with this standard deviation.
    pub fn new(states: usize, actions: usize, deviation: f64) -> Self {
        TabularSoftmax { actions, deviation, log_policy: vec![-(actions as f64).ln(); states * actions] }
    }

    /// π at θ, `[S, A]`.
    pub fn probabilities(theta: &[f64], actions: usize) -> Vec<f64> {
        let mut policy = theta.to_vec();
        for row in policy.chunks_exact_mut(actions) {
            log_softmax(row);
            row.iter_mut().for_each(|log| *log = log.exp());
        }
        policy
    }

    fn row(&self, observation: f64) -> std::ops::Range<usize> {
        let first = observation as usize * self.actions;
        first..first + self.actions
    }
}

impl Policy for TabularSoftmax {
    fn parameters(&self) -> usize {
        self.log_policy.len()
    }

    fn initial(&self, rng: &mut Rng) -> Vec<f64> {
        (0..self.parameters()).map(|_| self.deviation * rng.sample::<f64, _>(StandardNormal)).collect()
    }

    fn set(&mut self, theta: &[f64]) {
        self.log_policy.copy_from_slice(theta);
        self.log_policy.chunks_exact_mut(self.actions).for_each(|row| {
            log_softmax(row);
        });
    }

    fn act(&mut self, observation: &[f64], rng: &mut Rng) -> usize {
        quire_nn::distributions::sample_categorical(&self.log_policy[self.row(observation[0])], rng)
    }

    fn log_probabilities(&mut self, batch: &Batch, logs: &mut [f64]) {
        for ((log, observation), &action) in logs.iter_mut().zip(&batch.observations).zip(&batch.actions) {
            *log = self.log_policy[self.row(*observation)][action];
        }
    }

    fn score(&mut self, batch: &Batch, weights: &[f64], entropy: f64, gradient: &mut [f64]) {
        gradient.fill(0.0);
        for ((observation, &action), &weight) in batch.observations.iter().zip(&batch.actions).zip(weights) {
            let range = self.row(*observation);
            let log_policy = &self.log_policy[range.clone()];
            let gradient = &mut gradient[range];
            let plogp: f64 =
                if entropy == 0.0 { 0.0 } else { log_policy.iter().map(|log| log.exp() * log).sum() };
            for (slot, log) in gradient.iter_mut().zip(log_policy) {
                // ∂H/∂θ_a = -π_a (ln π_a + H).
                *slot -= log.exp() * (weight + entropy * (log - plogp));
            }
            gradient[action] += weight;
        }
    }

    fn second_order(
        &mut self,
        batch: &Batch,
        weights: &[f64],
        direction: &[f64],
        directional: &mut [f64],
        curvature: &mut [f64],
    ) {
        curvature.fill(0.0);
        let steps = batch.observations.iter().zip(&batch.actions).zip(weights).zip(directional);
        for (((observation, &action), &weight), directional) in steps {
            let range = self.row(*observation);
            let (log_policy, u) = (&self.log_policy[range.clone()], &direction[range.clone()]);
            let mean: f64 = log_policy.iter().zip(u).map(|(log, u)| log.exp() * u).sum();
            *directional = u[action] - mean;
            // ∇² ln π(a|s) = -(diag π - π πᵀ), whatever the action.
            for ((slot, log), u) in curvature[range].iter_mut().zip(log_policy).zip(u) {
                *slot -= weight * log.exp() * (u - mean);
            }
        }
    }
}
