//! One state after the other: what everybody does, and a single Gauss-Seidel pass through the triangular system.
//!
//! Features that several states share are computed once, when the states they read are there: the cache of a sampler.

use quire_core::{About, Options, Reason, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Feedforward, Task};
use crate::solver::{Method, Solver, Step};

/// Options of `sequential-feedforward`: it has none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SequentialOptions {}

impl Options for SequentialOptions {}

/// How far the pass has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) states: Vec<f64>,
    features: Vec<f64>,
    /// Features at hand.
    shared: usize,
    /// The next state to compute.
    pub(crate) next: usize,
}

impl Place {
    pub(crate) fn new(task: &Task) -> Self {
        let features = vec![0.0; task.system.features() * task.system.width()];
        Place { states: task.start.clone(), features, shared: 0, next: 0 }
    }

    /// Computes the next state.
    pub(crate) fn advance(&mut self, system: &dyn Feedforward) {
        let (t, width) = (self.next, system.width());
        let needed = system.uses(t);
        if needed > self.shared {
            let out = &mut self.features[self.shared * width..needed * width];
            system.share(self.shared..needed, &self.states, out);
            self.shared = needed;
        }
        let (before, rest) = self.states.split_at_mut(t * width);
        system.evaluate(t..t + 1, before, &self.features, &mut rest[..width]);
        self.next += 1;
    }
}

/// The method.
pub struct Sequential {
    place: Place,
    length: usize,
}

impl Method<Task> for Sequential {
    type Options = SequentialOptions;

    const ABOUT: About = About {
        name: "sequential-feedforward",
        summary: "one state after the other, shared features computed once",
        when: "The usual way, and the fastest wherever one state keeps the machine busy.",
        wing: "solve",
        family: "feedforward",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(task: &Task, options: SequentialOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(Sequential { place: Place::new(task), length: task.system.length() })
    }
}

impl Solver<Task> for Sequential {
    fn iterate(&mut self, task: &Task) -> Result<Step> {
        if self.place.next < self.length {
            self.place.advance(&*task.system);
        }
        let left = self.length - self.place.next;
        let done = (left == 0).then(|| Reason::Converged("the last state is computed".into()));
        Ok(Step { residual: left as f64 / self.length as f64, done })
    }

    fn values(&self) -> Vec<f64> {
        self.place.states.clone()
    }

    fn work(&self) -> f64 {
        self.place.next as f64
    }

    fn told(&self) -> Vec<(&'static str, f64)> {
        let next = self.place.next as f64;
        vec![("sweeps", next / self.length as f64), ("known", next), ("evaluations", next)]
    }

    fn save(&self) -> Vec<u8> {
        state::encode(Self::ABOUT.name, &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode(Self::ABOUT.name, saved)?;
        Ok(())
    }
}
