//! Quire's ground floor: what every other part speaks.
//!
//! | module | what it holds |
//! |---|---|
//! | [`problem`] | [`Problem`] and its card |
//! | [`method`] | the card of a method, a family's table of methods |
//! | [`run`] | [`RunSpec`], [`Run`], how a run progresses and why it ended |
//! | [`trace`] | the numbers a run records |
//! | [`options`] | one definition of a method's options for Rust, `--set`, TOML and Python |
//! | [`registry`] | finding problems and methods by name |
//! | [`artefact`] | what a run leaves behind, as a folder on disk |
//! | [`seed`] | one seed a run, named streams split from it |
//! | [`error`] | errors that name the thing, the place and the remedy |

pub mod artefact;
pub mod error;
pub mod files;
pub mod method;
pub mod options;
pub mod problem;
pub mod registry;
pub mod run;
pub mod seed;
pub mod state;
pub mod trace;

pub use artefact::{Artefact, number_bytes};
pub use error::{Error, Result};
pub use method::{About, Entry, MethodCard, Paper};
pub use options::{OptionMap, OptionSchema, Options};
pub use problem::{Direction, Metric, Problem, ProblemCard};
pub use registry::{Registry, Wing};
pub use run::{Evaluation, Progress, Reason, Run, RunSpec};
pub use seed::{Rng, Seeds};
pub use trace::{Point, Trace, is_record_due};

/// The version of Quire, as written into artefacts and stores.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
