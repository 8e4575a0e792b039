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

/// Whether step `step` (from 1) of `budget` is one to record, if there are to be `records` points, as evenly spaced as can be: true
/// for every step if there are fewer, and always for the last.
pub fn is_record_due(step: u64, budget: u64, records: u64) -> bool {
    let reached = |step: u64| u128::from(step) * u128::from(records) / u128::from(budget);
    reached(step) > reached(step - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_spread_evenly_and_the_last_step_is_one() {
        let due = |budget, records| {
            (1..=budget).filter(|&step| is_record_due(step, budget, records)).collect::<Vec<_>>()
        };
        assert_eq!(due(10, 4), [3, 5, 8, 10]);
        assert_eq!(due(3, 100), [1, 2, 3]);
        assert!(is_record_due(u64::MAX, u64::MAX, 100));
    }
}
