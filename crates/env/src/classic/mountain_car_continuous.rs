//! MountainCarContinuous: rock an underpowered car out of a valley, paying for the effort.
//!
//! With action `a`, applied as `force = clip(a, -1, 1)`:
//!
//! ```text
//! velocity <- clip(velocity + 0.0015 force - 0.0025 cos(3 position), -0.07, 0.07)
//! position <- clip(position + velocity, -1.2, 0.6)
//! reward    = 100 [position >= 0.45 and velocity >= 0] - 0.1 a^2
//! ```
//!
//! and the velocity is 0 at the left wall. The effort counts the action as given, before it is clipped. The
//! episode terminates at the goal. The start is at rest, uniform in (-0.6, -0.4).
//!
//! Gymnasium rounds the state to single precision after every step (not at the start), and so do we: the
//! rounding is part of the published dynamics. A product or sum of two single-precision numbers, computed in
//! double precision and rounded, is exactly the single-precision result.
//!
//! Moore 1990, "Efficient memory-based learning for robot control"; Gymnasium 1.x.

use std::sync::LazyLock;

use quire_core::{Result, Rng};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::environment::{Action, Environment, Step, generator, not_in_an_episode, scalar};
use crate::registry::EnvCard;
use crate::saved::whole_self_is_the_state;
use crate::space::Space;

pub(crate) const CARD: EnvCard = EnvCard {
    id: "MountainCarContinuous-v0",
    summary: "rock an underpowered car out of a valley, paying for the effort",
    observation: "position and velocity of the car",
    action: "force on the car, -1 (left) to 1 (right), clipped to that",
    reward: "100 for reaching the goal, minus 0.1 times the squared action a step",
    time_limit: Some(999),
    reward_threshold: Some(90.0),
    source: "Moore 1990; Gymnasium 1.x",
    tags: &["classic-control", "continuous-actions", "vector-observation", "sparse-reward", "exploration"],
    ..EnvCard::EMPTY
};

const NAME: &str = "MountainCarContinuous";
const POWER: f64 = 0.0015;
const GRAVITY: f64 = 0.0025;
const LEFT: f32 = -1.2;
const RIGHT: f32 = 0.6;
const GOAL: f32 = 0.45;
const SPEED_LIMIT: f32 = 0.07;

static OBSERVATION_SPACE: LazyLock<Space> =
    LazyLock::new(|| Space::bounded(&[LEFT, -SPEED_LIMIT], &[RIGHT, SPEED_LIMIT]));
static ACTION_SPACE: LazyLock<Space> = LazyLock::new(|| Space::uniform(-1.0, 1.0, &[1]));

/// The car with a continuous force, without a time limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MountainCarContinuous {
    state: [f64; 2],
    in_episode: bool,
    rng: Rng,
}

impl MountainCarContinuous {
    /// A car that waits for its first [`Environment::reset`].
    pub fn new() -> Self {
        MountainCarContinuous { state: [0.0; 2], in_episode: false, rng: generator(0) }
    }

    /// Position and velocity: double precision at the start of an episode, single-precision values after.
    pub fn state(&self) -> [f64; 2] {
        self.state
    }

    /// Puts the car into this state, inside an episode.
    pub fn set_state(&mut self, state: [f64; 2]) {
        self.state = state;
        self.in_episode = true;
    }

    fn observe(&self, observation: &mut [f32]) {
        observation.copy_from_slice(&self.state.map(|value| value as f32));
    }
}

/// The change of velocity under `action`, rounded where single precision rounds it.
fn acceleration(action: f32, position: f64) -> f32 {
    let tripled = 3.0 * position;
    // Only a start has a position that is no single-precision number; there the product is not rounded.
    let tripled = if f64::from(position as f32) == position { f64::from(tripled as f32) } else { tripled };
    let slope = GRAVITY * tripled.cos();
    if action.abs() <= 1.0 {
        action * POWER as f32 - slope as f32
    } else {
        // A clipped force is a double-precision constant there.
        (f64::from(action.signum()) * POWER - slope) as f32
    }
}

impl Default for MountainCarContinuous {
    fn default() -> Self {
        Self::new()
    }
}

impl Environment for MountainCarContinuous {
    fn observation_space(&self) -> &Space {
        &OBSERVATION_SPACE
    }

    fn action_space(&self) -> &Space {
        &ACTION_SPACE
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) -> Result<()> {
        if let Some(seed) = seed {
            self.rng = generator(seed);
        }
        self.state = [self.rng.random_range(-0.6..-0.4), 0.0];
        self.in_episode = true;
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step> {
        let action = scalar(NAME, action, &ACTION_SPACE)?;
        if !self.in_episode {
            return Err(not_in_an_episode(NAME));
        }
        let [position, velocity] = self.state;
        let velocity = velocity + f64::from(acceleration(action, position));
        let mut velocity = (velocity as f32).clamp(-SPEED_LIMIT, SPEED_LIMIT);
        let position = ((position + f64::from(velocity)) as f32).clamp(LEFT, RIGHT);
        if position == LEFT && velocity < 0.0 {
            velocity = 0.0;
        }
        self.state = [f64::from(position), f64::from(velocity)];
        let terminated = position >= GOAL && velocity >= 0.0;
        let reward = if terminated { 100.0 } else { 0.0 } - f64::from(action).powi(2) * 0.1;
        self.in_episode = !terminated;
        self.observe(observation);
        Ok(Step { reward, terminated, truncated: false })
    }

    whole_self_is_the_state!(NAME);
}
