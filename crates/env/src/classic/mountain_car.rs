//! MountainCar: rock an underpowered car out of a valley.
//!
//! With action `a` in {0, 1, 2}:
//!
//! ```text
//! velocity <- clip(velocity + 0.001 (a - 1) - 0.0025 cos(3 position), -0.07, 0.07)
//! position <- clip(position + velocity, -1.2, 0.6)
//! ```
//!
//! and the velocity is 0 at the left wall. The reward is -1 a step; the episode terminates at position 0.5. The
//! start is at rest, uniform in (-0.6, -0.4).
//!
//! Moore 1990, "Efficient memory-based learning for robot control"; constants of Gymnasium 1.x.

use std::sync::LazyLock;

use quire_core::{Result, Rng};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::environment::{Action, Environment, Step, discrete, generator, not_in_an_episode};
use crate::registry::EnvCard;
use crate::saved::whole_self_is_the_state;
use crate::space::Space;

pub(crate) const CARD: EnvCard = EnvCard {
    id: "MountainCar-v0",
    summary: "rock an underpowered car out of a valley",
    observation: "position and velocity of the car",
    action: "0: accelerate left, 1: coast, 2: accelerate right",
    reward: "-1 a step",
    time_limit: Some(200),
    reward_threshold: Some(-110.0),
    source: "Moore 1990; Gymnasium 1.x",
    tags: &["classic-control", "discrete-actions", "vector-observation", "sparse-reward", "exploration"],
    ..EnvCard::EMPTY
};

const NAME: &str = "MountainCar";
const FORCE: f64 = 0.001;
const GRAVITY: f64 = 0.0025;
const LEFT: f64 = -1.2;
const RIGHT: f64 = 0.6;
const GOAL: f64 = 0.5;
const SPEED_LIMIT: f64 = 0.07;

static OBSERVATION_SPACE: LazyLock<Space> = LazyLock::new(|| {
    Space::bounded(&[LEFT as f32, -SPEED_LIMIT as f32], &[RIGHT as f32, SPEED_LIMIT as f32])
});
static ACTION_SPACE: Space = Space::Discrete { n: 3 };

/// The car with three actions, without a time limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MountainCar {
    state: [f64; 2],
    in_episode: bool,
    rng: Rng,
}

impl MountainCar {
    /// A car that waits for its first [`Environment::reset`].
    pub fn new() -> Self {
        MountainCar { state: [0.0; 2], in_episode: false, rng: generator(0) }
    }

    /// Position and velocity, in double precision.
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

impl Default for MountainCar {
    fn default() -> Self {
        Self::new()
    }
}

impl Environment for MountainCar {
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
        let push = discrete(NAME, action, 3)? as f64 - 1.0;
        if !self.in_episode {
            return Err(not_in_an_episode(NAME));
        }
        let [position, velocity] = self.state;
        let mut velocity =
            (velocity + (push * FORCE - (3.0 * position).cos() * GRAVITY)).clamp(-SPEED_LIMIT, SPEED_LIMIT);
        let position = (position + velocity).clamp(LEFT, RIGHT);
        if position == LEFT && velocity < 0.0 {
            velocity = 0.0;
        }
        self.state = [position, velocity];
        let terminated = position >= GOAL && velocity >= 0.0;
        self.in_episode = !terminated;
        self.observe(observation);
        Ok(Step { reward: -1.0, terminated, truncated: false })
    }

    whole_self_is_the_state!(NAME);
}
