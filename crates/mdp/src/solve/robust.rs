//! Robust values: what is certain to be earned in every model of a set, here all within a divergence of the given one.
//!
//! > V(s) = max_a { r(s, a) + γ min E_{P'} V }, the minimum over all P' with KL(P' ‖ P_sa) ≤ ρ
//!
//! Source: G. Iyengar, *Robust dynamic programming*, Mathematics of Operations Research 30 (2005); A. Nilim & L. El Ghaoui,
//! *Robust control of Markov decision processes with uncertain transition matrices*, Operations Research 53 (2005).

use quire_core::{Error, Result};

use super::discounted::{Solution, check_discount, iterate_action_values};
use super::worst_case_kl;
use crate::finite::FiniteMdp;

/// min E_{P'} V over all P' with KL(P' ‖ P_sa) ≤ `radius` (≥ 0, in nats).
fn worst_expectation(mdp: &FiniteMdp, state: usize, action: usize, values: &[f64], radius: f64) -> f64 {
    let (next, probability) = mdp.row(state, action);
    let outcomes = next.iter().zip(probability).map(|(&next, &p)| (p, values[next as usize]));
    worst_case_kl(outcomes, radius)
}

/// r(s, a) + γ min E_{P'} V, `[S, A]`.
pub fn robust_action_values(mdp: &FiniteMdp, discount: f64, radius: f64, values: &[f64]) -> Vec<f64> {
    let pairs = (0..mdp.states()).flat_map(|state| (0..mdp.actions()).map(move |action| (state, action)));
    let q = |(state, action)| {
        mdp.reward(state, action) + discount * worst_expectation(mdp, state, action, values, radius)
    };
    pairs.map(q).collect()
}

/// Value iteration until no value is further than `tolerance` from the optimal one.
///
/// # Errors
/// A discount outside [0, 1), a negative `radius`, a tolerance that is not positive, or no convergence within `sweeps`.
pub fn robust_value_iteration(
    mdp: &FiniteMdp,
    discount: f64,
    radius: f64,
    tolerance: f64,
    sweeps: u64,
) -> Result<Solution> {
    check_discount(discount)?;
    if !(radius >= 0.0 && radius.is_finite()) {
        return Err(Error::option("radius", format!("must be a number from 0 on; got {radius}")));
    }
    iterate_action_values(mdp, (discount, tolerance), sweeps, |values| {
        robust_action_values(mdp, discount, radius, values)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solve::{entropic_risk, value_iteration};
    use crate::worlds::garnet;

    /// The dual, -λ ln E exp(-V/λ) - λρ, is the entropic risk at β = 1/λ minus λρ; over a fine grid of λ its maximum is the
    /// minimum over the ball, and no point of the grid lies above it.
    #[test]
    fn the_ball_and_its_dual_agree() {
        let mdp = garnet(12, 3, 4, 1).unwrap();
        let values: Vec<f64> = (0..12).map(|state| f64::from(state * state % 7)).collect();
        for state in 0..12 {
            for action in 0..3 {
                for radius in [1e-3, 0.1, 0.5] {
                    let robust = worst_expectation(&mdp, state, action, &values, radius);
                    let dual = |lambda: f64| {
                        entropic_risk(&mdp, state, action, &values, 1.0 / lambda) - lambda * radius
                    };
                    let best = (0..40_000)
                        .map(|i| dual((-7.0 + 5e-4 * f64::from(i)).exp()))
                        .fold(f64::NEG_INFINITY, f64::max);
                    assert!(best <= robust + 1e-9 && robust - best < 2e-3, "{best} {robust}");
                }
            }
        }
    }

    /// Two next states: by hand, all mass within the divergence.
    #[test]
    fn two_outcomes_by_brute_force() {
        let mdp = FiniteMdp::from_dense(2, 1, &[0.3, 0.7, 0.0, 1.0], vec![0.0; 2], vec![1.0, 0.0]).unwrap();
        for radius in [0.01, 0.2, 1.0, 3.0] {
            let divergence = |q: f64| {
                let term = |q: f64, p: f64| if q == 0.0 { 0.0 } else { q * (q / p).ln() };
                term(q, 0.3) + term(1.0 - q, 0.7)
            };
            // V = (0, 1): the least expectation is the least 1 - q.
            let greatest = (0..=1_000_000).map(|i| f64::from(i) * 1e-6).filter(|&q| divergence(q) <= radius);
            let expected = 1.0 - greatest.fold(0.0, f64::max);
            let robust = worst_expectation(&mdp, 0, 0, &[0.0, 1.0], radius);
            assert!((robust - expected).abs() < 2e-6, "{radius}: {robust} {expected}");
        }
    }

    #[test]
    fn no_radius_is_value_iteration_and_more_radius_is_worth_less() {
        let mdp = garnet(10, 3, 3, 2).unwrap();
        let plain = value_iteration(&mdp, 0.9, 1e-10, 10_000).unwrap().values;
        let mut before = plain.clone();
        for radius in [0.0, 0.05, 0.3, 100.0] {
            let robust = robust_value_iteration(&mdp, 0.9, radius, 1e-10, 10_000).unwrap().values;
            if radius == 0.0 {
                assert!(robust.iter().zip(&plain).all(|(a, b)| (a - b).abs() < 1e-9));
            }
            assert!(robust.iter().zip(&before).all(|(a, b)| *a <= b + 1e-9));
            before = robust;
        }
        assert!(robust_value_iteration(&mdp, 0.9, -1.0, 1e-6, 10).is_err());
    }
}
