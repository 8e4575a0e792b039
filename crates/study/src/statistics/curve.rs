//! Scores over the course of a run: putting runs on common steps, and the curve of a method with its band.

use super::{Aggregate, Bootstrap, Estimate};

/// What a run counts as after its last point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tail {
    /// Its last value: the run is done.
    Hold,
    /// This value: NaN for a run still under way, the worst possible one for a run that broke down.
    Value(f64),
}

/// One run's points of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct RunCurve {
    /// Steps (ascending) and values.
    pub points: Vec<(u64, f64)>,
    /// What comes after them.
    pub tail: Tail,
}

/// Several runs on common steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Aligned {
    /// The common steps, ascending.
    pub steps: Vec<u64>,
    /// Runs x steps; NaN before a run's first point.
    pub values: Vec<Vec<f64>>,
    /// If the runs recorded at different steps, or more often than can be shown: the width of the window, in
    /// steps, that each value is the mean over. `None` if the values are the recorded ones.
    pub window: Option<u64>,
}

/// Puts runs on common steps, at most `max_points` of them.
///
/// Runs that recorded at the same steps keep their values. Otherwise the steps up to the last one of any run are
/// cut into equal windows, about as many as a run has points; a run's value at the end of a window is the mean of
/// its points in it, or the value before if it has none there.
///
/// # Panics
/// If `max_points` is 0.
pub fn align(runs: &[RunCurve], max_points: usize) -> Aligned {
    assert!(max_points > 0, "a curve needs at least one point");
    let longest = runs.iter().max_by_key(|run| run.points.len());
    let Some(longest) = longest.filter(|run| !run.points.is_empty()) else {
        return Aligned { steps: Vec::new(), values: vec![Vec::new(); runs.len()], window: None };
    };
    let steps: Vec<u64> = longest.points.iter().map(|point| point.0).collect();
    // A run that stopped early still has the same steps as far as it got.
    let same_steps =
        |run: &RunCurve| run.points.iter().map(|point| point.0).eq(steps[..run.points.len()].iter().copied());
    if steps.len() <= max_points && runs.iter().all(same_steps) {
        let values = runs.iter().map(|run| recorded(run, steps.len())).collect();
        return Aligned { steps, values, window: None };
    }
    let last = runs.iter().filter_map(|run| run.points.last()).map(|point| point.0).max().unwrap_or(0);
    let mut counts: Vec<usize> = runs.iter().map(|run| run.points.len()).filter(|&count| count > 0).collect();
    counts.sort_unstable();
    let windows = counts[counts.len() / 2].clamp(1, max_points) as u128;
    let mut ends: Vec<u64> = (1..=windows).map(|k| (u128::from(last) * k / windows) as u64).collect();
    ends.dedup();
    let values = runs.iter().map(|run| windowed(run, &ends)).collect();
    Aligned { steps: ends, values, window: Some((u128::from(last) / windows) as u64) }
}

fn recorded(run: &RunCurve, len: usize) -> Vec<f64> {
    let mut values: Vec<f64> = run.points.iter().map(|point| point.1).collect();
    values.resize(len, after(run));
    values
}

fn windowed(run: &RunCurve, ends: &[u64]) -> Vec<f64> {
    let mut points = run.points.iter().peekable();
    let mut held = f64::NAN;
    let value_at = |&end: &u64| {
        let (mut sum, mut count) = (0.0, 0u32);
        let unfinished = points.peek().is_some();
        while let Some(&(_, value)) = points.next_if(|point| point.0 <= end) {
            sum += value;
            count += 1;
        }
        if count > 0 {
            held = sum / f64::from(count);
        } else if !unfinished {
            held = match run.tail {
                Tail::Hold => held,
                Tail::Value(value) => value,
            };
        }
        held
    };
    ends.iter().map(value_at).collect()
}

fn after(run: &RunCurve) -> f64 {
    match run.tail {
        Tail::Hold => run.points.last().map_or(f64::NAN, |point| point.1),
        Tail::Value(value) => value,
    }
}

