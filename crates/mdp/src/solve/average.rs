//! Average reward: gain g and bias h with g + h = max_a r + P h.

use nalgebra::DMatrix;
use quire_core::{Error, Result};

use super::{linear_solve, maximum};
use crate::finite::FiniteMdp;

/// Weight of the old values in each sweep: makes every chain aperiodic and leaves gain and policy as they are.
const DAMPING: f64 = 0.1;

/// Optimal gain, bias and policy.
#[derive(Debug, Clone, PartialEq)]
pub struct AverageSolution {
    /// The optimal average reward per step, within `bound`.
    pub gain: f64,
    /// The bias relative to state 0, `[S]`.
    pub bias: Vec<f64>,
    /// An optimal policy, `[S]`.
    pub policy: Vec<usize>,
    /// Sweeps made.
    pub iterations: u64,
    /// Half the width of the interval that is certain to hold the optimal gain.
    pub bound: f64,
}

/// Relative value iteration on a weakly communicating model, until the gain is certain to `tolerance` (Puterman 1994,
/// section 8.5).
///
/// # Errors
/// No convergence within `sweeps`: the model may fall into parts that cannot reach each other.
pub fn relative_value_iteration(mdp: &FiniteMdp, tolerance: f64, sweeps: u64) -> Result<AverageSolution> {
    let mut bias = vec![0.0; mdp.states()];
    let mut next = bias.clone();
    let mut policy = vec![0; mdp.states()];
    for iterations in 1..=sweeps {
        let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
        for state in 0..mdp.states() {
            let q = (0..mdp.actions())
                .map(|action| mdp.reward(state, action) + mdp.expectation(state, action, &bias));
            let (action, value) = maximum(q);
            policy[state] = action;
            least = f64::min(least, value - bias[state]);
            greatest = f64::max(greatest, value - bias[state]);
            next[state] = DAMPING * bias[state] + (1.0 - DAMPING) * value;
        }
        if greatest - least <= 2.0 * tolerance {
            let gain = 0.5 * (greatest + least);
            let first = bias[0];
            bias.iter_mut().for_each(|value| *value -= first);
            return Ok(AverageSolution { gain, bias, policy, iterations, bound: 0.5 * (greatest - least) });
        }
        let first = next[0];
        next.iter_mut().for_each(|value| *value -= first);
        std::mem::swap(&mut bias, &mut next);
    }
    Err(Error::Failed(format!(
        "relative value iteration has not found the gain to {tolerance} within {sweeps} sweeps; \
         perhaps some states cannot reach each other"
    )))
}

/// Gain and bias (`[S]`, relative to state 0) of a policy whose chain has one recurrent class. `policy` is `[S, A]`, action
/// probabilities.
///
/// # Errors
/// Several recurrent classes: then the gain is not one number.
pub fn gain_and_bias(mdp: &FiniteMdp, policy: &[f64]) -> Result<(f64, Vec<f64>)> {
    let (chain, rewards) = mdp.under(policy);
    // g + h(s) - Σ p h(s') = r(s), with h(0) = 0: the column of h(0) is free to hold g.
    let mut matrix = DMatrix::<f64>::identity(mdp.states(), mdp.states());
    for (state, row) in chain.iter().enumerate() {
        row.iter().for_each(|&(next, p)| matrix[(state, next)] -= p);
    }
    (0..mdp.states()).for_each(|state| matrix[(state, 0)] = 1.0);
    let mut solution = linear_solve(&matrix, rewards, "the gain of the policy")?;
    let gain = std::mem::replace(&mut solution[0], 0.0);
    Ok((gain, solution))
}

/// The stationary distribution (`[S]`) of a policy whose chain has one recurrent class.
///
/// # Errors
/// Several recurrent classes: then there are several stationary distributions.
pub fn stationary_distribution(mdp: &FiniteMdp, policy: &[f64]) -> Result<Vec<f64>> {
    let (chain, _) = mdp.under(policy);
    // (I - Pᵀ) d = 0; one equation is redundant and makes room for Σ d = 1.
    let mut matrix = DMatrix::<f64>::identity(mdp.states(), mdp.states());
    for (state, row) in chain.iter().enumerate() {
        row.iter().for_each(|&(next, p)| matrix[(next, state)] -= p);
    }
    (0..mdp.states()).for_each(|state| matrix[(0, state)] = 1.0);
    let mut right = vec![0.0; mdp.states()];
    right[0] = 1.0;
    linear_solve(&matrix, right, "the stationary distribution of the policy")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finite::deterministic;
    use crate::worlds::{garnet, river_swim};

    #[test]
    fn the_gain_is_the_stationary_reward() {
        for seed in 0..5 {
            let mdp = garnet(12, 3, 4, seed).unwrap();
            let policy = vec![1.0 / 3.0; 36];
            let (gain, bias) = gain_and_bias(&mdp, &policy).unwrap();
            let stationary = stationary_distribution(&mdp, &policy).unwrap();
            let (chain, rewards) = mdp.under(&policy);
            assert!((stationary.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let paid: f64 = stationary.iter().zip(&rewards).map(|(d, r)| d * r).sum();
            assert!((gain - paid).abs() < 1e-10);
            for (state, row) in chain.iter().enumerate() {
                let next: f64 = row.iter().map(|&(next, p)| p * bias[next]).sum();
                assert!((gain + bias[state] - rewards[state] - next).abs() < 1e-10);
            }
        }
    }

    #[test]
    fn the_optimal_gain_is_that_of_its_policy() {
        let mdp = river_swim(6).unwrap();
        let solution = relative_value_iteration(&mdp, 1e-10, 1_000_000).unwrap();
        let (gain, _) = gain_and_bias(&mdp, &deterministic(&solution.policy, 2)).unwrap();
        assert!((gain - solution.gain).abs() < 1e-9);
        // Always swimming right is optimal and better than taking the small reward on the left.
        assert!(solution.policy.iter().all(|&action| action == 1));
        let (left, _) = gain_and_bias(&mdp, &deterministic(&[0; 6], 2)).unwrap();
        assert!((left - 0.005).abs() < 1e-12 && gain > 0.4);
    }

    #[test]
    fn parts_that_cannot_reach_each_other_are_an_error() {
        let mdp = FiniteMdp::from_dense(2, 1, &[1., 0., 0., 1.], vec![0., 1.], vec![0.5, 0.5]).unwrap();
        assert!(gain_and_bias(&mdp, &[1.0, 1.0]).unwrap_err().to_string().contains("singular"));
        assert!(
            relative_value_iteration(&mdp, 1e-6, 100).unwrap_err().to_string().contains("reach each other")
        );
    }

    #[test]
    fn a_periodic_chain_converges() {
        let mdp = FiniteMdp::from_dense(2, 1, &[0., 1., 1., 0.], vec![0., 1.], vec![1., 0.]).unwrap();
        let solution = relative_value_iteration(&mdp, 1e-9, 10_000).unwrap();
        assert!((solution.gain - 0.5).abs() < 1e-9);
    }
}
