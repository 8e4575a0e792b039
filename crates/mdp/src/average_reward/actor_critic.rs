//! What the actor-critics of this family share: a softmax policy, a table of values, an estimate of the average reward, and
//! the steps that move them.
//!
//! On a step (s, a, r, s') with average reward estimate η and values V,
//!
//! > δ = r - η + V(s') - V(s),  ∇_θ ln π(a|s) = e_a - π(·|s) in the row of s
//!
//! and an update adds weighted sums over a trajectory: of r - η to η, of δ ∇V(s) to V, of δ ∇ ln π(a|s) to θ. The methods
//! differ in how long the trajectory is and how its steps are weighted.

use quire_core::{Options, Rng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Setting;
use crate::policy::draw;

/// How far a step goes along an estimated gradient x.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepRule {
    /// c x / √(Σ ‖x‖²), the sum over all estimates so far, this one included: AdaGrad-norm.
    AdagradNorm,
    /// c x.
    Constant,
}

/// Step sizes of an actor-critic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StepOptions {
    /// How far a step of actor and critic goes. Paper: AdaGrad-norm.
    pub rule: StepRule,
    /// How far a step of the average reward goes. Paper: AdaGrad-norm; official code: constant.
    pub gain_rule: StepRule,
    /// Size α of the actor's steps. Ours: 2.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub actor: f64,
    /// Size β of the critic's steps. Ours: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub critic: f64,
    /// Size γ of the steps of the average reward. Ours: 0.1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub gain: f64,
    /// Radius R of the ball that the critic's values are projected to, in units of value. Ours: 100.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub critic_radius: f64,
}

impl Default for StepOptions {
    fn default() -> Self {
        StepOptions {
            rule: StepRule::AdagradNorm,
            gain_rule: StepRule::AdagradNorm,
            actor: 2.0,
            critic: 1.0,
            gain: 0.1,
            critic_radius: 100.0,
        }
    }
}

impl Options for StepOptions {}

/// A step of a trajectory.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The state acted from.
    pub state: usize,
    /// The action.
    pub action: usize,
    /// The reward.
    pub reward: f64,
    /// The state that followed.
    pub next: usize,
}

/// Policy, values and average reward.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ActorCritic {
    actions: usize,
    /// θ, logits `[S, A]`.
    pub logits: Vec<f64>,
    /// V, `[S]`.
    pub values: Vec<f64>,
    /// η.
    pub gain: f64,
    /// Sums of ‖x‖² of actor, critic, average reward.
    squares: [f64; 3],
    /// Where actions come from.
    pub rng: Rng,
    #[serde(skip)]
    scratch: Scratch,
}

/// Memory that updates reuse.
#[derive(Debug, Clone, Default)]
struct Scratch {
    /// `[A]`.
    row: Vec<f64>,
    /// `[S]`.
    critic: Vec<f64>,
    /// `[S, A]`.
    actor: Vec<f64>,
}

/// c / √(Σ ‖x‖²) with the new `estimate` entered into `squares`, or c; 0 for an estimate that is 0.
fn step_size(rule: StepRule, size: f64, squares: &mut f64, estimate: &[f64]) -> f64 {
    *squares += estimate.iter().map(|x| x * x).sum::<f64>();
    match rule {
        StepRule::Constant => size,
        StepRule::AdagradNorm if *squares > 0.0 => size / squares.sqrt(),
        StepRule::AdagradNorm => 0.0,
    }
}

impl ActorCritic {
    /// The uniform policy, all values 0.
    pub fn new(setting: &Setting) -> Self {
        ActorCritic {
            actions: setting.actions,
            logits: vec![0.0; setting.states * setting.actions],
            values: vec![0.0; setting.states],
            gain: 0.0,
            squares: [0.0; 3],
            rng: setting.seeds.stream("actions"),
            scratch: Scratch::default(),
        }
    }

    /// Fills `probabilities` with π(·|s), `[A]`.
    pub fn probabilities(&self, state: usize, probabilities: &mut Vec<f64>) {
        let logits = &self.logits[state * self.actions..][..self.actions];
        let greatest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        probabilities.clear();
        probabilities.extend(logits.iter().map(|logit| (logit - greatest).exp()));
        let sum: f64 = probabilities.iter().sum();
        probabilities.iter_mut().for_each(|p| *p /= sum);
    }

