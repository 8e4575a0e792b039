//! Discounted reward: V = max_a r + γ P V.

use nalgebra::DMatrix;
use quire_core::{Error, Result};
use rayon::prelude::*;

use super::{linear_solve, maximum};
use crate::finite::{FiniteMdp, deterministic};

/// States in one piece of parallel work.
const BLOCK: usize = 4096;

/// Values and a greedy policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// V, `[S]`.
    pub values: Vec<f64>,
    /// A policy greedy in V, `[S]`.
    pub policy: Vec<usize>,
    /// Sweeps or policy improvements made.
    pub iterations: u64,
    /// The greatest distance of a value from the optimal one is at most this.
    pub bound: f64,
}

/// Value iteration until no value is further than `tolerance` from the optimal one (Puterman 1994, sections 6.3 and 6.6).
///
/// The values returned are the middle of bounds that close in far sooner than values settle where states mix: what all
/// values still lack alike is not waited for, but added.
///
/// One sweep costs one pass over the transitions; sweeps use all threads of the current rayon pool, and the result does
/// not depend on how many.
///
/// # Errors
/// A discount outside [0, 1), a tolerance that is not positive, or no convergence within `sweeps`.
pub fn value_iteration(mdp: &FiniteMdp, discount: f64, tolerance: f64, sweeps: u64) -> Result<Solution> {
    check_discount(discount)?;
    let (values, iterations, bound) =
        iterate(mdp.states(), (discount, tolerance), sweeps, |values, next| {
            sweep(mdp, discount, values, next)
        })?;
    let policy = greedy(mdp, discount, &values);
    Ok(Solution { values, policy, iterations, bound })
}

/// The least and the greatest change of a value in a sweep.
#[derive(Clone, Copy)]
struct Changes {
    least: f64,
    greatest: f64,
}

impl Changes {
    const NONE: Changes = Changes { least: f64::INFINITY, greatest: f64::NEG_INFINITY };

    fn and(self, change: f64) -> Self {
        Changes { least: self.least.min(change), greatest: self.greatest.max(change) }
    }

    fn join(self, other: Self) -> Self {
        Changes { least: self.least.min(other.least), greatest: self.greatest.max(other.greatest) }
    }

    fn between(values: &[f64], next: &[f64]) -> Self {
        values.iter().zip(next).fold(Changes::NONE, |changes, (value, next)| changes.and(next - value))
    }
}

/// Applies an operator T to values that are 0 at first, until no value is further than `tolerance` from T's fixed point;
/// returns the values, the sweeps made and the bound that was reached. `sweep` writes T V into its second argument.
///
/// T must be monotone, and T(V + c) = T V + γ c for every constant c. Then, where all values changed by between `least` and
/// `greatest` in a sweep, the fixed point lies between γ / (1 - γ) `least` and γ / (1 - γ) `greatest` above the new values
/// (MacQueen 1966), and the middle of these is returned.
fn iterate(
    states: usize,
    (discount, tolerance): (f64, f64),
    sweeps: u64,
    mut sweep: impl FnMut(&[f64], &mut [f64]) -> Changes,
) -> Result<(Vec<f64>, u64, f64)> {
    if tolerance.is_nan() || tolerance <= 0.0 {
        return Err(Error::option("tolerance", format!("must be above 0; got {tolerance}")));
    }
    let half_ahead = 0.5 * discount / (1.0 - discount);
    let mut values = vec![0.0; states];
    let mut next = values.clone();
    for iterations in 1..=sweeps {
        let Changes { least, greatest } = sweep(&values, &mut next);
        std::mem::swap(&mut values, &mut next);
        let bound = half_ahead * (greatest - least);
        if bound <= tolerance {
            values.iter_mut().for_each(|value| *value += half_ahead * (greatest + least));
            return Ok((values, iterations, bound));
        }
    }
    Err(Error::Failed(format!("value iteration has not converged to {tolerance} within {sweeps} sweeps")))
}

/// Value iteration with another operator, given by its action values, `[S, A]`: monotone, and γ c higher if the values are
/// c higher.
///
/// # Errors
/// A tolerance that is not positive, or no convergence within `sweeps`.
pub(super) fn iterate_action_values(
    mdp: &FiniteMdp,
    (discount, tolerance): (f64, f64),
    sweeps: u64,
    action_values: impl Fn(&[f64]) -> Vec<f64>,
) -> Result<Solution> {
    let greedy = |values: &[f64]| -> Vec<(usize, f64)> {
        action_values(values).chunks_exact(mdp.actions()).map(|row| maximum(row.iter().copied())).collect()
    };
    let (values, iterations, bound) =
        iterate(mdp.states(), (discount, tolerance), sweeps, |values, next| {
            next.iter_mut().zip(greedy(values)).for_each(|(next, (_, value))| *next = value);
            Changes::between(values, next)
        })?;
    let policy = greedy(&values).into_iter().map(|(action, _)| action).collect();
    Ok(Solution { values, policy, iterations, bound })
}

