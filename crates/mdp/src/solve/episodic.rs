//! Episodes of a fixed number of steps H: V_h = max_a r + P V_{h+1}, V_{H+1} = 0.

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
