//! Finite Markov decision processes: plain arrays, dense or sparse.

use quire_core::{Error, Result, Rng};
use quire_kernels::simd::prefetch;
use rand::RngExt;

/// A row of transition probabilities may miss 1 by this much, from rounding in a file.
const ROW_TOLERANCE: f64 = 1e-6;

/// A finite MDP with `S` states and `A` actions, the same in every state and at every step.
///
/// Transition probabilities are kept as sparse rows, one a state and action, next states ascending. Dense arrays come in
/// through [`FiniteMdp::from_dense`]; whether a model is dense or sparse makes no difference to a method.
#[derive(Debug, Clone, PartialEq)]
pub struct FiniteMdp {
    states: usize,
    actions: usize,
    /// Start of each row in `next` and `probability`; `S * A + 1` numbers.
    offsets: Vec<usize>,
    next: Vec<u32>,
    probability: Vec<f64>,
    /// Expected reward of each state and action, `[S, A]`.
    rewards: Vec<f64>,
    /// Probability of starting in each state, `[S]`.
    start: Vec<f64>,
}

impl FiniteMdp {
    /// From dense arrays: `transitions` is `[S, A, S]`, `rewards` is `[S, A]`, `start` is `[S]`, all row-major.
    ///
    /// # Errors
    /// A shape that does not fit, or a row that is no distribution: the message names state and action.
    pub fn from_dense(
        states: usize,
        actions: usize,
        transitions: &[f64],
        rewards: Vec<f64>,
        start: Vec<f64>,
    ) -> Result<Self> {
        let expected = states.checked_mul(actions).and_then(|rows| rows.checked_mul(states));
        if expected != Some(transitions.len()) {
            return Err(Error::Usage(format!(
                "{} transition probabilities do not make an array of shape [{states}, {actions}, {states}]",
                transitions.len()
            )));
        }
        let rows = transitions.chunks(states.max(1)).map(|row| {
            let nonzero = |(next, &p): (usize, &f64)| (p != 0.0).then_some((next, p));
            row.iter().enumerate().filter_map(nonzero).collect::<Vec<_>>()
        });
        Self::from_rows(states, actions, rows, rewards, start)
    }

    /// From sparse rows in the order (0, 0), (0, 1), ..., (S-1, A-1): each a list of (next state, probability). A next
    /// state that occurs twice in a row has its probabilities added.
    ///
    /// # Errors
    /// As [`FiniteMdp::from_dense`].
    pub fn from_rows(
        states: usize,
        actions: usize,
        rows: impl IntoIterator<Item = Vec<(usize, f64)>>,
        rewards: Vec<f64>,
        start: Vec<f64>,
    ) -> Result<Self> {
        if states == 0 || actions == 0 {
            return Err(Error::Usage("a model needs at least one state and one action".into()));
        }
        if u32::try_from(states).is_err() {
            return Err(Error::Usage(format!("{states} states are more than 2^32")));
        }
        let mut mdp = FiniteMdp {
            states,
            actions,
            offsets: vec![0],
            next: Vec::new(),
            probability: Vec::new(),
            rewards,
            start,
        };
        for mut row in rows {
            let at = mdp.offsets.len() - 1;
            if at == states * actions {
                return Err(Error::Usage(format!(
                    "there are more than {states} x {actions} rows of transitions"
                )));
            }
            row.sort_unstable_by_key(|&(next, _)| next);
            let first = mdp.next.len();
            for (next, p) in row {
                if next >= states {
                    return Err(Error::Usage(format!(
                        "{} leads to state {next}, but there are only {states} states",
                        place(at, actions)
                    )));
                }
                if mdp.next.len() > first && mdp.next.last() == Some(&(next as u32)) {
                    *mdp.probability.last_mut().expect("as long as next") += p;
                } else {
                    mdp.next.push(next as u32);
                    mdp.probability.push(p);
                }
            }
            mdp.offsets.push(mdp.next.len());
        }
        mdp.check()?;
        Ok(mdp)
    }

