//! Quire's ground floor: what every other part speaks.

pub mod error;
pub mod seed;

pub use error::{Error, Result};
pub use seed::{Rng, Seeds};
