//! Classic control, with the dynamics of Gymnasium 1.x.
//!
//! State and arithmetic are double precision where Gymnasium's are, observations are single precision as
//! there. Start states follow the same distributions from our own generator. Each type shows its state in
//! full precision with `state` and takes one with `set_state`.

mod acrobot;
mod cart_pole;
mod mountain_car;
mod mountain_car_continuous;
mod pendulum;

pub use acrobot::Acrobot;
pub use cart_pole::CartPole;
pub use mountain_car::MountainCar;
pub use mountain_car_continuous::MountainCarContinuous;
pub use pendulum::Pendulum;

pub(crate) use acrobot::CARD as ACROBOT;
pub(crate) use cart_pole::{CARD_V0 as CART_POLE_V0, CARD_V1 as CART_POLE_V1};
pub(crate) use mountain_car::CARD as MOUNTAIN_CAR;
pub(crate) use mountain_car_continuous::CARD as MOUNTAIN_CAR_CONTINUOUS;
pub(crate) use pendulum::CARD as PENDULUM;
