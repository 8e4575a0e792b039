//! A cart with a pole for two groups: in the foreground a constant force pushes it to the left.
//!
//! One Euler step of 0.02 s of the classic dynamics (Barto, Sutton & Anderson 1983: gravity 9.8, masses 1 and 0.1, half
//! length 0.5, force ±10), positions by the old velocities; in group z = 1 the force is lowered by `force_left`. The pole is
//! kept up for its own sake, not for an episode: a step costs 0 near the middle and upright, 1 in a forbidden state, which
//! ends it, and 0.01 else.
//!
//! Source: the regulator form of M. Riedmiller, *Neural fitted Q iteration*, ECML 2005, with the groups and costs of the code
//! of arXiv:2110.02879.

use quire_core::Rng;
use rand::RngExt;

use super::GroupData;

/// Numbers in a state: position \[m\], velocity \[m/s\], angle \[rad\], angular velocity \[rad/s\].
pub const DIMENSIONS: usize = 4;
/// Actions: 0 pushes left, 1 right.
pub const ACTIONS: usize = 2;
/// Steps of an episode of the data, at most.
pub const DATA_STEPS: usize = 100;

const GRAVITY: f64 = 9.8;
const POLE_MASS: f64 = 0.1;
const TOTAL_MASS: f64 = 1.1;
const HALF_LENGTH: f64 = 0.5;
const POLE_MASS_LENGTH: f64 = POLE_MASS * HALF_LENGTH;
const FORCE: f64 = 10.0;
const TAU: f64 = 0.02;
const POSITION_LIMIT: f64 = 2.4;
/// Angles below are upright: twelve degrees.
const UPRIGHT: f64 = 12.0 * std::f64::consts::PI / 180.0;

/// A state.
pub type State = [f64; DIMENSIONS];

/// Accelerations of cart and pole.
pub fn accelerations(state: State, action: usize, force_left: f64) -> (f64, f64) {
    let [_, _, theta, theta_dot] = state;
    let force = if action == 1 { FORCE } else { -FORCE } - force_left;
    let (sin, cos) = theta.sin_cos();
    let temp = (force + POLE_MASS_LENGTH * theta_dot * theta_dot * sin) / TOTAL_MASS;
    let theta_acceleration =
        (GRAVITY * sin - cos * temp) / (HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * cos * cos / TOTAL_MASS));
    (temp - POLE_MASS_LENGTH * theta_acceleration * cos / TOTAL_MASS, theta_acceleration)
}

/// The state 0.02 s later; `force_left` is 0 in the background.
pub fn step(state: State, action: usize, force_left: f64) -> State {
    let (x_acceleration, theta_acceleration) = accelerations(state, action, force_left);
    let [x, x_dot, theta, theta_dot] = state;
    [
        x + TAU * x_dot,
        x_dot + TAU * x_acceleration,
        theta + TAU * theta_dot,
        theta_dot + TAU * theta_acceleration,
    ]
}

/// Whether the state is forbidden: off the track, or the pole level or below.
pub fn forbidden(state: &State) -> bool {
    state[0].abs() > POSITION_LIMIT || state[2].abs() > std::f64::consts::FRAC_PI_2
}

/// What it costs to come to this state.
pub fn cost(state: &State) -> f64 {
    if forbidden(state) {
        1.0
    } else if state[2].abs() < UPRIGHT && state[0].abs() < POSITION_LIMIT {
        0.0
    } else {
        0.01
    }
}

/// A first state at rest, position uniform within `position`, angle within 0.3.
pub fn start(position: f64, rng: &mut Rng) -> State {
    [rng.random_range(-position..position), 0.0, rng.random_range(-0.3..0.3), 0.0]
}

/// Transitions of uniformly random actions: `episodes` of background and foreground, each of at most 100 steps.
pub fn data(episodes: [usize; 2], force_left: f64, rng: &mut Rng) -> GroupData {
    let mut data = GroupData { dimensions: DIMENSIONS, actions: ACTIONS, ..GroupData::default() };
    for (episodes, foreground) in episodes.into_iter().zip([false, true]) {
        for _ in 0..episodes {
            let mut state = start(2.3, rng);
            for _ in 0..DATA_STEPS {
                let action = usize::from(rng.random_bool(0.5));
                let next = step(state, action, if foreground { force_left } else { 0.0 });
                data.states.extend(state);
                data.chosen.push(action);
                data.costs.push(cost(&next));
                data.next.extend(next);
                data.done.push(forbidden(&next));
                data.foreground.push(foreground);
                if forbidden(&next) {
                    break;
                }
                state = next;
            }
        }
    }
    data
}

/// Steps that `act` survives from `state`, at most `limit`.
pub fn survive(
    mut state: State,
    force_left: f64,
    limit: usize,
    mut act: impl FnMut(&State) -> usize,
) -> usize {
    for survived in 0..limit {
        state = step(state, act(&state), force_left);
        if forbidden(&state) {
            return survived;
        }
    }
    limit
}