    fn check(&mut self) -> Result<()> {
        let rows = self.states * self.actions;
        let usage = |message: String| Err(Error::Usage(message));
        if self.offsets.len() != rows + 1 {
            return usage(format!("there are {} rows of transitions, not {rows}", self.offsets.len() - 1));
        }
        if self.rewards.len() != rows {
            return usage(format!(
                "{} rewards do not make an array of shape [{}, {}]",
                self.rewards.len(),
                self.states,
                self.actions
            ));
        }
        if self.start.len() != self.states {
            return usage(format!("{} starting probabilities for {} states", self.start.len(), self.states));
        }
        for row in 0..rows {
            let place = || place(row, self.actions);
            let range = self.offsets[row]..self.offsets[row + 1];
            let probabilities = &mut self.probability[range];
            if let Some(bad) = probabilities.iter().find(|p| !(0.0..=1.0 + ROW_TOLERANCE).contains(*p)) {
                return usage(format!(
                    "{} has the transition probability {bad}, which is not in [0, 1]",
                    place()
                ));
            }
            let sum: f64 = probabilities.iter().sum();
            if (sum - 1.0).abs() > ROW_TOLERANCE {
                return usage(format!("the transition probabilities of {} sum to {sum}, not to 1", place()));
            }
            probabilities.iter_mut().for_each(|p| *p /= sum);
            if !self.rewards[row].is_finite() {
                return usage(format!("{} has the reward {}", place(), self.rewards[row]));
            }
        }
        let sum: f64 = self.start.iter().sum();
        if self.start.iter().any(|p| !(0.0..=1.0 + ROW_TOLERANCE).contains(p))
            || (sum - 1.0).abs() > ROW_TOLERANCE
        {
            return usage(format!("the starting probabilities are no distribution; they sum to {sum}"));
        }
        Ok(())
    }

    /// The number of states S.
    pub fn states(&self) -> usize {
        self.states
    }

    /// The number of actions A.
    pub fn actions(&self) -> usize {
        self.actions
    }

    /// The number of transitions with positive probability.
    pub fn transitions(&self) -> usize {
        self.next.len()
    }

    /// The expected reward of `action` in `state`.
    #[inline]
    pub fn reward(&self, state: usize, action: usize) -> f64 {
        self.rewards[state * self.actions + action]
    }

    /// All expected rewards, `[S, A]`.
    pub fn rewards(&self) -> &[f64] {
        &self.rewards
    }

    /// The same dynamics with other rewards, `[S, A]`.
    pub fn with_rewards(mut self, rewards: Vec<f64>) -> Result<Self> {
        self.rewards = rewards;
        self.check()?;
        Ok(self)
    }

    /// The same dynamics from another distribution of the first state, `[S]`.
    pub fn with_start(mut self, start: Vec<f64>) -> Result<Self> {
        self.start = start;
        self.check()?;
        Ok(self)
    }

    /// Whether `state` is an end: no action leads away from it, and none is paid.
    pub fn is_end(&self, state: usize) -> bool {
        (0..self.actions)
            .all(|action| self.reward(state, action) == 0.0 && self.row(state, action).0 == [state as u32])
    }

    /// The distribution of the first state, `[S]`.
    pub fn start(&self) -> &[f64] {
        &self.start
    }

    /// The next states of `action` in `state`, ascending, with their probabilities.
    #[inline]
    pub fn row(&self, state: usize, action: usize) -> (&[u32], &[f64]) {
        let row = state * self.actions + action;
        let range = self.offsets[row]..self.offsets[row + 1];
        (&self.next[range.clone()], &self.probability[range])
    }

    /// The expectation of `values` (`[S]`) over the next state.
    #[inline]
    pub fn expectation(&self, state: usize, action: usize, values: &[f64]) -> f64 {
        let (next, probability) = self.row(state, action);
        next.iter().zip(probability).map(|(&next, &p)| p * values[next as usize]).sum()
    }

    /// As [`FiniteMdp::expectation`], for sweeps over all rows in their order: also asks for the values that rows a little
    /// further on will need, which lie anywhere in memory, so that a sweep does not wait for them one by one.
    #[inline]
    pub(crate) fn expectation_in_sweep(&self, state: usize, action: usize, values: &[f64]) -> f64 {
        /// Transitions between asking and needing: about as many cycles as memory takes to answer.
        const AHEAD: usize = 48;
        let row = state * self.actions + action;
        let range = self.offsets[row]..self.offsets[row + 1];
        for &next in self.next.get(range.start + AHEAD..range.end + AHEAD).unwrap_or_default() {
            prefetch(values.as_ptr().wrapping_add(next as usize));
        }
        let (next, probability) = (&self.next[range.clone()], &self.probability[range]);
        next.iter().zip(probability).map(|(&next, &p)| p * values[next as usize]).sum()
    }

    /// Draws a next state.
    #[inline]
    pub fn sample_next(&self, state: usize, action: usize, rng: &mut Rng) -> usize {
        let (next, probability) = self.row(state, action);
        let mut left: f64 = rng.random();
        for (&next, &p) in next.iter().zip(probability) {
            left -= p;
            if left < 0.0 {
                return next as usize;
            }
        }
        // Rounding can leave a sliver above the last probability.
        next[next.len() - 1] as usize
    }

    /// Draws a first state.
    pub fn sample_start(&self, rng: &mut Rng) -> usize {
        let mut left: f64 = rng.random();
        let mut last = 0;
        for (state, &p) in self.start.iter().enumerate().filter(|(_, p)| **p > 0.0) {
            last = state;
            left -= p;
            if left < 0.0 {
                break;
            }
        }
        last
    }

