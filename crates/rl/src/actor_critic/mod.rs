//! Family: off-policy actor-critic learners of continuous actions.

pub mod policy;
pub mod redq;
pub mod sac;

use crate::agent::Entry;

/// The methods of this family.
pub const METHODS: &[Entry] = &[Entry::of::<redq::Redq>(), Entry::of::<sac::Sac>()];
