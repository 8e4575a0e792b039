//! Studies: runs in parallel, what they leave in a store, and what can honestly be said about them.
//!
//! | module | what is in it |
//! |---|---|
//! | [`spec`] | what a study is: problems x methods x seeds, from the command line or a TOML file |
//! | [`claims`] | what papers state, as studies and expectations about them, and verdicts |
//! | [`driver`] | stepping the runs on all cores, checkpoints, stopping and resuming |
//! | [`store`] | one SQLite file with everything that runs leave in numbers |
//! | [`statistics`] | aggregates over few runs with honest intervals |
//! | [`export`] | JSONL, CSV, TensorBoard |
//! | [`machine`] | what the runs ran on |

pub mod claims;
pub mod driver;
pub mod export;
pub mod machine;
pub mod spec;
pub mod statistics;
pub mod store;

use quire_core::Registry;

pub use spec::{Contestant, StudySpec};
pub use store::{RunId, RunRecord, RunStatus, Store, StudyId, StudyRecord};

/// Everything there is: the problems and methods of all wings.
pub fn registry() -> Registry {
    Registry::new(vec![quire_rl::wing(), quire_mdp::wing()])
}
