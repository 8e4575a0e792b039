//! Acrobot: swing the tip of a two-link pendulum above a line, by a torque at the joint between the links.
//!
//! With both links of mass 1 kg, length 1 m, center of mass at 0.5 m and moment of inertia 1 kg m^2,
//! `g = 9.8` m/s^2 and torque `u` of -1, 0 or 1 N m (Sutton & Barto's book, as opposed to the 1995 paper, which
//! lacks the term with `theta1'^2`):
//!
//! ```text
//! d1   = m lc^2 + m (l^2 + lc^2 + 2 l lc cos(theta2)) + 2 I
//! d2   = m (lc^2 + l lc cos(theta2)) + I
//! phi2 = m lc g cos(theta1 + theta2 - pi/2)
//! phi1 = -m l lc theta2'^2 sin(theta2) - 2 m l lc theta2' theta1' sin(theta2)
//!        + (m lc + m l) g cos(theta1 - pi/2) + phi2
//! theta2'' = (u + d2/d1 phi1 - m l lc theta1'^2 sin(theta2) - phi2) / (m lc^2 + I - d2^2/d1)
//! theta1'' = -(d2 theta2'' + phi1) / d1
//! ```
//!
//! integrated over 0.2 s by one step of the classical Runge-Kutta method; then the angles are wrapped into
//! \[-pi, pi\] and the velocities clipped to 4 pi and 9 pi rad/s. The reward is -1 a step and 0 for the step that
//! brings the tip above the line, `-cos(theta1) - cos(theta1 + theta2) > 1`, which terminates the episode. The
//! start is uniform in (-0.1, 0.1)^4.
//!
//! Sutton 1996, "Generalization in reinforcement learning: successful examples using sparse coarse coding".

use std::f64::consts::PI;
use std::sync::LazyLock;

use quire_core::{Result, Rng};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::environment::{Action, Environment, Step, discrete, generator, not_in_an_episode};
use crate::registry::EnvCard;
use crate::saved::whole_self_is_the_state;
use crate::space::Space;

pub(crate) const CARD: EnvCard = EnvCard {
    id: "Acrobot-v1",
    summary: "swing the tip of a two-link pendulum above a line by a torque at its elbow",
    observation: "cosine and sine of each of the two angles, both angular velocities [rad/s]",
    action: "torque at the elbow; 0: -1 N m, 1: none, 2: +1 N m",
    reward: "-1 a step, 0 for the step that reaches the line",
    time_limit: Some(500),
    reward_threshold: Some(-100.0),
    source: "Sutton 1996; Gymnasium 1.x",
    tags: &["classic-control", "discrete-actions", "vector-observation", "sparse-reward"],
    ..EnvCard::EMPTY
};

const NAME: &str = "Acrobot";
const GRAVITY: f64 = 9.8;
const MASS: f64 = 1.0;
const LENGTH: f64 = 1.0;
const CENTER: f64 = 0.5;
const INERTIA: f64 = 1.0;
const INTERVAL: f64 = 0.2;
const VELOCITY_LIMITS: [f64; 2] = [4.0 * PI, 9.0 * PI];

static OBSERVATION_SPACE: LazyLock<Space> = LazyLock::new(|| {
    let high = [1.0, 1.0, 1.0, 1.0, VELOCITY_LIMITS[0] as f32, VELOCITY_LIMITS[1] as f32];
    Space::bounded(&high.map(|bound| -bound), &high)
});
static ACTION_SPACE: Space = Space::Discrete { n: 3 };

/// The two-link pendulum, without a time limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Acrobot {
    state: [f64; 4],
    in_episode: bool,
    rng: Rng,
}

impl Acrobot {
    /// A pendulum that waits for its first [`Environment::reset`].
    pub fn new() -> Self {
        Acrobot { state: [0.0; 4], in_episode: false, rng: generator(0) }
    }

    /// The angle of the upper link from hanging and of the lower link from the upper \[rad\], then their
    /// velocities \[rad/s\].
    pub fn state(&self) -> [f64; 4] {
        self.state
    }

    /// Puts the pendulum into this state, inside an episode.
    ///
    /// # Panics
    /// If a number is not finite.
    pub fn set_state(&mut self, state: [f64; 4]) {
        assert!(state.iter().all(|value| value.is_finite()), "a state is finite, not {state:?}");
        self.state = state;
        self.in_episode = true;
    }

    fn observe(&self, observation: &mut [f32]) {
        let [theta_1, theta_2, velocity_1, velocity_2] = self.state;
        let ((sin_1, cos_1), (sin_2, cos_2)) = (theta_1.sin_cos(), theta_2.sin_cos());
        let values = [cos_1, sin_1, cos_2, sin_2, velocity_1, velocity_2];
        observation.copy_from_slice(&values.map(|value| value as f32));
    }
}

