//! Studies: many runs, compared honestly, kept in one file, shown on one page.
//!
//! | module | what it holds |
//! |---|---|
//! | [`statistics`] | interquartile mean, bootstrap intervals, probability of improvement, profiles, curves |
//! | [`store`] | studies, runs, points and checkpoints in one SQLite file |
//! | [`summary`] | what a study has found, as one plain value |
//! | [`report`] | the summary as a self-contained HTML page, and its plots as SVG |
//! | [`export`] | JSONL, CSV and TensorBoard event files |
//! | [`mod@format`] | numbers and durations as a person reads them |
//! | [`machine`] | what the runs ran on |

pub mod export;
pub mod format;
pub mod machine;
pub mod report;
pub mod statistics;
pub mod store;
pub mod summary;

pub use store::Store;
pub use summary::StudySummary;
