//! The combination lock: go wrong once and it is lost for good.
//!
//! A latent state is 0 (still right) or 1 (lost). Action 0 keeps 0, any other action leads to 1 for ever. Seen are 30 numbers:
//! the latent state one-hot, the stage one-hot in the ten slots behind, normal noise of 0.1 in the rest.
//!
//! - With a horizon of 10 the only reward comes at the end, by the latent state then: normal with mean ±1 and deviation 0.1; or,
//!   in the plane, r ~ N(0, 0.05 I) moved outwards by 2 in state 0: a ring, against a disc in state 1.
//! - Without end, discount 0.8, every step pays 0.2 times the normal reward of the state that it leads to.
//!
//! The policy in question takes a uniform action with probability 1/7, else action 0 in state 0 and any action in state 1; data are
//! of uniform actions in both states.
//!
//! Source: the code of arXiv:2302.09456, in which noise also overwrites the slot of a stage 10; the endless form is ours.

use std::sync::Arc;

use quire_core::{Rng, Seeds};
use rand::RngExt;

use super::{Logged, Setting, normal};

/// Stages of the finite form.
pub const HORIZON: usize = 10;
/// Numbers in an observation.
pub const WIDTH: usize = 30;
/// Actions.
pub const ACTIONS: usize = 2;
/// First number that is always noise.
const NOISE_FROM: usize = 12;
/// Probability that the policy's action is a uniform one.
const UNIFORM: f64 = 1.0 / 7.0;
/// Discount factor of the endless form.
pub const DISCOUNT: f64 = 0.8;
/// Fits, and folds of the data, of the endless form: what is left out weighs 0.8^12 = 0.07.
pub const FOLDS: usize = 12;

/// Which lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// A reward of one number at the end.
    Line,
    /// A reward of two numbers at the end.
    Plane,
    /// A reward of one number at every step.
    Endless,
}

impl Lock {
    /// Numbers in a reward.
    pub fn dimensions(self) -> usize {
        if self == Lock::Plane { 2 } else { 1 }
    }

    /// Fits of an estimator.
    pub fn fits(self) -> usize {
        if self == Lock::Endless { FOLDS } else { HORIZON }
    }

    /// The stage that a fit is about; the endless lock has none.
    pub fn stage(self, fit: usize) -> Option<usize> {
        (self != Lock::Endless).then(|| HORIZON - 1 - fit)
    }

    /// Appends what is seen in a latent state at a stage.
    pub fn observe(self, latent: usize, stage: Option<usize>, rng: &mut Rng, observation: &mut Vec<f32>) {
        let first = observation.len();
        observation.resize(first + NOISE_FROM, 0.0);
        observation[first + latent] = 1.0;
        // The stage after the last one has no slot.
        if let Some(stage) = stage.filter(|stage| *stage < HORIZON) {
            observation[first + 2 + stage] = 1.0;
        }
        observation.extend((NOISE_FROM..WIDTH).map(|_| (0.1 * normal(rng)) as f32));
    }

    /// Appends the reward of coming to a latent state, where one is paid.
    pub fn reward(self, latent: usize, rng: &mut Rng, rewards: &mut Vec<f64>) {
        let sign = 1.0 - 2.0 * latent as f64;
        match self {
            Lock::Line => rewards.push(sign + 0.1 * normal(rng)),
            Lock::Endless => rewards.push((1.0 - DISCOUNT) * (sign + 0.1 * normal(rng))),
            Lock::Plane => {
                let deviation = 0.05_f64.sqrt();
                let (x, y) = (deviation * normal(rng), deviation * normal(rng));
                let length = x.hypot(y);
                let radius = 2.0 * (1.0 - latent as f64);
                rewards.extend([x + radius * x / length, y + radius * y / length]);
            }
        }
    }

    /// Logged data of uniform actions for one fit, `rows` of either latent state.
    pub fn data(self, fit: usize, rows: usize, rng: &mut Rng) -> Logged {
        let stage = self.stage(fit);
        let last = stage == Some(HORIZON - 1);
        let mut data = Logged::default();
        let mut reward = Vec::new();
        for row in 0..2 * rows {
            let latent = row % 2;
            let action = rng.random_range(0..ACTIONS as u32) as usize;
            let next = step(latent, action);
            self.observe(latent, stage, rng, &mut data.states);
            data.actions.push(action);
            reward.clear();
            if last || self == Lock::Endless {
                self.reward(next, rng, &mut reward);
            } else {
                reward.resize(self.dimensions(), 0.0);
            }
            data.rewards.extend(reward.iter().map(|&r| r as f32));
            self.observe(next, stage.map(|stage| stage + 1), rng, &mut data.next);
            data.done.push(last);
        }
        data
    }

    /// What an estimator is given: `rows` rows of either latent state for every fit.
    pub fn setting(self, rows: usize, seeds: Seeds) -> Setting {
        let data = |fit| self.data(fit, rows, &mut seeds.nth("data", fit as u64).stream("data"));
        Setting {
            width: WIDTH,
            actions: ACTIONS,
            dimensions: self.dimensions(),
            discount: if self == Lock::Endless { DISCOUNT } else { 1.0 },
            data: (0..self.fits()).map(data).map(Arc::new).collect(),
            policy: Arc::new(policy),
            seeds: seeds.child("estimator"),
        }
    }

    /// Appends one draw of the true return from latent state 0 at the stage of a fit, action 0 taken there.
    pub fn truth(self, fit: usize, rng: &mut Rng, draws: &mut Vec<f64>) {
        let Some(stage) = self.stage(fit) else {
            // 0.8^80 = 2e-8.
            let (mut latent, mut sum, mut reward) = (0, 0.0, Vec::new());
            for t in 0..80 {
                if t > 0 {
                    latent = step(latent, act(latent, rng));
                }
                reward.clear();
                self.reward(latent, rng, &mut reward);
                sum += DISCOUNT.powi(t) * reward[0];
            }
            draws.push(sum);
            return;
        };
        let still_right = rng.random_bool(right_at_the_end(stage));
        self.reward(usize::from(!still_right), rng, draws);
    }
}

/// The latent state that an action leads to.
pub fn step(latent: usize, action: usize) -> usize {
    usize::from(latent == 1 || action != 0)
}

/// π(·|s): reads the latent state off an observation.
pub fn policy(observation: &[f32], probabilities: &mut [f64]) {
    let uniform = 1.0 / probabilities.len() as f64;
    if observation[1] == 1.0 {
        probabilities.fill(uniform);
    } else {
        probabilities.fill(UNIFORM * uniform);
        probabilities[0] += 1.0 - UNIFORM;
    }
}

/// An action of the policy.
fn act(latent: usize, rng: &mut Rng) -> usize {
    if latent == 1 || rng.random_bool(UNIFORM) { rng.random_range(0..ACTIONS as u32) as usize } else { 0 }
}

/// P(latent state 0 at the end | latent state 0 and action 0 at `stage`, from 0) = (13/14)^(9 - stage).
pub fn right_at_the_end(stage: usize) -> f64 {
    (1.0 - UNIFORM * (1.0 - 1.0 / ACTIONS as f64)).powi((HORIZON - 1 - stage) as i32)
}