/// The time derivative of the state under `torque`.
fn derivative([theta_1, theta_2, velocity_1, velocity_2]: [f64; 4], torque: f64) -> [f64; 4] {
    let (sin_2, cos_2) = theta_2.sin_cos();
    let d1 = MASS * CENTER.powi(2)
        + MASS * (LENGTH.powi(2) + CENTER.powi(2) + 2.0 * LENGTH * CENTER * cos_2)
        + INERTIA
        + INERTIA;
    let d2 = MASS * (CENTER.powi(2) + LENGTH * CENTER * cos_2) + INERTIA;
    let phi_2 = MASS * CENTER * GRAVITY * (theta_1 + theta_2 - PI / 2.0).cos();
    let phi_1 = -MASS * LENGTH * CENTER * velocity_2.powi(2) * sin_2
        - 2.0 * MASS * LENGTH * CENTER * velocity_2 * velocity_1 * sin_2
        + (MASS * CENTER + MASS * LENGTH) * GRAVITY * (theta_1 - PI / 2.0).cos()
        + phi_2;
    let acceleration_2 =
        (torque + d2 / d1 * phi_1 - MASS * LENGTH * CENTER * velocity_1.powi(2) * sin_2 - phi_2)
            / (MASS * CENTER.powi(2) + INERTIA - d2.powi(2) / d1);
    let acceleration_1 = -(d2 * acceleration_2 + phi_1) / d1;
    [velocity_1, velocity_2, acceleration_1, acceleration_2]
}

/// One step of the classical fourth-order Runge-Kutta method.
fn runge_kutta(state: [f64; 4], torque: f64) -> [f64; 4] {
    let along = |slope: [f64; 4], time: f64| std::array::from_fn(|i| state[i] + time * slope[i]);
    let k1 = derivative(state, torque);
    let k2 = derivative(along(k1, INTERVAL / 2.0), torque);
    let k3 = derivative(along(k2, INTERVAL / 2.0), torque);
    let k4 = derivative(along(k3, INTERVAL), torque);
    std::array::from_fn(|i| state[i] + INTERVAL / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]))
}

/// The same angle in \[-pi, pi\].
fn wrap(mut angle: f64) -> f64 {
    if angle.abs() > 64.0 * PI {
        angle %= 2.0 * PI;
    }
    while angle > PI {
        angle -= 2.0 * PI;
    }
    while angle < -PI {
        angle += 2.0 * PI;
    }
    angle
}

impl Default for Acrobot {
    fn default() -> Self {
        Self::new()
    }
}

impl Environment for Acrobot {
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
        // The start is rounded to single precision, as there.
        self.state = std::array::from_fn(|_| f64::from(self.rng.random_range(-0.1..0.1) as f32));
        self.in_episode = true;
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step> {
        let torque = discrete(NAME, action, 3)? as f64 - 1.0;
        if !self.in_episode {
            return Err(not_in_an_episode(NAME));
        }
        let [theta_1, theta_2, velocity_1, velocity_2] = runge_kutta(self.state, torque);
        let (theta_1, theta_2) = (wrap(theta_1), wrap(theta_2));
        let [limit_1, limit_2] = VELOCITY_LIMITS;
        self.state =
            [theta_1, theta_2, velocity_1.clamp(-limit_1, limit_1), velocity_2.clamp(-limit_2, limit_2)];
        let terminated = -theta_1.cos() - (theta_2 + theta_1).cos() > 1.0;
        self.in_episode = !terminated;
        self.observe(observation);
        Ok(Step { reward: if terminated { 0.0 } else { -1.0 }, terminated, truncated: false })
    }

    whole_self_is_the_state!(NAME);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_is_conserved_without_torque() {
        // Kinetic plus potential energy of the two links; one Runge-Kutta step of a gentle swing errs little.
        let energy = |[theta_1, theta_2, velocity_1, velocity_2]: [f64; 4]| {
            let d1 = 0.25 + 1.25 + theta_2.cos() + 2.0;
            let d2 = 0.25 + 0.5 * theta_2.cos() + 1.0;
            let kinetic = 0.5 * d1 * velocity_1.powi(2)
                + d2 * velocity_1 * velocity_2
                + 0.5 * 1.25 * velocity_2.powi(2);
            kinetic - 1.5 * GRAVITY * theta_1.cos() - 0.5 * GRAVITY * (theta_1 + theta_2).cos()
        };
        let mut state = [0.3, -0.2, 0.1, 0.2];
        let start = energy(state);
        for _ in 0..50 {
            state = runge_kutta(state, 0.0);
        }
        let swing = energy([0.3, -0.2, 0.0, 0.0]) - energy([0.0; 4]);
        assert!((energy(state) - start).abs() < 0.05 * swing, "{} {start} {swing}", energy(state));
    }

    #[test]
    fn angles_wrap() {
        for (angle, expected) in [(PI, PI), (PI + 0.5, 0.5 - PI), (-PI - 0.5, PI - 0.5), (1.0, 1.0)] {
            assert!((wrap(angle) - expected).abs() < 1e-12);
        }
        assert!(wrap(1e300).abs() <= PI);
    }
}
