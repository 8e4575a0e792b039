//! Polyak-PG: policy gradient with the stochastic Polyak step size (2024).
//!
//! The learning rate is what it takes to reach the best value V* if the objective were linear,
//!
//! > γ_i = min( max(V*_i - V̂_i, 0)/(c ‖g_i‖²), γ_b ),  θ_i ← θ_i + γ_i g_i
//!
//! with V̂ the mean return of a batch and g its GPOMDP gradient plus α times that of the mean entropy. V* is known, or the best V̂ so
//! far, or comes from a *twin*: of two policies with half of the batch each, V*_i = max(V̂_1, V̂_2), so that the worse one moves towards
//! the value of the better one and noise makes them alternate. The entropy keeps gradients from vanishing where a policy has become
//! deterministic, and the cap γ_b bounds what the step is if they do.
//!
//! Source: *Enhancing policy gradient with the Polyak step-size adaption*, arXiv:2404.07525. The form of the step, the twin, the entropy
//! and GPOMDP are the paper's; the exact rule of the twin and all constants are reconstructed and count as ours, and so is that
//! the twin with the larger moving average of V̂ is handed over.

use quire_core::{About, Error, Options, Paper, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batch::{check_finite, policy_gradient};
use super::{Baseline, BaselineKind, Batch, Enough, Learner, Method, Setting, World, add_scaled};

/// The paper of Polyak-PG.
pub const PAPER: Paper = Paper {
    slug: "polyak-pg",
    title: "Enhancing Policy Gradient with the Polyak Step-Size Adaption",
    arxiv: "2404.07525",
};

/// Share of the last value in the moving average that chooses between twins.
const MEMORY: f64 = 0.1;

/// Options of `polyak-pg`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolyakPgOptions {
    /// Where V* comes from.
    pub best_value: BestValue,
    /// The divisor c; larger is more careful. Ours: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub scale: f64,
    /// Greatest step γ_b. It has the unit of 1/reward: divide it by what rewards are multiplied by. Ours: 50 for tables, 1 for networks.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub cap: f64,
    /// Weight α of the mean entropy, in units of value. Ours: 0 to 0.05; default 0.02.
    #[schemars(range(min = 0.0))]
    pub entropy: f64,
    /// Trajectories of an iteration, over both twins if there are two. Ours: 64.
    #[schemars(range(min = 2, max = 1_000_000))]
    pub trajectories: usize,
    /// What is subtracted from the reward-to-go.
    pub baseline: BaselineKind,
}

/// Where V* comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BestValue {
    /// The problem's optimum. A policy class that cannot reach it never comes to rest.
    Known,
    /// The greatest mean return of a batch so far.
    BestSeen,
    /// The better of two policies.
    Twin,
}

impl Default for PolyakPgOptions {
    fn default() -> Self {
        PolyakPgOptions {
            best_value: BestValue::Twin,
            scale: 1.0,
            cap: 50.0,
            entropy: 0.02,
            trajectories: 64,
            baseline: BaselineKind::OtherTrajectories,
        }
    }
}

impl Options for PolyakPgOptions {}

/// min( max(V* - V̂, 0)/(c ‖g‖²), cap ); 0 where there is no gap, the cap where there is no gradient.
pub fn polyak_step(gap: f64, scale: f64, cap: f64, gradient: &[f64]) -> f64 {
    if gap <= 0.0 {
        return 0.0;
    }
    let square: f64 = gradient.iter().map(|g| g * g).sum();
    if square > 0.0 { (gap / (scale * square)).min(cap) } else { cap }
}

/// The method.
pub struct PolyakPg {
    options: PolyakPgOptions,
    optimum: Option<f64>,
    place: Place,
    batch: Batch,
}

#[derive(Serialize, Deserialize)]
struct Place {
    models: Vec<Model>,
    /// The greatest V̂ so far.
    best: f64,
    /// Mean γ of the last iteration.
    step: f64,
}

