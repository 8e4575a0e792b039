//! Family: value-based learners of discrete actions.

pub mod deep_q;
pub mod double_dqn;
pub mod dqn;

use quire_core::Entry;

use crate::agent::{Maker, entry};

/// The methods of this family.
pub const METHODS: &[Entry<Maker>] = &[entry::<double_dqn::DoubleDqn>(), entry::<dqn::Dqn>()];
