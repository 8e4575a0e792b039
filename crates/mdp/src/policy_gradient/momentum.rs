//! What the momentum methods share, and two of them that are rivals: vanilla policy gradient and normalized momentum.
//!
//! | method | d_t | step | η_t | γ_t |
//! |---|---|---|---|---|
//! | `vanilla-pg` | g(θ_t) | d_t | - | γ_0 (2/(t+2))^{2/3} |
//! | `normalized-momentum-pg` | (1-η) d_{t-1} + η g(θ_t) | d_t/‖d_t‖ | (2/(t+2))^{2/3} | γ_0 2/(t+2) |
//! | [`n-pg-igt`](super::n_pg_igt) | (1-η) d_{t-1} + η g(θ̃_t) | d_t/‖d_t‖ | (2/(t+2))^{4/5} | γ_0 2/(t+2) |
//! | [`harpg`](super::harpg) | (1-η)(d_{t-1} + v_t) + η g(θ_t) | d_t or d_t/‖d_t‖ | 2/(t+2) | γ_0 (2/(t+2))^{1/2} or γ_0 2/(t+2) |
//! | [`storm-pg`](super::storm_pg) | g(θ_t) + (1-η)(d_{t-1} - g^w(θ_{t-1})) | d_t | (2/(t+2))^{2/3} | γ_0 (2/(t+2))^{1/3} |
//! | [`hapg`](super::hapg) | g(θ_t) now and then, else d_{t-1} + v_t | d_t/‖d_t‖ | - | γ_0 2/(t+2) |
//!
//! Source of schedules: arXiv:2302.01734 and its authors' code.

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batch::{check_finite, policy_gradient};
use super::{Baseline, BaselineKind, Batch, Enough, Learner, Method, Setting, World, add_scaled, norm};

/// Options of the momentum methods.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MomentumOptions {
    /// First step γ_0: the length of the first step in θ where steps are normalized. Official code: 0.1, tuned for every task.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub step: f64,
    /// Environment steps of a batch; the last trajectory is finished. Paper: 1, a single trajectory; its code: 1,000 to 5,000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub batch_steps: usize,
    /// What is subtracted from the reward-to-go. Official code: linear.
    pub baseline: BaselineKind,
}

impl Default for MomentumOptions {
    fn default() -> Self {
        MomentumOptions { step: 0.1, batch_steps: 1, baseline: BaselineKind::None }
    }
}

impl Options for MomentumOptions {}

/// Options tuned for problems: batches of the official code for CartPole, the best of seven first steps.
pub const TUNED: &str = "[cart-pole-200]\nbatch_steps = 1000\nbaseline = \"linear\"\nstep = 0.3\n";

/// The same where steps are not normalized.
const TUNED_PLAIN: &str = "[cart-pole-200]\nbatch_steps = 1000\nbaseline = \"linear\"\nstep = 0.01\n";

/// (2/(t + 2))^`power`.
pub fn decay(iteration: u64, power: f64) -> f64 {
    (2.0 / (iteration as f64 + 2.0)).powf(power)
}

/// Moves θ by `step` along d, or along d/‖d‖; not at all where d = 0.
pub fn take_step(theta: &mut [f64], direction: &[f64], step: f64, normalized: bool) {
    let length = norm(direction);
    if length > 0.0 {
        add_scaled(if normalized { step / length } else { step }, direction, theta);
    }
}

/// d ← (1 - η) d + η g.
pub fn average(direction: &mut [f64], rate: f64, gradient: &[f64]) {
    direction.iter_mut().zip(gradient).for_each(|(d, g)| *d = (1.0 - rate) * *d + rate * g);
}

/// Where a momentum method stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// t.
    pub iteration: u64,
    /// θ_t.
    pub theta: Vec<f64>,
    /// θ_{t-1}; θ_0 at the start.
    pub previous: Vec<f64>,
    /// d_{t-1}.
    pub direction: Vec<f64>,
    /// The last γ.
    pub step: f64,
    /// The baseline, fitted to the batch before.
    pub baseline: Baseline,
}

/// A momentum method's state and the memory that it works in.
pub struct Momentum {
    /// Its options.
    pub options: MomentumOptions,
    /// Where it stands.
    pub place: Place,
    /// The last batch.
    pub batch: Batch,
    /// The gradient of that batch.
    pub gradient: Vec<f64>,
}

