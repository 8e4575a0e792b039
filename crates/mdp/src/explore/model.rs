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

    /// n(s, a) of the pair with this number, state x actions + action.
    pub fn visits(&self, pair: usize) -> u64 {
        self.visits[pair]
    }

    /// The next states seen after a pair, with their counts.
    pub fn successors(&self, pair: usize) -> &[(u32, u64)] {
        &self.successors[pair]
    }

    /// Mean of `values` (`[S]`) over the empirical next state; the pair must have been visited.
    pub fn mean(&self, pair: usize, values: &[f64]) -> f64 {
        let total: f64 =
            self.successors(pair).iter().map(|&(next, n)| n as f64 * values[next as usize]).sum();
        total / self.visits(pair) as f64
    }
}

/// The empirical model laid out for planning: flat, and what does not change from stage to stage worked out once a plan.
/// Its means are those of [`Counts::mean`] to the bit.
#[derive(Debug, Clone, Default)]
pub struct EmpiricalModel {
    /// Every pair, `[S, A]`.
    pub pairs: Vec<Pair>,
    /// The next states of all pairs with n(s, a, s'), one pair after the other.
    successors: Vec<(u32, f64)>,
}

/// What has been seen of a pair.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// n(s, a).
    pub visits: f64,
    /// sqrt(1 / n(s, a)).
    pub root: f64,
    /// Where its next states start and end in the list of all.
    range: (u32, u32),
}

impl EmpiricalModel {
    /// Takes over the counts; reuses its memory.
    pub fn fill(&mut self, counts: &Counts) {
        self.pairs.clear();
        self.successors.clear();
        for (successors, &visits) in counts.successors.iter().zip(&counts.visits) {
            let (start, visits) = (self.successors.len() as u32, visits as f64);
            self.successors.extend(successors.iter().map(|&(next, n)| (next, n as f64)));
            let range = (start, self.successors.len() as u32);
            self.pairs.push(Pair { visits, root: (1.0 / visits).sqrt(), range });
        }
    }

    /// Mean of `values` (`[S]`) over the empirical next state of a pair that was visited.
    #[inline]
    pub fn mean(&self, pair: &Pair, values: &[f64]) -> f64 {
        self.successors(pair).iter().map(|&(next, n)| n * values[next as usize]).sum::<f64>() / pair.visits
    }

    /// Variance of `values` (`[S]`) over the empirical next state of a pair that was visited.
    pub fn variance(&self, pair: &Pair, values: &[f64]) -> f64 {
        let mean = self.mean(pair, values);
        let squares =
            self.successors(pair).iter().map(|&(next, n)| n * (values[next as usize] - mean).powi(2));
        squares.sum::<f64>() / pair.visits
    }

    #[inline]
    fn successors(&self, pair: &Pair) -> &[(u32, f64)] {
        &self.successors[pair.range.0 as usize..pair.range.1 as usize]
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
        assert_eq!(counts.visits(3), 4);
        assert_eq!(counts.successors(3), [(0, 1), (2, 3)]);
        let values = [4.0, 100.0, 8.0];
        assert_eq!(counts.mean(3, &values), 7.0);
        assert_eq!(counts.visits(2), 0);
        let mut model = EmpiricalModel::default();
        model.fill(&counts);
        let pair = &model.pairs[3];
        assert_eq!((pair.visits, pair.root, model.pairs[2].visits), (4.0, 0.5, 0.0));
        assert_eq!((model.mean(pair, &values), model.variance(pair, &values)), (7.0, 3.0));
    }
}
