//! Every part of Quire as one crate: the facade for programs that want it all.
//!
//! ```
//! use quire::core::{Registry, RunSpec, Trace, Progress};
//!
//! let registry = quire::registry();
//! let problem = registry.problem("CartPole-v1")?;
//! let mut spec = RunSpec::new("CartPole-v1", "double-dqn", 0);
//! spec.options = problem.method("double-dqn")?.tuned_for("CartPole-v1");
//! spec.budget = Some(200);
//! let (mut run, mut trace) = (problem.start(&spec)?, Trace::new());
//! while run.step(&mut trace)? == Progress::Continue {}
//! assert!(trace.last("return").is_some());
//! # Ok::<(), quire::core::Error>(())
//! ```

pub use quire_core as core;
pub use quire_env as env;
pub use quire_mdp as mdp;
pub use quire_nn as nn;
pub use quire_optim as optim;
pub use quire_rl as rl;
pub use quire_solve as solve;
pub use quire_study as study;

pub use quire_study::registry;
