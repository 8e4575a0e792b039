//! A run: one problem, one method, one set of options, one seed.

use serde::{Deserialize, Serialize};

use crate::{Artefact, OptionMap, Result, Trace};

/// Everything that determines a run: the same spec gives the same bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// The problem's name.
    pub problem: String,
    /// The method's name.
    pub method: String,
    /// Options that differ from the method's defaults; names as in `quire show <method>`.
    #[serde(default)]
    pub options: OptionMap,
    /// The seed from which every stream of random numbers of the run is split.
    pub seed: u64,
    /// How long the run lasts, in the problem's unit of work; `None` is the problem's own budget.
    #[serde(default)]
    pub budget: Option<u64>,
    /// Threads that the run may use. It changes the speed only, never a bit of the result.
    #[serde(default = "one", skip_serializing)]
    pub threads: usize,
}

fn one() -> usize {
    1
}

impl RunSpec {
    /// A run of `method` on `problem` with default options, one thread and the problem's own budget.
    pub fn new(problem: impl Into<String>, method: impl Into<String>, seed: u64) -> Self {
        RunSpec {
            problem: problem.into(),
            method: method.into(),
            options: OptionMap::new(),
            seed,
            budget: None,
            threads: 1,
        }
    }

    /// What a saved state of this run is the state of, for [`crate::state`]: a run of another method, problem, seed or
    /// length is told apart by it.
    pub fn kind(&self, budget: u64, unit: &str) -> String {
        format!("{} on {}, seed {}, {budget} {unit}", self.method, self.problem, self.seed)
    }

    /// What this run leaves behind after `steps` of work: an artefact of `kind` with all `options` of the method and `files`
    /// by name.
    pub fn artefact(
        &self,
        kind: &str,
        options: &OptionMap,
        steps: u64,
        files: impl IntoIterator<Item = (impl Into<String>, Vec<u8>)>,
    ) -> Artefact {
        Artefact {
            kind: kind.to_owned(),
            problem: self.problem.clone(),
            method: self.method.clone(),
            options: options.clone(),
            seed: self.seed,
            steps,
            files: files.into_iter().map(|(name, bytes)| (name.into(), bytes)).collect(),
        }
    }
}

/// What [`Run::step`] says.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// There is more to do.
    Continue,
    /// The run has ended, for this reason.
    Done(Reason),
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "detail", rename_all = "kebab-case")]
pub enum Reason {
    /// The budget is spent.
    Budget,
    /// The method's own stopping rule is met; the text says which.
    Converged(String),
    /// The method broke down, for instance on a non-finite loss; the text says where.
    Diverged(String),
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reason::Budget => write!(f, "budget spent"),
            Reason::Converged(rule) => write!(f, "converged: {rule}"),
            Reason::Diverged(place) => write!(f, "diverged: {place}"),
        }
    }
}

/// A run under way. A driver steps it; it never prints, opens a file or reads a clock.
pub trait Run: Send {
    /// Does a small piece of the work, well under a second, and records into `trace`.
    fn step(&mut self, trace: &mut Trace) -> Result<Progress>;

    /// How far the run is: work done and work in all, in the problem's unit.
    fn progress(&self) -> (u64, u64);

    /// The whole state, generators included: resumed from it, the run goes on bit for bit.
    fn save(&self) -> Vec<u8>;

    /// Takes the place of a run just started by what [`Run::save`] of the same run returned. After an error the run is of no use.
    ///
    /// # Errors
    /// A state that is damaged or another run's.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;

    /// What the run has made so far: a policy, a ranking, quantized weights.
    fn artefact(&self) -> Option<Artefact>;
}

/// The scores of an artefact on its problem.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// The metric's name.
    pub metric: String,
    /// One score a repetition (for a policy: one return an episode), in the metric's unit.
    pub scores: Vec<f64>,
}