/// One Bellman update of all states into `next`.
fn sweep(mdp: &FiniteMdp, discount: f64, values: &[f64], next: &mut [f64]) -> Changes {
    let blocks = next.par_chunks_mut(BLOCK).enumerate().map(|(block, next)| {
        let mut changes = Changes::NONE;
        for (offset, slot) in next.iter_mut().enumerate() {
            let state = block * BLOCK + offset;
            *slot = (0..mdp.actions())
                .map(|action| {
                    mdp.reward(state, action) + discount * mdp.expectation_in_sweep(state, action, values)
                })
                .fold(f64::NEG_INFINITY, f64::max);
            changes = changes.and(*slot - values[state]);
        }
        changes
    });
    blocks.reduce(|| Changes::NONE, Changes::join)
}

/// Q(s, a) = r(s, a) + γ Σ p(s'|s, a) V(s'), `[S, A]`.
pub fn action_values(mdp: &FiniteMdp, discount: f64, values: &[f64]) -> Vec<f64> {
    let pairs = (0..mdp.states()).flat_map(|state| (0..mdp.actions()).map(move |action| (state, action)));
    pairs
        .map(|(state, action)| mdp.reward(state, action) + discount * mdp.expectation(state, action, values))
        .collect()
}

/// The greedy policy in `values`; of equal actions the first.
fn greedy(mdp: &FiniteMdp, discount: f64, values: &[f64]) -> Vec<usize> {
    let best = |state| {
        let row = (0..mdp.actions())
            .map(|action| mdp.reward(state, action) + discount * mdp.expectation(state, action, values));
        maximum(row).0
    };
    (0..mdp.states()).into_par_iter().map(best).collect()
}

/// Policy iteration with exact evaluation (Howard 1960): finite, and exact to rounding.
///
/// # Errors
/// A discount outside [0, 1).
pub fn policy_iteration(mdp: &FiniteMdp, discount: f64) -> Result<Solution> {
    check_discount(discount)?;
    let actions = mdp.actions();
    let mut policy = vec![0; mdp.states()];
    for iterations in 1.. {
        let values = evaluate(mdp, &deterministic(&policy, actions), discount)?;
        let q = action_values(mdp, discount, &values);
        let mut stable = true;
        for (state, chosen) in policy.iter_mut().enumerate() {
            let row = &q[state * actions..(state + 1) * actions];
            let (best, value) = maximum(row.iter().copied());
            // Only a real improvement changes the policy: rounding must not make it cycle between equal actions.
            if value > row[*chosen] + 1e-12 * (1.0 + value.abs()) {
                *chosen = best;
                stable = false;
            }
        }
        if stable {
            let residual =
                q.chunks(actions).zip(&values).map(|(row, v)| (maximum(row.iter().copied()).1 - v).abs());
            let bound = residual.fold(0.0, f64::max) / (1.0 - discount);
            return Ok(Solution { values, policy, iterations, bound });
        }
    }
    unreachable!("each improvement is strict, and there are finitely many policies")
}

/// The values of a policy, `[S]`, by solving (I - γ P) V = r. `policy` is `[S, A]`, action probabilities.
///
/// # Errors
/// A discount outside [0, 1).
pub fn evaluate(mdp: &FiniteMdp, policy: &[f64], discount: f64) -> Result<Vec<f64>> {
    check_discount(discount)?;
    let (chain, rewards) = mdp.under(policy);
    let mut matrix = DMatrix::<f64>::identity(mdp.states(), mdp.states());
    for (state, row) in chain.iter().enumerate() {
        row.iter().for_each(|&(next, p)| matrix[(state, next)] -= discount * p);
    }
    linear_solve(&matrix, rewards, "the value of the policy")
}

/// The discounted occupancy of a policy, `[S, A]`: (1 - γ) Σ_t γ^t P(s_t = s, a_t = a). Sums to 1.
///
/// # Errors
/// A discount outside [0, 1).
pub fn discounted_occupancy(mdp: &FiniteMdp, policy: &[f64], discount: f64) -> Result<Vec<f64>> {
    check_discount(discount)?;
    let (chain, _) = mdp.under(policy);
    let mut matrix = DMatrix::<f64>::identity(mdp.states(), mdp.states());
    for (state, row) in chain.iter().enumerate() {
        row.iter().for_each(|&(next, p)| matrix[(next, state)] -= discount * p);
    }
    let start: Vec<f64> = mdp.start().iter().map(|p| (1.0 - discount) * p).collect();
    let states = linear_solve(&matrix, start, "the occupancy of the policy")?;
    Ok(policy.iter().enumerate().map(|(pair, p)| p * states[pair / mdp.actions()]).collect())
}

