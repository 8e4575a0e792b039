//! N-PG-IGT: normalized policy gradient with implicit gradient transport (Fatkhullin et al. 2023).
//!
//! The gradient is taken at a policy ahead of the current one, so far ahead that the moving average of such gradients is that of
//! gradients at the current policy wherever the gradient is linear:
//!
//! > θ̃_t = θ_t + (1-η_t)/η_t (θ_t - θ_{t-1}),  d_t = (1-η_t) d_{t-1} + η_t g(τ_t, θ̃_t),  τ_t ~ π_θ̃_t
//! >
//! > θ_{t+1} = θ_t + γ_t d_t/‖d_t‖
//!
//! with η_t = (2/(t+2))^{4/5}, γ_t = γ_0 2/(t+2), d_0 = g. Trajectories are drawn and scored at θ̃. The extrapolation stays bounded
//! only because steps shrink together with η: both schedules belong together.
//!
//! Source: I. Fatkhullin, A. Barakat, A. Kireeva & N. He, *Stochastic policy gradient methods: improved sample complexity for
//! Fisher-non-degenerate policies*, ICML 2023, arXiv:2302.01734, algorithm N-PG-IGT.

use quire_core::{About, Paper, Result, state};

use super::momentum::{Momentum, MomentumOptions, TUNED, average, decay, learner};
use super::{Learner, Method, Setting, World};

/// The paper of N-PG-IGT and HARPG.
pub const PAPER: Paper = Paper {
    slug: "n-pg-igt-harpg",
    title: "Stochastic Policy Gradient Methods: Improved Sample Complexity for Fisher-non-degenerate Policies",
    arxiv: "2302.01734",
};

/// θ̃ = θ + (1-η)/η (θ - θ_before).
pub fn extrapolate(theta: &[f64], before: &[f64], rate: f64) -> Vec<f64> {
    let factor = (1.0 - rate) / rate;
    theta.iter().zip(before).map(|(theta, before)| theta + factor * (theta - before)).collect()
}

/// The method.
pub struct NPgIgt(Momentum);

learner!(
    NPgIgt,
    About {
        name: "n-pg-igt",
        summary: "Normalized policy gradient with momentum, its gradients taken at an extrapolated policy",
        when: "Where trajectories are expensive and batches small: the momentum costs no bias where the gradient is nearly linear.",
        wing: "mdp",
        family: "policy_gradient",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: TUNED,
    },
    |momentum, world| {
        let rate = decay(momentum.place.iteration, 0.8);
        let ahead = extrapolate(&momentum.place.theta, &momentum.place.previous, rate);
        momentum.estimate(world, &ahead)?;
        average(&mut momentum.place.direction, rate, &momentum.gradient);
        momentum.advance(momentum.options.step * decay(momentum.place.iteration, 1.0), true);
        Ok(())
    }
);
