//! Stratified bootstrap percentile intervals (Efron 1979; stratified by task as in Agarwal et al. 2021).

use quire_core::{Rng, Seeds};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Pairing};

/// How intervals are made: runs are drawn anew, with replacement, *within* each task; the statistic is taken of
/// every such resample; the interval spans the middle `level` of the values.
///
/// It says how much the result would move if the same study were repeated with other seeds, on the same tasks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// How many resamples are drawn. 2,000 settle the ends of an interval to about 3 % of its width.
    pub resamples: usize,
    /// The part of the resamples that the interval spans, in `(0, 1)`; 0.95 is usual.
    pub level: f64,
    /// Seed of the resampling: the same seed gives the same interval.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Bootstrap { resamples: 10_000, level: 0.95, seed: 0 }
    }
}

/// A measured value with its interval. All three are NaN where nothing can be said.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The statistic of the scores as measured.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

impl Estimate {
    /// True if the whole interval lies above `bound`.
    pub fn is_above(&self, bound: f64) -> bool {
        self.low > bound
    }

    /// True if the whole interval lies below `bound`.
    pub fn is_below(&self, bound: f64) -> bool {
        self.high < bound
    }
}

impl Bootstrap {
    /// An aggregate of scores (tasks x runs) with its interval.
    pub fn estimate(&self, scores: &[Vec<f64>], aggregate: Aggregate) -> Estimate {
        let mut buffer = Vec::new();
        self.estimate_of(&[scores], Pairing::Unpaired, |samples| aggregate.evaluate(&samples[0], &mut buffer))
    }

    /// Any statistic of one or more methods' scores with its interval. `statistic` is given one resample of every
    /// element of `methods`, in order; see [`Pairing`] for how they are drawn together.
    ///
    /// # Panics
    /// If `pairing` is [`Pairing::Paired`] and the methods have different numbers of tasks or runs.
    pub fn estimate_of(
        &self,
        methods: &[&[Vec<f64>]],
        pairing: Pairing,
        mut statistic: impl FnMut(&[Vec<Vec<f64>>]) -> f64,
    ) -> Estimate {
        let mut resample = Resample::new(methods, pairing, self.seed);
        let value = statistic(&resample.drawn);
        let mut replicates: Vec<f64> = (0..self.resamples)
            .map(|_| {
                resample.draw(methods);
                statistic(&resample.drawn)
            })
            .collect();
        let (low, high) = self.percentiles(&mut replicates);
        Estimate { value, low, high }
    }

    /// Several statistics of the same scores, each with its own interval, from the same resamples. `statistics`
    /// writes its values into the slice it is given, `count` of them.
    pub fn estimates(
        &self,
        scores: &[Vec<f64>],
        count: usize,
        mut statistics: impl FnMut(&[Vec<f64>], &mut [f64]),
    ) -> Vec<Estimate> {
        let methods = [scores];
        let mut resample = Resample::new(&methods, Pairing::Unpaired, self.seed);
        let mut values = vec![f64::NAN; count];
        statistics(scores, &mut values);
        let mut replicates = vec![Vec::with_capacity(self.resamples); count];
        let mut drawn = vec![f64::NAN; count];
        for _ in 0..self.resamples {
            resample.draw(&methods);
            statistics(&resample.drawn[0], &mut drawn);
            for (column, &value) in replicates.iter_mut().zip(&drawn) {
                column.push(value);
            }
        }
        let interval = |(value, column): (f64, &mut Vec<f64>)| {
            let (low, high) = self.percentiles(column);
            Estimate { value, low, high }
        };
        values.into_iter().zip(&mut replicates).map(interval).collect()
    }

    /// The two ends of the interval; sorts `replicates`.
    fn percentiles(&self, replicates: &mut [f64]) -> (f64, f64) {
        if replicates.is_empty() || replicates.iter().any(|value| value.is_nan()) {
            return (f64::NAN, f64::NAN);
        }
        replicates.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - self.level) / 2.0;
        (quantile(replicates, tail), quantile(replicates, 1.0 - tail))
    }
}

/// The quantile of sorted values, linear between them (NumPy's default).
fn quantile(sorted: &[f64], fraction: f64) -> f64 {
    let place = fraction.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let (low, high) = (sorted[below], sorted[(below + 1).min(sorted.len() - 1)]);
    // Between infinities there is no line.
    if part == 0.0 || low == high { low } else { low + part * (high - low) }
}

/// Resampled scores and where they are drawn from.
struct Resample {
    /// The last draw: methods x tasks x runs. Starts as the scores themselves.
    drawn: Vec<Vec<Vec<f64>>>,
    /// The drawn runs of one task.
    indices: Vec<usize>,
    pairing: Pairing,
    rng: Rng,
}

