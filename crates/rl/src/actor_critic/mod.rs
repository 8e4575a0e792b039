//! Family: actor-critic learners: off-policy ones of continuous actions, and PPO, of either kind of action.

pub mod policy;
pub mod ppo;
pub mod redq;
pub mod sac;

use quire_core::Entry;

use crate::agent::{Maker, entry};

/// The methods of this family.
pub const METHODS: &[Entry<Maker>] = &[entry::<redq::Redq>(), entry::<sac::Sac>(), entry::<ppo::Ppo>()];
