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
//! | [`offline`] | family: plan from a log, and from nothing else |
//! | [`evaluation`] | family: what a policy would earn, as a distribution, from logged data |
//! | [`fitted`] | family: regress returns or backed-up values, act greedily in the fit |
//! | [`average_reward`] | family: learn while living one endless life, paid by the average reward |
//! | [`policy_gradient`] | family: climb the return of a parameterized policy by gradients from its trajectories |
//! | [`preference`] | family: learn from nothing but which of two trajectories is better |
//! | [`adversarial`] | family: choose policies against losses that an adversary picks afresh every episode |
//! | [`robust`] | family: plan from logged steps for a world that differs from the log |

pub mod adversarial;
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
pub mod preference;
pub mod regularized;
pub mod robust;
pub mod solve;
pub mod staged;
pub mod worlds;

use quire_core::{Entry, Wing};

pub use finite::FiniteMdp;
pub use linear::LinearMdp;
pub use staged::StagedMdp;

/// This wing.
pub fn wing() -> Wing {
    wing_with(&[])
}

/// This wing, with learners of another one that can act in its [simulators](fitted::simulator).
pub fn wing_with(learners: &'static [Entry<fitted::simulator::Make>]) -> Wing {
    Wing {
        name: "mdp",
        summary: "finite Markov decision processes: exploring, planning, evaluating on tables",
        problems: [
            explore::problems(),
            explore::metric::problems(),
            control::problems(),
            regularized::problems(),
            average_reward::problems(),
            offline::problems(),
            offline::sources::problems(),
            offline::sources::games::problems(),
            robust::problems(),
            policy_gradient::problems(),
            fitted::problems(learners),
            evaluation::problems(),
            adversarial::problems(),
            preference::problems(),
        ]
        .concat(),
        open: explore::problem::open,
    }
}