impl Resample {
    fn new(methods: &[&[Vec<f64>]], pairing: Pairing, seed: u64) -> Self {
        let drawn: Vec<Vec<Vec<f64>>> = methods.iter().map(|scores| scores.to_vec()).collect();
        if pairing == Pairing::Paired {
            let shape = |scores: &[Vec<f64>]| scores.iter().map(Vec::len).collect::<Vec<usize>>();
            assert!(
                methods.windows(2).all(|pair| shape(pair[0]) == shape(pair[1])),
                "paired scores must have the same tasks and the same runs"
            );
        }
        Resample { drawn, indices: Vec::new(), pairing, rng: Seeds::new(seed).stream("bootstrap") }
    }

    fn draw(&mut self, methods: &[&[Vec<f64>]]) {
        match self.pairing {
            Pairing::Unpaired => {
                for (scores, drawn) in methods.iter().zip(&mut self.drawn) {
                    for (runs, out) in scores.iter().zip(drawn) {
                        draw_indices(&mut self.rng, runs.len(), &mut self.indices);
                        pick(runs, &self.indices, out);
                    }
                }
            }
            Pairing::Paired => {
                for task in 0..methods.first().map_or(0, |scores| scores.len()) {
                    draw_indices(&mut self.rng, methods[0][task].len(), &mut self.indices);
                    for (scores, drawn) in methods.iter().zip(&mut self.drawn) {
                        pick(&scores[task], &self.indices, &mut drawn[task]);
                    }
                }
            }
        }
    }
}

fn draw_indices(rng: &mut Rng, runs: usize, indices: &mut Vec<usize>) {
    // A 32-bit range draws the same indices on every platform.
    let end = u32::try_from(runs).expect("more runs of one task than can be counted");
    indices.clear();
    indices.extend((0..end).map(|_| rng.random_range(0..end) as usize));
}

fn pick(runs: &[f64], indices: &[usize], out: &mut [f64]) {
    for (slot, &index) in out.iter_mut().zip(indices) {
        *slot = runs[index];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_linear_between_values() {
        let sorted = [0.0, 10.0, 20.0, 40.0];
        assert_eq!(quantile(&sorted, 0.0), 0.0);
        assert_eq!(quantile(&sorted, 0.5), 15.0);
        assert_eq!(quantile(&sorted, 1.0), 40.0);
        assert_eq!(quantile(&[f64::NEG_INFINITY, f64::NEG_INFINITY, 1.0], 0.25), f64::NEG_INFINITY);
    }

    #[test]
    fn the_interval_of_a_mean_of_two_runs_is_that_of_four_outcomes() {
        // Resamples of {0, 1}: means 0, 1/2, 1/2, 1 with probability 1/4 each.
        let at = |level: f64| {
            let bootstrap = Bootstrap { level, ..Bootstrap::default() };
            bootstrap.estimate(&[vec![0.0, 1.0]], Aggregate::Mean)
        };
        assert_eq!(at(0.95), Estimate { value: 0.5, low: 0.0, high: 1.0 });
        assert_eq!(at(0.40), Estimate { value: 0.5, low: 0.5, high: 0.5 });
    }

    #[test]
    fn tasks_are_strata() {
        // Runs that agree within every task leave nothing to resample, however far the tasks lie apart.
        let estimate = Bootstrap::default().estimate(&[vec![1.0; 3], vec![100.0; 3]], Aggregate::Mean);
        assert_eq!(estimate, Estimate { value: 50.5, low: 50.5, high: 50.5 });
    }

    #[test]
    fn the_interval_covers_the_true_mean_about_as_often_as_it_says() {
        // 300 studies of 30 uniform runs: the percentile interval of the mean covers 1/2 in 93 to 95 % of them.
        let mut rng = Seeds::new(5).stream("coverage");
        let bootstrap = Bootstrap { resamples: 400, ..Bootstrap::default() };
        let covered = (0..300)
            .filter(|_| {
                let runs: Vec<f64> = (0..30).map(|_| rng.random()).collect();
                let estimate = bootstrap.estimate(&[runs], Aggregate::Mean);
                estimate.low <= 0.5 && 0.5 <= estimate.high
            })
            .count();
        assert!((268..=294).contains(&covered), "{covered} of 300");
    }

    #[test]
    fn several_statistics_share_resamples_with_the_single_ones() {
        let scores = [vec![1.0, 2.0, 5.0, 3.0, 9.0], vec![0.0, 4.0, 4.0, 8.0]];
        let bootstrap = Bootstrap { resamples: 500, ..Bootstrap::default() };
        let both = bootstrap.estimates(&scores, 2, |sample, out| {
            out[0] = Aggregate::Iqm.of(sample);
            out[1] = Aggregate::Mean.of(sample);
        });
        assert_eq!(both[0], bootstrap.estimate(&scores, Aggregate::Iqm));
        assert_eq!(both[1], bootstrap.estimate(&scores, Aggregate::Mean));
    }

    #[test]
    fn a_score_that_is_not_a_number_gives_no_interval() {
        let estimate = Bootstrap::default().estimate(&[vec![1.0, f64::NAN]], Aggregate::Mean);
        assert!(estimate.value.is_nan() && estimate.low.is_nan() && estimate.high.is_nan());
    }
}