#[derive(Serialize, Deserialize)]
struct Model {
    theta: Vec<f64>,
    gradient: Vec<f64>,
    baseline: Baseline,
    /// V̂, and its moving average.
    value: f64,
    average: Option<f64>,
}

impl Model {
    /// V̂ and g at θ, from so many trajectories.
    fn estimate(
        &mut self,
        options: &PolyakPgOptions,
        count: usize,
        world: &mut World,
        batch: &mut Batch,
    ) -> Result<()> {
        if let Some(exact) = world.exactly(&self.theta) {
            self.value = exact.value;
            self.gradient = exact.gradient;
            add_scaled(options.entropy, &exact.entropy_gradient, &mut self.gradient);
        } else {
            world.sample(&self.theta, Enough::Trajectories(count), batch)?;
            self.value = batch.mean_return(world.discount);
            let weights = self.baseline.weights(batch, world.discount);
            policy_gradient(world.policy.as_mut(), batch, &weights, options.entropy, &mut self.gradient);
            self.baseline.fit(batch, world.discount);
        }
        let average = self.average.unwrap_or(self.value);
        self.average = Some(average + MEMORY * (self.value - average));
        check_finite(&self.gradient, "the policy gradient")
    }
}

impl Method for PolyakPg {
    type Options = PolyakPgOptions;

    const ABOUT: About = About {
        name: "polyak-pg",
        summary: "Policy gradient whose step size follows from the gap to the best value, known or a twin's",
        when: "Where the scale of rewards is unknown and there is no time to tune a learning rate. A tuned Adam is as good or \
               better; with the optimum known it starts fastest but hovers below it if the policy cannot reach it.",
        wing: "mdp",
        family: "policy_gradient",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "[cart-pole-200]\ncap = 1.0\ntrajectories = 10\n",
    };

    const WORKS_EXACTLY: bool = true;

    fn new(setting: &Setting, options: PolyakPgOptions) -> Result<Self> {
        options::check(&options)?;
        if options.best_value == BestValue::Known && setting.optimum.is_none() {
            return Err(Error::option(
                "best_value",
                "is known, but this problem's optimum is not; take twin",
            ));
        }
        let model = || Model {
            theta: setting.start.clone(),
            gradient: vec![0.0; setting.start.len()],
            baseline: Baseline::new(options.baseline, setting.observation),
            value: 0.0,
            average: None,
        };
        let count = if options.best_value == BestValue::Twin { 2 } else { 1 };
        let models: Vec<Model> = (0..count).map(|_| model()).collect();
        let place = Place { models, best: f64::NEG_INFINITY, step: 0.0 };
        Ok(PolyakPg { optimum: setting.optimum, place, batch: Batch::default(), options })
    }
}

impl Learner for PolyakPg {
    fn iterate(&mut self, world: &mut World) -> Result<()> {
        let PolyakPg { options, optimum, place, batch } = self;
        let count = options.trajectories / place.models.len();
        for model in &mut place.models {
            model.estimate(options, count, world, batch)?;
            place.best = place.best.max(model.value);
        }
        let target = match options.best_value {
            BestValue::Known => optimum.expect("checked in new"),
            BestValue::BestSeen => place.best,
            BestValue::Twin => place.models.iter().map(|model| model.value).fold(f64::NEG_INFINITY, f64::max),
        };
        let models = place.models.len() as f64;
        place.step = 0.0;
        for Model { theta, gradient, value, .. } in &mut place.models {
            let step = polyak_step(target - *value, options.scale, options.cap, gradient);
            add_scaled(step, gradient, theta);
            place.step += step / models;
        }
        Ok(())
    }

    fn parameters(&self) -> &[f64] {
        let models = self.place.models.iter();
        let best = models.reduce(|best, model| if model.average > best.average { model } else { best });
        &best.expect("there is a model").theta
    }

    fn step_size(&self) -> f64 {
        self.place.step
    }

    fn save(&self) -> Vec<u8> {
        state::encode("polyak-pg", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("polyak-pg", saved)?;
        Ok(())
    }
}
