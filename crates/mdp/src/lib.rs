//! Finite Markov decision processes: exact solutions, worlds, and methods that learn in them.
//!
//! | module | what is in it |
//! |---|---|
//! | [`file`](mod@file) | a user's own model, from JSON or NPZ |
//! | [`finite`] | [`FiniteMdp`]: plain arrays, dense or sparse |
//! | [`staged`] | [`StagedMdp`]: dynamics that differ from stage to stage |
//! | [`linear`] | [`LinearMdp`]: known features, Gram matrices |
//! | [`policy`] | policies as tables |
//! | [`solve`] | exact solutions: discounted, episodic, average reward |
//! | [`worlds`] | GridWorld, RiverSwim, chain, ring, Garnet |
//! | [`explore`] | family: learn by acting in an unknown MDP |
//! | [`control`] | family: learn action values transition by transition |
//! | [`regularized`] | family: value iteration on backups that err, kept near its last policy |
//! | [`evaluation`] | family: what a policy would earn, as a distribution, from logged data |
//! | [`fitted`] | family: regress returns or backed-up values, act greedily in the fit |
//! | [`offline`] | family: plan from a log, and from nothing else |
//! | [`average_reward`] | family: learn while living one endless life, paid by the average reward |
//! | [`policy_gradient`] | family: climb the return of a parameterized policy by gradients from its trajectories |
//! | [`robust`] | family: plan from logged steps for a world that differs from the log |

pub mod average_reward;
pub mod control;
pub mod evaluation;
pub mod explore;
pub mod file;
pub mod finite;
pub mod fitted;
pub mod linear;
pub mod offline;
pub mod policy;
pub mod policy_gradient;
pub mod posterior;
pub mod regularized;
pub mod robust;
pub mod solve;
pub mod staged;
pub mod worlds;

use quire_core::Wing;

pub use finite::FiniteMdp;
pub use linear::LinearMdp;
pub use staged::StagedMdp;

/// This wing.
pub fn wing() -> Wing {
    Wing {
        name: "mdp",
        summary: "finite Markov decision processes: exploring, planning, evaluating on tables",
        problems: [
            explore::problems(),
            control::problems(),
            regularized::problems(),
            average_reward::problems(),
            fitted::problems(),
            evaluation::problems(),
            offline::problems(),
            offline::sources::problems(),
            offline::sources::games::problems(),
            robust::problems(),
            policy_gradient::problems(),
        ]
        .concat(),
        open: explore::problem::open,
    }
}
