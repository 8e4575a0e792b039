//! STORM-PG: recursive momentum whose corrections come from importance weights (Yuan, Lian, Liu & Zhou 2020).
//!
//! The moving average is carried from the last policy to the current one by the difference of two gradients on the *same*
//! trajectories, drawn at the current policy and weighed for the last one:
//!
//! > d_t = g(τ_t, θ_t) + (1-η_t)(d_{t-1} - g^w(τ_t | θ_{t-1}, θ_t)),  θ_{t+1} = θ_t + γ_t d_t
//! >
//! > g^w = Σ_h ψ^w_h ∇ ln π_{θ_{t-1}}(a_h|s_h),  ψ^w_h = Σ_{i ≥ h} w_i γ^i r_i,  w_i = Π_{j ≤ i} π_{θ_{t-1}}(a_j|s_j) / π_{θ_t}(a_j|s_j)
//!
//! with d_0 = g. Weights of long trajectories have heavy tails, which is what [`harpg`](super::harpg) does without.
//!
//! Source: H. Yuan, X. Lian, J. Liu & Y. Zhou, *Stochastic recursive momentum for policy gradient methods*, 2020,
//! arXiv:2003.04302, named as a rival by arXiv:2302.01734. The schedules η_t = (2/(t+2))^{2/3} and γ_t = γ_0 (2/(t+2))^{1/3} are
//! those of STORM's rates and ours; the paper keeps both constant.

use quire_core::{About, Result, state};

use super::batch::{check_finite, importance_weights, policy_gradient};
use super::momentum::{Momentum, MomentumOptions, decay, learner};
use super::{Enough, Learner, Method, Setting, World};

/// d ← g + (1-η)(d - g^w).
pub fn storm(direction: &mut [f64], rate: f64, gradient: &[f64], weighted: &[f64]) {
    for ((d, g), w) in direction.iter_mut().zip(gradient).zip(weighted) {
        *d = g + (1.0 - rate) * (*d - w);
    }
}

/// The method.
pub struct StormPg(Momentum);

learner!(
    StormPg,
    About {
        name: "storm-pg",
        summary: "Policy gradient with momentum that importance weights carry from policy to policy",
        when: "A rival of harpg: one batch a step, but weights that grow heavy with the length of trajectories. Its slowly decaying \
               steps bring it far ahead on a 4x4 grid.",
        wing: "mdp",
        family: "policy_gradient",
        paper: None,
        is_baseline: true,
        tuned: "[cart-pole-200]\nbatch_steps = 1000\nbaseline = \"linear\"\nstep = 0.001\n",
    },
    |momentum, world| {
        let Momentum { options, place, batch, gradient } = momentum;
        world.sample(&place.theta, Enough::Steps(options.batch_steps), batch)?;
        let weights = place.baseline.weights(batch, world.discount);
        policy_gradient(world.policy.as_mut(), batch, &weights, 0.0, gradient);
        check_finite(gradient, "the policy gradient")?;
        let mut weighted = vec![0.0; gradient.len()];
        if place.iteration > 0 {
            let mut now = vec![0.0; batch.actions.len()];
            let mut then = now.clone();
            world.policy.log_probabilities(batch, &mut now);
            world.policy.set(&place.previous);
            world.policy.log_probabilities(batch, &mut then);
            let weights = importance_weights(batch, world.discount, &weights, &now, &then);
            policy_gradient(world.policy.as_mut(), batch, &weights, 0.0, &mut weighted);
            check_finite(&weighted, "the weighted policy gradient")?;
        }
        place.baseline.fit(batch, world.discount);
        let rate = if place.iteration == 0 { 1.0 } else { decay(place.iteration, 2.0 / 3.0) };
        storm(&mut place.direction, rate, gradient, &weighted);
        momentum.advance(momentum.options.step * decay(momentum.place.iteration, 1.0 / 3.0), false);
        Ok(())
    }
);