    /// An action drawn from π(·|s).
    pub fn act(&mut self, state: usize) -> usize {
        let mut row = std::mem::take(&mut self.scratch.row);
        self.probabilities(state, &mut row);
        let action = draw(&row, &mut self.rng);
        self.scratch.row = row;
        action
    }

    /// π, `[S, A]`.
    pub fn policy(&self) -> Vec<f64> {
        let mut row = Vec::new();
        let mut policy = Vec::with_capacity(self.logits.len());
        for state in 0..self.values.len() {
            self.probabilities(state, &mut row);
            policy.extend_from_slice(&row);
        }
        policy
    }

    /// δ of a step.
    pub fn temporal_difference(&self, step: &Step) -> f64 {
        step.reward - self.gain + self.values[step.next] - self.values[step.state]
    }

    /// Fills `sum`, `[S, A]`, with Σ_i c_i ∇ ln π(a_i|s_i) over steps with their coefficients c_i; `row` is scratch.
    pub fn score(&self, steps: impl Iterator<Item = (Step, f64)>, sum: &mut Vec<f64>, row: &mut Vec<f64>) {
        sum.clear();
        sum.resize(self.logits.len(), 0.0);
        for (step, coefficient) in steps {
            self.probabilities(step.state, row);
            let sum = &mut sum[step.state * self.actions..][..self.actions];
            sum.iter_mut().zip(&*row).for_each(|(sum, p)| *sum -= coefficient * p);
            sum[step.action] += coefficient;
        }
    }

    /// Moves the policy along [`ActorCritic::score`].
    pub fn move_along_score(&mut self, options: &StepOptions, steps: impl Iterator<Item = (Step, f64)>) {
        let mut scratch = std::mem::take(&mut self.scratch);
        self.score(steps, &mut scratch.actor, &mut scratch.row);
        self.move_actor(options, &scratch.actor);
        self.scratch = scratch;
    }

    /// Moves the policy along `estimate`, `[S, A]`.
    pub fn move_actor(&mut self, options: &StepOptions, estimate: &[f64]) {
        let size = step_size(options.rule, options.actor, &mut self.squares[0], estimate);
        self.logits.iter_mut().zip(estimate).for_each(|(logit, x)| *logit += size * x);
    }

    /// Moves the values along `estimate`, `[S]`, and projects them to the ball of radius R.
    pub fn move_critic(&mut self, options: &StepOptions, estimate: &[f64]) {
        let size = step_size(options.rule, options.critic, &mut self.squares[1], estimate);
        self.values.iter_mut().zip(estimate).for_each(|(value, x)| *value += size * x);
        let norm = self.values.iter().map(|value| value * value).sum::<f64>().sqrt();
        if norm > options.critic_radius {
            self.values.iter_mut().for_each(|value| *value *= options.critic_radius / norm);
        }
    }

    /// Moves the average reward along `estimate`.
    pub fn move_gain(&mut self, options: &StepOptions, estimate: f64) {
        let size = step_size(options.gain_rule, options.gain, &mut self.squares[2], &[estimate]);
        self.gain += size * estimate;
    }

    /// One update of all three from a trajectory, whose step i counts with `weight(i)`; all estimates are made before
    /// anything moves.
    pub fn update(&mut self, options: &StepOptions, trajectory: &[Step], weight: impl Fn(usize) -> f64) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let weighted = || trajectory.iter().enumerate().map(|(i, step)| (*step, weight(i)));
        let of_gain = weighted().map(|(step, weight)| weight * (step.reward - self.gain)).sum();
        scratch.critic.clear();
        scratch.critic.resize(self.values.len(), 0.0);
        for (step, weight) in weighted() {
            scratch.critic[step.state] += weight * self.temporal_difference(&step);
        }
        let coefficients = weighted().map(|(step, weight)| (step, weight * self.temporal_difference(&step)));
        self.score(coefficients, &mut scratch.actor, &mut scratch.row);
        self.move_gain(options, of_gain);
        self.move_critic(options, &scratch.critic);
        self.move_actor(options, &scratch.actor);
        self.scratch = scratch;
    }
}
