//! Verdicts: what was found about a paper's claims, as plain values that are printed, kept in files and read again.

use quire_core::Result;
use serde::{Deserialize, Deserializer, Serialize};

use super::expression::Relation;
use crate::statistics::Estimate;
use crate::store::{ProblemRecord, StudyId};

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// It is so.
    #[serde(rename = "holds")]
    Holds,
    /// It is not so.
    #[serde(rename = "fails")]
    Fails,
    /// What was measured does not decide it.
    #[serde(rename = "not shown")]
    NotShown,
}

impl Verdict {
    /// As users see it: `holds`, `fails`, `not shown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Fails => "fails",
            Verdict::NotShown => "not shown",
        }
    }

    /// The verdict on a claim from those on its expectations.
    pub(super) fn of_all(parts: impl IntoIterator<Item = Verdict> + Clone) -> Self {
        if parts.clone().into_iter().any(|part| part == Verdict::Fails) {
            Verdict::Fails
        } else if parts.into_iter().all(|part| part == Verdict::Holds) {
            Verdict::Holds
        } else {
            Verdict::NotShown
        }
    }

    /// The verdict on `relation` from the difference of its sides, left - right.
    pub(super) fn of_difference(relation: Relation, difference: Estimate) -> Self {
        let Estimate { low, high, .. } = difference;
        let equal_everywhere = low == 0.0 && high == 0.0;
        let (expected, contrary) = match relation {
            Relation::Less => (high < 0.0, low > 0.0),
            Relation::AtMost => (high < 0.0 || equal_everywhere, low > 0.0),
            Relation::Greater => (low > 0.0, high < 0.0),
            Relation::AtLeast => (low > 0.0 || equal_everywhere, high < 0.0),
        };
        match (expected, contrary) {
            (true, _) => Verdict::Holds,
            (_, true) => Verdict::Fails,
            _ => Verdict::NotShown,
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The verdicts on a paper's claims.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaperVerdict {
    /// The paper's slug.
    pub paper: String,
    /// Its title.
    pub title: String,
    /// Its arXiv identifier.
    pub arxiv: String,
    /// What holds for all claims: settings that are the paper's, and those that are not.
    pub protocol: String,
    /// Its claims, those that were measured.
    pub claims: Vec<ClaimVerdict>,
}

/// The verdict on a claim, with everything that says how it was come by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimVerdict {
    /// The claim's id.
    pub id: String,
    /// What it says.
    pub text: String,
    /// Where the paper says it.
    pub source: String,
    /// What was scaled down against the paper.
    pub scaled_down: String,
    /// The verdict.
    pub verdict: Verdict,
    /// True if the study had fewer seeds or shorter runs than the claim asks for.
    pub quick: bool,
    /// What was found about its expectations; one about several problems comes once for each.
    pub expectations: Vec<Measured>,
    /// Seeds of the study.
    pub seeds: usize,
    /// Runs of the study: methods x problems x seeds.
    pub runs: usize,
    /// How long the runs were.
    pub lengths: Vec<RunLength>,
    /// Seconds of work in all runs of the study.
    pub wall_s: f64,
    /// When the last run ended, UTC, as `2026-01-31T12:00:00Z`; `None` while none has.
    pub measured: Option<String>,
    /// What the runs ran on.
    pub machines: Vec<String>,
    /// The command that measured it.
    pub command: String,
    /// The version of Quire that measured it.
    pub quire_version: String,
    /// The commit of that Quire, where it was known.
    pub commit: Option<String>,
    /// The study's number in its store.
    pub study: StudyId,
    /// The page of the study, relative to the folder of the store; `None` if none was written.
    pub report: Option<String>,
}

/// How long the runs on a problem were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunLength {
    /// The problem.
    pub problem: String,
    /// Length of a run, in `unit`.
    pub budget: u64,
    /// The unit of work, as `environment steps`.
    pub unit: String,
}

impl From<&ProblemRecord> for RunLength {
    fn from(problem: &ProblemRecord) -> Self {
        RunLength { problem: problem.name.clone(), budget: problem.budget, unit: problem.budget_unit.clone() }
    }
}

/// What was found about an expectation on a problem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The expectation as it was written.
    pub expression: String,
    /// The problem.
    pub problem: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The numbers behind it.
    pub values: Values,
    /// Why nothing could be said, which runs are missing, that seeds are few; `None` if all went well.
    pub note: Option<String>,
}

/// The numbers behind a verdict. NaN (`null` in JSON) where there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Values {
    /// The left side.
    #[serde(deserialize_with = "number")]
    pub left: f64,
    /// The right side.
    #[serde(deserialize_with = "number")]
    pub right: f64,
    /// left - right.
    #[serde(deserialize_with = "number")]
    pub difference: f64,
    /// The 95 % bootstrap interval of the difference, low and high.
    #[serde(deserialize_with = "two_numbers")]
    pub interval: [f64; 2],
    /// How seeds were made one number.
    pub statistic: Statistic,
    /// Seeds for which every reading was there.
    pub seeds: usize,
    /// Every reading with its value.
    pub readings: Vec<ReadingValue>,
}

/// How the values of several seeds were made one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Statistic {
    /// The mean of the middle half.
    #[serde(rename = "interquartile mean")]
    InterquartileMean,
    /// The mean of all, where fewer than four have no middle half.
    #[serde(rename = "mean")]
    Mean,
}

impl std::fmt::Display for Statistic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Statistic::InterquartileMean => "interquartile mean",
            Statistic::Mean => "mean",
        })
    }
}

/// A reading with its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadingValue {
    /// As in an expectation: `return(dqn) at 50%`.
    pub reading: String,
    /// Its statistic over the seeds.
    #[serde(deserialize_with = "number")]
    pub value: f64,
    /// One value a seed, in the order of the seeds.
    pub runs: Vec<f64>,
}

/// A number, where JSON's `null` is not-a-number.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

fn two_numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[f64; 2], D::Error> {
    Ok(<[Option<f64>; 2]>::deserialize(deserializer)?.map(|end| end.unwrap_or(f64::NAN)))
}
