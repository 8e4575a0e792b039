//! Risk-sensitive values: what a policy is worth to somebody who expects the model to be wrong.
//!
//! The entropic risk of a next value is the worst expectation over all models, each charged with its divergence from the
//! given one:
//!
//! > σ(P, V) = min_{P'} { E_{P'} V + KL(P' ‖ P)/β } = -(1/β) ln E_P exp(-β V)
//!
//! and V(s) = max_a { r(s, a) + γ σ(P_sa, V) }. β → 0 is the ordinary expectation; the larger β, the worse the model that
//! is planned for.
//!
//! Source: R. Zhang, Y. Hu & N. Li, *Soft robust MDPs and risk-sensitive MDPs: equivalence, policy gradient, and sample
//! complexity*, ICLR 2024, arXiv:2306.11626, Theorem 2.

use quire_core::{Error, Result};

use super::discounted::{Solution, check_discount, iterate_action_values};
use crate::finite::FiniteMdp;

/// σ(P_sa, V) for caution `beta` ≥ 0, in units of 1/value; 0 gives the expectation.
pub fn entropic_risk(mdp: &FiniteMdp, state: usize, action: usize, values: &[f64], beta: f64) -> f64 {
    if beta == 0.0 {
        return mdp.expectation(state, action, values);
    }
    let (next, probability) = mdp.row(state, action);
    let pairs = || next.iter().map(|&next| values[next as usize]).zip(probability).filter(|(_, p)| **p > 0.0);
    // Relative to the least value, so that no exponential overflows and at least one is 1.
    let least = pairs().map(|(value, _)| value).fold(f64::INFINITY, f64::min);
    least - pairs().map(|(value, p)| p * (-beta * (value - least)).exp()).sum::<f64>().ln() / beta
}

/// r(s, a) + γ σ(P_sa, V), `[S, A]`.
pub fn risk_sensitive_action_values(mdp: &FiniteMdp, discount: f64, beta: f64, values: &[f64]) -> Vec<f64> {
    let pairs = (0..mdp.states()).flat_map(|state| (0..mdp.actions()).map(move |action| (state, action)));
    let q = |(state, action)| {
        mdp.reward(state, action) + discount * entropic_risk(mdp, state, action, values, beta)
    };
    pairs.map(q).collect()
}

/// Value iteration until no value is further than `tolerance` from the optimal one; the operator is monotone and moves with a
/// constant, as the ordinary one does.
///
/// # Errors
/// A discount outside [0, 1), a negative `beta`, a tolerance that is not positive, or no convergence within `sweeps`.
pub fn risk_sensitive_value_iteration(
    mdp: &FiniteMdp,
    discount: f64,
    beta: f64,
    tolerance: f64,
    sweeps: u64,
) -> Result<Solution> {
    check(discount, beta, tolerance)?;
    iterate_action_values(mdp, (discount, tolerance), sweeps, |values| {
        risk_sensitive_action_values(mdp, discount, beta, values)
    })
}

/// The values of a policy, `[S]`, for the same caution: the fixed point of V(s) = Σ_a π(a|s) [ r(s, a) + γ σ(P_sa, V) ].
///
/// The choice of an action is no error of the model, so its mean lies outside of σ. `policy` is `[S, A]`; `values` is where
/// the iteration starts and where it ends, once no value is further than `tolerance` from the fixed point.
///
/// # Errors
/// A discount outside \[0, 1), a negative `beta`, a tolerance that is not positive, or no convergence within `sweeps`.
pub fn risk_sensitive_evaluate(
    mdp: &FiniteMdp,
    policy: &[f64],
    (discount, beta): (f64, f64),
    values: &mut [f64],
    tolerance: f64,
    sweeps: u64,
) -> Result<()> {
    check(discount, beta, tolerance)?;
    for _ in 0..sweeps {
        let q = risk_sensitive_action_values(mdp, discount, beta, values);
        let mut change = 0.0_f64;
        let rows = q.chunks_exact(mdp.actions()).zip(policy.chunks_exact(mdp.actions()));
        for (value, (q, policy)) in values.iter_mut().zip(rows) {
            let better = q.iter().zip(policy).map(|(q, p)| q * p).sum::<f64>();
            change = change.max((better - *value).abs());
            *value = better;
        }
        if change * discount / (1.0 - discount) <= tolerance {
            return Ok(());
        }
    }
    Err(Error::Failed(format!(
        "the policy's values have not converged to {tolerance} within {sweeps} sweeps"
    )))
}

/// The model that the cautious plan for when next values are `values`: P'(s'|s, a) ∝ P(s'|s, a) exp(-β V(s')), where the
/// minimum in σ is taken.
pub fn worst_model(mdp: &FiniteMdp, values: &[f64], beta: f64) -> FiniteMdp {
    let pairs = (0..mdp.states()).flat_map(|state| (0..mdp.actions()).map(move |action| (state, action)));
    let rows = pairs.map(|(state, action)| {
        let (next, probability) = mdp.row(state, action);
        let least = next.iter().map(|&next| values[next as usize]).fold(f64::INFINITY, f64::min);
        let weight =
            |(&next, &p): (&u32, &f64)| (next as usize, p * (-beta * (values[next as usize] - least)).exp());
        let row: Vec<(usize, f64)> = next.iter().zip(probability).map(weight).collect();
        let sum: f64 = row.iter().map(|(_, weight)| weight).sum();
        row.into_iter().map(|(next, weight)| (next, weight / sum)).collect()
    });
    FiniteMdp::from_rows(mdp.states(), mdp.actions(), rows, mdp.rewards().to_vec(), mdp.start().to_vec())
        .expect("rows of a model, weighted and made to sum to 1, are a model")
}

