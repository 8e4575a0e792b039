//! How hard an episodic MDP is for learners that start from random actions: the effective horizon.
//!
//! Q¹ is the action value of the uniformly random policy, and each step of Q-value iteration looks one action further:
//!
//! > Q^{j+1}_t(s, a) = r(s, a) + E max_b Q^j_{t+1}(s', b)
//!
//! The MDP is *k-QVI-solvable* if every policy that is greedy in Q^k is optimal. With Δ_k the least gap in Q^k between the
//! greedy actions and the next best one, over all reachable states and stages,
//!
//! > H̄_k = k + log_A(1/Δ_k²),  H̄ = min_k H̄_k over the k for which it is solvable
//!
//! and A^H̄ says how many episodes a shallow learner needs. For comparison, the planning window is the least number of
//! rewards that a planner has to look ahead.
//!
//! Source: C. Laidlaw, B. Zhu, S. Russell & A. Dragan, *The effective horizon explains deep RL performance in stochastic
//! environments*, ICLR 2024, arXiv:2312.08369, section 3. Gaps count over states that some policy reaches, which is ours.

use super::backward_induction;
use crate::finite::FiniteMdp;

/// Values that differ by less, relative to the greatest return, are taken to be equal.
const TIE: f64 = 1e-9;

/// What the analysis finds.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectiveHorizon {
    /// The expected return of the uniformly random policy.
    pub random_return: f64,
    /// The optimal expected return.
    pub optimal_return: f64,
    /// The expected return of the worst policy.
    pub worst_return: f64,
    /// The return of the worst policy that is greedy in Q^k, for k = 1, 2, ... up to the first that is optimal.
    pub greedy_returns: Vec<f64>,
    /// The least k for which every policy greedy in Q^k is optimal.
    pub solvable_at: usize,
    /// H̄, the least over k from `solvable_at` on; infinite if a gap is 0 throughout.
    pub effective_horizon: f64,
    /// The k at which it is reached.
    pub best_k: usize,
    /// Rewards that a planner has to look ahead: the least k for which greed in the k-step optimal value is optimal.
    pub planning_window: usize,
}

/// Action values of every stage, `[H, S, A]`.
struct StageValues {
    q: Vec<f64>,
    pairs: usize,
    actions: usize,
}

impl StageValues {
    fn stage(&self, stage: usize) -> &[f64] {
        &self.q[stage * self.pairs..][..self.pairs]
    }

    fn row(&self, stage: usize, state: usize) -> &[f64] {
        &self.stage(stage)[state * self.actions..][..self.actions]
    }

    /// r + E v(s'), for values `[S]` of the next stage.
    fn set(&mut self, mdp: &FiniteMdp, stage: usize, later: &[f64]) {
        let (pairs, actions) = (self.pairs, self.actions);
        for (pair, q) in self.q[stage * pairs..][..pairs].iter_mut().enumerate() {
            let (state, action) = (pair / actions, pair % actions);
            *q = mdp.reward(state, action) + mdp.expectation(state, action, later);
        }
    }

    /// One step of Q-value iteration of all stages.
    fn look_further(&mut self, mdp: &FiniteMdp, horizon: usize) {
        // Stage t needs Q^j of stage t + 1, which must still be the old one: from the first stage on.
        for stage in 0..horizon {
            let later = if stage + 1 < horizon {
                greatest(self.stage(stage + 1), self.actions)
            } else {
                vec![0.0; mdp.states()]
            };
            self.set(mdp, stage, &later);
        }
    }
}

fn greatest(q: &[f64], actions: usize) -> Vec<f64> {
    q.chunks_exact(actions).map(|row| row.iter().copied().fold(f64::NEG_INFINITY, f64::max)).collect()
}

/// Which (stage, state) some policy reaches, `[H, S]`.
fn reachable(mdp: &FiniteMdp, horizon: usize) -> Vec<bool> {
    let states = mdp.states();
    let mut reached = vec![false; horizon * states];
    for (state, &p) in mdp.start().iter().enumerate() {
        reached[state] = p > 0.0;
    }
    for stage in 1..horizon {
        for state in (0..states).filter(|state| reached[(stage - 1) * states + state]).collect::<Vec<_>>() {
            for action in 0..mdp.actions() {
                let (next, probability) = mdp.row(state, action);
                for (&next, &p) in next.iter().zip(probability) {
                    reached[stage * states + next as usize] |= p > 0.0;
                }
            }
        }
    }
    reached
}

