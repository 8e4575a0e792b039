//! A run of estimation: a uniform grid over the states, visited in random order.

use quire_core::{
    Artefact, Entry, OptionMap, Progress, Reason, Result, Run, RunSpec, Seeds, Trace, number_bytes, state,
};
use rand::seq::SliceRandom;

use super::Estimator;
use super::overestimation::{GREATEST_STATE, Row};
use super::polynomial::Polynomial;

/// Points of the curve in a run, at most; one [`Run::step`] makes one of them.
const RECORDS: u64 = 100;
/// The artefact's file with the estimates: Chebyshev coefficients of s / 6, `[actions, degree + 1]`, little-endian f64.
pub const POLYNOMIALS: &str = "polynomials.f64";

/// Averages an estimator's errors. The last averages are those of the whole grid and depend on no seed; the seed decides
/// in which order the states come, and with it the curve.
pub struct EstimationRun {
    spec: RunSpec,
    options: OptionMap,
    row: Row,
    entry: &'static Entry<Estimator>,
    estimates: Vec<Polynomial>,
    /// The grid's states in the order of their visits.
    order: Vec<u32>,
    /// Errors by place in the grid; zero where no visit has been.
    errors: Vec<f64>,
    visited: u64,
}

impl EstimationRun {
    /// Starts on a grid of `budget` states, from 2 to 2^32.
    pub fn start(
        spec: &RunSpec,
        budget: u64,
        row: Row,
        entry: &'static Entry<Estimator>,
        options: OptionMap,
    ) -> Self {
        let mut order: Vec<u32> = (0..budget as u32).collect();
        order.shuffle(&mut Seeds::new(spec.seed).stream("order"));
        EstimationRun {
            spec: spec.clone(),
            options,
            row,
            entry,
            estimates: row.fit(),
            errors: vec![0.0; order.len()],
            order,
            visited: 0,
        }
    }

    fn kind(&self) -> String {
        self.spec.kind(self.budget(), "states")
    }

    fn budget(&self) -> u64 {
        self.order.len() as u64
    }

    fn visit(&mut self) {
        let place = self.order[self.visited as usize] as usize;
        let part = place as f64 / (self.order.len() - 1) as f64;
        let state = GREATEST_STATE * (2.0 * part - 1.0);
        self.errors[place] = self.row.error(self.entry, &self.estimates, state);
        self.visited += 1;
    }
}

impl Run for EstimationRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        let budget = self.budget();
        let until = budget.min(self.visited + budget.div_ceil(RECORDS));
        while self.visited < until {
            self.visit();
        }
        // Summed in the order of the grid, so that the end is the same for every seed to the last bit.
        let mean = |f: fn(f64) -> f64| self.errors.iter().map(|&error| f(error)).sum::<f64>() / until as f64;
        trace.record(until, "absolute_error", mean(f64::abs));
        trace.record(until, "error", mean(|error| error));
        Ok(if until == budget { Progress::Done(Reason::Budget) } else { Progress::Continue })
    }

    fn progress(&self) -> (u64, u64) {
        (self.visited, self.budget())
    }

    fn save(&self) -> Vec<u8> {
        state::encode(&self.kind(), &self.visited)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let visited: u64 = state::decode(&self.kind(), saved)?;
        while self.visited < visited.min(self.budget()) {
            self.visit();
        }
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        let coefficients = self.estimates.iter().flat_map(|estimate| &estimate.coefficients);
        let bytes = number_bytes(coefficients.copied());
        Some(self.spec.artefact("estimates", &self.options, self.visited, [(POLYNOMIALS, bytes)]))
    }
}
