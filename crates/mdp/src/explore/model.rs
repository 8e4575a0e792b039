//! What has been seen: visit counts of state-action pairs and of the next states they led to, the same for every stage.

use serde::{Deserialize, Serialize};

/// Visit counts of every state-action pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    actions: usize,
    /// n(s, a), `[S, A]`.
    visits: Vec<u64>,
    /// The next states seen after each pair with n(s, a, s'), in the order of their first visit.
    successors: Vec<Vec<(u32, u64)>>,
}

impl Counts {
    /// Nothing seen yet.
    pub fn new(states: usize, actions: usize) -> Self {
        Counts { actions, visits: vec![0; states * actions], successors: vec![Vec::new(); states * actions] }
    }

    /// Counts one step.
    pub fn record(&mut self, state: usize, action: usize, next: usize) {
        let pair = state * self.actions + action;
        self.visits[pair] += 1;
        let successors = &mut self.successors[pair];
        match successors.iter_mut().find(|(seen, _)| *seen as usize == next) {
            Some((_, count)) => *count += 1,
            None => successors.push((next as u32, 1)),
        }
    }

    /// n(s, a).
    pub fn visits(&self, state: usize, action: usize) -> u64 {
        self.visits[state * self.actions + action]
    }

    /// The next states seen, with their counts.
    pub fn successors(&self, state: usize, action: usize) -> &[(u32, u64)] {
        &self.successors[state * self.actions + action]
    }

    /// Mean of `values` (`[S]`) over the empirical next state; the pair must have been visited.
    pub fn mean(&self, state: usize, action: usize, values: &[f64]) -> f64 {
        let total: f64 =
            self.successors(state, action).iter().map(|&(next, n)| n as f64 * values[next as usize]).sum();
        total / self.visits(state, action) as f64
    }

    /// Variance of `values` (`[S]`) over the empirical next state; the pair must have been visited.
    pub fn variance(&self, state: usize, action: usize, values: &[f64]) -> f64 {
        let mean = self.mean(state, action, values);
        let squares = self
            .successors(state, action)
            .iter()
            .map(|&(next, n)| n as f64 * (values[next as usize] - mean).powi(2));
        squares.sum::<f64>() / self.visits(state, action) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_the_empirical_next_state() {
        let mut counts = Counts::new(3, 2);
        for next in [0, 2, 2, 2] {
            counts.record(1, 1, next);
        }
        assert_eq!(counts.visits(1, 1), 4);
        assert_eq!(counts.successors(1, 1), [(0, 1), (2, 3)]);
        let values = [4.0, 100.0, 8.0];
        assert_eq!(counts.mean(1, 1, &values), 7.0);
        assert_eq!(counts.variance(1, 1, &values), 3.0);
        assert_eq!(counts.visits(1, 0), 0);
    }
}
