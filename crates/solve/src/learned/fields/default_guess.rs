//! The solver's default start: nothing is learned.
//!
//! On a line that is the straight line between the ends, in a flow the pressure of the step before. An iteration counts what the solver needs from there on one task of
//! training.

use quire_core::{About, Options, Reason, Result, Rng, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Training;
use super::problems::{CAP, counts};
use crate::solver::{Method, Solver, Step};

/// Options of `default-guess`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DefaultGuessOptions {
    /// Tasks that are counted, 1 to 100,000.
    #[schemars(range(min = 1, max = 100_000))]
    pub tasks: u64,
}

impl Default for DefaultGuessOptions {
    fn default() -> Self {
        DefaultGuessOptions { tasks: 16 }
    }
}

impl Options for DefaultGuessOptions {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    rng: Rng,
    counted: u64,
    work: u64,
}

/// The method.
pub struct DefaultGuess {
    options: DefaultGuessOptions,
    place: Place,
}

impl Method<Training> for DefaultGuess {
    type Options = DefaultGuessOptions;

    const ABOUT: About = About {
        name: "default-guess",
        summary: "start a linear solver where it starts without learning",
        when: "Where tasks are few or unlike each other: it is what a learned guess has to beat.",
        wing: "solve",
        family: "learned",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(training: &Training, options: DefaultGuessOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(DefaultGuess {
            options,
            place: Place { rng: training.seeds.stream("tasks"), counted: 0, work: 0 },
        })
    }
}

impl Solver<Training> for DefaultGuess {
    fn iterate(&mut self, training: &Training) -> Result<Step> {
        let (fields, place) = (&*training.fields, &mut self.place);
        let task = fields.draw(&mut place.rng);
        let count = counts(fields, &task, &task.start).iterations[1];
        place.counted += 1;
        place.work += count.min(CAP);
        let is_last = place.counted >= self.options.tasks;
        let done = is_last.then(|| Reason::Converged("as many tasks as were asked for are counted".into()));
        Ok(Step { residual: count as f64, done })
    }

    fn values(&self) -> Vec<f64> {
        vec![0.0]
    }

    fn work(&self) -> f64 {
        self.place.work as f64
    }

    fn told(&self) -> Vec<(&'static str, f64)> {
        vec![("training_count", self.place.work as f64 / self.place.counted.max(1) as f64)]
    }

    fn save(&self) -> Vec<u8> {
        state::encode(Self::ABOUT.name, &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode(Self::ABOUT.name, saved)?;
        Ok(())
    }
}
