//! Classic control, with the dynamics of Gymnasium 1.x.
//!
//! State and arithmetic are double precision where Gymnasium's are, observations are single precision as
//! there. Start states follow the same distributions from our own generator.

mod cart_pole;

pub use cart_pole::CartPole;

pub(crate) use cart_pole::{CARD_V0 as CART_POLE_V0, CARD_V1 as CART_POLE_V1};
