//! Small worlds with published dynamics, and random ones.

mod chain;
mod garnet;
mod grid_world;
mod mixture;
mod ring;
mod river_swim;
mod sticky;
mod trap;

pub use chain::chain;
pub use garnet::garnet;
pub use grid_world::grid_world;
pub use mixture::mixture;
pub use ring::ring;
pub use river_swim::river_swim;
pub use sticky::{Sticky, sticky};
pub use trap::trap;
