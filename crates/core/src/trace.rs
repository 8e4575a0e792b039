//! The numbers that a run records.

use serde::Serialize;

/// One recorded number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Where in the run, in the problem's unit of work (environment steps, iterations, samples ...).
    pub step: u64,
    /// The metric's name, as on the problem's or the method's card.
    pub metric: &'static str,
    /// The value, in the metric's unit.
    pub value: f64,
}

/// The record of a run: points in the order they were made. Steps never decrease within one metric.
///
/// A run appends; the driver drains what is new with [`Trace::take`] and stores it.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    points: Vec<Point>,
}

impl Trace {
    /// An empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records `value` of `metric` at `step`.
    pub fn record(&mut self, step: u64, metric: &'static str, value: f64) {
        self.points.push(Point { step, metric, value });
    }

    /// What has been recorded and not yet taken.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Takes what has been recorded since the last call.
    pub fn take(&mut self) -> Vec<Point> {
        std::mem::take(&mut self.points)
    }

    /// The last recorded value of `metric`, if any is left in the trace.
    pub fn last(&self, metric: &str) -> Option<f64> {
        self.points.iter().rev().find(|point| point.metric == metric).map(|point| point.value)
    }
}
