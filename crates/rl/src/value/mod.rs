//! Family: value-based learners of discrete actions.

pub mod adam_lmcdqn;
pub mod deep_q;
pub mod double_dqn;
pub mod dqn;
pub mod langevin_dqn;
pub mod md_dqn;

use quire_core::Entry;

use crate::agent::{Maker, entry};

/// The methods of this family.
pub const METHODS: &[Entry<Maker>] = &[
    entry::<double_dqn::DoubleDqn>(),
    entry::<adam_lmcdqn::AdamLmcDqn>(),
    entry::<md_dqn::MdDqn>(),
    entry::<dqn::Dqn>(),
    entry::<langevin_dqn::LangevinDqn>(),
];