fn check(discount: f64, beta: f64, tolerance: f64) -> Result<()> {
    check_discount(discount)?;
    if !(beta >= 0.0 && beta.is_finite()) {
        return Err(Error::option("risk", format!("must be a number from 0 on; got {beta}")));
    }
    if tolerance.is_nan() || tolerance <= 0.0 {
        return Err(Error::option("tolerance", format!("must be above 0; got {tolerance}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worlds::{garnet, ring};

    /// The ring world of the authors' code; its 14 rewards by state.
    const REWARDS: [f64; 14] = [0.0, 0.0, -1.0, 2.0, -1.0, 0.0, 0.0, -10.0, 5.0, -10.0, 0.0, 0.9, 1.0, 0.0];

    /// The code's β_c is β/γ.
    fn ring_values(slip: f64, beta_c: f64) -> (Vec<f64>, Vec<usize>) {
        let mdp = ring(&REWARDS, slip).unwrap();
        let solution = risk_sensitive_value_iteration(&mdp, 0.95, 0.95 * beta_c, 1e-10, 10_000).unwrap();
        (solution.values, solution.policy)
    }

    /// Values to four decimals by an independent program.
    #[test]
    fn the_ring_worlds_values() {
        let close = |values: &[f64], expected: [f64; 14]| {
            values.iter().zip(expected).all(|(value, expected)| (value - expected).abs() < 1e-4)
        };
        let certain = [
            67.4455, 64.0732, 65.7689, 70.283, 71.8769, 76.7125, 80.75, 85.0, 100.0, 85.0, 80.75, 77.6125,
            74.7319, 70.9953,
        ];
        for beta in [0.0, 0.1, 0.3] {
            assert!(close(&ring_values(0.0, beta).0, certain), "without slips no caution matters: {beta}");
        }
        let (values, policy) = ring_values(0.05, 0.0);
        assert!(close(
            &values,
            [
                45.877, 43.5887, 44.1473, 47.6888, 47.9243, 51.5433, 54.2822, 56.5, 71.5, 56.5, 54.2822,
                52.4882, 50.8722, 48.2824
            ]
        ));
        assert_eq!(policy, [0, 0, 2, 2, 2, 2, 2, 2, 1, 0, 0, 0, 0, 0]);
        let (values, policy) = ring_values(0.05, 0.1);
        assert!(close(
            &values,
            [
                27.5737, 29.0344, 30.5112, 33.5112, 30.5112, 29.0344, 28.9332, 30.1132, 45.1132, 30.1132,
                28.9332, 28.4143, 27.9975, 26.5431
            ]
        ));
        assert_eq!(policy, [2, 2, 2, 1, 0, 0, 2, 2, 1, 0, 0, 0, 0, 0]);
        let mean = |values: Vec<f64>| values.iter().sum::<f64>() / 14.0;
        assert!((mean(ring_values(0.15, 0.1).0) - 14.77143).abs() < 1e-5);
        assert!((mean(ring_values(0.15, 0.0).0) - 16.91444).abs() < 1e-5);
    }

    #[test]
    fn the_risk_lies_between_the_least_and_the_mean_and_moves_with_a_constant() {
        let mdp = garnet(12, 3, 4, 1).unwrap();
        let values: Vec<f64> = (0..12).map(|state| f64::from(state * state % 7)).collect();
        let shifted: Vec<f64> = values.iter().map(|value| value + 100.0).collect();
        for state in 0..12 {
            for action in 0..3 {
                let mean = mdp.expectation(state, action, &values);
                let least = mdp.row(state, action).0.iter().map(|&next| values[next as usize]);
                let least = least.fold(f64::INFINITY, f64::min);
                for beta in [1e-3, 0.5, 40.0] {
                    let risk = entropic_risk(&mdp, state, action, &values, beta);
                    assert!(least - 1e-12 <= risk && risk <= mean + 1e-12);
                    let moved = entropic_risk(&mdp, state, action, &shifted, beta);
                    assert!((moved - risk - 100.0).abs() < 1e-9);
                }
                // σ → E V - β/2 Var V.
                let squares: Vec<f64> = values.iter().map(|value| (value - mean).powi(2)).collect();
                let variance = mdp.expectation(state, action, &squares);
                let risk = entropic_risk(&mdp, state, action, &values, 1e-4);
                assert!((risk - (mean - 0.5e-4 * variance)).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn bad_numbers_are_refused() {
        let mdp = garnet(3, 1, 1, 0).unwrap();
        for (discount, beta, tolerance) in
            [(1.0, 1.0, 1e-6), (0.9, -1.0, 1e-6), (0.9, f64::NAN, 1e-6), (0.9, 1.0, 0.0)]
        {
            assert!(risk_sensitive_value_iteration(&mdp, discount, beta, tolerance, 10).is_err());
        }
    }
}
