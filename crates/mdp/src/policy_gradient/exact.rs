//! J and its gradient for tabular softmax policies in a known model, by backward and forward recursion.

use super::policy::TabularSoftmax;
use crate::finite::FiniteMdp;

/// J(θ) and ∇J(θ).
#[derive(Debug, Clone, PartialEq)]
pub struct Exact {
    /// J(θ) = E Σ_{h < H} γ^h r_h.
    pub value: f64,
    /// ∂J/∂θ(s, a) = Σ_h γ^h P(s_h = s) π(a|s) (Q_h(s, a) - V_h(s)), `[S, A]`.
    pub gradient: Vec<f64>,
    /// The gradient of 1/H Σ_h E H(π(·|s_h)) for given visits, `[S, A]`.
    pub entropy_gradient: Vec<f64>,
}

/// Value and gradient of the policy π(a|s) ∝ exp θ(s, a), the same at every step, over `horizon` steps.
pub fn exact(mdp: &FiniteMdp, horizon: usize, discount: f64, theta: &[f64]) -> Exact {
    let (states, actions) = (mdp.states(), mdp.actions());
    let policy = TabularSoftmax::probabilities(theta, actions);
    let mut advantages = vec![0.0; horizon * states * actions];
    let mut values = vec![0.0; states];
    for stage in advantages.chunks_exact_mut(states * actions).rev() {
        for (pair, q) in stage.iter_mut().enumerate() {
            let (state, action) = (pair / actions, pair % actions);
            *q = mdp.reward(state, action) + discount * mdp.expectation(state, action, &values);
        }
        let rows = stage.chunks_exact_mut(actions).zip(policy.chunks_exact(actions));
        for (value, (q, policy)) in values.iter_mut().zip(rows) {
            *value = q.iter().zip(policy).map(|(q, p)| q * p).sum();
            q.iter_mut().for_each(|q| *q -= *value);
        }
    }
    let mut gradient = vec![0.0; states * actions];
    let mut entropy_gradient = gradient.clone();
    let mut visits = mdp.start().to_vec();
    let mut factor = 1.0;
    for stage in advantages.chunks_exact(states * actions) {
        let mut next = vec![0.0; states];
        for state in 0..states {
            let row = state * actions..(state + 1) * actions;
            let plogp: f64 = policy[row.clone()].iter().filter(|p| **p > 0.0).map(|p| p * p.ln()).sum();
            for pair in row {
                let weight = visits[state] * policy[pair];
                gradient[pair] += factor * weight * stage[pair];
                if policy[pair] > 0.0 {
                    entropy_gradient[pair] -= weight * (policy[pair].ln() - plogp) / horizon as f64;
                }
                let (targets, probability) = mdp.row(state, pair % actions);
                targets.iter().zip(probability).for_each(|(&target, p)| next[target as usize] += weight * p);
            }
        }
        visits = next;
        factor *= discount;
    }
    let value = mdp.start().iter().zip(&values).map(|(p, v)| p * v).sum();
    Exact { value, gradient, entropy_gradient }
}
