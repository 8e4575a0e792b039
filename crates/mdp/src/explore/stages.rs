//! Action values Q_h(s, a) and values V_h(s) of every stage of an episode, as model-free explorers keep them.

use serde::{Deserialize, Serialize};

use super::Setting;
use crate::solve::maximum;

/// Upper bounds of action values and values; stages count from 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stages {
    states: usize,
    actions: usize,
    horizon: usize,
    /// The most that a step is taken to earn.
    reward: f64,
    /// Q_h(s, a), `[H, S, A]`.
    pub q: Vec<f64>,
    /// V_h(s), `[H + 1, S]`; the last stage is 0.
    v: Vec<f64>,
    /// Rows (h, s) renewed since the greedy actions were asked for last, once they have been: an episode changes few.
    #[serde(skip)]
    renewed: Option<Vec<usize>>,
}

impl Stages {
    /// The most that can be earned at `reward` a step: Q_h = V_h = reward (H - h).
    pub fn new(setting: &Setting, reward: f64) -> Self {
        let Setting { states, actions, horizon, .. } = *setting;
        let fill = |width: usize| {
            let stages = (0..horizon).map(move |stage| reward * (horizon - stage) as f64);
            stages.flat_map(move |value| std::iter::repeat_n(value, width))
        };
        Stages {
            states,
            actions,
            horizon,
            reward,
            q: fill(states * actions).collect(),
            v: fill(states).chain(std::iter::repeat_n(0.0, states)).collect(),
            renewed: None,
        }
    }

    /// Where Q_h(s, a) lies in `q`.
    pub fn index(&self, stage: usize, state: usize, action: usize) -> usize {
        (stage * self.states + state) * self.actions + action
    }

    /// The most that can be earned from `stage` on.
    pub fn ceiling(&self, stage: usize) -> f64 {
        self.reward * (self.horizon - stage) as f64
    }

    /// V_h(s).
    pub fn value(&self, stage: usize, state: usize) -> f64 {
        self.v[stage * self.states + state]
    }

    /// V_h(s) ← value.
    pub fn set_value(&mut self, stage: usize, state: usize, value: f64) {
        self.v[stage * self.states + state] = value;
    }

    /// V_h(s) ← min(ceiling, max_a Q_h(s, a)).
    pub fn renew(&mut self, stage: usize, state: usize) {
        if let Some(renewed) = &mut self.renewed {
            renewed.push(stage * self.states + state);
        }
        let row = &self.q[self.index(stage, state, 0)..][..self.actions];
        let (_, greatest) = maximum(row.iter().copied());
        self.set_value(stage, state, greatest.min(self.ceiling(stage)));
    }

    /// Fills `policy`, `[H, S]`, with the greedy actions; the first of equals. `policy` holds what the last call left. For methods
    /// that renew every state whose Q they change.
    pub fn greedy(&mut self, policy: &mut [usize]) {
        match &mut self.renewed {
            None => self.greedy_anew(policy),
            Some(renewed) => {
                for row in renewed.drain(..) {
                    let values = &self.q[row * self.actions..][..self.actions];
                    policy[row] = maximum(values.iter().copied()).0;
                }
            }
        }
        self.renewed.get_or_insert_default();
    }

    /// The same, looking at all of Q: for methods that change it everywhere.
    pub fn greedy_anew(&self, policy: &mut [usize]) {
        for (best, row) in policy.iter_mut().zip(self.q.chunks_exact(self.actions)) {
            *best = maximum(row.iter().copied()).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::*;

    #[test]
    fn bounds_start_at_what_can_be_earned() {
        let setting = Setting {
            states: 2,
            actions: 3,
            horizon: 4,
            rewards: vec![0.0; 6],
            seeds: Seeds::new(0),
            features: None,
        };
        let mut stages = Stages::new(&setting, 2.0);
        assert_eq!([0, 3, 4].map(|stage| stages.value(stage, 1)), [8.0, 2.0, 0.0]);
        assert_eq!((stages.q.len(), stages.q[stages.index(3, 1, 2)]), (24, 2.0));
        let at = stages.index(1, 0, 0);
        stages.q[at..at + 3].copy_from_slice(&[1.0, 9.0, 3.0]);
        stages.renew(1, 0);
        assert_eq!(stages.value(1, 0), 6.0);
        let mut policy = vec![7; 8];
        stages.greedy(&mut policy);
        assert_eq!(policy, [0, 0, 1, 0, 0, 0, 0, 0]);
    }
}
