//! Finite Markov decision processes: exact solutions, worlds, and methods that learn in them.
//!
//! | module | what is in it |
//! |---|---|
//! | [`finite`] | [`FiniteMdp`]: plain arrays, dense or sparse |
//! | [`solve`] | exact solutions: discounted, episodic, average reward |
//! | [`worlds`] | GridWorld, RiverSwim, chain, ring, Garnet |
//! | [`explore`] | family: learn by acting in an unknown MDP |

pub mod explore;
pub mod finite;
pub mod posterior;
pub mod solve;
pub mod worlds;

pub use explore::wing;
pub use finite::FiniteMdp;
