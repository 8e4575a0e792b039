//! The best factor of a list, the same for all tasks: no learning, but tuning.
//!
//! An iteration tries one factor on the same tasks; the least mean number of iterations wins. A list of one number fixes the factor: 1 is Gauss and Seidel's method.

use quire_core::{About, Error, Options, Reason, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tasks::{counts, fixed};
use super::{Training, network};
use crate::solver::{Method, Solver, Step};

/// Options of `fixed-factor`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FixedFactorOptions {
    /// Factors ω to try, each above 0 and below 2; by default 1, 1.05, ..., 1.95. The paper's for Robertson's reactions: 1.37.
    pub factors: Vec<f64>,
    /// Tasks that a factor is tried on, 1 to 100,000.
    #[schemars(range(min = 1, max = 100_000))]
    pub tasks: usize,
    /// Iterations of a task at most, at least 1.
    #[schemars(range(min = 1))]
    pub cap: u64,
}

impl Default for FixedFactorOptions {
    fn default() -> Self {
        let factors = (0..20).map(|k| f64::from(100 + 5 * k) / 100.0).collect();
        FixedFactorOptions { factors, tasks: 100, cap: 2000 }
    }
}

impl Options for FixedFactorOptions {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    tried: usize,
    best: f64,
    least: f64,
    work: u64,
}

/// The method.
pub struct FixedFactor {
    options: FixedFactorOptions,
    tasks: Vec<Vec<f64>>,
    parameters: usize,
    place: Place,
}

impl Method<Training> for FixedFactor {
    type Options = FixedFactorOptions;

    const ABOUT: About = About {
        name: "fixed-factor",
        summary: "one relaxation factor for all tasks, the best of a list",
        when: "Where tasks are alike, or too few to train on.",
        wing: "solve",
        family: "learned",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(training: &Training, options: FixedFactorOptions) -> Result<Self> {
        options::check(&options)?;
        if options.factors.is_empty()
            || options.factors.iter().any(|factor| !(*factor > 0.0 && *factor < 2.0))
        {
            return Err(Error::option("factors", "must be numbers above 0 and below 2, at least one"));
        }
        let mut rng = training.seeds.stream("tasks");
        Ok(FixedFactor {
            tasks: (0..options.tasks).map(|_| training.tasks.draw(&mut rng)).collect(),
            parameters: network(&*training.tasks, training.seeds).1.len(),
            place: Place { tried: 0, best: options.factors[0], least: f64::MAX, work: 0 },
            options,
        })
    }
}

impl Solver<Training> for FixedFactor {
    fn iterate(&mut self, training: &Training) -> Result<Step> {
        let (place, options) = (&mut self.place, &self.options);
        if let Some(&factor) = options.factors.get(place.tried) {
            let count = |task: &Vec<f64>| counts(&*training.tasks, task, &fixed(factor), options.cap)[1];
            let total: u64 = self.tasks.iter().map(count).sum();
            let mean = total as f64 / self.tasks.len() as f64;
            if mean < place.least {
                (place.least, place.best) = (mean, factor);
            }
            place.tried += 1;
            place.work += total;
        }
        let is_last = place.tried >= options.factors.len();
        let done = is_last.then(|| Reason::Converged("every factor has been tried".into()));
        Ok(Step { residual: place.least, done })
    }

    fn values(&self) -> Vec<f64> {
        let mut values = vec![0.0; 1 + self.parameters];
        values[0] = self.place.best;
        values
    }

    fn work(&self) -> f64 {
        self.place.work as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode(Self::ABOUT.name, &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode(Self::ABOUT.name, saved)?;
        Ok(())
    }
}
