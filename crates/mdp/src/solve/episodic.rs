//! Episodes of a fixed number of steps H: V_h = max_a r + P V_{h+1}, V_{H+1} = 0.

use std::sync::Arc;

use super::maximum;
use crate::finite::FiniteMdp;

/// Optimal values and policy of every stage.
#[derive(Debug, Clone, PartialEq)]
pub struct EpisodicSolution {
    /// V_h(s), `[H + 1, S]`; the last stage is 0.
    pub values: Vec<f64>,
    /// The optimal action, `[H, S]`; of equal actions the first.
    pub policy: Vec<usize>,
}

/// Backward induction over `horizon` stages.
pub fn backward_induction(mdp: &FiniteMdp, horizon: usize) -> EpisodicSolution {
    let states = mdp.states();
    let mut values = vec![0.0; (horizon + 1) * states];
    let mut policy = vec![0; horizon * states];
    for stage in (0..horizon).rev() {
        let (now, later) = values.split_at_mut((stage + 1) * states);
        let later = &later[..states];
        for state in 0..states {
            let q = (0..mdp.actions())
                .map(|action| mdp.reward(state, action) + mdp.expectation(state, action, later));
            let (action, value) = maximum(q);
            now[stage * states + state] = value;
            policy[stage * states + state] = action;
        }
    }
    EpisodicSolution { values, policy }
}

/// The expected return of a deterministic policy (`[H, S]`) from the model's start distribution. `scratch` is reused from
/// call to call, so that evaluating a policy every episode allocates nothing.
pub fn evaluate_episodic(mdp: &FiniteMdp, policy: &[usize], scratch: &mut Vec<f64>) -> f64 {
    let states = mdp.states();
    scratch.clear();
    scratch.resize(2 * states, 0.0);
    let (mut now, mut later) = scratch.split_at_mut(states);
    for stage in policy.chunks(states).rev() {
        for (state, &action) in stage.iter().enumerate() {
            now[state] = mdp.reward(state, action) + mdp.expectation(state, action, later);
        }
        std::mem::swap(&mut now, &mut later);
    }
    mdp.start().iter().zip(later).map(|(p, v)| p * *v).sum()
}

/// [`evaluate_episodic`] for one policy after another, to the same bits and several times faster: stages behind the last in
/// which a policy differs from the one before keep their values, and transitions lie as the loop wants them.
#[derive(Debug, Clone)]
pub struct EpisodicEvaluator {
    mdp: Arc<FiniteMdp>,
    /// The model again, if no state and action has more than [`Row::MOST`] next states; empty otherwise.
    rows: Vec<Row>,
    /// The policy evaluated last, `[H, S]`.
    policy: Vec<usize>,
    /// Its values, `[H + 1, S]`.
    values: Vec<f64>,
}

/// A state and action: reward, next states and their probabilities, those that are missing with 0, in one cache line.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Row {
    reward: f64,
    probability: [f64; Row::MOST],
    next: [u32; Row::MOST],
}

impl Row {
    const MOST: usize = 4;

    fn all(mdp: &FiniteMdp) -> Vec<Row> {
        let row = |pair: usize| {
            let (state, action) = (pair / mdp.actions(), pair % mdp.actions());
            let (next, probability) = mdp.row(state, action);
            (next.len() <= Row::MOST).then(|| {
                let mut row = Row {
                    reward: mdp.reward(state, action),
                    probability: [0.0; Row::MOST],
                    next: [0; Row::MOST],
                };
                row.probability[..next.len()].copy_from_slice(probability);
                row.next[..next.len()].copy_from_slice(next);
                row
            })
        };
        (0..mdp.states() * mdp.actions()).map(row).collect::<Option<_>>().unwrap_or_default()
    }
}

impl EpisodicEvaluator {
    /// For policies of this model.
    pub fn new(mdp: Arc<FiniteMdp>) -> Self {
        EpisodicEvaluator { rows: Row::all(&mdp), mdp, policy: Vec::new(), values: Vec::new() }
    }

    /// The expected return of a deterministic policy, `[H, S]`, from the model's start distribution.
    ///
    /// # Panics
    /// If an action is not one of the model's.
    pub fn evaluate(&mut self, policy: &[usize]) -> f64 {
        let states = self.mdp.states();
        let differing = if policy.len() == self.policy.len() {
            let mut stages = policy.chunks(states).zip(self.policy.chunks(states));
            stages.rposition(|(now, before)| now != before).map_or(0, |stage| stage + 1)
        } else {
            self.policy.resize(policy.len(), 0);
            self.values.clear();
            self.values.resize(policy.len() + states, 0.0);
            policy.len() / states
        };
        self.policy[..differing * states].copy_from_slice(&policy[..differing * states]);
        for stage in (0..differing).rev() {
            let (now, later) = self.values[stage * states..][..2 * states].split_at_mut(states);
            backup(&self.mdp, &self.rows, &policy[stage * states..][..states], later, now);
        }
        self.mdp.start().iter().zip(&self.values).map(|(p, v)| p * *v).sum()
    }
}