impl Momentum {
    /// At θ_0.
    ///
    /// # Errors
    /// Options out of range.
    pub fn new(setting: &Setting, options: MomentumOptions) -> Result<Self> {
        options::check(&options)?;
        let zeros = vec![0.0; setting.start.len()];
        let place = Place {
            iteration: 0,
            theta: setting.start.clone(),
            previous: setting.start.clone(),
            direction: zeros.clone(),
            step: 0.0,
            baseline: Baseline::new(options.baseline, setting.observation),
        };
        Ok(Momentum { options, place, batch: Batch::default(), gradient: zeros })
    }

    /// g(τ, θ) of a fresh batch, into `gradient`: trajectories and scores at the same θ.
    ///
    /// # Errors
    /// Those of the world, and a gradient that is not finite.
    pub fn estimate(&mut self, world: &mut World, theta: &[f64]) -> Result<()> {
        world.sample(theta, Enough::Steps(self.options.batch_steps), &mut self.batch)?;
        let weights = self.place.baseline.weights(&self.batch, world.discount);
        policy_gradient(world.policy.as_mut(), &self.batch, &weights, 0.0, &mut self.gradient);
        self.place.baseline.fit(&self.batch, world.discount);
        check_finite(&self.gradient, "the policy gradient")
    }

    /// θ_{t+1} from d_t.
    pub fn advance(&mut self, step: f64, normalized: bool) {
        let place = &mut self.place;
        place.step = step;
        place.previous.copy_from_slice(&place.theta);
        take_step(&mut place.theta, &place.direction, step, normalized);
        place.iteration += 1;
    }
}

/// Vanilla policy gradient, stepped as in the authors' code.
pub struct VanillaPg(Momentum);

/// Normalized policy gradient with momentum.
pub struct NormalizedMomentumPg(Momentum);

macro_rules! learner {
    ($method:ident, $about:expr, |$momentum:ident, $world:ident| $iterate:expr) => {
        impl Method for $method {
            type Options = MomentumOptions;

            const ABOUT: About = $about;

            fn new(setting: &Setting, options: MomentumOptions) -> Result<Self> {
                Ok($method(Momentum::new(setting, options)?))
            }
        }

        impl Learner for $method {
            fn iterate(&mut self, $world: &mut World) -> Result<()> {
                let $momentum = &mut self.0;
                $iterate
            }

            fn parameters(&self) -> &[f64] {
                &self.0.place.theta
            }

            fn direction(&self) -> Option<(&[f64], &[f64])> {
                Some((&self.0.place.previous, &self.0.place.direction))
            }

            fn step_size(&self) -> f64 {
                self.0.place.step
            }

            fn save(&self) -> Vec<u8> {
                state::encode(Self::ABOUT.name, &self.0.place)
            }

            fn restore(&mut self, saved: &[u8]) -> Result<()> {
                self.0.place = state::decode(Self::ABOUT.name, saved)?;
                Ok(())
            }
        }
    };
}
pub(super) use learner;

const fn baseline(name: &'static str, summary: &'static str, tuned: &'static str) -> About {
    About {
        name,
        summary,
        when: "A rival of n-pg-igt and harpg.",
        wing: "mdp",
        family: "policy_gradient",
        paper: None,
        is_baseline: true,
        tuned,
    }
}

learner!(
    VanillaPg,
    baseline("vanilla-pg", "Policy gradient with a decaying step and nothing else", TUNED_PLAIN),
    |momentum, world| {
        let theta = momentum.place.theta.clone();
        momentum.estimate(world, &theta)?;
        momentum.place.direction.copy_from_slice(&momentum.gradient);
        momentum.advance(momentum.options.step * decay(momentum.place.iteration, 2.0 / 3.0), false);
        Ok(())
    }
);

learner!(
    NormalizedMomentumPg,
    baseline(
        "normalized-momentum-pg",
        "Policy gradient along the direction of a moving average of gradients",
        TUNED
    ),
    |momentum, world| {
        let theta = momentum.place.theta.clone();
        momentum.estimate(world, &theta)?;
        let rate = decay(momentum.place.iteration, 2.0 / 3.0);
        average(&mut momentum.place.direction, rate, &momentum.gradient);
        momentum.advance(momentum.options.step * decay(momentum.place.iteration, 1.0), true);
        Ok(())
    }
);