/// The expected return of the worst policy that is greedy in `values`.
fn worst_greedy_return(mdp: &FiniteMdp, horizon: usize, values: &StageValues, tie: f64) -> f64 {
    let mut later = vec![0.0; mdp.states()];
    for stage in (0..horizon).rev() {
        let now = (0..mdp.states()).map(|state| {
            let row = values.row(stage, state);
            let best = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let greedy = (0..row.len()).filter(|&action| row[action] >= best - tie);
            let worth =
                greedy.map(|action| mdp.reward(state, action) + mdp.expectation(state, action, &later));
            worth.fold(f64::INFINITY, f64::min)
        });
        later = now.collect();
    }
    mdp.start().iter().zip(&later).map(|(p, value)| p * value).sum()
}

/// The least gap between greedy and other actions over reachable states; infinite if nowhere an action is worse.
fn least_gap(values: &StageValues, reached: &[bool], states: usize, tie: f64) -> f64 {
    let mut least = f64::INFINITY;
    for (place, _) in reached.iter().enumerate().filter(|(_, reached)| **reached) {
        let row = values.row(place / states, place % states);
        let best = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for &value in row.iter().filter(|value| **value < best - tie) {
            least = least.min(best - value);
        }
    }
    least
}

/// Analyses episodes of `horizon` steps, at least 1.
///
/// Costs up to `horizon` sweeps over all stages: S A H² expectations.
pub fn effective_horizon(mdp: &FiniteMdp, horizon: usize) -> EffectiveHorizon {
    let (states, actions) = (mdp.states(), mdp.actions());
    let expected = |values: &[f64]| mdp.start().iter().zip(values).map(|(p, value)| p * value).sum::<f64>();
    let optimal_return = expected(&backward_induction(mdp, horizon).values);

    // Q¹: the uniformly random policy's.
    let empty = || StageValues { q: vec![0.0; horizon * states * actions], pairs: states * actions, actions };
    let mut values = empty();
    let mut later = vec![0.0; states];
    for stage in (0..horizon).rev() {
        values.set(mdp, stage, &later);
        let mean = |row: &[f64]| row.iter().sum::<f64>() / actions as f64;
        later = values.stage(stage).chunks_exact(actions).map(mean).collect();
    }
    let random_return = expected(&later);

    // The worst policy is greedy in anything that ties all actions.
    let worst_return = worst_greedy_return(mdp, horizon, &empty(), 0.0);

    let tie = TIE * optimal_return.abs().max(random_return.abs()).max(1e-300);
    let reached = reachable(mdp, horizon);
    let mut greedy_returns = Vec::new();
    let (mut solvable_at, mut best) = (0, (f64::INFINITY, 0));
    for k in 1..=horizon {
        let worst = worst_greedy_return(mdp, horizon, &values, tie);
        if solvable_at == 0 {
            greedy_returns.push(worst);
            if worst >= optimal_return - tie {
                solvable_at = k;
            }
        }
        if solvable_at > 0 {
            let gap = least_gap(&values, &reached, states, tie);
            // Without any worse action nothing needs to be learned, and without a choice neither.
            let bits = if gap.is_infinite() || actions == 1 {
                0.0
            } else {
                (1.0 / (gap * gap)).ln() / (actions as f64).ln()
            };
            let candidate = k as f64 + bits;
            if candidate < best.0 || best.1 == 0 {
                best = (candidate, k);
            }
        }
        values.look_further(mdp, horizon);
    }

    // The same from rewards alone.
    let mut window = empty();
    (0..horizon).for_each(|stage| window.set(mdp, stage, &vec![0.0; states]));
    let mut planning_window = 1;
    while planning_window < horizon && worst_greedy_return(mdp, horizon, &window, tie) < optimal_return - tie
    {
        window.look_further(mdp, horizon);
        planning_window += 1;
    }
    EffectiveHorizon {
        random_return,
        optimal_return,
        worst_return,
        greedy_returns,
        solvable_at,
        effective_horizon: best.0,
        best_k: best.1,
        planning_window,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worlds::garnet;

    /// s0: A pays 0.6 and ends, B leads to s1; s1: good pays 1, bad nothing; s2 is the end.
    fn trap() -> FiniteMdp {
        let rows = vec![
            vec![(2, 1.0)],
            vec![(1, 1.0)],
            vec![(2, 1.0)],
            vec![(2, 1.0)],
            vec![(2, 1.0)],
            vec![(2, 1.0)],
        ];
        FiniteMdp::from_rows(3, 2, rows, vec![0.6, 0.0, 1.0, 0.0, 0.0, 0.0], vec![1.0, 0.0, 0.0]).unwrap()
    }

    #[test]
    fn the_trap_by_hand() {
        let found = effective_horizon(&trap(), 2);
        assert!((found.random_return - (0.3 + 0.25)).abs() < 1e-15);
        assert_eq!((found.optimal_return, found.worst_return), (1.0, 0.0));
        assert_eq!(found.greedy_returns, [0.6, 1.0]);
        assert_eq!((found.solvable_at, found.best_k, found.planning_window), (2, 2, 2));
        // 2 + log₂(1/0.4²).
        assert!((found.effective_horizon - 4.643856).abs() < 1e-6, "{}", found.effective_horizon);
    }

    #[test]
    fn greedy_policies_improve_and_full_depth_is_optimal() {
        for seed in 0..20 {
            let found = effective_horizon(&garnet(30, 3, 3, seed).unwrap(), 10);
            assert!(found.random_return <= found.greedy_returns[0] + 1e-12);
            assert!((found.greedy_returns.last().unwrap() - found.optimal_return).abs() < 1e-8);
            assert!(found.solvable_at <= 10 && found.solvable_at == found.greedy_returns.len());
            assert!(found.effective_horizon >= found.best_k as f64);
        }
    }

    /// Brute force over all deterministic policies that are greedy in Q^k, on the trap and on small Garnets.
    #[test]
    fn the_worst_greedy_return_is_the_worst_of_all_greedy_policies() {
        let mdp = garnet(3, 2, 2, 5).unwrap();
        let horizon = 2;
        let mut values = StageValues { q: vec![0.0; 2 * 3 * 2], pairs: 6, actions: 2 };
        // Ties in state 1 at the first stage and in state 2 at the last.
        values.q.copy_from_slice(&[1.0, 0.0, 0.5, 0.5, 0.0, 1.0, 0.0, 2.0, 2.0, 1.0, 3.0, 3.0]);
        let mut worst = f64::INFINITY;
        for (first, last) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let policy = [0, first, 1, 1, 0, last];
            worst = worst.min(super::super::evaluate_episodic(&mdp, &policy, &mut Vec::new()));
        }
        assert!((worst_greedy_return(&mdp, horizon, &values, 1e-9) - worst).abs() < 1e-12);
    }

    /// Q^1 <= Q^2 <= ... <= Q* in every stage, state and action, and Q^H = Q*.
    #[test]
    fn values_rise_to_the_optimal_ones() {
        let (mdp, horizon) = (garnet(12, 3, 2, 8).unwrap(), 6);
        let (states, actions) = (mdp.states(), mdp.actions());
        let mut values =
            StageValues { q: vec![0.0; horizon * states * actions], pairs: states * actions, actions };
        let mut later = vec![0.0; states];
        for stage in (0..horizon).rev() {
            values.set(&mdp, stage, &later);
            let mean = |row: &[f64]| row.iter().sum::<f64>() / actions as f64;
            later = values.stage(stage).chunks_exact(actions).map(mean).collect();
        }
        let solution = backward_induction(&mdp, horizon).values;
        let optimal = |entry: usize| {
            let (stage, pair) = (entry / (states * actions), entry % (states * actions));
            let later = &solution[(stage + 1) * states..][..states];
            mdp.reward(pair / actions, pair % actions)
                + mdp.expectation(pair / actions, pair % actions, later)
        };
        for _ in 1..horizon {
            let before = values.q.clone();
            values.look_further(&mdp, horizon);
            for (entry, (before, now)) in before.iter().zip(&values.q).enumerate() {
                assert!(*before <= now + 1e-12 && *now <= optimal(entry) + 1e-12);
            }
        }
        assert!(values.q.iter().enumerate().all(|(entry, value)| (value - optimal(entry)).abs() < 1e-12));
    }

    #[test]
    fn without_choices_there_is_nothing_to_learn() {
        let found = effective_horizon(&garnet(5, 1, 2, 0).unwrap(), 4);
        assert_eq!((found.solvable_at, found.effective_horizon), (1, 1.0));
    }
}