/// The aggregate at every step with its pointwise interval: a sample-efficiency curve.
///
/// `tasks` holds, for every task, runs x steps on the same steps (as [`align`] makes them). Where a run has no
/// value (NaN) the estimate is NaN.
pub fn sample_efficiency(
    tasks: &[Vec<Vec<f64>>],
    aggregate: Aggregate,
    bootstrap: &Bootstrap,
) -> Vec<Estimate> {
    let steps = tasks.iter().flatten().map(Vec::len).min().unwrap_or(0);
    let mut scores: Vec<Vec<f64>> = tasks.iter().map(|runs| vec![0.0; runs.len()]).collect();
    (0..steps)
        .map(|step| {
            for (column, runs) in scores.iter_mut().zip(tasks) {
                for (slot, run) in column.iter_mut().zip(runs) {
                    *slot = run[step];
                }
            }
            if scores.iter().flatten().any(|score| score.is_nan()) {
                return Estimate { value: f64::NAN, low: f64::NAN, high: f64::NAN };
            }
            bootstrap.estimate(&scores, aggregate)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(points: &[(u64, f64)], tail: Tail) -> RunCurve {
        RunCurve { points: points.to_vec(), tail }
    }

    #[test]
    fn runs_with_the_same_steps_keep_their_values() {
        let aligned = align(
            &[
                run(&[(10, 1.0), (20, 2.0), (30, 3.0)], Tail::Hold),
                run(&[(10, 4.0), (20, 5.0)], Tail::Hold),
                run(&[(10, 6.0)], Tail::Value(f64::NEG_INFINITY)),
            ],
            100,
        );
        assert_eq!(aligned.steps, [10, 20, 30]);
        assert_eq!(aligned.window, None);
        assert_eq!(aligned.values[1], [4.0, 5.0, 5.0]);
        assert_eq!(aligned.values[2], [6.0, f64::NEG_INFINITY, f64::NEG_INFINITY]);
    }

    #[test]
    fn other_steps_are_averaged_in_windows() {
        let aligned = align(
            &[
                run(&[(5, 1.0), (9, 3.0), (12, 8.0), (40, 9.0)], Tail::Hold),
                run(&[(11, 4.0), (19, 6.0), (20, 8.0)], Tail::Value(f64::NAN)),
            ],
            4,
        );
        assert_eq!(aligned.steps, [10, 20, 30, 40]);
        assert_eq!(aligned.window, Some(10));
        assert_eq!(aligned.values[0], [2.0, 8.0, 8.0, 9.0]);
        assert!(aligned.values[1][0].is_nan() && aligned.values[1][2].is_nan());
        assert_eq!(aligned.values[1][1], 6.0);
    }

    #[test]
    fn too_many_points_are_thinned_and_huge_steps_do_not_overflow() {
        let points: Vec<(u64, f64)> = (1..=1000).map(|k| (k, k as f64)).collect();
        let aligned = align(&[run(&points, Tail::Hold)], 100);
        assert_eq!(aligned.steps.len(), 100);
        assert_eq!((aligned.steps[0], aligned.values[0][0]), (10, 5.5));
        let late = align(&[run(&[(1, 0.0), (u64::MAX, 1.0)], Tail::Hold), run(&[(7, 0.0)], Tail::Hold)], 10);
        assert_eq!(late.steps.last(), Some(&u64::MAX));
        assert!(align(&[], 10).steps.is_empty());
        assert_eq!(align(&[run(&[], Tail::Hold)], 10).values.len(), 1);
    }

    #[test]
    fn a_curve_has_the_aggregate_at_every_step() {
        let tasks = [vec![vec![0.0, 1.0], vec![2.0, 3.0], vec![4.0, f64::NAN]]];
        let curve =
            sample_efficiency(&tasks, Aggregate::Iqm, &Bootstrap { resamples: 200, ..Bootstrap::default() });
        assert_eq!(curve.len(), 2);
        assert_eq!(curve[0].value, 2.0);
        assert!(curve[0].low < 2.0 && curve[0].high > 2.0);
        assert!(curve[1].value.is_nan());
    }
}
