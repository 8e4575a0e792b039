//! CartPole: keep a pole upright on a cart by pushing the cart left or right.
//!
//! With force `F = +-10 N`, cart mass 1 kg, pole mass `m = 0.1` kg, total mass `M = 1.1` kg, half pole length
//! `l = 0.5` m, `g = 9.8` m/s^2 and `tau = 0.02` s:
//!
//! ```text
//! temp     = (F + m l theta_dot^2 sin(theta)) / M
//! theta'' = (g sin(theta) - cos(theta) temp) / (l (4/3 - m cos(theta)^2 / M))
//! x''     = temp - m l theta'' cos(theta) / M
//! ```
//!
//! integrated by explicit Euler steps. The reward is 1 a step, the last one included; the episode terminates
//! when `|x| > 2.4` m or `|theta| > 12` degrees. The start is uniform in (-0.05, 0.05)^4.
//!
//! Barto, Sutton & Anderson 1983, "Neuronlike adaptive elements that can solve difficult learning control
//! problems"; equations of Florian 2007 as in Gymnasium 1.x.

use std::sync::LazyLock;

use quire_core::{Result, Rng};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::environment::{Action, Environment, Step, discrete, generator, not_in_an_episode};
use crate::registry::EnvCard;
use crate::saved::whole_self_is_the_state;
use crate::space::Space;

pub(crate) const CARD_V1: EnvCard = EnvCard {
    id: "CartPole-v1",
    summary: "keep a pole upright on a cart by pushing the cart left or right",
    observation: "cart position [m] and velocity [m/s], pole angle [rad] and angular velocity [rad/s]",
    action: "0: push left, 1: push right",
    reward: "1 a step, the last one included",
    time_limit: Some(500),
    reward_threshold: Some(475.0),
    optimum: Some(500.0),
    source: "Barto, Sutton & Anderson 1983; Gymnasium 1.x",
    tags: &["classic-control", "discrete-actions", "vector-observation"],
    ..EnvCard::EMPTY
};

pub(crate) const CARD_V0: EnvCard = EnvCard {
    id: "CartPole-v0",
    time_limit: Some(200),
    reward_threshold: Some(195.0),
    optimum: Some(200.0),
    ..CARD_V1
};

const NAME: &str = "CartPole";
const GRAVITY: f64 = 9.8;
const POLE_MASS: f64 = 0.1;
const TOTAL_MASS: f64 = POLE_MASS + 1.0;
const HALF_LENGTH: f64 = 0.5;
const POLE_MASS_LENGTH: f64 = POLE_MASS * HALF_LENGTH;
const FORCE: f64 = 10.0;
const TAU: f64 = 0.02;
/// Twelve degrees, in radians.
const ANGLE_LIMIT: f64 = 12.0 * 2.0 * std::f64::consts::PI / 360.0;
const POSITION_LIMIT: f64 = 2.4;

static OBSERVATION_SPACE: LazyLock<Space> = LazyLock::new(|| {
    let high = [2.0 * POSITION_LIMIT as f32, f32::INFINITY, (2.0 * ANGLE_LIMIT) as f32, f32::INFINITY];
    Space::bounded(&high.map(|bound| -bound), &high)
});
static ACTION_SPACE: Space = Space::Discrete { n: 2 };

/// The cart and its pole, without a time limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CartPole {
    state: [f64; 4],
    in_episode: bool,
    rng: Rng,
}

impl CartPole {
    /// A cart that waits for its first [`Environment::reset`].
    pub fn new() -> Self {
        CartPole { state: [0.0; 4], in_episode: false, rng: generator(0) }
    }

    /// Position \[m\], velocity \[m/s\], angle \[rad\], angular velocity \[rad/s\], in double precision.
    pub fn state(&self) -> [f64; 4] {
        self.state
    }

    /// Puts the cart into this state, inside an episode.
    pub fn set_state(&mut self, state: [f64; 4]) {
        self.state = state;
        self.in_episode = true;
    }

    #[inline]
    fn observe(&self, observation: &mut [f32]) {
        observation.copy_from_slice(&self.state.map(|value| value as f32));
    }
}

impl Default for CartPole {
    fn default() -> Self {
        Self::new()
    }
}

impl Environment for CartPole {
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
        self.state = std::array::from_fn(|_| self.rng.random_range(-0.05..0.05));
        self.in_episode = true;
        self.observe(observation);
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step> {
        let action = discrete(NAME, action, 2)?;
        if !self.in_episode {
            return Err(not_in_an_episode(NAME));
        }
        let [x, x_dot, theta, theta_dot] = self.state;
        let force = if action == 1 { FORCE } else { -FORCE };
        // In Gymnasium's order of operations, divisions included: an upright pole is unstable and blows up a
        // difference in the last bit to 1e-9 within some 200 steps.
        let (sin, cos) = theta.sin_cos();
        let temp = (force + POLE_MASS_LENGTH * (theta_dot * theta_dot) * sin) / TOTAL_MASS;
        let theta_acceleration =
            (GRAVITY * sin - cos * temp) / (HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * (cos * cos) / TOTAL_MASS));
        let x_acceleration = temp - POLE_MASS_LENGTH * theta_acceleration * cos / TOTAL_MASS;

        let x = x + TAU * x_dot;
        let theta = theta + TAU * theta_dot;
        self.state = [x, x_dot + TAU * x_acceleration, theta, theta_dot + TAU * theta_acceleration];
        let terminated = x.abs() > POSITION_LIMIT || theta.abs() > ANGLE_LIMIT;
        self.in_episode = !terminated;
        self.observe(observation);
        Ok(Step { reward: 1.0, terminated, truncated: false })
    }

    whole_self_is_the_state!(NAME);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_worked_by_hand() {
        // From rest upright, force 10: temp = 10 / 1.1, theta'' = -temp / (0.5 (4/3 - 0.1 / 1.1)),
        // x'' = temp - 0.05 theta'' / 1.1; positions do not move in the first explicit step.
        let mut cart = CartPole::new();
        cart.set_state([0.0; 4]);
        let mut observation = [0.0; 4];
        let step = cart.step(Action::Discrete(1), &mut observation).unwrap();
        assert_eq!(step, Step { reward: 1.0, terminated: false, truncated: false });
        let expected = [0.0, 0.195_121_951_219_512_2, 0.0, -0.292_682_926_829_268_3];
        for (value, expected) in cart.state().into_iter().zip(expected) {
            assert!((value - expected).abs() < 1e-15, "{value} for {expected}");
        }
    }

    #[test]
    fn the_end_is_an_end() {
        let mut cart = CartPole::new();
        let mut observation = [0.0; 4];
        assert!(cart.step(Action::Discrete(0), &mut observation).is_err(), "before the first reset");
        cart.set_state([2.39, 1.0, 0.0, 0.0]);
        assert!(cart.step(Action::Discrete(1), &mut observation).unwrap().terminated);
        assert!(cart.step(Action::Discrete(1), &mut observation).is_err(), "after the end");
        cart.reset(None, &mut observation).unwrap();
        let before = cart.state();
        let message = cart.step(Action::Discrete(2), &mut observation).unwrap_err().to_string();
        assert_eq!(message, "CartPole: the action Discrete(2) is not in its action space Discrete(2)");
        assert!(cart.step(Action::Continuous(&[0.0]), &mut observation).is_err());
        assert_eq!(cart.state(), before, "a refused action changes nothing");
    }
}
