//! Pendulum: swing a pendulum up and hold it there, with a torque too weak to lift it directly.
//!
//! With `g = 10` m/s^2, mass and length 1, step 0.05 s, the angle 0 upright, and the action applied as
//! `u = clip(a, -2, 2)` N m:
//!
//! ```text
//! reward     = -(wrapped(theta)^2 + 0.1 theta_dot^2 + 0.001 u^2)        of the state before the step
//! theta_dot <- clip(theta_dot + (3 g / (2 l) sin(theta) + 3 / (m l^2) u) 0.05, -8, 8)
//! theta     <- theta + theta_dot 0.05
//! ```
//!
//! The episode never terminates. The start is uniform in (-pi, pi) x (-1, 1).
//!
//! Gymnasium 1.x; the task goes back to Doya 1995, "Temporal difference learning in continuous time and space".

use std::f64::consts::PI;
use std::sync::LazyLock;

use quire_core::{Result, Rng};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::environment::{Action, Environment, Step, generator, not_in_an_episode, scalar};
use crate::registry::EnvCard;
use crate::saved::whole_self_is_the_state;
use crate::space::Space;

pub(crate) const CARD: EnvCard = EnvCard {
    id: "Pendulum-v1",
    summary: "swing a pendulum up and hold it there with a weak motor",
    observation: "cosine and sine of the angle from upright, angular velocity [rad/s]",
    action: "torque, -2 to 2 N m, clipped to that",
    reward: "minus a weighted sum of squared angle, velocity and torque, at most 0",
    time_limit: Some(200),
    source: "Doya 1995; Gymnasium 1.x",
    tags: &["classic-control", "continuous-actions", "vector-observation"],
    ..EnvCard::EMPTY
};

const NAME: &str = "Pendulum";
const GRAVITY: f64 = 10.0;
const INTERVAL: f64 = 0.05;
const TORQUE_LIMIT: f32 = 2.0;
const SPEED_LIMIT: f64 = 8.0;

static OBSERVATION_SPACE: LazyLock<Space> = LazyLock::new(|| {
    let high = [1.0, 1.0, SPEED_LIMIT as f32];
    Space::bounded(&high.map(|bound| -bound), &high)
});
static ACTION_SPACE: LazyLock<Space> = LazyLock::new(|| Space::uniform(-TORQUE_LIMIT, TORQUE_LIMIT, &[1]));

/// The pendulum, without a time limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pendulum {
    state: [f64; 2],
    in_episode: bool,
    rng: Rng,
}

impl Pendulum {
    /// A pendulum that waits for its first [`Environment::reset`].
    pub fn new() -> Self {
        Pendulum { state: [0.0; 2], in_episode: false, rng: generator(0) }
    }

    /// Angle from upright \[rad\], not wrapped, and angular velocity \[rad/s\], in double precision.
    pub fn state(&self) -> [f64; 2] {
        self.state
    }

    /// Puts the pendulum into this state, inside an episode.
    pub fn set_state(&mut self, state: [f64; 2]) {
        self.state = state;
        self.in_episode = true;
    }

    #[inline]
    fn observe(&self, observation: &mut [f32]) {
        let [angle, velocity] = self.state;
        let (sin, cos) = angle.sin_cos();
        observation.copy_from_slice(&[cos as f32, sin as f32, velocity as f32]);
    }
}

impl Default for Pendulum {
    fn default() -> Self {
        Self::new()
    }
}

impl Environment for Pendulum {
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
        self.state = [self.rng.random_range(-PI..PI), self.rng.random_range(-1.0..1.0)];
        self.in_episode = true;
        self.observe(observation);
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step> {
        let torque = scalar(NAME, action, &ACTION_SPACE)?.clamp(-TORQUE_LIMIT, TORQUE_LIMIT);
        if !self.in_episode {
            return Err(not_in_an_episode(NAME));
        }
        let [angle, velocity] = self.state;
        let wrapped = (angle + PI).rem_euclid(2.0 * PI) - PI;
        // The torque is single precision, and so are its products with constants.
        let cost = wrapped * wrapped + 0.1 * (velocity * velocity) + f64::from(0.001 * (torque * torque));
        let acceleration = 3.0 * GRAVITY / 2.0 * angle.sin() + f64::from(3.0 * torque);
        let velocity = (velocity + acceleration * INTERVAL).clamp(-SPEED_LIMIT, SPEED_LIMIT);
        self.state = [angle + velocity * INTERVAL, velocity];
        self.observe(observation);
        Ok(Step { reward: -cost, terminated: false, truncated: false })
    }

    whole_self_is_the_state!(NAME);
}
