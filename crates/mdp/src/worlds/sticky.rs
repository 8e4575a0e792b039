//! Sticky actions: now and then the last action is repeated in place of the one that was chosen.

use std::collections::HashMap;

use quire_core::{Error, Result};

use crate::finite::FiniteMdp;

/// A finite MDP with sticky actions, whose states are pairs of a state and the action executed last.
#[derive(Debug, Clone, PartialEq)]
pub struct Sticky {
    /// The model, over the pairs that can be reached.
    pub mdp: FiniteMdp,
    /// State and last executed action of each pair. `None` is no action yet, or an end, where it does not matter.
    pub pairs: Vec<(usize, Option<usize>)>,
}

/// The model of acting in `mdp` when the action executed last is repeated with `probability`, whatever was chosen. The first
/// action is never repeated into. What counts as last is what was *executed*, not what was chosen:
///
/// > Q(s, prev, a) = (1 - p) G(s, a) + p G(s, prev),  G(s, b) = r(s, b) + E V(s', b)
///
/// Pairs are numbered in the order of a breadth-first search from the start; those that nothing leads to are left out. An
/// end ([`FiniteMdp::is_end`]) is one state, whatever led to it.
///
/// Source: M. Machado et al., *Revisiting the Arcade Learning Environment*, JAIR 61, 2018; on tables arXiv:2312.08369.
///
/// # Errors
/// A probability outside [0, 1].
pub fn sticky(mdp: &FiniteMdp, probability: f64) -> Result<Sticky> {
    if !(0.0..=1.0).contains(&probability) {
        return Err(Error::option("sticky", format!("must lie in [0, 1]; got {probability}")));
    }
    let actions = mdp.actions();
    let ends: Vec<bool> = (0..mdp.states()).map(|state| mdp.is_end(state)).collect();
    let mut pairs = Vec::new();
    let mut numbers: HashMap<(usize, Option<usize>), usize> = HashMap::new();
    let mut number = |pair, pairs: &mut Vec<_>| {
        *numbers.entry(pair).or_insert_with(|| {
            pairs.push(pair);
            pairs.len() - 1
        })
    };
    let mut start = Vec::new();
    for (state, &p) in mdp.start().iter().enumerate().filter(|(_, p)| **p > 0.0) {
        number((state, None), &mut pairs);
        start.push(p);
    }
    let (mut rows, mut rewards) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < pairs.len() {
        let (state, previous) = pairs[at];
        for action in 0..actions {
            let mut row = Vec::new();
            let mut reward = 0.0;
            let stuck = previous.map_or(0.0, |_| probability);
            for (executed, weight) in [(action, 1.0 - stuck), (previous.unwrap_or(action), stuck)] {
                if weight == 0.0 {
                    continue;
                }
                reward += weight * mdp.reward(state, executed);
                let (next, p) = mdp.row(state, executed);
                for (&next, &p) in next.iter().zip(p).filter(|(_, p)| **p > 0.0) {
                    let next = next as usize;
                    let last = (!ends[next]).then_some(executed);
                    row.push((number((next, last), &mut pairs), weight * p));
                }
            }
            rows.push(row);
            rewards.push(reward);
        }
        at += 1;
    }
    start.resize(pairs.len(), 0.0);
    Ok(Sticky { mdp: FiniteMdp::from_rows(pairs.len(), actions, rows, rewards, start)?, pairs })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solve::{backward_induction, effective_horizon};
    use crate::worlds::{garnet, trap};

    #[test]
    fn the_equation_holds_for_every_pair() {
        let (base, p, horizon) = (garnet(8, 3, 2, 1).unwrap(), 0.25, 5);
        let Sticky { mdp, pairs } = sticky(&base, p).unwrap();
        let values = backward_induction(&mdp, horizon).values;
        let states = mdp.states();
        let numbers: HashMap<_, _> = pairs.iter().enumerate().map(|(number, pair)| (*pair, number)).collect();
        for stage in 0..horizon {
            let later = &values[(stage + 1) * states..][..states];
            let g = |state: usize, action: usize| {
                let (next, probability) = base.row(state, action);
                let value = |next: u32| later[numbers[&(next as usize, Some(action))]];
                base.reward(state, action)
                    + next.iter().zip(probability).map(|(&n, p)| p * value(n)).sum::<f64>()
            };
            for (number, &(state, previous)) in pairs.iter().enumerate() {
                let q = |action| match previous {
                    None => g(state, action),
                    Some(previous) => (1.0 - p) * g(state, action) + p * g(state, previous),
                };
                let best = (0..3).map(q).fold(f64::NEG_INFINITY, f64::max);
                assert!((values[stage * states + number] - best).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn nothing_sticks_at_first_and_an_end_is_one_state() {
        let Sticky { mdp, pairs } = sticky(&trap(2).unwrap(), 0.25).unwrap();
        // Start, end, and the chain's state, which only action 1 leads to.
        assert_eq!(pairs, [(0, None), (2, None), (1, Some(1))]);
        assert_eq!((mdp.reward(0, 0), mdp.reward(0, 1)), (0.6, 0.0));
        // The bad action was executed last: the good one is executed with probability 3/4.
        assert_eq!((mdp.reward(2, 0), mdp.reward(2, 1)), (0.75, 0.0));
        // 0.375 of random play against 0.6, 0.75 of good play.
        let found = effective_horizon(&mdp, 2);
        assert_eq!((found.optimal_return, found.solvable_at), (0.75, 2));
        assert!((found.random_return - (0.3 + 0.5 * 0.375)).abs() < 1e-15);
    }

    #[test]
    fn without_stickiness_values_are_those_of_the_model() {
        let base = garnet(10, 2, 2, 3).unwrap();
        let Sticky { mdp, .. } = sticky(&base, 0.0).unwrap();
        let (plain, doubled) = (effective_horizon(&base, 6), effective_horizon(&mdp, 6));
        assert!((plain.optimal_return - doubled.optimal_return).abs() < 1e-12);
        assert!((plain.random_return - doubled.random_return).abs() < 1e-12);
        assert_eq!(plain.solvable_at, doubled.solvable_at);
        assert!(sticky(&base, 1.5).is_err());
    }
}