/// The values of a stage under the actions of `policy`, given those of the next stage.
fn backup(mdp: &FiniteMdp, rows: &[Row], policy: &[usize], later: &[f64], now: &mut [f64]) {
    if rows.is_empty() {
        for (state, (value, &action)) in now.iter_mut().zip(policy).enumerate() {
            *value = mdp.reward(state, action) + mdp.expectation(state, action, later);
        }
        return;
    }
    assert_eq!(later.len(), mdp.states());
    for ((value, &action), rows) in now.iter_mut().zip(policy).zip(rows.chunks_exact(mdp.actions())) {
        let row = &rows[action];
        let mut expectation = 0.0;
        for (&next, &p) in row.next.iter().zip(&row.probability) {
            // SAFETY: every next state of a model is one of its states, of each of which `later` has the value.
            expectation += p * unsafe { later.get_unchecked(next as usize) };
        }
        *value = row.reward + expectation;
    }
}

/// P(s_h = s, a_h = a) under a policy with action probabilities `[H, S, A]`; the result has the same shape.
pub fn occupancy(mdp: &FiniteMdp, policy: &[f64]) -> Vec<f64> {
    let (states, actions) = (mdp.states(), mdp.actions());
    let mut result = vec![0.0; policy.len()];
    let mut now = mdp.start().to_vec();
    for (policy, result) in policy.chunks(states * actions).zip(result.chunks_mut(states * actions)) {
        let mut later = vec![0.0; states];
        for state in (0..states).filter(|&state| now[state] > 0.0) {
            for action in 0..actions {
                let weight = now[state] * policy[state * actions + action];
                result[state * actions + action] = weight;
                let (next, probability) = mdp.row(state, action);
                next.iter().zip(probability).for_each(|(&next, &p)| later[next as usize] += weight * p);
            }
        }
        now = later;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worlds::{garnet, river_swim};

    #[test]
    fn a_policys_value_is_that_of_backward_induction_and_of_its_occupancy() {
        let horizon = 7;
        for mdp in [garnet(6, 3, 2, 4).unwrap(), river_swim(6).unwrap()] {
            let solution = backward_induction(&mdp, horizon);
            let mut scratch = Vec::new();
            let value = evaluate_episodic(&mdp, &solution.policy, &mut scratch);
            let optimal: f64 = mdp.start().iter().zip(&solution.values).map(|(p, v)| p * v).sum();
            assert!((value - optimal).abs() < 1e-12);
            let probabilities: Vec<f64> = solution
                .policy
                .iter()
                .flat_map(|&chosen| {
                    (0..mdp.actions()).map(move |action| f64::from(u8::from(action == chosen)))
                })
                .collect();
            let through = occupancy(&mdp, &probabilities);
            for stage in through.chunks(mdp.states() * mdp.actions()) {
                assert!((stage.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
            let paid: f64 = through.iter().zip(mdp.rewards().iter().cycle()).map(|(p, r)| p * r).sum();
            assert!((paid - optimal).abs() < 1e-12);
        }
    }

    /// Models with rows that fit into a cache line and with longer ones, policies that differ anywhere or nowhere.
    #[test]
    fn policies_one_after_another_have_the_values_of_each_alone() {
        for mdp in [garnet(12, 3, 4, 1).unwrap(), garnet(9, 2, 6, 2).unwrap(), river_swim(6).unwrap()] {
            let (states, actions) = (mdp.states(), mdp.actions());
            let mut evaluator = EpisodicEvaluator::new(Arc::new(mdp.clone()));
            for horizon in [8, 5] {
                let mut policy = vec![0; horizon * states];
                for round in 0..60_usize {
                    let value = evaluate_episodic(&mdp, &policy, &mut Vec::new());
                    assert_eq!(evaluator.evaluate(&policy).to_bits(), value.to_bits());
                    if round % 3 != 0 {
                        let place = round * 37 % policy.len();
                        policy[place] = (policy[place] + 1) % actions;
                    }
                }
            }
        }
    }

    #[test]
    fn backward_induction_beats_every_policy_of_a_tiny_model() {
        // 2 states, 2 actions, 2 stages: all 16 deterministic policies by brute force.
        let mdp = garnet(2, 2, 2, 9).unwrap();
        let best = (0..16_usize)
            .map(|code| {
                let policy: Vec<usize> = (0..4).map(|bit| code >> bit & 1).collect();
                evaluate_episodic(&mdp, &policy, &mut Vec::new())
            })
            .fold(f64::NEG_INFINITY, f64::max);
        let solution = backward_induction(&mdp, 2);
        let optimal: f64 = mdp.start().iter().zip(&solution.values).map(|(p, v)| p * v).sum();
        assert!((best - optimal).abs() < 1e-14);
    }
}
