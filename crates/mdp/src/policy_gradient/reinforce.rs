//! REINFORCE in the form of GPOMDP, g = 1/N Σ_τ Σ_h ψ_h ∇ ln π(a_h|s_h), with an optimizer to take the step.
//!
//! Source: R. Williams, *Simple statistical gradient-following algorithms for connectionist reinforcement learning*, Machine Learning
//! 8, 1992; J. Baxter & P. Bartlett, *Infinite-horizon policy-gradient estimation*, JAIR 15, 2001.

use quire_core::{About, Options, Result, options, state};
use quire_optim::{GradientNorms, Optimizer, OptimizerOptions, OptimizerSetting};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batch::{check_finite, policy_gradient};
use super::{Baseline, BaselineKind, Batch, Enough, Learner, Method, Setting, World, add_scaled};

/// Options of `reinforce`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReinforceOptions {
    /// The optimizer. Ours: Adam at 0.01.
    pub optimizer: OptimizerOptions,
    /// Weight of the mean entropy, in units of value. Ours: 0.
    #[schemars(range(min = 0.0))]
    pub entropy: f64,
    /// Trajectories of an iteration. Ours: 64.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub trajectories: usize,
    /// What is subtracted from the reward-to-go.
    pub baseline: BaselineKind,
}

impl Default for ReinforceOptions {
    fn default() -> Self {
        ReinforceOptions {
            optimizer: OptimizerOptions::adam(0.01),
            entropy: 0.0,
            trajectories: 64,
            baseline: BaselineKind::OtherTrajectories,
        }
    }
}

impl Options for ReinforceOptions {
    fn validate(&self) -> Result<()> {
        self.optimizer.check("optimizer")
    }
}

/// The method.
pub struct Reinforce {
    options: ReinforceOptions,
    optimizer: Box<dyn Optimizer<f64>>,
    place: Place,
    batch: Batch,
    descent: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
struct Place {
    theta: Vec<f64>,
    previous: Vec<f64>,
    gradient: Vec<f64>,
    baseline: Baseline,
}

impl Method for Reinforce {
    type Options = ReinforceOptions;

    const ABOUT: About = About {
        name: "reinforce",
        summary: "Policy gradient from whole trajectories, with SGD or Adam",
        when: "The baseline of every policy gradient; with Adam and a tuned learning rate hard to beat.",
        wing: "mdp",
        family: "policy_gradient",
        paper: None,
        is_baseline: true,
        tuned: "[cart-pole-200]\ntrajectories = 10\n",
    };

    const WORKS_EXACTLY: bool = true;

    fn new(setting: &Setting, options: ReinforceOptions) -> Result<Self> {
        options::check(&options)?;
        let zeros = vec![0.0; setting.start.len()];
        let optimizer = OptimizerSetting::new(setting.seeds.child("optimizer"));
        Ok(Reinforce {
            optimizer: options.optimizer.build_for::<f64>(&setting.layout, &optimizer)?,
            place: Place {
                theta: setting.start.clone(),
                previous: setting.start.clone(),
                gradient: zeros.clone(),
                baseline: Baseline::new(options.baseline, setting.observation),
            },
            batch: Batch::default(),
            descent: zeros,
            options,
        })
    }
}

impl Learner for Reinforce {
    fn iterate(&mut self, world: &mut World) -> Result<()> {
        let Reinforce { options, optimizer, place, batch, descent } = self;
        let Place { theta, previous, gradient, baseline } = place;
        if let Some(exact) = world.exactly(theta) {
            *gradient = exact.gradient;
            add_scaled(options.entropy, &exact.entropy_gradient, gradient);
        } else {
            world.sample(theta, Enough::Trajectories(options.trajectories), batch)?;
            let weights = baseline.weights(batch, world.discount);
            policy_gradient(world.policy.as_mut(), batch, &weights, options.entropy, gradient);
            baseline.fit(batch, world.discount);
        }
        check_finite(gradient, "the policy gradient")?;
        previous.copy_from_slice(theta);
        descent.iter_mut().zip(&*gradient).for_each(|(descent, g)| *descent = -g);
        optimizer.step(theta, descent);
        Ok(())
    }

    fn parameters(&self) -> &[f64] {
        &self.place.theta
    }

    fn direction(&self) -> Option<(&[f64], &[f64])> {
        Some((&self.place.previous, &self.place.gradient))
    }

    fn step_size(&self) -> f64 {
        self.optimizer.learning_rate()
    }

    fn gradient_norms(&self) -> Option<&GradientNorms> {
        self.optimizer.gradient_norms()
    }

    fn save(&self) -> Vec<u8> {
        state::encode("reinforce", &(&self.place, self.optimizer.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let optimizer: Vec<u8>;
        (self.place, optimizer) = state::decode("reinforce", saved)?;
        self.optimizer.restore(&optimizer)
    }
}
