//! Family: off-policy actor-critic learners of continuous actions.

pub mod policy;
pub mod redq;
pub mod sac;

use quire_core::Entry;

use crate::agent::{Maker, entry};

/// The methods of this family.
pub const METHODS: &[Entry<Maker>] = &[entry::<redq::Redq>(), entry::<sac::Sac>()];
