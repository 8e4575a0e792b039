//! Two tasks of the behaviour suite (Osband et al. 2020, "Behaviour suite for reinforcement learning",
//! arXiv:1908.03568): one that needs deep exploration, one that needs credit over a few steps.

mod catch;
mod deep_sea;

pub use catch::Catch;
pub use deep_sea::{DEEP_SEA_SIZES, DeepSea};

pub(crate) use catch::CARD as CATCH;
pub(crate) use deep_sea::CARD as DEEP_SEA;
