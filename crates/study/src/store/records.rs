//! What a store holds, as plain values.

use quire_core::{Direction, Metric, OptionMap, Point, ProblemCard, RunSpec};
use serde::{Deserialize, Serialize};
use serde_json::Value;

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A study's number within its store, from 1.
    StudyId
}
id! {
    /// A run's number within its store, from 1.
    RunId
}

macro_rules! status {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)*
        }

        impl $name {
            /// As the store and the user see it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)*
                }
            }

            pub(super) fn parse(text: &str) -> rusqlite::Result<Self> {
                match text {
                    $($text => Ok($name::$variant),)*
                    _ => Err(unknown_word(text)),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

status! {
    /// How far a study is.
    StudyStatus {
        /// No run has begun.
        Pending = "pending",
        /// Some runs are under way or still to be done.
        Running = "running",
        /// Every run has ended, at least one of them well.
        Done = "done",
        /// Every run has failed.
        Failed = "failed",
        /// The user stopped it.
        Cancelled = "cancelled",
    }
}

status! {
    /// How far a run is.
    RunStatus {
        /// It waits: not begun, or interrupted and ready to go on from its checkpoint.
        Pending = "pending",
        /// A process is working on it, or was when it was killed.
        Running = "running",
        /// It ended as it should.
        Done = "done",
        /// It broke down; its reason says how.
        Failed = "failed",
    }
}

pub(super) fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Higher => "higher",
        Direction::Lower => "lower",
        Direction::Neutral => "neutral",
    }
}

pub(super) fn parse_direction(word: &str) -> rusqlite::Result<Direction> {
    match word {
        "higher" => Ok(Direction::Higher),
        "lower" => Ok(Direction::Lower),
        "neutral" => Ok(Direction::Neutral),
        _ => Err(unknown_word(word)),
    }
}

fn unknown_word(word: &str) -> rusqlite::Error {
    let message = format!("unknown word `{word}`");
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, message.into())
}

/// A metric of a problem in a study.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricRecord {
    /// Its name.
    pub name: String,
    /// Its unit; empty for a pure number.
    pub unit: String,
    /// Which way it is better.
    pub direction: Direction,
    /// What it is.
    pub summary: String,
}

impl From<&Metric> for MetricRecord {
    fn from(metric: &Metric) -> Self {
        MetricRecord {
            name: metric.name.to_owned(),
            unit: metric.unit.to_owned(),
            direction: metric.direction,
            summary: metric.summary.to_owned(),
        }
    }
}

/// A problem of a study.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProblemRecord {
    /// Its name.
    pub name: String,
    /// What it asks.
    pub summary: String,
    /// What its runs record; the first is the one that methods are compared by.
    pub metrics: Vec<MetricRecord>,
    /// The best possible value of the first metric, where it is known.
    pub optimum: Option<f64>,
    /// Length of a run in this study, in `budget_unit`.
    pub budget: u64,
    /// The unit of work, as `environment steps`.
    pub budget_unit: String,
}

impl From<&ProblemCard> for ProblemRecord {
    fn from(card: &ProblemCard) -> Self {
        ProblemRecord {
            name: card.name.clone(),
            summary: card.summary.clone(),
            metrics: card.metrics.iter().map(MetricRecord::from).collect(),
            optimum: card.optimum,
            budget: card.budget,
            budget_unit: card.budget_unit.to_owned(),
        }
    }
}

/// A run to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// How tables and plots call it: the method's name, or something that tells two option sets of it apart.
    pub label: String,
    /// What to run. Reports show and compare `spec.options`, so they should be all of them, defaults included.
    pub spec: RunSpec,
}

/// A study to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct NewStudy {
    /// Its title.
    pub name: String,
    /// What was asked for, in whatever form the asker can read again.
    pub spec: Value,
    /// The command that gives the same study again.
    pub command: String,
    /// The label that the others are compared with; the first run's if there is none.
    pub baseline: Option<String>,
    /// The commit that Quire was built from, where it is known.
    pub commit: Option<String>,
    /// Its problems.
    pub problems: Vec<ProblemRecord>,
    /// Its runs, in the order in which they are to be done; methods are shown in the order of their first run.
    pub runs: Vec<NewRun>,
}

/// A study in the store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudyRecord {
    /// Its number.
    pub id: StudyId,
    /// Its title.
    pub name: String,
    /// When it was added, UTC, as `2026-01-31T12:00:00Z`.
    pub created: String,
    /// How far it is.
    pub status: StudyStatus,
    /// What was asked for.
    pub spec: Value,
    /// The command that gives the same study again.
    pub command: String,
    /// The label that the others are compared with.
    pub baseline: Option<String>,
    /// The version of Quire that added it.
    pub quire_version: String,
    /// The commit of that Quire, where it was known.
    pub commit: Option<String>,
    /// How many runs it has.
    pub runs: usize,
    /// How many of them have ended well.
    pub runs_done: usize,
    /// How many of them have failed.
    pub runs_failed: usize,
}

/// A run in the store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRecord {
    /// Its number.
    pub id: RunId,
    /// The study it belongs to.
    pub study: StudyId,
    /// How tables and plots call it.
    pub label: String,
    /// What it runs (with one thread; the caller decides on threads).
    pub spec: RunSpec,
    /// How far it is.
    pub status: RunStatus,
    /// Why it ended.
    pub reason: Option<String>,
    /// Work done, in the problem's unit.
    pub steps: u64,
    /// Seconds of work, over all its attempts.
    pub wall_s: f64,
    /// When it first began, UTC.
    pub started: Option<String>,
    /// When it last stored something, UTC.
    pub updated: Option<String>,
    /// When it ended, UTC.
    pub finished: Option<String>,
    /// Where its artefact is.
    pub artefact: Option<String>,
    /// What it ran on.
    pub machine: Option<String>,
}

impl RunRecord {
    /// The options the run was given.
    pub fn options(&self) -> &OptionMap {
        &self.spec.options
    }
}

/// What a run has done since it last stored something. Stored as a whole or not at all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Batch<'a> {
    /// Points to add. A second point of the same metric at the same step replaces the first.
    pub points: &'a [Point],
    /// Work done in all, in the problem's unit.
    pub steps: u64,
    /// Seconds of work in all, over all attempts.
    pub wall_s: f64,
    /// The run's state at exactly this point, from which it can go on.
    pub checkpoint: Option<&'a [u8]>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// [`RunStatus::Done`] or [`RunStatus::Failed`].
    pub status: RunStatus,
    /// Why.
    pub reason: String,
    /// Where its artefact is, if it has one.
    pub artefact: Option<String>,
}
