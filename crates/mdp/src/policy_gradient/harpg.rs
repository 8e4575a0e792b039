//! HARPG and N-HARPG: Hessian-aided recursive policy gradient, plain and normalized (Fatkhullin et al. 2023).
//!
//! The moving average of gradients is carried from the last policy to the current one by a Hessian-vector product at a random point
//! between them, whose mean over b is exactly ∇J(θ_t) - ∇J(θ_{t-1}):
//!
//! > b ~ U[0, 1],  θ̂ = b θ_t + (1-b) θ_{t-1},  τ_t ~ π_θ_t,  τ̂ ~ π_θ̂
//! >
//! > v_t = B(τ̂, θ̂)(θ_t - θ_{t-1}),  B(τ, θ) u = ∇²Φ u + ∇Φ ⟨∇ ln p(τ|θ), u⟩,  Φ = Σ_h ψ_h ln π(a_h|s_h)
//! >
//! > d_t = (1-η_t)(d_{t-1} + v_t) + η_t g(τ_t, θ_t),  θ_{t+1} = θ_t + γ_t d_t or γ_t d_t/‖d_t‖
//!
//! with d_0 = g, η_t = 2/(t+2), γ_t = γ_0 2/(t+2) (normalized) or γ_0 (2/(t+2))^{1/2}. The product is exact, by differentiating twice;
//! no matrix is formed, and both batches are paid for.
//!
//! Source: I. Fatkhullin, A. Barakat, A. Kireeva & N. He, ICML 2023, arXiv:2302.01734, algorithm (N)-HARPG. The authors' code forms the
//! second term of B from means over the batch, with another sign and scale; here it is formed for each trajectory, as in the paper.

use quire_core::{About, Options, Result, Rng, options, state};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batch::{check_finite, hessian_product};
use super::momentum::{Momentum, MomentumOptions, Place, average, decay};
use super::n_pg_igt::PAPER;
use super::{BaselineKind, Batch, Enough, Learner, Method, Setting, World, add_scaled};

/// Options of `harpg`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HarpgOptions {
    /// Whether steps are normalized (N-HARPG) or proportional to d (HARPG).
    pub normalized: bool,
    /// First step γ_0: the length of the first step in θ where steps are normalized. Official code: 0.1, tuned for every task.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub step: f64,
    /// Environment steps of a batch; the last trajectory is finished. Paper: 1, a single trajectory; its code: 1,000 to 5,000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub batch_steps: usize,
    /// Environment steps of the batch of a Hessian-vector product, as well. Paper: 1, a single trajectory.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub hessian_steps: usize,
    /// What is subtracted from the reward-to-go. Official code: linear.
    pub baseline: BaselineKind,
}

impl Default for HarpgOptions {
    fn default() -> Self {
        HarpgOptions {
            normalized: true,
            step: 0.1,
            batch_steps: 1,
            hessian_steps: 1,
            baseline: BaselineKind::None,
        }
    }
}

impl Options for HarpgOptions {}

/// d ← (1-η)(d + v) + η g.
pub fn recursive_average(direction: &mut [f64], transport: &[f64], rate: f64, gradient: &[f64]) {
    add_scaled(1.0, transport, direction);
    average(direction, rate, gradient);
}

/// The method.
pub struct Harpg {
    options: HarpgOptions,
    momentum: Momentum,
    points: Rng,
    batch: Batch,
    transport: Vec<f64>,
}

impl Method for Harpg {
    type Options = HarpgOptions;

    const ABOUT: About = About {
        name: "harpg",
        summary: "Policy gradient with momentum that Hessian-vector products carry from policy to policy",
        when: "Where batches are single trajectories and policies cheap to differentiate twice: on a table it has the least error for \
               its steps. With a network on CartPole n-pg-igt and vanilla-pg learn faster, above all without normalization.",
        wing: "mdp",
        family: "policy_gradient",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "[cart-pole-200]\nbatch_steps = 1000\nhessian_steps = 250\nbaseline = \"linear\"\nstep = 0.3\n",
    };

    fn new(setting: &Setting, options: HarpgOptions) -> Result<Self> {
        options::check(&options)?;
        let HarpgOptions { step, batch_steps, baseline, .. } = options;
        Ok(Harpg {
            momentum: Momentum::new(setting, MomentumOptions { step, batch_steps, baseline })?,
            points: setting.seeds.stream("points"),
            batch: Batch::default(),
            transport: vec![0.0; setting.start.len()],
            options,
        })
    }
}

/// v_t = B(τ̂, θ̂)(θ_t - θ_{t-1}) of a fresh batch at a random point θ̂ between the last two policies, into `product`.
///
/// # Errors
/// Those of the world, and a product that is not finite.
pub fn transport(
    world: &mut World,
    place: &Place,
    points: &mut Rng,
    enough: Enough,
    batch: &mut Batch,
    product: &mut [f64],
) -> Result<()> {
    let (theta, previous) = (&place.theta, &place.previous);
    let share: f64 = points.random();
    let between: Vec<f64> =
        theta.iter().zip(previous).map(|(now, then)| share * now + (1.0 - share) * then).collect();
    let moved: Vec<f64> = theta.iter().zip(previous).map(|(now, then)| now - then).collect();
    world.sample(&between, enough, batch)?;
    let weights = place.baseline.weights(batch, world.discount);
    hessian_product(world.policy.as_mut(), batch, &weights, &moved, product);
    check_finite(product, "the Hessian-vector product")
}

impl Learner for Harpg {
    fn iterate(&mut self, world: &mut World) -> Result<()> {
        // The baseline of both batches is the one fitted before either.
        match self.momentum.place.iteration {
            0 => self.transport.fill(0.0),
            _ => {
                let Harpg { options, momentum, points, batch, transport: moved } = self;
                transport(
                    world,
                    &momentum.place,
                    points,
                    Enough::Steps(options.hessian_steps),
                    batch,
                    moved,
                )?;
            }
        }
        let theta = self.momentum.place.theta.clone();
        self.momentum.estimate(world, &theta)?;
        let Momentum { place, gradient, .. } = &mut self.momentum;
        recursive_average(&mut place.direction, &self.transport, decay(place.iteration, 1.0), gradient);
        let power = if self.options.normalized { 1.0 } else { 0.5 };
        let step = self.options.step * decay(self.momentum.place.iteration, power);
        self.momentum.advance(step, self.options.normalized);
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
        state::encode("harpg", &(&self.momentum.place, &self.points))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.momentum.place, self.points) = state::decode("harpg", saved)?;
        Ok(())
    }
}
