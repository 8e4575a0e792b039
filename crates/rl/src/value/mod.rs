//! Family: value-based learners of discrete actions.

pub mod deep_q;
pub mod double_dqn;
pub mod dqn;

use crate::agent::Entry;

/// The methods of this family.
pub const METHODS: &[Entry] = &[Entry::of::<double_dqn::DoubleDqn>(), Entry::of::<dqn::Dqn>()];
