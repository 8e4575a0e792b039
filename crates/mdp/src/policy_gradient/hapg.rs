//! HAPG: Hessian-aided policy gradient with anchors (Shen, Ribeiro, Hassani, Qian & Mi 2019).
//!
//! Now and then a large batch makes a fresh gradient; between such anchors Hessian-vector products alone carry it on:
//!
//! > t divisible by the period: d_t = g(θ_t) of a large batch;  else d_t = d_{t-1} + B(τ̂, θ̂)(θ_t - θ_{t-1})
//! >
//! > θ_{t+1} = θ_t + γ_t d_t/‖d_t‖,  γ_t = γ_0 2/(t+2)
//!
//! with θ̂ and B as in [`harpg`](super::harpg), which needs no anchors because it averages.
//!
//! Source: Z. Shen, A. Ribeiro, H. Hassani, H. Qian & C. Mi, *Hessian aided policy gradient*, ICML 2019, from memory, named as a rival
//! by arXiv:2302.01734; the schedule of steps is that of the methods here, and ours.

use quire_core::{About, Options, Result, Rng, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::harpg::transport;
use super::momentum::{Momentum, MomentumOptions, decay};
use super::{BaselineKind, Batch, Enough, Learner, Method, Setting, World, add_scaled};

/// Options of `hapg`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HapgOptions {
    /// First step γ_0, its length in θ. Ours: 0.1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub step: f64,
    /// Iterations from one anchor to the next. Ours: 10.
    #[schemars(range(min = 1))]
    pub period: u64,
    /// Environment steps of an anchor's batch; the last trajectory is finished. Ours: 120.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub anchor_steps: usize,
    /// Environment steps of the batch of a Hessian-vector product. Ours: 1, a single trajectory.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub hessian_steps: usize,
    /// What is subtracted from the reward-to-go.
    pub baseline: BaselineKind,
}

impl Default for HapgOptions {
    fn default() -> Self {
        HapgOptions {
            step: 0.1,
            period: 10,
            anchor_steps: 120,
            hessian_steps: 1,
            baseline: BaselineKind::None,
        }
    }
}

impl Options for HapgOptions {}

/// The method.
pub struct Hapg {
    options: HapgOptions,
    momentum: Momentum,
    points: Rng,
    batch: Batch,
    transport: Vec<f64>,
}

impl Method for Hapg {
    type Options = HapgOptions;

    const ABOUT: About = About {
        name: "hapg",
        summary: "Policy gradient from large batches now and then, carried on by Hessian-vector products between them",
        when: "A rival of harpg, with two more numbers to tune.",
        wing: "mdp",
        family: "policy_gradient",
        paper: None,
        is_baseline: true,
        tuned: "[cart-pole-200]\nanchor_steps = 5000\nhessian_steps = 250\nbaseline = \"linear\"\nstep = 0.3\n",
    };

    fn new(setting: &Setting, options: HapgOptions) -> Result<Self> {
        options::check(&options)?;
        let HapgOptions { step, anchor_steps, baseline, .. } = options;
        let momentum = MomentumOptions { step, batch_steps: anchor_steps, baseline };
        Ok(Hapg {
            momentum: Momentum::new(setting, momentum)?,
            points: setting.seeds.stream("points"),
            batch: Batch::default(),
            transport: vec![0.0; setting.start.len()],
            options,
        })
    }
}

impl Learner for Hapg {
    fn iterate(&mut self, world: &mut World) -> Result<()> {
        let Hapg { options, momentum, points, batch, transport: moved } = self;
        if momentum.place.iteration.is_multiple_of(options.period) {
            let theta = momentum.place.theta.clone();
            momentum.estimate(world, &theta)?;
            momentum.place.direction.copy_from_slice(&momentum.gradient);
        } else {
            transport(world, &momentum.place, points, Enough::Steps(options.hessian_steps), batch, moved)?;
            add_scaled(1.0, moved, &mut momentum.place.direction);
        }
        momentum.advance(momentum.options.step * decay(momentum.place.iteration, 1.0), true);
        Ok(())
    }

    fn parameters(&self) -> &[f64] {
        &self.momentum.place.theta
    }

    fn direction(&self) -> Option<(&[f64], &[f64])> {
        Some((&self.momentum.place.previous, &self.momentum.place.direction))
    }

    fn step_size(&self) -> f64 {
        self.momentum.place.step
    }

    fn save(&self) -> Vec<u8> {
        state::encode("hapg", &(&self.momentum.place, &self.points))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.momentum.place, self.points) = state::decode("hapg", saved)?;
        Ok(())
    }
}
