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

/// The empirical model laid out for planning: flat, and what does not change from stage to stage worked out once a plan.
/// Its means are those of [`Counts::mean`] to the bit.
#[derive(Debug, Clone, Default)]
pub struct EmpiricalModel {
    /// Start of each pair in `next` and `weight`; one more than pairs.
    offsets: Vec<u32>,
    next: Vec<u32>,
    weight: Vec<f64>,
    /// n(s, a) and sqrt(1 / n(s, a)).
    visits: Vec<(f64, f64)>,
}

impl EmpiricalModel {
    /// Takes over the counts; reuses its memory.
    pub fn fill(&mut self, counts: &Counts) {
        self.offsets.clear();
        self.next.clear();
        self.weight.clear();
        self.visits.clear();
        self.offsets.push(0);
        for (successors, &visits) in counts.successors.iter().zip(&counts.visits) {
            self.next.extend(successors.iter().map(|&(next, _)| next));
            self.weight.extend(successors.iter().map(|&(_, n)| n as f64));
            self.offsets.push(self.next.len() as u32);
            self.visits.push((visits as f64, (1.0 / visits as f64).sqrt()));
        }
    }

    /// n and sqrt(1 / n) of the pair with this number, state x actions + action.
    #[inline]
    pub fn visits(&self, pair: usize) -> (f64, f64) {
        self.visits[pair]
    }

    /// Mean of `values` (`[S]`) over the empirical next state of a pair that was visited.
    #[inline]
    pub fn mean(&self, pair: usize, values: &[f64]) -> f64 {
        let range = self.offsets[pair] as usize..self.offsets[pair + 1] as usize;
        let successors = self.next[range.clone()].iter().zip(&self.weight[range]);
        successors.map(|(&next, n)| n * values[next as usize]).sum::<f64>() / self.visits[pair].0
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
        let mut model = EmpiricalModel::default();
        model.fill(&counts);
        assert_eq!(model.visits(3), (4.0, 0.5));
        assert_eq!(model.mean(3, &values), 7.0);
        assert_eq!(model.visits(2).0, 0.0);
    }
}
