//! Problems, and the cards that describe them.

use serde::Serialize;

use crate::{Artefact, Error, Evaluation, MethodCard, Result, Run, RunSpec};

/// Which way a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Higher is better.
    Higher,
    /// Lower is better.
    Lower,
    /// Neither: a diagnostic.
    Neutral,
}

/// A number that runs record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metric {
    /// Its name, as in traces, stores and claims.
    pub name: &'static str,
    /// Its unit; empty for a pure number.
    pub unit: &'static str,
    /// Which way it is better.
    pub direction: Direction,
    /// What it is, in one sentence.
    pub summary: &'static str,
}

/// What a problem is.
#[derive(Debug, Clone, Serialize)]
pub struct ProblemCard {
    /// The field's name for it, such as `CartPole-v1`.
    pub name: String,
    /// What it asks, in one or two sentences.
    pub summary: String,
    /// The wing it belongs to.
    pub wing: &'static str,
    /// What its runs record; the first is the one that methods are compared by.
    pub metrics: Vec<Metric>,
    /// The best possible value of the first metric, where it is known.
    pub optimum: Option<f64>,
    /// How long a run lasts unless the user says otherwise, in `budget_unit`.
    pub budget: u64,
    /// The unit of work: `environment steps`, `iterations`, ...
    pub budget_unit: &'static str,
    /// Where the problem comes from.
    pub source: String,
    /// Words to search by.
    pub tags: Vec<&'static str>,
}

impl ProblemCard {
    /// The metric that methods are compared by.
    pub fn metric(&self) -> &Metric {
        &self.metrics[0]
    }

    /// How long the run lasts, in `budget_unit`: what `spec` asks for, or the problem's own budget; at least 1.
    pub fn length(&self, spec: &RunSpec) -> Result<u64> {
        match spec.budget.unwrap_or(self.budget) {
            0 => {
                let unit = self.budget_unit.strip_suffix('s').unwrap_or(self.budget_unit);
                Err(Error::Usage(format!("a run needs at least one {unit}; give --steps a larger number")))
            }
            length => Ok(length),
        }
    }
}

/// Something to be solved and scored.
pub trait Problem: Send + Sync {
    /// What it is.
    fn card(&self) -> &ProblemCard;

    /// The methods that can work on it.
    fn methods(&self) -> &[MethodCard];

    /// Starts a run. The options of `spec` are laid over the method's defaults and checked.
    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>>;

    /// Goes on with a run from what [`Run::save`] returned.
    fn resume(&self, spec: &RunSpec, saved: &[u8]) -> Result<Box<dyn Run>> {
        let mut run = self.start(spec)?;
        run.restore(saved)?;
        Ok(run)
    }

    /// Scores an artefact afresh over `repetitions` with generators split from `seed`.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation>;

    /// The card of the method with this name.
    fn method(&self, name: &str) -> Result<&MethodCard> {
        self.methods().iter().find(|card| card.name == name).ok_or_else(|| {
            Error::unknown(
                format!("method for {}", self.card().name),
                name,
                self.methods().iter().map(|card| card.name),
                format!("quire show {}", self.card().name),
            )
        })
    }
}