    /// The Markov chain that a policy induces: next states and probabilities of each state, and its rewards `[S]`.
    /// `policy` is `[S, A]`, action probabilities.
    pub fn under(&self, policy: &[f64]) -> (Vec<Vec<(usize, f64)>>, Vec<f64>) {
        let chain = (0..self.states).map(|state| {
            let mut row: Vec<(usize, f64)> = Vec::new();
            for action in (0..self.actions).filter(|&action| policy[state * self.actions + action] > 0.0) {
                let (next, probability) = self.row(state, action);
                let weight = policy[state * self.actions + action];
                row.extend(next.iter().zip(probability).map(|(&next, &p)| (next as usize, weight * p)));
            }
            row.sort_unstable_by_key(|&(next, _)| next);
            row.dedup_by(|later, earlier| {
                let same = later.0 == earlier.0;
                if same {
                    earlier.1 += later.1;
                }
                same
            });
            row
        });
        let chain = chain.collect();
        let weighted = |row: (&[f64], &[f64])| row.0.iter().zip(row.1).map(|(p, r)| p * r).sum();
        let rewards =
            policy.chunks(self.actions).zip(self.rewards.chunks(self.actions)).map(weighted).collect();
        (chain, rewards)
    }
}

/// A deterministic policy as action probabilities, `[S, A]`.
pub fn deterministic(policy: &[usize], actions: usize) -> Vec<f64> {
    let mut probabilities = vec![0.0; policy.len() * actions];
    policy.iter().enumerate().for_each(|(state, &action)| probabilities[state * actions + action] = 1.0);
    probabilities
}

fn place(row: usize, actions: usize) -> String {
    format!("action {} in state {}", row % actions, row / actions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quire_core::Seeds;

    fn refused(transitions: &[f64], rewards: Vec<f64>, start: Vec<f64>) -> String {
        FiniteMdp::from_dense(2, 1, transitions, rewards, start).unwrap_err().to_string()
    }

    #[test]
    fn malformed_models_are_refused_with_state_and_action() {
        let (good, rewards, start) = ([0.5, 0.5, 0.0, 1.0], vec![0.0, 1.0], vec![1.0, 0.0]);
        FiniteMdp::from_dense(2, 1, &good, rewards.clone(), start.clone()).unwrap();
        let sum = refused(&[0.5, 0.5, 0.0, 0.9], rewards.clone(), start.clone());
        assert_eq!(sum, "the transition probabilities of action 0 in state 1 sum to 0.9, not to 1");
        assert!(
            refused(&[1.5, -0.5, 0.0, 1.0], rewards.clone(), start.clone()).contains("action 0 in state 0")
        );
        assert!(refused(&[f64::NAN, 0.5, 0.0, 1.0], rewards.clone(), start.clone()).contains("NaN"));
        assert!(
            refused(&good, vec![f64::INFINITY, 0.0], start.clone()).contains("state 0 has the reward inf")
        );
        assert!(refused(&good, vec![0.0], start).contains("shape [2, 1]"));
        assert!(refused(&good, rewards.clone(), vec![0.5, 0.0]).contains("starting probabilities"));
        assert!(refused(&good[..3], rewards, vec![1.0, 0.0]).contains("shape [2, 1, 2]"));
    }

    #[test]
    fn repeated_next_states_are_merged() {
        let rows = vec![vec![(1, 0.25), (0, 0.5), (1, 0.25)], vec![(1, 1.0)]];
        let mdp = FiniteMdp::from_rows(2, 1, rows, vec![0.0; 2], vec![1.0, 0.0]).unwrap();
        assert_eq!(mdp.row(0, 0), ([0, 1].as_slice(), [0.5, 0.5].as_slice()));
        assert_eq!(mdp.expectation(0, 0, &[2.0, 4.0]), 3.0);
    }

    #[test]
    fn samples_follow_the_row() {
        let mdp = FiniteMdp::from_dense(
            3,
            1,
            &[0.2, 0.3, 0.5, 1., 0., 0., 0., 0., 1.],
            vec![0.0; 3],
            vec![0.1, 0.0, 0.9],
        )
        .unwrap();
        let mut rng = Seeds::new(1).stream("x");
        let mut counts = [0_i32; 3];
        let mut starts = [0_i32; 3];
        for _ in 0..10_000 {
            counts[mdp.sample_next(0, 0, &mut rng)] += 1;
            starts[mdp.sample_start(&mut rng)] += 1;
        }
        // Five standard deviations of a binomial count are at most 250.
        assert!((counts[0] - 2000).abs() < 250 && (counts[1] - 3000).abs() < 250, "{counts:?}");
        assert!((starts[0] - 1000).abs() < 250 && starts[1] == 0, "{starts:?}");
    }
}
