//! What a study has found, as one plain value: the report shows it, `--json` prints it.
//!
//! | file | what it holds |
//! |---|---|
//! | here | the values |
//! | `scores` | final scores of runs, what a failed run counts as, normalization over several problems |
//! | `build` | from a store to the values |
//! | `finding` | the sentence at the top, never more than was measured |
//!
//! # What is compared
//! A run's *score* is the last value it recorded of its problem's first metric. A run that failed, or whose score
//! is not a number, counts as infinitely bad: it is never left out, and the interquartile mean bears some of
//! them. Runs that have not ended are left out. Intervals are 95 % stratified-bootstrap percentile intervals.
//!
//! In a study of several problems the methods are compared by *normalized* scores: on each problem 0 is the worst
//! score that any run of the study reached there and 1 the optimum, or the best score where none is known; a run
//! that failed scores 0.

mod build;
mod finding;
mod scores;

use quire_core::OptionMap;
use serde::Serialize;

use crate::statistics::Estimate;
use crate::store::{MetricRecord, RunStatus, StudyId, StudyStatus};

/// A study's findings. Numbers that are not finite (nothing measured yet, failed runs) are `null` in JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudySummary {
    /// The study's number in its store.
    pub study: StudyId,
    /// Its title.
    pub name: String,
    /// The problem, or the problems with commas between them.
    pub problem: String,
    /// What the methods are compared by: the problem's first metric, or `normalized score` over several problems.
    pub metric: String,
    /// That metric's unit, direction and meaning.
    pub metric_card: MetricRecord,
    /// The label that `improvement` refers to.
    pub baseline: String,
    /// What can be said, in a sentence or two.
    pub finding: String,
    /// How it was measured: seeds, length of a run, intervals.
    pub protocol: String,
    /// The methods, the best first.
    pub methods: Vec<MethodSummary>,
    /// Each problem by itself.
    pub problems: Vec<ProblemSummary>,
    /// How many runs reach a normalized score, if there are several problems.
    pub profile: Option<Profile>,
    /// The options of each method; more than one entry for a method whose options differ between problems.
    pub options: Vec<MethodOptions>,
    /// When the study was added, UTC.
    pub created: String,
    /// How far it is.
    pub status: StudyStatus,
    /// Runs in all.
    pub runs: usize,
    /// Runs that ended well.
    pub runs_done: usize,
    /// Runs that failed.
    pub runs_failed: usize,
    /// Seconds of work over all runs.
    pub wall_s: f64,
    /// What the runs ran on.
    pub machines: Vec<String>,
    /// The version of Quire.
    pub quire_version: String,
    /// The commit it was built from, where that is known.
    pub commit: Option<String>,
    /// The command that gives the same study again.
    pub command: String,
    /// Where the report was written; set by whoever writes it.
    pub report: Option<String>,
}

/// How a method did, on one problem or over all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodSummary {
    /// The label that tables and plots show.
    pub name: String,
    /// The method's name.
    pub method: String,
    /// Its place in the order of the study, from 0: its color in plots.
    pub position: usize,
    /// True for the baseline.
    pub is_baseline: bool,
    /// The interquartile mean of the scores.
    pub iqm: f64,
    /// Its interval; `None` where some problem has fewer than two runs.
    pub ci: Option<[f64; 2]>,
    /// The mean of the scores.
    pub mean: f64,
    /// The probability that a run of it beats a run of the baseline; `None` for the baseline itself.
    pub improvement: Option<Estimate>,
    /// Its runs.
    pub seeds: Vec<SeedResult>,
    /// Median seconds of work of a run.
    pub wall_s: f64,
    /// How many of its runs failed.
    pub failed: usize,
}

/// One run's result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeedResult {
    /// The problem it worked on.
    pub problem: String,
    /// Its seed.
    pub seed: u64,
    /// Its score, in the unit of the summary it stands in; NaN if it has none yet.
    pub score: f64,
    /// How far it is.
    pub status: RunStatus,
    /// Why it ended.
    pub reason: Option<String>,
    /// Work done.
    pub steps: u64,
    /// Seconds of work.
    pub wall_s: f64,
    /// Where its artefact is.
    pub artefact: Option<String>,
}

/// One problem of a study.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProblemSummary {
    /// Its name.
    pub problem: String,
    /// What it asks.
    pub summary: String,
    /// The metric that methods are compared by.
    pub metric: String,
    /// Its unit, direction and meaning.
    pub metric_card: MetricRecord,
    /// The best possible value of it, where it is known.
    pub optimum: Option<f64>,
    /// Length of a run, in `budget_unit`.
    pub budget: u64,
    /// The unit of work.
    pub budget_unit: String,
    /// The methods, the best first, in the unit of the metric.
    pub methods: Vec<MethodSummary>,
    /// How each metric went over a run; the compared one first.
    pub curves: Vec<MetricCurves>,
}

/// How a metric went over the runs of each method.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricCurves {
    /// The metric.
    pub metric: String,
    /// Its unit, direction and meaning.
    pub metric_card: MetricRecord,
    /// The unit of the steps.
    pub step_unit: String,
    /// If runs recorded at different steps: each value is the mean over a window of so many steps.
    pub window: Option<u64>,
    /// One curve a method, in the order of the study.
    pub methods: Vec<MethodCurve>,
}

/// How a metric went over the runs of one method.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodCurve {
    /// The label.
    pub name: String,
    /// The method's place in the order of the study, from 0.
    pub position: usize,
    /// How many runs it is made of.
    pub runs: usize,
    /// Steps, ascending.
    pub steps: Vec<u64>,
    /// Interquartile mean over the runs at each step.
    pub iqm: Vec<f64>,
    /// Lower end of its pointwise interval.
    pub low: Vec<f64>,
    /// Upper end of its pointwise interval.
    pub high: Vec<f64>,
}

/// Performance profiles over the normalized scores of all problems.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// Normalized scores.
    pub thresholds: Vec<f64>,
    /// One profile a method, in the order of the study.
    pub methods: Vec<ProfileCurve>,
}

/// The profile of one method.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProfileCurve {
    /// The label.
    pub name: String,
    /// The method's place in the order of the study, from 0.
    pub position: usize,
    /// For each threshold, the fraction of runs with a score above it, with its interval.
    pub fractions: Vec<Estimate>,
}

/// The options a method ran with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodOptions {
    /// The label.
    pub name: String,
    /// The method's name.
    pub method: String,
    /// The problems it ran on with these options.
    pub problems: Vec<String>,
    /// The options as the runs were given them.
    pub options: OptionMap,
}