pub(super) fn check_discount(discount: f64) -> Result<()> {
    if (0.0..1.0).contains(&discount) {
        return Ok(());
    }
    Err(Error::option("discount", format!("must lie in [0, 1); got {discount}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worlds::garnet;

    #[test]
    fn two_states_by_hand() {
        // State 0: stay for 1, or go to state 1 for 0; state 1 pays 3 forever. γ = 1/2: V(1) = 6, V(0) = max(2, 3) = 3.
        let mdp = FiniteMdp::from_dense(
            2,
            2,
            &[1., 0., 0., 1., 0., 1., 0., 1.],
            vec![1., 0., 3., 3.],
            vec![1., 0.],
        )
        .unwrap();
        let solution = policy_iteration(&mdp, 0.5).unwrap();
        assert!((solution.values[0] - 3.0).abs() < 1e-12 && (solution.values[1] - 6.0).abs() < 1e-12);
        assert_eq!(solution.policy[0], 1);
        let occupancy = discounted_occupancy(&mdp, &deterministic(&solution.policy, 2), 0.5).unwrap();
        assert!((occupancy[1] - 0.5).abs() < 1e-12 && (occupancy[2] + occupancy[3] - 0.5).abs() < 1e-12);
    }

    #[test]
    fn iterations_agree_and_satisfy_bellmans_equation() {
        for seed in 0..5 {
            let mdp = garnet(30, 4, 5, seed).unwrap();
            let exact = policy_iteration(&mdp, 0.95).unwrap();
            let iterated = value_iteration(&mdp, 0.95, 1e-9, 10_000).unwrap();
            let distance =
                exact.values.iter().zip(&iterated.values).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(distance <= 1e-9, "{distance}");
            assert!(exact.bound < 1e-9);
            let uniform = vec![0.25; 30 * 4];
            let values = evaluate(&mdp, &uniform, 0.95).unwrap();
            let (chain, rewards) = mdp.under(&uniform);
            for state in 0..30 {
                let next: f64 = chain[state].iter().map(|&(next, p)| p * values[next]).sum();
                assert!((values[state] - rewards[state] - 0.95 * next).abs() < 1e-10);
            }
            // The occupancy pairs with rewards to the start value.
            let occupancy = discounted_occupancy(&mdp, &uniform, 0.95).unwrap();
            let through: f64 = occupancy.iter().zip(mdp.rewards()).map(|(d, r)| d * r).sum::<f64>() / 0.05;
            let direct: f64 = mdp.start().iter().zip(&values).map(|(p, v)| p * v).sum();
            assert!((through - direct).abs() < 1e-9);
        }
    }

    /// Values settle by γ a sweep: to 1e-9 that would be some 2,500 sweeps.
    #[test]
    fn states_that_mix_need_few_sweeps() {
        let mdp = garnet(200, 4, 5, 0).unwrap();
        let exact = policy_iteration(&mdp, 0.99).unwrap();
        let iterated = value_iteration(&mdp, 0.99, 1e-9, 60).unwrap();
        let distances = exact.values.iter().zip(&iterated.values).map(|(a, b)| (a - b).abs());
        assert!(distances.fold(0.0, f64::max) <= 1.01e-9);
        assert_eq!(exact.policy, iterated.policy);
    }

    /// Two states that take turns: the bounds close in by γ only, and still hold.
    #[test]
    fn states_that_do_not_mix_get_their_bounds_as_well() {
        let mdp = FiniteMdp::from_dense(2, 1, &[0., 1., 1., 0.], vec![1., 0.], vec![1., 0.]).unwrap();
        let solution = value_iteration(&mdp, 0.9, 1e-3, 1000).unwrap();
        // V(0) = 1 / (1 - 0.81), V(1) = 0.9 V(0).
        let first = 1.0 / 0.19;
        assert!((solution.values[0] - first).abs() <= solution.bound + 1e-12);
        assert!((solution.values[1] - 0.9 * first).abs() <= solution.bound + 1e-12);
        assert!(solution.bound <= 1e-3 && solution.iterations > 50, "{solution:?}");
    }

    #[test]
    fn the_bits_do_not_depend_on_the_threads() {
        let mdp = garnet(10_000, 3, 4, 0).unwrap();
        let solve = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| value_iteration(&mdp, 0.9, 1e-6, 1000).unwrap())
        };
        assert_eq!(solve(1), solve(2));
    }

    #[test]
    fn bad_arguments_are_named() {
        let mdp = garnet(3, 2, 2, 0).unwrap();
        assert!(value_iteration(&mdp, 1.0, 1e-6, 10).unwrap_err().to_string().contains("`discount`"));
        assert!(value_iteration(&mdp, 0.9, 0.0, 10).unwrap_err().to_string().contains("`tolerance`"));
        assert!(value_iteration(&mdp, 0.99, 1e-9, 3).unwrap_err().to_string().contains("3 sweeps"));
    }
}
