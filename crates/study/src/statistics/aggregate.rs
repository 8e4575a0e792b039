//! One number for the scores of a method.

use serde::{Deserialize, Serialize};

/// How scores are made one number.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregate {
    /// The interquartile mean over all runs of all tasks, see [`interquartile_mean`]: what methods are compared by.
    #[default]
    Iqm,
    /// The mean over tasks of each task's mean.
    Mean,
    /// The median over tasks of each task's *mean* (one task: that mean). With an even number of tasks, the mean
    /// of the two in the middle.
    Median,
    /// How far the runs fall short of `threshold` on average, `threshold - mean(min(score, threshold))`, over all
    /// runs of all tasks: lower is better, and being above the threshold in one run does not make up for another.
    OptimalityGap {
        /// The score beyond which more does not count; 1 for normalized scores.
        threshold: f64,
    },
}

impl Aggregate {
    /// The aggregate of `scores`, tasks x runs. NaN if a score is NaN or if there is no score; a task without
    /// runs counts for nothing.
    pub fn of(self, scores: &[Vec<f64>]) -> f64 {
        self.evaluate(scores, &mut Vec::new())
    }

    /// As [`of`](Aggregate::of), with a buffer that bootstrap replicates share.
    pub(super) fn evaluate(self, scores: &[Vec<f64>], buffer: &mut Vec<f64>) -> f64 {
        buffer.clear();
        match self {
            Aggregate::Iqm => {
                buffer.extend(scores.iter().flatten());
                iqm_in_place(buffer)
            }
            Aggregate::Mean => {
                buffer.extend(scores.iter().filter(|runs| !runs.is_empty()).map(|runs| mean(runs)));
                mean(buffer)
            }
            Aggregate::Median => {
                buffer.extend(scores.iter().filter(|runs| !runs.is_empty()).map(|runs| mean(runs)));
                median_in_place(buffer)
            }
            Aggregate::OptimalityGap { threshold } => {
                buffer.extend(scores.iter().flatten().map(|&score| {
                    // `f64::min` would take a NaN for the threshold.
                    if score > threshold { threshold } else { score }
                }));
                threshold - mean(buffer)
            }
        }
    }
}

/// The interquartile mean of all values: `floor(n / 4)` values are cut from either end, the rest is averaged.
///
/// That is `scipy.stats.trim_mean(values, 0.25)`, hence `rliable`'s: no value is cut in part. With 1 to 3 runs
/// nothing is cut, with 4 to 7 one from either end, with 8 to 11 two.
///
/// NaN if a value is NaN or there is none.
pub fn interquartile_mean(values: &[f64]) -> f64 {
    iqm_in_place(&mut values.to_vec())
}

fn iqm_in_place(values: &mut [f64]) -> f64 {
    if values.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    // Sorting the whole, not just parting it, makes the sum the same for every order of the runs.
    values.sort_unstable_by(f64::total_cmp);
    let cut = values.len() / 4;
    mean(&values[cut..values.len() - cut])
}

fn median_in_place(values: &mut [f64]) -> f64 {
    if values.is_empty() || values.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { mean(&values[middle - 1..=middle]) }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_values_are_cut_from_either_end() {
        assert_eq!(interquartile_mean(&[7.0]), 7.0);
        assert_eq!(interquartile_mean(&[9.0, 1.0, 2.0]), 4.0);
        assert_eq!(interquartile_mean(&[100.0, 1.0, 2.0, -50.0]), 1.5);
        assert_eq!(interquartile_mean(&[5.0, 100.0, 1.0, 3.0, -50.0]), 3.0);
        assert_eq!(interquartile_mean(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 80.0]), 4.5);
    }

    #[test]
    fn aggregates_by_hand() {
        let scores = [vec![0.0, 1.0], vec![2.0, 4.0], vec![0.5, 0.5]];
        // Pooled and sorted: 0 0.5 0.5 1 2 4; one cut from either end.
        assert_eq!(Aggregate::Iqm.of(&scores), 1.0);
        // Task means 0.5, 3, 0.5.
        assert!((Aggregate::Mean.of(&scores) - 4.0 / 3.0).abs() < 1e-15);
        assert_eq!(Aggregate::Median.of(&scores), 0.5);
        assert_eq!(Aggregate::Median.of(&scores[..2]), 1.75);
        // 1 - (0 + 1 + 1 + 1 + 0.5 + 0.5) / 6.
        assert!((Aggregate::OptimalityGap { threshold: 1.0 }.of(&scores) - 1.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn what_is_not_a_number_stays_visible() {
        let every =
            [Aggregate::Iqm, Aggregate::Mean, Aggregate::Median, Aggregate::OptimalityGap { threshold: 1.0 }];
        for aggregate in every {
            assert!(aggregate.of(&[vec![1.0, f64::NAN, 2.0, 3.0, 4.0]]).is_nan(), "{aggregate:?}");
            assert!(aggregate.of(&[]).is_nan() && aggregate.of(&[vec![]]).is_nan(), "{aggregate:?}");
        }
        // One infinitely bad run out of four is cut away, two are not.
        assert_eq!(interquartile_mean(&[f64::NEG_INFINITY, 1.0, 2.0, 3.0]), 1.5);
        assert_eq!(interquartile_mean(&[f64::NEG_INFINITY, f64::NEG_INFINITY, 2.0, 3.0]), f64::NEG_INFINITY);
    }

    proptest! {
        #[test]
        fn the_iqm_lies_between_the_extremes_whatever_the_order(
            values in prop::collection::vec(-1e6f64..1e6, 1..40),
            shift in 0usize..40,
        ) {
            let iqm = interquartile_mean(&values);
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(low - 1e-6 <= iqm && iqm <= high + 1e-6);
            let mut turned = values.clone();
            turned.rotate_left(shift % values.len());
            turned.reverse();
            prop_assert_eq!(interquartile_mean(&turned).to_bits(), iqm.to_bits());
        }

        #[test]
        fn aggregates_move_with_the_scores(
            scores in prop::collection::vec(prop::collection::vec(-100f64..100.0, 1..6), 1..6),
            shift in -50f64..50.0,
        ) {
            let moved: Vec<Vec<f64>> =
                scores.iter().map(|runs| runs.iter().map(|score| score + shift).collect()).collect();
            for aggregate in [Aggregate::Iqm, Aggregate::Mean, Aggregate::Median] {
                prop_assert!((aggregate.of(&moved) - aggregate.of(&scores) - shift).abs() < 1e-9);
            }
        }
    }
}
