//! Studies: many runs, compared honestly, kept in one file, shown on one page.
//!
//! | module | what is in it |
//! |---|---|
//! | [`spec`] | what a study is: problems x methods x seeds, from the command line or a TOML file |
//! | [`claims`] | what papers state, as studies and expectations about them, and verdicts |
//! | [`driver`] | stepping the runs on all cores, checkpoints, stopping and resuming |
//! | [`store`] | studies, runs, points and checkpoints in one SQLite file |
//! | [`statistics`] | interquartile mean, bootstrap intervals, probability of improvement, profiles, curves |
//! | [`summary`] | what a study has found, as one plain value |
//! | [`report`] | the summary as a self-contained HTML page, and its plots as SVG |
//! | [`export`] | JSONL, CSV and TensorBoard event files |
//! | [`mod@format`] | numbers and durations as a person reads them |
//! | [`machine`] | what the runs ran on |

pub mod claims;
pub mod driver;
pub mod export;
pub mod format;
pub mod machine;
pub mod report;
pub mod spec;
pub mod statistics;
pub mod store;
pub mod summary;

use quire_core::Registry;

pub use spec::{Contestant, StudySpec};
pub use store::{RunId, RunRecord, RunStatus, Store, StudyId, StudyRecord};
pub use summary::{MethodSummary, ProblemSummary, StudySummary};

/// Everything there is: the problems and methods of all wings.
pub fn registry() -> Registry {
    let mdp = quire_mdp::wing_with(quire_rl::simulator::METHODS);
    Registry::new(vec![quire_rl::wing(), mdp, quire_solve::wing()])
}
